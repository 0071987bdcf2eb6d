package trace

import (
	"strconv"

	"github.com/lockstep-http/lockstep/rule"
)

// Rules of the causes that cookies tell.
var (
	loopCookieRefused = rules.Add(rule.Rule{
		ID:       "loop-cookie-refused",
		Source:   "RFC 6265bis-22, section 5.7; " + loopSource,
		Sentence: "The answers of the loop set a cookie that the browser refuses, so the site never gets it back and redirects to where it is set.",
		Fix:      "Mend the Set-Cookie line: the fact \"rule\" says by which rule it was refused, and lockstep explain tells of that rule.",
		Scenario: `
on /in app plain
on /in status 302
on /in send Location: /account
on /in send Set-Cookie: sid=1; Domain=pay.test
on /account app plain
on /account status 302
on /account send Location: /in
visit https://shop.test/account
`,
	})
	loopCookieKeptBack = rules.Add(rule.Rule{
		ID:       "loop-cookie-kept-back",
		Source:   "RFC 6265bis-22, section 5.8.3; " + loopSource,
		Sentence: "The answers of the loop set a cookie that the browser stores and keeps back from the request that needs it, so the site redirects to where it is set.",
		Fix:      "Change Domain, Path, Secure or SameSite of the cookie, or the URL it is asked for at: the fact \"rule\" says what kept it back, and lockstep explain tells of that rule.",
		Scenario: `
on /in app plain
on /in status 302
on /in send Location: /account
on /in send Set-Cookie: sid=1; Path=/in
on /account app plain
on /account status 302
on /account send Location: /in
visit https://shop.test/account
`,
	})
	loopCookieUnread = rules.Add(rule.Rule{
		ID:       "loop-cookie-unread",
		Source:   loopSource,
		Sentence: "The answers of the loop set a cookie, the browser sends it, and the site redirects all the same: it does not recognise its own cookie.",
		Fix:      "Check that all processes of the site share the store of the sessions and the SECRET_KEY, that the store works, and that no second cookie of the same name hides the right one (note-same-name-twice).",
		Scenario: `
on /in app plain
on /in status 302
on /in send Location: /account
on /in send Set-Cookie: sid=1; Path=/
on /account app plain
on /account status 302
on /account send Location: /in
visit https://shop.test/account
`,
	})
)

// diagnoseCookies looks for a cookie that the lap sets and that does not come back: refused, or kept
// back from a request; and at last for one that does come back and changes nothing.
func (l *lap) diagnoseCookies() (rule.Verdict, bool) {
	var unread []rule.Fact
	for i := l.first; i < l.last; i++ {
		for _, v := range l.hops[i].All(rule.StoreCookie) {
			set := rule.Fact{Name: "cookie", Value: called(v.Subject)}
			at := rule.Fact{Name: "set by hop", Value: strconv.Itoa(i + 1)}
			if !v.Yes {
				return rule.Verdict{Rule: loopCookieRefused, Facts: []rule.Fact{set, at, {Name: "rule", Value: string(v.Rule)}}}, true
			}
			if k, why, ok := l.keptBack(i, v.Subject); ok {
				return rule.Verdict{Rule: loopCookieKeptBack, Facts: []rule.Fact{
					set, at, {Name: "kept back from hop", Value: strconv.Itoa(k + 1)}, {Name: "rule", Value: string(why)},
				}}, true
			}
			if unread == nil && held(&l.hops[i], v.Subject) && l.sent(v.Subject) {
				unread = []rule.Fact{set, at}
			}
		}
	}
	if unread == nil {
		return rule.Verdict{}, false
	}
	return rule.Verdict{Rule: loopCookieUnread, Facts: unread}, true
}

// keptBack finds the request after hop i, within the lap and the one that repeats it, that went without
// the cookie, and the rule by which it did.
func (l *lap) keptBack(i int, name string) (at int, why rule.ID, ok bool) {
	for k := i + 1; k <= l.last; k++ {
		v, asked := sendVerdict([]*Hop{&l.hops[k]}, name)
		if asked && !v.Yes && v.Rule != "send-expired" {
			return k, v.Rule, true
		}
	}
	return 0, "", false
}

// sent reports whether a request of the lap, or the one that repeats it, carried the cookie.
func (l *lap) sent(name string) bool {
	v, ok := sendVerdict(pointers(l.hops[l.first:l.last+1]), name)
	return ok && v.Yes
}
