package trace

import (
	"context"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/rule"
)

// preflight makes the request by which a browser asks whether a script may send req, where it asks. may says
// that req may follow.
func (c *Client) preflight(ctx context.Context, req browser.Request, n *Navigation) (hop Hop, asked, may bool) {
	ask, asked := req.Preflight()
	if !asked || !c.Browser.Profile.ShowsPages() {
		return hop, false, true
	}
	var got *answer
	chain := c.Browser.Profile.Chain()
	hop, _, _ = c.hop(ctx, ask, &chain, &Navigation{Header: n.Header, preflight: func(a *answer) { got = a }})
	if got == nil {
		return hop, true, false // the hop says why there was no answer
	}
	v := req.Allowed(got.status, got.values, rule.NewRecorder(func(v rule.Verdict) { hop.Verdicts = append(hop.Verdicts, v) }))
	return hop, true, v.Yes
}
