package trace

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// A LineStory is one Set-Cookie line explained: what each token of it does, what the browser does with
// it, and which requests carry the cookie then. The value is shortened.
type LineStory struct {
	Line    string       `json:"line"`
	At      string       `json:"at"`     // the URL whose answer has the line
	Tokens  []Token      `json:"tokens"` // in the order of the line
	Deletes bool         `json:"deletes,omitempty"`
	Verdict rule.Verdict `json:"verdict"`
	Asked   []Asking     `json:"asked,omitempty"` // nil when nothing is stored
	Others  []Elsewhere  `json:"profiles"`        // what browsers of each profile do with the line
	Reads   []Reading    `json:"reads,omitempty"` // what other profiles read otherwise

	rules map[rule.ID]rule.Rule
}

// An Elsewhere is what a browser of a profile, which holds nothing, does with a line.
type Elsewhere struct {
	Profile string       `json:"profile"`
	Verdict rule.Verdict `json:"verdict"`
}

// A Reading is a token as some profiles read it, where that is otherwise than the browser does.
type Reading struct {
	Profiles []string `json:"profiles"`
	Token    Token    `json:"token"`
}

// A Token is the name, the value or an attribute of a line.
type Token struct {
	Text   string  `json:"text"`
	Is     string  `json:"is"`             // name, value or attribute
	Effect string  `json:"effect"`         // counts, ignored, overridden or, when the line is refused because of it, refused
	Does   string  `json:"does"`           // in words
	Rule   rule.ID `json:"rule,omitempty"` // the note by which; "" when it does what it says
}

// An Asking is a request that might carry the cookie, and whether it does.
type Asking struct {
	What    string       `json:"what"`
	Method  string       `json:"method"`
	URL     string       `json:"url"`
	Verdict rule.Verdict `json:"verdict"`
}

// ExplainLine explains a Set-Cookie line, without the header's name, that b, which holds nothing, gets at
// now in the answer to a visit to at. A line that deletes finds a cookie like its own. The value is
// shortened, unless showValue.
func ExplainLine(b *browser.Browser, line string, at *url.URL, now time.Time, showValue bool, lookup func(rule.ID) (rule.Rule, bool)) LineStory {
	l := b.Profile.ReadLine(line, at)
	s := LineStory{At: at.Redacted(), rules: map[rule.ID]rule.Rule{}}
	req := browser.Request{URL: at}
	s.Verdict = heard(func(rec *rule.Recorder) { b.StoreCookie(req, line, now, rec) })
	if expires, ends := l.Expiry(now); ends && !expires.After(now) && len(l.Problems("")) == 0 {
		s.Deletes = true
		b.StoreCookie(req, withoutExpiry(line), now, nil)
		s.Verdict = heard(func(rec *rule.Recorder) { b.StoreCookie(req, line, now, rec) })
	}
	s.Tokens = tokens(line, &l, now, valueShown(showValue))
	plain := slices.Clone(s.Tokens) // before anything is said of what the browser does with them
	s.Line = written(s.Tokens)
	s.blame()
	if slices.Contains(s.Verdict.Notes, noteSuffixHost) {
		s.reword("domain", noteSuffixHost)
	}
	if s.Verdict.Yes && !s.Deletes {
		for _, a := range asking(at) {
			s.Asked = append(s.Asked, a.ask(b, now))
		}
	}
	for _, p := range browser.Profiles() {
		other := browser.Browser{Profile: p}
		s.Others = append(s.Others, Elsewhere{p.Name(), heard(func(rec *rule.Recorder) { other.StoreCookie(req, line, now, rec) })})
		read := p.ReadLine(line, at)
		s.compare(p.Name(), plain, tokens(line, &read, now, valueShown(showValue)))
	}
	s.learn(lookup)
	return s
}

// compare notes what a profile reads otherwise than the browser.
func (s *LineStory) compare(profile string, ours, theirs []Token) {
	for i, t := range theirs {
		if i < len(ours) && t == ours[i] {
			continue
		}
		at := slices.IndexFunc(s.Reads, func(r Reading) bool { return r.Token == t })
		if at < 0 {
			s.Reads = append(s.Reads, Reading{nil, t})
			at = len(s.Reads) - 1
		}
		s.Reads[at].Profiles = append(s.Reads[at].Profiles, profile)
	}
}

