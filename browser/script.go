package browser

import (
	"time"

	"github.com/lockstep-http/lockstep/rule"
)

// ScriptCookies returns what a script of the document reads from document.cookie at now. The verdicts
// are those of [Browser.CookieHeader], with the question [rule.ReadCookie].
//
// RFC 6265bis-22, section 5.8.2.
func (b *Browser) ScriptCookies(d *Document, now time.Time, rec *rule.Recorder) string {
	req := scriptRequest(d)
	b.mu.Lock()
	t, ok := b.target(req.URL)
	if !ok {
		b.mu.Unlock()
		return ""
	}
	t.context = b.context(&req, &t)
	t.context.script = true
	header, verdicts := b.send(&t, now, rec.Watching())
	b.mu.Unlock()
	for _, v := range verdicts {
		v.Facts = append(v.Facts, siteFacts(&req, &t)...)
		rec.Record(v)
	}
	return header
}

// StoreScriptCookie is [Browser.StoreCookie] for a line that a script of the document assigns to
// document.cookie at now. It never makes or changes an HttpOnly cookie.
//
// RFC 6265bis-22, section 5.7, steps 15 and 23.
func (b *Browser) StoreScriptCookie(d *Document, line string, now time.Time, rec *rule.Recorder) rule.Verdict {
	req := scriptRequest(d)
	return b.storeCookie(&req, line, true, now, rec)
}

// scriptRequest asks for the document's own URL within it, which is what its scripts may see.
func scriptRequest(d *Document) Request {
	return Request{URL: d.URL, Initiator: d, As: AsScript, Credentials: CredentialsInclude}
}

var (
	readHttpOnly = rules.Add(rule.Rule{
		ID:       "read-httponly",
		Source:   bis + ", section 5.8.3, step 3",
		Sentence: "An HttpOnly cookie is hidden from scripts.",
		Fix:      "Nothing, for a session's; a cookie that a script is to read, such as a CSRF token's, goes without HttpOnly.",
		Scenario: `
on /a send Set-Cookie: a=1; HttpOnly
visit https://shop.test/a
script get
`,
	})
	storeHttpOnlyFromScript = rules.Add(rule.Rule{
		ID:       "store-httponly-from-script",
		Source:   bis + ", section 5.7, step 15",
		Sentence: "A script cannot make an HttpOnly cookie.",
		Fix:      "Set the cookie in a response, or leave HttpOnly out.",
		Scenario: `
visit https://shop.test/a
script set a=1; HttpOnly
`,
	})
	storeOverwritesHttpOnly = rules.Add(rule.Rule{
		ID:       "store-overwrites-httponly",
		Source:   bis + ", section 5.7, step 23",
		Sentence: "A script can neither replace nor delete an HttpOnly cookie.",
		Fix:      "Change or delete the cookie in a response, or take another name.",
		Scenario: `
on /a send Set-Cookie: a=1; HttpOnly; Path=/
visit https://shop.test/a
script set a=2; Path=/
`,
	})
)

var keptByScript = []keptRule{{keptHttpOnly, readHttpOnly}}

var scriptChecks = []storeCheck{
	{storeHttpOnlyFromScript, 15, func(_ *Browser, r *receipt, c *Cookie) bool { return r.target.context.script && c.httpOnly }},
	{storeOverwritesHttpOnly, 23, (*Browser).overwritesHttpOnly},
}

// overwritesHttpOnly reports whether a script would replace an HttpOnly cookie.
func (b *Browser) overwritesHttpOnly(r *receipt, c *Cookie) bool {
	if !r.target.context.script {
		return false
	}
	old := b.cookies.find(r.target.site, c)
	return old != nil && old.httpOnly
}
