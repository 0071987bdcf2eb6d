// Package cookie reads and writes Set-Cookie and Cookie headers as RFC 6265bis has them, on raw
// bytes, and holds the rules that a Set-Cookie line alone decides.
//
// # Reading a line
//
// [Parse] never fails: it understands of a line what a browser understands, keeps the attributes
// as they were written with what became of each, and notes what a person should know.
//
//	l := cookie.Parse("sessionid=abc; Path=/; Secure; SameSite=Lax")
//	l.Name, l.Secure, l.SameSite // "sessionid", true, SameSiteLax
//
// # Whether a browser would keep it
//
// [Line.Problems] lists every rule by which any browser refuses the line, whatever the connection.
// A site asks it before it sends a cookie, a browser when it receives one, so that both give the
// same answer. What depends on the connection or on the cookies already stored is decided in
// package browser.
//
// # Hosts and paths
//
// [DomainMatch], [PathMatch], [DefaultPath] and [CanonicalHost] are the draft's algorithms of the
// same names; [RegistrableDomain] and [Loopback] answer the two further questions that cookies put
// to a host.
//
// # What it does not do
//
// Values are never decoded, unquoted or escaped: quotes, percent sequences and commas are ordinary
// bytes. The package stores nothing, reads no clock and does not know net/http.
package cookie
