package browser

import (
	"cmp"
	"net/url"
	"strings"

	"github.com/lockstep-http/lockstep/rule"
)

// A ReferrerPolicy says how much of a page's URL goes along with what is asked for from it: one of the
// eight words of the standard. The empty one, and what is no word of it, is the default,
// strict-origin-when-cross-origin.
type ReferrerPolicy string

// The policies.
const (
	noReferrer                  ReferrerPolicy = "no-referrer"
	noReferrerWhenDowngrade     ReferrerPolicy = "no-referrer-when-downgrade"
	sameOrigin                  ReferrerPolicy = "same-origin"
	originOnly                  ReferrerPolicy = "origin"
	strictOrigin                ReferrerPolicy = "strict-origin"
	originWhenCrossOrigin       ReferrerPolicy = "origin-when-cross-origin"
	strictOriginWhenCrossOrigin ReferrerPolicy = "strict-origin-when-cross-origin"
	unsafeURL                   ReferrerPolicy = "unsafe-url"
)

// maxReferrer is the length from which a URL is cut to its origin (Referrer Policy, section 8.3, step 5).
const maxReferrer = 4096

// ParseReferrerPolicy returns the policy of the Referrer-Policy fields of a response, or "" when they
// hold none. Of several the last known one counts, so that a site may put a newer word last.
//
// Referrer Policy, section 8.1.
func ParseReferrerPolicy(fields []string) ReferrerPolicy {
	var policy ReferrerPolicy
	for _, field := range fields {
		for token := range strings.SplitSeq(field, ",") {
			if p := ReferrerPolicy(strings.ToLower(strings.Trim(token, " \t"))); p.known() {
				policy = p
			}
		}
	}
	return policy
}

// known reports whether p is one of the eight.
func (p ReferrerPolicy) known() bool {
	switch p {
	case noReferrer, noReferrerWhenDowngrade, sameOrigin, originOnly, strictOrigin,
		originWhenCrossOrigin, strictOriginWhenCrossOrigin, unsafeURL:
		return true
	}
	return false
}

// hidesOrigin reports whether a request other than GET and HEAD, from a page of origin from, says
// "Origin: null" to the URL.
//
// Fetch standard, section 3.2, "append a request Origin header", step 4.
func (p ReferrerPolicy) hidesOrigin(from origin, to *url.URL) bool {
	switch p {
	case noReferrer:
		return true
	case noReferrerWhenDowngrade, strictOrigin, strictOriginWhenCrossOrigin:
		return from.scheme == "https" && originOf(to).scheme != "https"
	case sameOrigin:
		return !originOf(to).same(from)
	default:
		return false
	}
}

// referrerPolicy returns the policy that holds for req: of the last redirect that had one, else of the
// document, else the default.
func (req Request) referrerPolicy() ReferrerPolicy {
	for _, p := range []ReferrerPolicy{req.ReferrerPolicy, req.Initiator.ReferrerPolicy} {
		if p.known() {
			return p
		}
	}
	return strictOriginWhenCrossOrigin
}

const referrerSource = "Referrer Policy, section 8.3"

var (
	refererWhole = rules.Add(rule.Rule{
		ID:       "referer-whole",
		Source:   referrerSource,
		Sentence: "The policy of the page lets its whole URL go along, without fragment and user name.",
		Fix:      "Send Referrer-Policy: strict-origin to keep path and query at home, and put no secret into a URL.",
		Scenario: `
from https://shop.test/cart
visit https://shop.test/pay
`,
	})
	refererOrigin = rules.Add(rule.Rule{
		ID:       "referer-origin",
		Source:   referrerSource,
		Sentence: "The policy of the page lets only its origin go along.",
		Fix:      "Nothing is to be mended: what is asked for from another site needs no path.",
		Scenario: `
from https://search.test/?q=shoes
visit https://shop.test/
`,
	})
	refererPolicy = rules.Add(rule.Rule{
		ID:       "referer-policy",
		Source:   referrerSource,
		Sentence: "The policy of the page lets nothing of its URL go along, so there is no Referer.",
		Fix:      "Over https a site that checks forms needs Origin or Referer: give the page Referrer-Policy: same-origin instead of no-referrer.",
		Scenario: `
from https://shop.test/cart no-referrer
visit https://shop.test/pay
`,
	})
	refererDowngrade = rules.Add(rule.Rule{
		ID:       "referer-downgrade",
		Source:   referrerSource,
		Sentence: "The page came over a secure connection and what is asked for does not go over one, so there is no Referer.",
		Fix:      "Link to https.",
		Scenario: `
from https://shop.test/cart
visit http://shop.test/pay
`,
	})
	refererNone = rules.Add(rule.Rule{
		ID:       "referer-none",
		Source:   referrerSource,
		Sentence: "There is no URL to tell: the page has none of a site, or a redirect on the way was not to tell it.",
		Fix:      "Serve the page over http or https; a header that was held back once does not come again.",
		Scenario: `
from file:///home/me/form.html
visit https://shop.test/a
`,
	})
)

// Referer returns the value of the Referer header that goes along with req, or "" when there is none,
// as with what a person typed. The verdict about the header has the URL for a subject; about a typed
// request there is none.
//
// Referrer Policy, section 8.3, "determine request's Referrer".
func (req Request) Referer(rec *rule.Recorder) string {
	if req.Initiator == nil {
		return ""
	}
	value, id := req.referrer()
	if rec.Watching() {
		rec.Record(rule.Verdict{
			Side: rule.Browser, Question: rule.SendReferer, Subject: shownURL(req.URL), Rule: id, Yes: value != "",
			Facts: append(req.documentFacts(), rule.Fact{Name: "Referer", Value: shown(cmp.Or(value, "(none)"))}),
		})
	}
	return value
}

// referrer returns the Referer and the rule that decides about it. What a redirect has cut off does not
// come back.
func (req Request) referrer() (string, rule.ID) {
	source := req.Initiator.URL
	if req.before != nil {
		source, _ = url.Parse(req.before.referrer) // which this function wrote
	}
	if source == nil || originOf(source).opaque() {
		return "", refererNone
	}
	from, to := originOf(source), originOf(req.URL)
	whole := stripped(source)
	short := from.String() + "/"
	if len(whole) > maxReferrer {
		whole = short
	}
	same, downgrade := from.same(to), SecureConnection(source) && !SecureConnection(req.URL)
	switch policy := req.referrerPolicy(); {
	case policy == noReferrer, policy == sameOrigin && !same:
		return "", refererPolicy
	case downgrade && policy.strict():
		return "", refererDowngrade
	case policy == originOnly, policy == strictOrigin,
		!same && (policy == originWhenCrossOrigin || policy == strictOriginWhenCrossOrigin):
		return short, refererOrigin
	}
	return whole, refererWhole
}

// strict reports whether the policy tells nothing to a connection that is less secure than the page's.
func (p ReferrerPolicy) strict() bool {
	return p == noReferrerWhenDowngrade || p == strictOrigin || p == strictOriginWhenCrossOrigin
}

// stripped returns u as a Referer has it: without user name, password and fragment.
//
// Referrer Policy, section 8.4.
func stripped(u *url.URL) string {
	rest := cmp.Or(u.EscapedPath(), "/")
	if u.RawQuery != "" || u.ForceQuery {
		rest += "?" + u.RawQuery
	}
	return originOf(u).String() + rest
}
