package trace

import (
	"net/url"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/rule"
)

// A Run is what happened: visits in the order in which they were made by one browser.
type Run struct {
	Visits []Visit
}

// A Visit is one URL asked for by a person or a page, and the hops it took.
type Visit struct {
	Title string // what the visit is for, in an act; ""
	Then  string // the same of the part over https, when the two are to be told apart
	As    string // whose browser made it, when it is not the person's
	Typed string // the URL as it was asked for
	From  string // the page that led there; "" when a person typed the URL
	Hops  []Hop  // never empty

	Context *Context // of a visit of a tour, or to which a page led; nil for any other
	Profile string   // of the browser; "" is that of RFC 6265bis
}

// Last returns the hop at which the visit ended.
func (v Visit) Last() *Hop { return &v.Hops[len(v.Hops)-1] }

// A Hop is one request and its answer.
type Hop struct {
	At       time.Time
	Method   string
	URL      string         // as it left, after an upgrade by HSTS
	Known    bool           // the site's verdicts are its own; false: it was seen from outside
	Left     bool           // the request was sent; false: there was no connection to send it on
	Cookie   string         // the Cookie header that left, values shortened; "" when none did
	Sent     []Field        // the header lines that say where the request comes from: Origin, Referer, Sec-Fetch
	Response *Response      // nil when there was no answer
	Verdicts []rule.Verdict // of both sides, in the order in which they fell
	Cookies  []StoredCookie // what the browser holds after the hop
	HSTS     []KnownHost    // the HSTS hosts that the browser knows after the hop

	saysLoop bool // the answer is a page that says that its redirect would lead back

	whole string // the Cookie header as it left, for WriteCurl alone, when the Client was told to keep it
}

// A Response is the answer of a hop.
type Response struct {
	Status int     `json:"status"`
	Fields []Field `json:"fields"`         // the header as it came, cookie values shortened
	Text   string  `json:"text,omitempty"` // first line of a plain text answer of a site in this process
}

// A Field is one line of a header.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`

	// Number tells the values of a cookie apart, which may look the same as they are shown: 1 in the
	// Set-Cookie lines that have the first value of that name in a run. It is 0 in every other line.
	Number int `json:"number,omitempty"`
}

// A StoredCookie is a cookie in the browser's store, without its value.
type StoredCookie struct {
	Name     string    `json:"name"`
	Domain   string    `json:"domain"`
	HostOnly bool      `json:"host_only"`
	Path     string    `json:"path"`
	Secure   bool      `json:"secure"`
	HttpOnly bool      `json:"http_only"`
	SameSite string    `json:"same_site"`
	Expires  time.Time `json:"expires,omitzero"` // zero: until the browser closes
}

// A KnownHost is an entry of the browser's HSTS store.
type KnownHost struct {
	Host              string    `json:"host"`
	IncludeSubDomains bool      `json:"include_subdomains"`
	Expires           time.Time `json:"expires"`
}

// Secure reports whether the hop went over https.
func (h *Hop) Secure() bool { return scheme(h.URL) == "https" }

// Location returns the Location field of the answer, or "".
func (h *Hop) Location() string {
	if h.Response == nil {
		return ""
	}
	for _, f := range h.Response.Fields {
		if strings.EqualFold(f.Name, "Location") {
			return f.Value
		}
	}
	return ""
}

// Verdict returns the first verdict on question q about subject; an empty subject stands for any.
func (h *Hop) Verdict(q rule.Question, subject string) (rule.Verdict, bool) {
	for _, v := range h.Verdicts {
		if v.Question == q && (subject == "" || v.Subject == subject) {
			return v, true
		}
	}
	return rule.Verdict{}, false
}

// All returns the verdicts on question q, in order.
func (h *Hop) All(q rule.Question) []rule.Verdict {
	var all []rule.Verdict
	for _, v := range h.Verdicts {
		if v.Question == q {
			all = append(all, v)
		}
	}
	return all
}

func scheme(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Scheme
}
