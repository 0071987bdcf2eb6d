package trace

import (
	"net/http"
	"strconv"

	"github.com/lockstep-http/lockstep/rule"
)

const semantics = "RFC 9110, section 15"

var (
	observedRedirect = rules.Add(rule.Rule{
		ID:       "observed-redirect",
		Source:   semantics + ".4",
		Sentence: "The site answered with a redirect; why it did is its own affair and is not seen from outside.",
		Fix:      "To change it, look at the redirect rules of the site and of every proxy before it.",
		Scenario: `
foreign
visit http://shop.test/
`,
	})
	observedProcessed = rules.Add(rule.Rule{
		ID:       "observed-processed",
		Source:   semantics + ".3",
		Sentence: "The site processed the request.",
		Fix:      "A site that is to redirect http to https needs SECURE_SSL_REDIRECT or its like; here it answered.",
		Scenario: `
foreign
visit https://shop.test/
`,
	})
	observedRefused = rules.Add(rule.Rule{
		ID:       "observed-refused",
		Source:   semantics + ".5",
		Sentence: "The site refused the request as a mistake of the client.",
		Fix:      "Look at the status: 400 often means a host that is not allowed, 401 and 403 a missing login or token, 404 another path.",
		Scenario: `
foreign
on /a status 404
visit https://shop.test/a
`,
	})
	observedFailed = rules.Add(rule.Rule{
		ID:       "observed-failed",
		Source:   semantics + ".6",
		Sentence: "The site failed to answer the request.",
		Fix:      "Look into the log of the site at this time.",
		Scenario: `
foreign
on /a status 500
visit https://shop.test/a
`,
	})
)

// observe says what the answer of a site looks like from outside. It never guesses a reason.
func observe(subject string, status int, location string) rule.Verdict {
	v := rule.Verdict{
		Side: rule.Site, Question: rule.Answer, Subject: subject,
		Facts: []rule.Fact{{Name: "status", Value: strconv.Itoa(status) + " " + http.StatusText(status)}},
	}
	switch {
	case status >= 500:
		v.Rule = observedFailed
	case status >= 400:
		v.Rule = observedRefused
	case status >= 300 && location != "":
		v.Rule, v.Yes = observedRedirect, true
		v.Facts = append(v.Facts, rule.Fact{Name: "Location", Value: location})
	default:
		v.Rule, v.Yes = observedProcessed, true
	}
	return v
}
