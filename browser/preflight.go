package browser

import (
	"cmp"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/rule"
)

const corsPreflight = "Fetch standard, sections 4.8 (CORS-preflight fetch) and 4.9 (CORS check)"

var (
	preflightAllowed = rules.Add(rule.Rule{
		ID:       "preflight-allowed",
		Source:   corsPreflight,
		Sentence: "The answer to OPTIONS lets scripts of this origin send the method, so the request follows, with its cookies.",
		Fix:      "Nothing is to be mended; only origins that the site trusts should be named there.",
		Scenario: `
on /a status 204
on /a send Access-Control-Allow-Origin: https://app.shop.test
on /a send Access-Control-Allow-Methods: DELETE
from https://app.shop.test/
load fetch DELETE https://shop.test/a
`,
	})
	preflightRefused = rules.Add(rule.Rule{
		ID:       "preflight-refused",
		Source:   corsPreflight,
		Sentence: "A script may send this method to another origin only when the answer to OPTIONS allows it, and it does not: the request itself never leaves the browser.",
		Fix:      "Answer OPTIONS without a login, with a status of 2xx, the page's origin in Access-Control-Allow-Origin and the method in Access-Control-Allow-Methods; for a fetch with the mode include both without *, and Access-Control-Allow-Credentials: true.",
		Scenario: `
from https://app.shop.test/
load fetch DELETE https://shop.test/a
`,
	})
	followNotShared = rules.Add(rule.Rule{
		ID:       "follow-not-shared",
		Source:   "Fetch standard, section 4.3 (HTTP fetch), step 5, and section 4.9 (CORS check)",
		Sentence: "A script asked another origin, and the redirect does not say that the script may see it: the fetch fails there and nothing follows, though the cookies of the redirect were stored.",
		Fix:      "Send Access-Control-Allow-Origin with the redirect as well, or answer a script with 401 in place of a redirect to a login page.",
		Scenario: `
on /a app plain
on /a status 302
on /a send Location: /b
from https://app.shop.test/
load fetch https://shop.test/a include
`,
	})
)

// Preflight returns the request by which the browser asks whether a script may send req, and true when it
// does: before what is fetched from another origin by another method than GET, HEAD and POST. It carries no
// cookies and stores none.
func (req Request) Preflight() (Request, bool) {
	if req.As != AsFetch || req.Initiator == nil || !req.crossOrigin() {
		return Request{}, false
	}
	switch cmp.Or(req.Method, "GET") {
	case "GET", "HEAD", "POST":
		return Request{}, false
	}
	ask := req
	ask.Method, ask.Credentials, ask.ContentType, ask.asksFor = "OPTIONS", CredentialsOmit, "", req.Method
	return ask, true
}

// Allowed reports by the answer to its [Request.Preflight] whether req may be sent. header gives the values of
// a field of the answer.
func (req Request) Allowed(status int, header func(name string) []string, rec *rule.Recorder) rule.Verdict {
	v := rule.Verdict{Side: rule.Browser, Question: rule.AllowFetch, Subject: shownURL(req.URL), Rule: preflightRefused}
	problem := req.preflightProblem(status, header)
	if problem == "" {
		v.Rule, v.Yes = preflightAllowed, true
	}
	if rec.Watching() {
		v.Facts = append(req.documentFacts(), problemFacts(problem)...)
		rec.Record(v)
	}
	return v
}

// preflightProblem says what of an answer does not allow req; "" when nothing does not.
func (req Request) preflightProblem(status int, header func(name string) []string) string {
	if problem := req.sharingProblem(header); problem != "" {
		return problem
	}
	if status < 200 || status > 299 {
		return "the status is none of 2xx"
	}
	methods := listed(header("Access-Control-Allow-Methods"))
	include := req.credentials() == CredentialsInclude
	if !slices.Contains(methods, req.Method) && (include || !slices.Contains(methods, "*")) {
		return "Access-Control-Allow-Methods does not name " + shown(req.Method)
	}
	return ""
}

// MayFollow reports whether req may go on where its answer redirects it: what a script asks of another
// origin ends at an answer that the script may not see. header gives the values of a field of the answer. A
// verdict falls when it may not.
func (req Request) MayFollow(header func(name string) []string, rec *rule.Recorder) bool {
	if req.Initiator == nil || !req.crossOrigin() {
		return true
	}
	problem := req.sharingProblem(header)
	if problem != "" && rec.Watching() {
		rec.Record(rule.Verdict{
			Side: rule.Browser, Question: rule.FollowRedirect, Subject: shownURL(req.URL), Rule: followNotShared,
			Facts: append(req.documentFacts(), problemFacts(problem)...),
		})
	}
	return problem == ""
}

// sharingProblem says what of an answer keeps it from a script of another origin (CORS check); "" when
// nothing does.
func (req Request) sharingProblem(header func(name string) []string) string {
	origin := originOf(req.Initiator.URL).String()
	if req.tainted() {
		origin = "null"
	}
	include := req.credentials() == CredentialsInclude
	allowed := strings.Join(header("Access-Control-Allow-Origin"), ", ")
	switch {
	case allowed == "":
		return "no Access-Control-Allow-Origin"
	case allowed == "*" && include:
		return "Access-Control-Allow-Origin is *, which does not do for the mode include"
	case allowed != "*" && allowed != origin:
		return "Access-Control-Allow-Origin is " + shown(allowed) + ", and the origin is " + origin
	case include && strings.Join(header("Access-Control-Allow-Credentials"), ", ") != "true":
		return "Access-Control-Allow-Credentials is not true, which it has to be for the mode include"
	}
	return ""
}

// listed takes header fields apart that are lists.
func listed(fields []string) []string {
	var all []string
	for _, field := range fields {
		for item := range strings.SplitSeq(field, ",") {
			all = append(all, strings.Trim(item, " \t"))
		}
	}
	return all
}
