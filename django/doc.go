// Package django reads and writes Django's bytes: signatures, session payloads, JSON, passwords,
// cookies, paths, queries and dates, so that a Go program and a Django project can share them.
//
// # Signing
//
// A [Signer] is django.core.signing's Signer and TimestampSigner in one. What [Signer.Sign] gives
// Signer.unsign takes, and the other way round; [Signer.SignAt] is TimestampSigner.sign, and
// [Signer.Dumps] and [Signer.Loads] are signing.dumps and signing.loads. A session row of Django is
//
//	signer := django.NewSigner(django.SessionSalt, secretKey)
//	payload, err := signer.Loads(row, -1, now)
//	object, err := django.ParseObject(payload)
//
// # JSON
//
// An [Object] is a JSON object whose values are kept as they were written: what is not touched goes
// back byte for byte, so that 1.0 stays 1.0 and an integer of thirty digits keeps them all. [Marshal]
// and [Unmarshal] turn one value into a token and back, in the spelling of Python's json module.
//
// # Cookies, paths, dates
//
// [QuoteCookie], [ParseCookies], [LookupCookie] and [SetCookie] follow Python's http.cookies and
// django.http; [FullPath], [EscapePath] and [IRIToURI] follow request.get_full_path() and
// django.utils.encoding; [HTTPDate] follows django.utils.http.
//
// # CSRF tokens and logins
//
// [MaskCSRFSecret] and [CSRFSecret] are the two halves of the cipher of django.middleware.csrf, and
// [CSRFTokensMatch] compares. [SessionAuthHash] is what binds a login in a session to a password.
//
// # Passwords
//
// [MakePassword] and [CheckPassword] are make_password and check_password with Django's first hasher,
// pbkdf2_sha256: the column password of auth_user.
//
// # What it does not do
//
// Nothing here behaves as Django does: no request is answered, no setting is read, no cookie is
// refused for being unsafe. The package does no input or output, reads no clock (time is an
// argument) and draws no random numbers. SHA-1 signatures, pickles and the session format of
// Django before 3.1 are not read.
package django