// heard is the verdict that ask causes.
func heard(ask func(*rule.Recorder)) (v rule.Verdict) {
	ask(rule.NewRecorder(func(one rule.Verdict) { v = one }))
	return v
}

// withoutExpiry is the line that sets what line deletes.
func withoutExpiry(line string) string {
	var kept []string
	for i, part := range strings.Split(line, ";") {
		name, _, _ := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		if i == 0 || !strings.EqualFold(name, "Max-Age") && !strings.EqualFold(name, "Expires") {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ";")
}

// Notes of packages cookie and browser that a token is explained by.
const (
	noteComma      rule.ID = "note-comma-in-value"     // what a proxy makes that joins lines
	noteSuffixHost rule.ID = "note-public-suffix-host" // Domain is ignored
)

// blamed are the tokens because of which a rule refuses a line.
var blamed = map[rule.ID]string{
	"store-ambiguous": "name", "store-empty": "name", "store-nameless": "name",
	"store-prefix-host": "name", "store-prefix-http": "name", "store-prefix-secure": "name",
	"store-nameless-http-prefix": "value", "store-nameless-prefix": "value", "store-too-big": "value",
	"store-domain-mismatch": "domain", "store-domain-non-ascii": "domain", "store-public-suffix": "domain",
	"store-none-not-secure": "samesite", "store-partitioned-not-secure": "partitioned", "store-secure-over-http": "secure",
}

// blame marks the tokens because of which the line is refused.
func (s *LineStory) blame() {
	for _, id := range append([]rule.ID{s.Verdict.Rule}, s.Verdict.Also...) {
		for i := range s.Tokens {
			t := &s.Tokens[i]
			name, _, _ := strings.Cut(t.Text, "=")
			if t.Effect == "counts" && (t.Is == blamed[id] || t.Is == "attribute" && strings.EqualFold(name, blamed[id])) {
				t.Effect, t.Does, t.Rule = "refused", "", id
			}
		}
	}
}

// reword leaves to a rule what is said of an attribute that counts.
func (s *LineStory) reword(attribute string, id rule.ID) {
	for i := range s.Tokens {
		t := &s.Tokens[i]
		if name, _, _ := strings.Cut(t.Text, "="); t.Effect == "counts" && strings.EqualFold(name, attribute) && t.Is == "attribute" {
			t.Effect, t.Does, t.Rule = "ignored", "", id
		}
	}
}

// valueShown is how a value is written.
func valueShown(whole bool) func(string) string {
	if whole {
		return func(value string) string { return value }
	}
	return shorten
}

// learn looks up the rules that the story names.
func (s *LineStory) learn(lookup func(rule.ID) (rule.Rule, bool)) {
	var ids []rule.ID
	add := func(v rule.Verdict) { ids = append(append(append(ids, v.Rule), v.Also...), v.Notes...) }
	add(s.Verdict)
	for _, a := range s.Asked {
		add(a.Verdict)
	}
	all := make([]*Token, 0, len(s.Tokens)+len(s.Reads))
	for i := range s.Tokens {
		all = append(all, &s.Tokens[i])
	}
	for i := range s.Reads {
		all = append(all, &s.Reads[i].Token)
	}
	for _, t := range all {
		ids = append(ids, t.Rule)
	}
	for _, id := range ids {
		if r, ok := lookup(id); ok {
			s.rules[id] = r
		}
	}
	for _, t := range all {
		t.Does = cmp.Or(t.Does, s.rules[t.Rule].Sentence)
	}
}

// tokens takes the line apart, of which l is a reading. What a note says of an attribute is left to the note.
// A name without an equals sign, as Firefox has it, is the value of a nameless cookie elsewhere, and as secret.
func tokens(line string, l *cookie.Line, now time.Time, shown func(string) string) []Token {
	name := called(l.Name)
	if pair, _, _ := strings.Cut(line, ";"); l.Name != "" && !strings.Contains(pair, "=") {
		name = shown(l.Name)
	}
	all := []Token{
		{Text: name, Is: "name", Effect: "counts", Does: nameMeaning(l.Name)},
		{Text: shown(l.Value), Is: "value", Effect: "counts", Does: valueMeaning(l.Value)},
	}
	for _, a := range l.Attributes {
		all = append(all, attributeToken(l, a, now))
	}
	return all
}

// nameMeaning is what there is to say of a name; the prefixes are those that browsers know.
func nameMeaning(name string) string {
	if name == "" {
		return "There is none; the site gets the value alone."
	}
	does := octets(len(name)) + "; upper and lower case differ"
	for _, p := range []struct{ prefix, asks string }{
		{"__Host-Http-", "Secure, HttpOnly, Path=/ and no Domain"},
		{"__Host-", "Secure, Path=/ and no Domain"},
		{"__Http-", "Secure and HttpOnly"},
		{"__Secure-", "Secure"},
	} {
		if len(name) >= len(p.prefix) && strings.EqualFold(name[:len(p.prefix)], p.prefix) {
			return does + "; the prefix asks for " + p.asks
		}
	}
	return does
}

func valueMeaning(value string) string {
	switch {
	case value == "":
		return "It is empty, which is a value as well."
	case strings.Contains(value, `"`):
		return octets(len(value)) + "; quotes are part of it"
	}
	return octets(len(value))
}

// written puts the tokens together again.
func written(tokens []Token) string {
	var b strings.Builder
	if name := tokens[0].Text; name != called("") {
		b.WriteString(name + "=")
	}
	b.WriteString(tokens[1].Text)
	for _, t := range tokens[2:] {
		b.WriteString("; " + t.Text)
	}
	return clean(b.String())
}

func octets(n int) string { return counted(n, "octet") }

func attributeToken(l *cookie.Line, a cookie.Attribute, now time.Time) Token {
	t := Token{Text: attributeText(a), Is: "attribute", Effect: "counts", Rule: a.Note}
	if strings.EqualFold(a.Name, "Priority") {
		t.Does = "The standard does not have it; Chromium alone reads it, when it has too many cookies and some have to go."
	}
	switch {
	case a.Effect == cookie.Ignored, wasted(l, a):
		t.Effect = "ignored"
	case a.Effect == cookie.Overridden:
		t.Effect = "overridden"
		if a.Note == "" {
			t.Does = "A later " + a.Name + " of the line takes its place."
		}
	default:
		t.Does = meaning(l, a, now)
		if _, folded, _ := strings.Cut(a.Value, ","); strings.Contains(folded, "=") {
			t.Does, t.Rule = t.Does+" The comma belongs to it: no other cookie begins there.", noteComma
		}
	}
	return t
}

// attributeText is an attribute as it was written. One that is none may be a part of a value, which a
// semicolon ended, and is shortened.
func attributeText(a cookie.Attribute) string {
	text, value := a.Name, a.Value
	if !isAttribute(a.Name) {
		value = shorten(value)
		if len(text) >= shortenFrom {
			text = shorten(text)
		}
	}
	if value == "" {
		return text
	}
	return shortenFolded(text + "=" + value)
}

// wasted reports whether an attribute was understood to say nothing: it counts only against an earlier
// one of its kind.
func wasted(l *cookie.Line, a cookie.Attribute) bool {
	switch strings.ToLower(a.Name) {
	case "path":
		return a.Effect == cookie.Applied && l.Path == ""
	case "samesite":
		return a.Effect == cookie.Applied && l.SameSite == cookie.SameSiteDefault
	case "expires", "max-age":
		return a.Effect == cookie.Applied && a.Note != "" && !slices.ContainsFunc(l.Attributes, func(b cookie.Attribute) bool {
			return b != a && strings.EqualFold(a.Name, b.Name)
		})
	}
	return false
}

// meaning is what an attribute that counts does.
func meaning(l *cookie.Line, a cookie.Attribute, now time.Time) string {
	switch strings.ToLower(a.Name) {
	case "expires", "max-age":
		if a.Note != "" {
			return "It cannot be read, and an earlier one of its name does not count either."
		}
		expires, _ := l.Expiry(now)
		if !expires.After(now) {
			return "It has expired: the line deletes the cookie with this name, domain and path."
		}
		return "The browser keeps the cookie until " + expires.UTC().Format("2006-01-02 15:04:05") + " UTC."
	case "domain":
		if l.Domain == "" {
			return "It is empty, which is as good as none: only the host that sets the cookie gets it."
		}
		return fmt.Sprintf("%s and every host under it get the cookie.", l.Domain)
	case "path":
		return fmt.Sprintf("Requests for %s and what is below it carry the cookie.", shortenFolded(l.Path))
	case "secure":
		return "Only secure connections carry the cookie, and only they can set it."
	case "httponly":
		return "Scripts of the page cannot read the cookie."
	case "samesite":
		return sameSiteMeaning[l.SameSite]
	case "partitioned":
		return "In Chromium and Firefox, inside a page of another site, the cookie is one of that page's own; it needs Secure. The standard does not have it."
	}
	return ""
}

var sameSiteMeaning = map[cookie.SameSite]string{
	cookie.SameSiteNone:   "Requests that other sites cause carry the cookie too; it needs Secure.",
	cookie.SameSiteLax:    "Of what other sites cause, only links and other visits by a safe method carry the cookie.",
	cookie.SameSiteStrict: "Nothing that another site causes carries the cookie, links included.",
}

// elsewhere is a page of another site than any that is asked about.
const elsewhere = "https://elsewhere.invalid/"

// A question is a request that a person may wonder about.
type question struct {
	what, method string
	url          *url.URL
	from         *url.URL
}

// asking are the requests that show where a cookie set at a URL goes.
func asking(at *url.URL) []question {
	other, _ := url.Parse(elsewhere)
	root := *at
	root.Path, root.RawPath, root.RawQuery = "/", "", ""
	scheme := map[string]string{"http": "https", "https": "http"}[at.Scheme]
	turned, _ := url.Parse(withScheme(at, scheme))
	all := []question{{"the same page again", http.MethodGet, at, nil}}
	if at.EscapedPath() != "/" {
		all = append(all, question{"the root of the site", http.MethodGet, &root, nil})
	}
	all = append(all, question{"the same page over " + scheme, http.MethodGet, turned, nil})
	for _, host := range relatives(at.Hostname()) {
		u := *at
		u.Host = host
		if port := at.Port(); port != "" {
			u.Host += ":" + port
		}
		all = append(all, question{"the host " + host, http.MethodGet, &u, nil})
	}
	return append(all,
		question{"a link on another site", http.MethodGet, at, other},
		question{"a form that another site sends", http.MethodPost, at, other})
}

// relatives are hosts that a person takes for the same site: one below, and the one that was registered.
func relatives(host string) []string {
	name, err := cookie.CanonicalHost(host)
	if err != nil {
		return nil
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return nil
	}
	registered := cookie.RegistrableDomain(name)
	if registered == name {
		return []string{"www." + name}
	}
	return []string{"sub." + name, registered}
}

func (q question) ask(b *browser.Browser, now time.Time) Asking {
	req := browser.Request{Method: q.method, URL: q.url}
	if q.from != nil {
		req.Initiator = &browser.Document{URL: q.from}
	}
	return Asking{What: q.what, Method: q.method, URL: q.url.Redacted(), Verdict: heard(func(rec *rule.Recorder) { b.CookieHeader(req, now, rec) })}
}

// does says what a token does, and by which rule.
func (t *Token) does() string {
	if t.Rule == "" {
		return t.Does
	}
	return strings.TrimSpace(t.Does + " (" + string(t.Rule) + ")")
}

// WriteJSON writes the story as one line of JSON.
func (s *LineStory) WriteJSON(w io.Writer) error { return writeStory(w, s) }

// WriteText writes the story for a person.
func (s *LineStory) WriteText(w io.Writer) {
	fmt.Fprintf(w, "Set-Cookie: %s\n  in the answer to GET %s\n\nToken by token\n", s.Line, clean(s.At))
	g := grid{head: []string{"Token", "Is", "Effect", "What it does"}}
	for _, t := range s.Tokens {
		g.rows = append(g.rows, []string{t.Text, t.Is, t.Effect, t.does()})
	}
	g.text(w, []int{34, 0, 0, 66})
	if len(s.Reads) > 0 {
		fmt.Fprintln(w, "\nRead otherwise")
		g = grid{head: []string{"By", "Token", "Effect", "What it does"}}
		for _, r := range s.Reads {
			g.rows = append(g.rows, []string{strings.Join(r.Profiles, ", "), r.Token.Text, r.Token.Effect, r.Token.does()})
		}
		g.text(w, []int{20, 34, 0, 46})
	}
	fmt.Fprintf(w, "\nWhat the browser does\n  %s %s\n", s.outcome(), s.Verdict.Rule)
	writeRules(w, s.Verdict, s.rules)
	s.writeOthers(w)
	if s.Asked == nil {
		return
	}
	fmt.Fprintln(w, "\nWhere it goes then")
	g = grid{head: []string{"Request", "", "Sent", "Rule"}}
	for _, a := range s.Asked {
		g.rows = append(g.rows, []string{a.What, a.Method + " " + a.URL, yesNo(a.Verdict.Yes), cmp.Or(ids(a.Verdict), "another site's cookie, so no question")})
	}
	g.text(w, []int{30, 44, 0, 34})
}

// writeOthers tells where the profiles differ, or that they do not.
func (s *LineStory) writeOthers(w io.Writer) {
	g := grid{head: []string{"Profile", "Stored", "Rule"}}
	alike := true
	for _, o := range s.Others {
		alike = alike && o.Verdict.Yes == s.Others[0].Verdict.Yes
		g.rows = append(g.rows, []string{o.Profile, yesNo(o.Verdict.Yes), ids(o.Verdict)})
	}
	if alike {
		fmt.Fprintf(w, "\nBrowsers of every profile that there is (%s) answer alike.\n", s.profiles())
		return
	}
	fmt.Fprintln(w, "\nBrowsers differ")
	g.text(w, []int{0, 0, 80})
}

func (s *LineStory) profiles() string {
	names := make([]string, len(s.Others))
	for i, o := range s.Others {
		names[i] = o.Profile
	}
	return strings.Join(names, ", ")
}

func (s *LineStory) outcome() string {
	switch {
	case !s.Verdict.Yes:
		return "It refuses the line:"
	case s.Deletes:
		return "It deletes the cookie with that name, domain and path, if it holds one:"
	}
	return "It stores the cookie:"
}

// writeRules tells each rule of a verdict, and what to do about those that refuse or remark.
func writeRules(w io.Writer, v rule.Verdict, rules map[rule.ID]rule.Rule) {
	tell := func(id rule.ID, fix bool) {
		r := rules[id]
		fmt.Fprintf(w, "\n  %s\n", id)
		for _, line := range wrap(r.Sentence, factsWidth) {
			fmt.Fprintf(w, "    %s\n", line)
		}
		if fix {
			for _, line := range wrap("What to do: "+r.Fix, factsWidth) {
				fmt.Fprintf(w, "    %s\n", line)
			}
		}
	}
	tell(v.Rule, !v.Yes)
	for _, f := range v.Facts {
		if telling[f.Name] {
			fmt.Fprintf(w, "    %s: %s\n", f.Name, clean(f.Value))
		}
	}
	for _, id := range v.Also {
		tell(id, true)
	}
	for _, id := range v.Notes {
		tell(id, !harmless[id])
	}
}

// harmless are notes about what most lines do on purpose: they come without advice.
var harmless = map[rule.ID]bool{"note-host-only": true, "note-default-path": true, "note-leading-dot": true}

// telling are the facts that say in what way a rule refuses; the others repeat the line.
var telling = map[string]bool{"octet": true, "octets of name and value": true, "kind": true, "lacks": true, "problem": true}

// ParseLineURL reads the URL at which a line is explained.
func ParseLineURL(text string) (*url.URL, error) {
	u, err := parseTarget(text)
	if err != nil {
		return nil, err
	}
	if _, err := cookie.CanonicalHost(u.Hostname()); err != nil {
		return nil, fmt.Errorf("URL %s names no host that a browser would ask: %w", strconv.Quote(u.Redacted()), err)
	}
	return u, nil
}
