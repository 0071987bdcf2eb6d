// Package browser is a browser without a network: it decides which cookies are stored and sent,
// when a URL is asked over HTTPS instead of HTTP, and where a redirect leads.
//
// # A visit
//
// A [Browser] is asked before a request and told about the response. It answers for Set-Cookie
// lines as they came, byte by byte:
//
//	var b browser.Browser
//	header := b.CookieHeader(req, now, rec)      // the Cookie header of the request
//	verdict := b.StoreCookie(req, line, now, rec) // one Set-Cookie line of the response
//
// Each answer is a [rule.Verdict] that names the rule by which it was given, and the others that
// would have given it too.
//
// # One engine, several profiles
//
// The zero [Browser] is RFC 6265bis-22, where browsers differ from it too: this is what a site may rely
// on. What Chromium, Firefox and curl do otherwise is data, a [Profile], and the engine is the same.
//
// # Where a request comes from
//
// A [Request] is a top-level navigation, unless As says that it is for a frame, an image, a script or
// by fetch. With an Initiator it comes from a document, which may itself be in a frame: then SameSite,
// the credentials mode, partitions and the policy about third parties decide about its cookies, and
// [Request.ContextHeader] has what a browser says of it by Origin, Referer and Sec-Fetch-Site.
// [Browser.ScriptCookies] and [Browser.StoreScriptCookie] are document.cookie.
//
// # In a test
//
// A [Transport] makes an http.Client ask as a browser does, and a [Jar] is its cookies alone: so a test of a
// site can say that in a browser this login would not stick.
//
// # What it does not do
//
// It opens no connection and reads no clock: time is an argument. It runs no scripts,
// and it has no cache: a browser that has one may answer a URL with the 301 that it got there
// before, so that a second request over http never leaves it. It knows nothing of the Storage Access
// API and of sessions bound to a device, and sends no CORS preflight.
package browser
