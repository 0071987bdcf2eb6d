package trace

import (
	"slices"

	"github.com/lockstep-http/lockstep/rule"
)

// decisive are the facts that a rule about cookies looks at, by their names. They come first where the facts
// of a verdict are written, which are many: those of the request, of the cookie and of where it comes from.
var decisive = map[rule.ID][]string{
	"send-credentials-mode":      {"credentials mode", "asked for as", "initiator"},
	"send-expired":               {"expiry-time"},
	"send-host-only":             {"request-host", "domain", "host-only-flag"},
	"send-domain-mismatch":       {"request-host", "domain"},
	"send-path":                  {"request-path", "path"},
	"send-secure-over-http":      {"secure connection", "secure-only-flag"},
	"send-other-partition":       {"cookie's partition", "partition", "third party"},
	"send-third-party-blocked":   {"third party", "initiator", "partition"},
	"send-samesite-strict":       sameSiteFacts,
	"send-samesite-lax":          sameSiteFacts,
	"send-samesite-default-lax":  sameSiteFacts,
	"store-credentials-mode":     {"credentials mode", "asked for as", "initiator"},
	"store-secure-over-http":     {"secure connection", "secure-only-flag"},
	"store-third-party-blocked":  {"third party", "initiator", "partition"},
	"store-samesite-cross-site":  sameSiteFacts,
	"store-would-overlay-secure": {"secure connection", "path", "domain"},
	"store-domain-mismatch":      {"request-host", "domain"},
	"store-public-suffix":        {"request-host", "domain"},
}

var sameSiteFacts = []string{"same-site-flag", "same-site request", "kind", "method", "initiator"}

// tellingFacts are the facts of a verdict, those first that decided.
func tellingFacts(v rule.Verdict) []rule.Fact {
	names := decisive[v.Rule]
	if names == nil {
		return v.Facts
	}
	rank := func(f rule.Fact) int {
		if i := slices.Index(names, f.Name); i >= 0 {
			return i
		}
		return len(names)
	}
	all := slices.Clone(v.Facts)
	slices.SortStableFunc(all, func(a, b rule.Fact) int { return rank(a) - rank(b) })
	return all
}
