package expect

import (
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// A where is which requests an expectation is about. The zero where is any.
type where struct {
	scheme string
	at     string // a URL, or a path of any host
}

// place reads a URL or a path.
func place(text string) (string, error) {
	if strings.HasPrefix(text, "/") {
		return text, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("%q is neither a URL nor a path that begins with /", text)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	u.Fragment, u.RawFragment = "", ""
	return u.String(), nil
}

func (w where) covers(h *trace.Hop) bool {
	u, err := url.Parse(h.URL)
	if err != nil {
		return false
	}
	u.Fragment, u.RawFragment = "", ""
	return (w.scheme == "" || w.scheme == u.Scheme) &&
		(w.at == "" || w.at == u.EscapedPath() || w.at == u.String())
}

// String is w as it stands in a sentence, with a space before it.
func (w where) String() string {
	var text string
	if w.scheme != "" {
		text = " over " + w.scheme
	}
	if w.at != "" {
		text += " at " + w.at
	}
	return text
}

// A spot is a hop of a run, and a verdict there.
type spot struct {
	visit, hop int
	h          *trace.Hop
	v          rule.Verdict
}

// answer is what the verdict decided.
func (s spot) answer(holds bool, why string, args ...any) Answer {
	return Answer{Holds: holds, Visit: s.visit, Hop: s.hop, Rule: s.v.Rule, Why: fmt.Sprintf(why, args...)}
}

// hops are the hops of a run that w covers.
func hops(run *trace.Run, w where) iter.Seq[spot] {
	return func(yield func(spot) bool) {
		for i := range run.Visits {
			for j := range run.Visits[i].Hops {
				h := &run.Visits[i].Hops[j]
				if w.covers(h) && !yield(spot{visit: i + 1, hop: j + 1, h: h}) {
					return
				}
			}
		}
	}
}

// verdicts are those on a question at the hops that w covers; an empty subject stands for any. Whether a
// cookie goes along is asked of requests that left only.
func verdicts(run *trace.Run, w where, q rule.Question, subject string) iter.Seq[spot] {
	return func(yield func(spot) bool) {
		for s := range hops(run, w) {
			for _, v := range s.h.All(q) {
				if subject != "" && v.Subject != subject || q == rule.SendCookie && !s.h.Left {
					continue
				}
				if s.v = v; !yield(s) {
					return
				}
			}
		}
	}
}

// find returns the first of the spots for which ok reports true.
func find(spots iter.Seq[spot], ok func(spot) bool) (spot, bool) {
	for s := range spots {
		if ok(s) {
			return s, true
		}
	}
	return spot{}, false
}

func yes(s spot) bool { return s.v.Yes }

func every(spot) bool { return true }

// storedIt reports whether a verdict about a Set-Cookie line left a cookie behind.
func storedIt(s spot) bool { return s.v.Yes && s.v.Rule != "store-deleted" }

// met reports whether any answer set the cookie.
func met(run *trace.Run, name string) bool {
	_, ok := find(verdicts(run, where{}, rule.StoreCookie, name), every)
	return ok
}

func notMet(run *trace.Run, name string) Answer {
	var names []string
	for s := range verdicts(run, where{}, rule.StoreCookie, "") {
		if !slices.Contains(names, s.v.Subject) {
			names = append(names, s.v.Subject)
		}
	}
	if names == nil {
		return Answer{Why: fmt.Sprintf("the site never set %s, nor any other cookie", name)}
	}
	return Answer{Why: fmt.Sprintf("the site never set %s; it set %s", name, strings.Join(names, ", "))}
}

func stored(run *trace.Run, name string, w where) Answer {
	lines := verdicts(run, w, rule.StoreCookie, name)
	if s, ok := find(lines, storedIt); ok {
		return s.answer(true, "stored")
	}
	if s, ok := find(lines, every); ok {
		return s.answer(false, "set, and not stored")
	}
	if !met(run, name) {
		return notMet(run, name)
	}
	return Answer{Why: "no answer" + w.String() + " set it"}
}

func notStored(run *trace.Run, name string, w where) Answer {
	if !met(run, name) {
		return notMet(run, name)
	}
	lines := verdicts(run, w, rule.StoreCookie, name)
	if s, ok := find(lines, storedIt); ok {
		return s.answer(false, "stored")
	}
	if s, ok := find(lines, every); ok {
		return s.answer(true, "set, and not stored")
	}
	return nothing(run, w, "no answer%s set it")
}

func sent(run *trace.Run, name string, w where) Answer {
	asked := verdicts(run, w, rule.SendCookie, name)
	if s, ok := find(asked, yes); ok {
		return s.answer(true, "sent")
	}
	if s, ok := find(asked, every); ok {
		return s.answer(false, "kept back")
	}
	if !met(run, name) {
		return notMet(run, name)
	}
	return Answer{Why: "no request" + w.String() + " was made after it was set"}
}

func notSent(run *trace.Run, name string, w where) Answer {
	if !met(run, name) {
		return notMet(run, name)
	}
	asked := verdicts(run, w, rule.SendCookie, name)
	if s, ok := find(asked, yes); ok {
		return s.answer(false, "sent")
	}
	if s, ok := find(asked, every); ok {
		return s.answer(true, "kept back")
	}
	return nothing(run, w, "no request%s was made after it was set")
}

// never is about the value too: what an answer sets has travelled, whether the browser keeps it or not.
func never(run *trace.Run, name string, w where) Answer {
	if s, ok := find(verdicts(run, w, rule.StoreCookie, name), every); ok {
		return s.answer(false, "set by the answer")
	}
	if w == (where{}) {
		return Answer{Holds: true, Why: "the site never set it"}
	}
	return notSent(run, name, w)
}

func noCookie(run *trace.Run, w where) Answer {
	if s, ok := find(verdicts(run, w, rule.StoreCookie, ""), every); ok {
		return s.answer(false, "%s is set by the answer", s.v.Subject)
	}
	if s, ok := find(verdicts(run, w, rule.SendCookie, ""), yes); ok {
		return s.answer(false, "%s is sent", s.v.Subject)
	}
	if s, ok := find(verdicts(run, w, rule.SendCookie, ""), every); ok {
		return s.answer(true, "%s is kept back, as are all others", s.v.Subject)
	}
	return nothing(run, w, "no cookie was there to send%s")
}

// nothing is the answer when nothing happened where it was not to: that holds. At a URL or path that
// nobody asked for it does not, since there may be a mistake in it.
func nothing(run *trace.Run, w where, why string) Answer {
	if _, asked := find(hops(run, where{at: w.at}), every); !asked {
		return Answer{Why: "nothing was asked for at " + w.at}
	}
	return Answer{Holds: true, Why: fmt.Sprintf(why, w)}
}

// An attribute is what a stored cookie is to have.
type attribute struct {
	text string
	ok   func(trace.StoredCookie) bool
}

func parseAttribute(text string) (attribute, error) {
	name, value, given := strings.Cut(text, "=")
	a := attribute{text: text}
	switch name = strings.ToLower(name); {
	case given && name == "samesite":
		a.ok = func(c trace.StoredCookie) bool { return strings.EqualFold(c.SameSite, value) }
		if !slices.ContainsFunc([]string{"Lax", "Strict", "None", "Default"}, func(v string) bool { return strings.EqualFold(v, value) }) {
			return a, fmt.Errorf("%q is not Lax, Strict, None or Default", value)
		}
	case given && name == "path":
		a.ok = func(c trace.StoredCookie) bool { return c.Path == value }
	case given && name == "domain":
		a.ok = func(c trace.StoredCookie) bool {
			return !c.HostOnly && strings.EqualFold(c.Domain, strings.TrimPrefix(value, "."))
		}
	case !given && name == "secure":
		a.ok = func(c trace.StoredCookie) bool { return c.Secure }
	case !given && name == "httponly":
		a.ok = func(c trace.StoredCookie) bool { return c.HttpOnly }
	case !given && name == "host-only":
		a.ok = func(c trace.StoredCookie) bool { return c.HostOnly }
	case !given && name == "session":
		a.ok = func(c trace.StoredCookie) bool { return c.Expires.IsZero() }
	case !given && name == "persistent":
		a.ok = func(c trace.StoredCookie) bool { return !c.Expires.IsZero() }
	default:
		return a, fmt.Errorf("%q is not Secure, HttpOnly, SameSite=VALUE, Path=PATH, Domain=DOMAIN, host-only, session or persistent", text)
	}
	return a, nil
}

// has is about each cookie of the name, after every hop after which it is stored.
func has(run *trace.Run, name string, wanted []attribute) Answer {
	var first *spot
	for s := range hops(run, where{}) {
		for _, c := range s.h.Cookies {
			if c.Name != name {
				continue
			}
			for _, a := range wanted {
				if !a.ok(c) {
					return s.answer(false, "stored without %s", a.text)
				}
			}
			if first == nil {
				first = &s
			}
		}
	}
	switch {
	case first != nil:
		return first.answer(true, "stored like that")
	case met(run, name):
		s, _ := find(verdicts(run, where{}, rule.StoreCookie, name), every)
		return s.answer(false, "set, and not stored")
	}
	return notMet(run, name)
}

// redirects is about the visits over http.
func redirects(run *trace.Run) Answer {
	found := Answer{Why: "nothing was asked for over http"}
	for i := range run.Visits {
		visit := &run.Visits[i]
		if !strings.HasPrefix(visit.Typed, "http:") {
			continue
		}
		h := &visit.Hops[0]
		at := spot{visit: i + 1, hop: 1, h: h}
		if v, ok := h.Verdict(rule.UpgradeToHTTPS, ""); ok && v.Yes {
			at.v = v
			if !found.Holds {
				found = at.answer(true, "upgraded before it left")
			}
			continue
		}
		at.v, _ = h.Verdict(rule.FollowRedirect, "")
		switch {
		case h.Response == nil:
			at.v, _ = h.Verdict(rule.Connect, "")
			return at.answer(false, "no answer over http")
		case !at.v.Yes:
			return at.answer(false, "answered with %d over http", h.Response.Status)
		case len(visit.Hops) < 2 || !visit.Hops[1].Secure():
			return at.answer(false, "the first answer leads to %s", h.Location())
		}
		found = at.answer(true, "%d to %s", h.Response.Status, h.Location())
	}
	return found
}

// hsts is about the host that answered last over https.
func hsts(run *trace.Run, least time.Duration) Answer {
	var last *spot
	for s := range hops(run, where{scheme: "https"}) {
		if s.h.Response != nil {
			last = &s
		}
	}
	if last == nil {
		return Answer{Why: "nothing was answered over https"}
	}
	last.v, _ = last.h.Verdict(rule.StoreHSTS, "")
	u, err := url.Parse(last.h.URL)
	if err != nil {
		return last.answer(false, "its URL cannot be read")
	}
	host := strings.ToLower(u.Hostname())
	for _, k := range last.h.HSTS {
		if k.Host != host && (!k.IncludeSubDomains || !cookie.DomainMatch(host, k.Host)) {
			continue
		}
		left := k.Expires.Sub(last.h.At)
		if left < least {
			return last.answer(false, "%s is a known HSTS host for %s", k.Host, left.Round(time.Second))
		}
		return last.answer(true, "%s is a known HSTS host until %s", k.Host, k.Expires.UTC().Format(time.DateOnly))
	}
	return last.answer(false, "%s is no known HSTS host", host)
}

// fell reports whether a verdict fell by a rule.
func fell(run *trace.Run, id rule.ID, subject string, wanted bool) Answer {
	for s := range hops(run, where{}) {
		for _, v := range s.h.Verdicts {
			if subject != "" && v.Subject != subject {
				continue
			}
			if v.Rule == id || slices.Contains(v.Also, id) || slices.Contains(v.Notes, id) {
				s.v = v
				return s.answer(wanted, "%s %s", v.Question, v.Subject)
			}
		}
	}
	return Answer{Holds: !wanted, Why: "no verdict fell by it"}
}
