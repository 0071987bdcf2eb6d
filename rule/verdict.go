package rule

import "log/slog"

// A Side is who decided.
type Side string

// The two sides, which meet only in a trace.
const (
	Browser Side = "browser"
	Site    Side = "site"
)

// Path is somebody between the two, whom neither has chosen. Only a run that has such a person in it, as a
// scenario may, tells what he did.
const Path Side = "path"

// A Question is what was decided. The words are Django's on the site's side and the RFCs' on the
// browser's.
type Question string

// The questions of the site, in the order in which a request meets them.
const (
	IsSecure        Question = "is_secure"
	AllowHost       Question = "allow host"
	RedirectToHTTPS Question = "redirect to https"
	CheckCSRF       Question = "check csrf"
	LoadSession     Question = "load session"
	IsAuthenticated Question = "is_authenticated"
	SaveSession     Question = "save session"
	SetCookie       Question = "set cookie"
	SendHeader      Question = "send header"
	LogIn           Question = "log in"      // what came of a login form, seen from outside
	Answer          Question = "answer"      // what a site did, seen from outside
	OfferHTTPS      Question = "offer https" // whether a visit over http comes to https, seen from outside
)

// The questions of the browser, in the order in which a visit meets them.
const (
	UpgradeToHTTPS Question = "upgrade to https"
	SendCookie     Question = "send cookie"
	ReadCookie     Question = "read cookie" // by a script
	SendOrigin     Question = "send Origin"
	SendReferer    Question = "send Referer"
	AllowFetch     Question = "allow fetch" // which the browser asks the site before it sends one
	Connect        Question = "connect"
	StoreHSTS      Question = "store HSTS"
	StoreCookie    Question = "store cookie"
	ClearSiteData  Question = "clear site data"
	FollowRedirect Question = "follow redirect"
	ExplainLoop    Question = "explain loop"    // why redirects do not end
	MixedContent   Question = "mixed content"   // what a page over https takes over http, or sends there
	MatchRecording Question = "match recording" // whether a recording has a cookie as the rules have it
)

// A Fact is something the decision looked at, as it was: a name and a value, such as
// {"request.is_secure()", "False"}. Facts hold no secrets: of a cookie they tell the name and the
// attributes, never the value.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Verdict is one decision.
type Verdict struct {
	Side     Side     `json:"side"`
	Question Question `json:"question"`
	Subject  string   `json:"subject"` // the cookie, header, host or URL asked about
	Yes      bool     `json:"yes"`
	Rule     ID       `json:"rule"`            // the rule that decided
	Also     []ID     `json:"also,omitempty"`  // further rules that would have decided the same way
	Notes    []ID     `json:"notes,omitempty"` // what else a person should know: an attribute ignored, a lifetime capped
	Facts    []Fact   `json:"facts,omitempty"` // nil when nobody watched
}

// Fact returns the value of the named fact, and whether the verdict has it.
func (v Verdict) Fact(name string) (value string, ok bool) {
	for _, f := range v.Facts {
		if f.Name == name {
			return f.Value, true
		}
	}
	return "", false
}

// LogValue implements [slog.LogValuer]: the question, its subject, the answer and the rule.
func (v Verdict) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("side", string(v.Side)),
		slog.String("question", string(v.Question)),
		slog.String("subject", v.Subject),
		slog.Bool("yes", v.Yes),
		slog.String("rule", string(v.Rule)),
	)
}
