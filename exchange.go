package lockstep

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/session"
)

// An exchange is one request behind a Guard and the response to it. It holds the answers that were
// computed once for all who ask, and it is the http.ResponseWriter of the handler (see writer.go).
type exchange struct {
	guard   *Guard
	in      *http.Request // as it came to the Guard
	out     http.ResponseWriter
	rec     *rule.Recorder // nil when nobody watches
	session session.Session
	context requestContext // of what the handler gets
	csrf    csrfState
	nonce   nonceState

	secure  bool
	host    string // as the client wrote it
	domain  string // of host: lower case, no port, no trailing dot
	reached stage  // how far the request came

	begun    atomic.Bool // session, cookies and headers are in the response's header
	sent     bool        // a status has been written
	replaced bool        // an error page went out in place of the handler's response
}

// A requestContext is the context of the request that the handler gets: that of the client's request,
// and it carries the exchange and its session. It lives in the exchange, so that it costs nothing.
type requestContext struct {
	context.Context //nolint:containedctx // it is a context
	x               *exchange
}

type exchangeKey struct{}

// Value implements [context.Context].
func (c *requestContext) Value(key any) any {
	if key == (exchangeKey{}) {
		return c.x
	}
	if s := c.x.session.ContextValue(key); s != nil {
		return s
	}
	return c.Context.Value(key)
}

func exchangeOf(r *http.Request) *exchange {
	x, _ := r.Context().Value(exchangeKey{}).(*exchange)
	return x
}

// IsSecure is Django's request.is_secure(): whether r came over https, as the Guard in front of
// the handler found once for all who ask. Without a Guard it says whether r came over TLS.
func IsSecure(r *http.Request) bool {
	if x := exchangeOf(r); x != nil {
		return x.secure
	}
	return r.TLS != nil
}

// Host is Django's request.get_host(): the host that r asks, which ALLOWED_HOSTS has been found
// to match, in the client's letter case and with its port. Without a Guard it is r.Host, unchecked.
func Host(r *http.Request) string {
	if x := exchangeOf(r); x != nil {
		return x.host
	}
	return r.Host
}

// serve decides about r, and answers it or hands it to h.
func (g *Guard) serve(h http.Handler, w http.ResponseWriter, r *http.Request) {
	rec := rule.FromContext(r.Context())
	secure := g.decideSecure(r, rec)
	rec.Record(secure)
	redirect := g.decideRedirect(r, secure.Yes, rec)
	if redirect.ends() && g.site.SecureSSLHost != "" { // Django asks for no host then
		rec.Record(redirect.verdict)
		g.endAtRedirect(w, r, redirect, rec)
		return
	}
	host, domain := g.decideHost(r, rec)
	rec.Record(host)
	if redirect.ends() && !host.Yes {
		g.refuseHost(w, r, host) // by SecurityMiddleware itself, so without its headers
		return
	}
	if host.Yes {
		rec.Record(redirect.verdict)
	}
	if redirect.ends() {
		g.endAtRedirect(w, r, redirect, rec)
		return
	}
	x := &exchange{
		guard: g, in: r, out: w, rec: rec,
		secure: secure.Yes, host: host.Subject, domain: domain, reached: inPolicies,
	}
	x.openSession()
	if !host.Yes {
		g.refuseHost(x, r, host)
		return
	}
	x.reached = inFraming
	x.context = requestContext{r.Context(), x}
	inner := r.WithContext(&x.context)
	defer removeFiles(inner)
	if rec.Watching() || !isSafe(r.Method) {
		answer := x.decideCSRF(inner)
		rec.Record(answer.verdict)
		switch {
		case answer.verdict.Rule == csrfSessionFailed:
			x.begin(http.StatusServiceUnavailable) // which finds that the session has failed, and answers
			return
		case answer.reason != "":
			g.refuseCSRF(x, inner, answer)
			x.begin(http.StatusForbidden)
			return
		}
	}
	h.ServeHTTP(x, inner)
	x.begin(http.StatusOK)
}

// removeFiles removes from the disk the files of a multipart form, whoever has read it. The server does
// so for the request that it made itself, of which r is a copy.
func removeFiles(r *http.Request) {
	if r.MultipartForm != nil {
		_ = r.MultipartForm.RemoveAll()
	}
}

// endAtRedirect carries out what was decided in SecurityMiddleware's place.
func (g *Guard) endAtRedirect(w http.ResponseWriter, r *http.Request, a redirectAnswer, rec *rule.Recorder) {
	switch a.verdict.Rule {
	case redirectTooLong:
		g.refuseRedirect(w, r, a)
	case redirectLoopForwarded, redirectLoopRepeated:
		g.writeHeaders(w.Header(), headersOf{}, rec)
		g.diagnoseLoop(w, r, a)
	default:
		g.sendRedirect(w, r, a, rec)
	}
}

// sendRedirect answers as SecurityMiddleware does: only its own headers, no cookies, an empty body.
func (g *Guard) sendRedirect(w http.ResponseWriter, r *http.Request, a redirectAnswer, rec *rule.Recorder) {
	h := w.Header()
	h["Location"] = []string{a.location}
	h["Content-Type"] = htmlType
	if a.suspect {
		h["Cache-Control"] = noStore
		g.given.remember(g.redirectID(r), g.now())
	}
	g.writeHeaders(h, headersOf{}, rec)
	w.WriteHeader(http.StatusMovedPermanently)
}

// Shared by all redirects.
var (
	htmlType = []string{"text/html; charset=utf-8"}
	noStore  = []string{"no-store"}
)

func (x *exchange) openSession() {
	value, sent := lookupCookie(cookieHeader(x.in), x.guard.site.SessionCookieName)
	x.guard.sessions.OpenIn(&x.session, x.in.Context(), value, sent)
}

// cookieHeader returns the Cookie header of r as one line. Several lines, as HTTP/2 allows, are
// joined as RFC 9113, section 8.2.3, has it.
func cookieHeader(r *http.Request) string {
	switch lines := r.Header["Cookie"]; len(lines) {
	case 0:
		return ""
	case 1:
		return lines[0]
	default:
		return strings.Join(lines, "; ")
	}
}

// cookieHost is the host as the rules of cookies compare it, or "" when it has no such form.
func (x *exchange) cookieHost() string {
	host := x.host
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	canonical, err := cookie.CanonicalHost(host)
	if err != nil {
		return ""
	}
	return canonical
}
