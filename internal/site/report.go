package site

import (
	"time"

	"github.com/lockstep-http/lockstep/rule"
)

// A Report is one request to the site and what was decided about it, for who shows that elsewhere. It holds
// what the page of verdicts has: no value of a cookie, no query and nothing of a body.
type Report struct {
	At       time.Time      `json:"at"`
	Scheme   string         `json:"scheme"`
	Method   string         `json:"method"`
	Path     string         `json:"path"`
	Status   int            `json:"status"`
	Cookies  []string       `json:"cookies"`  // names of those that the browser sent
	Verdicts []rule.Verdict `json:"verdicts"` // in the order in which they fell
}

func (e *entry) report() Report {
	r := Report{At: e.At, Scheme: e.Scheme, Method: e.Method, Path: e.Path, Status: e.Status, Cookies: e.Cookies}
	for _, v := range e.Verdicts {
		r.Verdicts = append(r.Verdicts, v.Verdict)
	}
	return r
}
