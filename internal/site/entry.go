package site

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/session"
)

// Limits of what is kept of one request.
const (
	maxVerdicts = 48
	maxCookies  = 20
	maxFacts    = 16  // of one verdict
	maxText     = 200 // bytes of one text

	// maxKept is how many bytes of texts from outside an entry holds; facts beyond them are left out. An
	// ordinary request has a tenth of it.
	maxKept = 8 << 10
)

// An entry is one request and its verdicts, as the page of verdicts shows them. It holds no value of a
// cookie, no query and nothing of a body, and does not change once it is in a feed.
type entry struct {
	Number   uint64
	At       time.Time
	Scheme   string
	Method   string
	Path     string // without the query, which may hold anything
	Query    bool   // there was one
	Status   int
	Cookies  []string // names of those that the browser sent
	Verdicts []shown
	Omitted  int // verdicts beyond maxVerdicts

	kept int // bytes of facts and subjects
}

// shown is a verdict with what its rules say.
type shown struct {
	rule.Verdict
	Rule  rule.Rule
	Also  []rule.Rule
	Notes []rule.Rule
}

// Class is how the page marks the answer: yes, no, or refused for a no that ends a request. Most of the
// others are as good as a yes.
func (s shown) Class() string {
	switch {
	case s.Yes:
		return "yes"
	case s.Question == rule.AllowHost, s.Question == rule.CheckCSRF:
		return "refused"
	}
	return "no"
}

// catalogue holds every rule by which this site decides, by ID.
var catalogue = sync.OnceValue(func() map[rule.ID]rule.Rule {
	all := make(map[rule.ID]rule.Rule)
	for _, r := range slices.Concat(lockstep.Rules(), session.Rules(), cookie.Rules()) {
		all[r.ID] = r
	}
	return all
})

func ruleOf(id rule.ID) rule.Rule {
	if r, ok := catalogue()[id]; ok {
		return r
	}
	return rule.Rule{ID: id}
}

func rulesOf(ids []rule.ID) []rule.Rule {
	var all []rule.Rule
	for _, id := range ids {
		all = append(all, ruleOf(id))
	}
	return all
}

// newEntry tells of a request what may be told.
func newEntry(r *http.Request, now time.Time) *entry {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return &entry{
		At: now, Scheme: scheme, Method: shorten(r.Method), Path: shorten(r.URL.Path), Query: r.URL.RawQuery != "",
		Cookies: cookieNames(r.Header["Cookie"]),
	}
}

func cookieNames(lines []string) []string {
	names := make(map[string]bool)
	for _, pair := range django.ParseCookies(strings.Join(lines, "; ")) {
		names[shorten(pair.Name)] = true
	}
	sorted := slices.Sorted(maps.Keys(names))
	if len(sorted) > maxCookies {
		sorted = append(sorted[:maxCookies], "…")
	}
	return sorted
}

// tell adds a verdict.
func (e *entry) tell(v rule.Verdict) {
	if len(e.Verdicts) >= maxVerdicts {
		e.Omitted++
		return
	}
	v.Subject = shorten(withoutQuery(v.Subject))
	e.kept += len(v.Subject)
	facts := v.Facts[:min(len(v.Facts), maxFacts)]
	v.Facts = nil
	for _, f := range facts {
		f = rule.Fact{Name: shorten(f.Name), Value: shorten(withoutQuery(f.Value))}
		if e.kept += len(f.Name) + len(f.Value); e.kept <= maxKept {
			v.Facts = append(v.Facts, f)
		}
	}
	e.Verdicts = append(e.Verdicts, shown{Verdict: v, Rule: ruleOf(v.Rule), Also: rulesOf(v.Also), Notes: rulesOf(v.Notes)})
}

// withoutQuery takes the query and what follows off a path or a URL: a fact tells them whole, and a
// person may have typed anything there.
func withoutQuery(text string) string {
	if !strings.HasPrefix(text, "/") && !strings.Contains(text, "://") {
		return text
	}
	if before, _, found := strings.Cut(text, "?"); found {
		return before + "?…"
	}
	return text
}

// shorten cuts a text that came from outside.
func shorten(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}

// Deciding are the verdicts that a person looks at first: what became of the request, of its session and
// of its token. The rest is headers and cookies.
func (e *entry) Deciding() []shown {
	var all []shown
	for _, v := range e.Verdicts {
		switch v.Question {
		case rule.SendHeader, rule.SetCookie:
		default:
			all = append(all, v)
		}
	}
	return all
}
