package trace

import (
	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/rule"
)

// scriptMethod stands where a hop has its method, for what a script does without asking the network.
const scriptMethod = "SCRIPT"

// Script returns what a script of the page d finds in document.cookie, or, when line is not nil, what
// comes of assigning that to it: a visit with one hop, which sends nothing.
func (c *Client) Script(d *browser.Document, line *string) Visit {
	hop := Hop{At: c.now(), Method: scriptMethod, URL: d.URL.Redacted()}
	rec := rule.NewRecorder(func(v rule.Verdict) { hop.Verdicts = append(hop.Verdicts, v) })
	if line == nil {
		c.Browser.ScriptCookies(d, hop.At, rec)
	} else {
		c.Browser.StoreScriptCookie(d, *line, hop.At, rec)
	}
	hop.Cookies, hop.HSTS = c.snapshot()
	return Visit{Typed: hop.URL, From: hop.URL, Hops: []Hop{hop}}
}
