package trace

import (
	"github.com/lockstep-http/lockstep/rule"
)

var (
	offerHTTPOnly = rules.Add(rule.Rule{
		ID:       "offer-http-only",
		Source:   "RFC 9110, section 4.2.2; RFC 6797, section 2.3",
		Sentence: "The site answers over http and leads nowhere else, and https gives no answer: everything, cookies included, travels in clear.",
		Fix:      "Get a certificate, serve https, and redirect http there; the verdict \"connect\" of the https visit says why that gives no answer.",
		Scenario: `
foreign
set SECURE_SSL_REDIRECT=False
network http-only
lesson http://shop.test/
`,
	})
	offerNotLed = rules.Add(rule.Rule{
		ID:       "offer-not-led",
		Source:   "RFC 6797, section 7.2",
		Sentence: "The site answers over https, and over http as well without a redirect: who types its name stays on http.",
		Fix:      "Redirect every http request to https (SECURE_SSL_REDIRECT), and send Strict-Transport-Security over https.",
		Scenario: `
foreign
set SECURE_SSL_REDIRECT=False
lesson http://shop.test/
`,
	})
	offerBroken = rules.Add(rule.Rule{
		ID:       "offer-broken",
		Source:   "RFC 9110, section 4.2.2",
		Sentence: "The site redirects http to https, and https gives no answer: nobody gets in.",
		Fix:      "Mend https, for the reason that the verdict \"connect\" of that request gives, or take the redirect away until then.",
		Scenario: `
foreign
network http-only
lesson http://shop.test/
`,
	})
)

// offer says how a foreign site fails to bring its visitors to https, from the visits of a lesson; ok is
// false when it does bring them there, or when its http was not seen.
func offer(r *Run) (v rule.Verdict, ok bool) {
	first := &r.Visits[0].Hops[0]
	if first.Secure() || first.Known || first.Response == nil {
		return v, false
	}
	v = rule.Verdict{Side: rule.Site, Question: rule.OfferHTTPS, Subject: shownURL(first.URL)}
	v.Facts = []rule.Fact{{Name: "answer over http", Value: outcome(first)}}
	led, end := r.Visits[0].reachedHTTPS(), r.Visits[0].Last()
	if !led && (end.Response == nil || goesOn(end)) {
		return v, false // where it leads was not seen
	}
	switch answered := r.AnsweredOverHTTPS(); {
	case led && !answered:
		v.Rule = offerBroken
	case !led && !answered:
		v.Rule = offerHTTPOnly
	case !led:
		v.Rule = offerNotLed
	default:
		return v, false
	}
	for i := range r.Visits {
		last := r.Visits[i].Last()
		if why, asked := last.Verdict(rule.Connect, ""); asked && !why.Yes && last.Secure() {
			v.Facts = append(v.Facts, rule.Fact{Name: "https", Value: string(why.Rule)})
			break
		}
	}
	return v, true
}

// conclude adds to the last hop of a lesson what only all of its visits tell.
func (r *Run) conclude() {
	if len(r.Visits) == 0 {
		return
	}
	if v, ok := offer(r); ok {
		last := r.Visits[len(r.Visits)-1].Last()
		last.Verdicts = append(last.Verdicts, v)
	}
}
