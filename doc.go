// Package lockstep puts Django's HTTPS and cookie behaviour in front of any [http.Handler]: the
// redirect to https, host validation, security headers, cookies, signed cookies, sessions, CSRF
// protection and logins, byte for byte what a Django site beside it sends.
//
// # A site
//
//	settings := lockstep.Recommended(secretKey, "shop.test")
//	guard, err := lockstep.New(settings, lockstep.Options{})
//	...
//	http.ListenAndServe(":80", guard.Wrap(mux)) // the same handler serves :443
//
// [Settings] is plain data in Django's words, [New] refuses every mistake in it at once, and the
// [Guard] it returns answers questions ([Guard.Secure], [Guard.Host], [Guard.Redirect],
// [Guard.CSRF]) and acts on the answers ([Guard.Wrap]).
//
// # In a handler
//
// Behind a Guard a handler asks [IsSecure], [Host] and [AbsoluteURI], sets cookies with
// [SetCookie], [DeleteCookie] and [SetSignedCookie], reads them with [ReadCookie] and
// [SignedCookie], and finds its session with session.From(r.Context()).
//
// A form that is sent by POST holds [CSRFField], a script sends [CSRFToken] in the header
// X-CSRFToken; what changes state without a token is refused before the handler sees it. Once a
// password has been found right, [Login] makes the session the user's, [CurrentUser] finds the user
// again, and [Logout] ends it.
//
// Whether the request is secure and for which host it is, is decided once, before the handler
// runs; the redirect, the headers, the cookies, the log and the handler read that one answer.
// Session, cookies and headers are written at the first byte that leaves, whichever way it leaves.
//
// # Seeing why
//
// Every decision is a [rule.Verdict] that names the rule by which it was made. Put a watcher into
// the request's context with [rule.WithWatch] and it is told each of them; a request that nobody
// watches pays nothing for it. [Rules] lists the rules.
//
// # What it does not do
//
// It ends no TLS, keeps no database, checks no passwords, and does not know browsers: whether a browser stores a cookie
// is asked of package browser, by a trace. Where it departs from Django, docs/divergences.md says
// so, with the reason and the test.
package lockstep
