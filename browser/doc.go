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
// # One standard
//
// The engine is RFC 6265bis-22, where browsers differ from it too: this is what a site may rely on.
// A cookie without SameSite counts as Lax.
//
// # Where a request comes from
//
// A [Request] is a top-level navigation. With an Initiator it comes from a document, by a link or a
// form: then SameSite decides about its cookies, and [Request.ContextHeader] has what a browser says of
// it by Origin, Referer and Sec-Fetch-Site. Frames, images and fetches are no requests of this package
// yet.
//
// # What it does not do
//
// It opens no connection and reads no clock: time is an argument. It runs no scripts,
// and it has no cache: a browser that has one may answer a URL with the 301 that it got there
// before, so that a second request over http never leaves it.
package browser
