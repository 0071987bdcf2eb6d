package lockstep

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/session"
)

// Options is how this process runs a site, where [Settings] is what the site wants. The zero
// Options is ready.
type Options struct {
	// Logger is told of refused requests, of cookies that no browser stores and of sessions that
	// could not be saved; never of cookie values. Nil discards it.
	Logger *slog.Logger

	// Sessions is where sessions are kept. Nil keeps them in the memory of this process, or, with
	// the engine signed_cookies, in the cookie; a store together with that engine is refused.
	Sessions session.Store

	// Now is the clock, nil for time.Now.
	Now func() time.Time

	// Rand is where session keys and CSRF secrets are drawn from, by many goroutines at a time; nil
	// for crypto/rand.
	Rand io.Reader

	// CSRFFailure answers a request that the CSRF protection refuses, as Django's CSRF_FAILURE_VIEW
	// does; v says by which rule. It has to write status 403. Nil answers with a page that says
	// little, and with DEBUG the reason.
	CSRFFailure func(w http.ResponseWriter, r *http.Request, v rule.Verdict)
}

// A Guard is a site's Django-like front: it decides whether a request is secure, for which host
// it is and whether it is redirected, and acts on that in [Guard.Wrap]. It never changes and is
// safe for concurrent use; other settings are another Guard.
type Guard struct {
	site     *checked // what New has checked; it never changes
	headers  []header
	hstsLine []string // shared by all responses; nil when the setting is off
	sessions *session.Engine
	log      *slog.Logger
	now      func() time.Time
	rand     io.Reader
	failure  func(w http.ResponseWriter, r *http.Request, v rule.Verdict) // of the CSRF protection
	warned   warnings
	given    redirects // those that may come back

	sessionLineHolds bool // see checked.sessionLineHolds
}

// New returns a Guard for a copy of s. All mistakes in s are returned at once, joined, each a
// [*SettingError].
func New(s Settings, o Options) (*Guard, error) {
	c, err := s.check()
	if err != nil {
		return nil, err
	}
	g := &Guard{
		site: c, headers: c.headers(), hstsLine: line(c.hsts),
		log: o.Logger, now: o.Now, rand: o.Rand, failure: o.CSRFFailure,
		sessionLineHolds: c.sessionLineHolds(),
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if g.now == nil {
		g.now = time.Now //nolint:forbidigo // the clock of whoever brings none
	}
	if g.rand == nil {
		g.rand = rand.Reader
	}
	g.sessions, err = g.newSessions(o)
	return g, err
}

func (g *Guard) newSessions(o Options) (*session.Engine, error) {
	store := o.Sessions
	switch inCookie := g.site.sessionInCookie(); {
	case inCookie && store != nil:
		return nil, errors.New("Options.Sessions is set, but SESSION_ENGINE keeps sessions in cookies: take one of the two out")
	case !inCookie && store == nil:
		store = new(session.Memory)
	}
	return session.NewEngine(session.Config{
		Keys:                 g.site.keys(),
		CookieName:           g.site.SessionCookieName,
		CookieAge:            g.site.SessionCookieAge,
		ExpireAtBrowserClose: g.site.SessionExpireAtBrowserClose,
		SaveEveryRequest:     g.site.SessionSaveEveryRequest,
		Skip5xx:              g.site.version.atLeast(4, 2, 0),
		NoMoments:            !g.site.version.expiresAtMoments(),
		NaiveMoments:         !g.site.UseTZ,
		VaryWhenSet:          g.site.version.fixedIn(version{5, 2, 14}, version{6, 0, 5}),
		Store:                store,
		Now:                  g.now,
		Rand:                 g.rand,
	})
}

func (c *checked) sessionInCookie() bool {
	return strings.HasSuffix(c.SessionEngine, ".signed_cookies")
}

// Format implements [fmt.Formatter]. Whatever the verb, no setting is printed, SECRET_KEY least.
func (g *Guard) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "lockstep.Guard") }

// Wrap returns a handler that answers what the Guard decides by itself (a redirect to https, a
// refused host) and hands every other request to h. In h, [IsSecure], [Host], [AbsoluteURI],
// [SetCookie] and their like work, session.From(r.Context()) is the session, and the security
// headers, cookies and session are written at the first byte that leaves.
func (g *Guard) Wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.serve(h, w, r) })
}

// writePage answers with a page that tells little: what a person may do, if there is something, and
// with DEBUG the reason.
func (g *Guard) writePage(w http.ResponseWriter, status int, advice, reason string) {
	text := strconv.Itoa(status) + " " + http.StatusText(status) + "\n"
	if advice != "" {
		text += "\n" + advice + "\n"
	}
	if g.site.Debug {
		text += "\n" + reason + "\n"
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // a client that has gone needs no page
}

// The keys of log lines.
const (
	logLogger = "logger" // the logger that Django would have used
	logReason = "reason"
	logRule   = "rule"
	logStatus = "status"
	logMethod = "method"
	logPath   = "path"
	logClient = "client"
	logCookie = "cookie"
	logHeader = "header"
)

// refuseHost answers a request whose host v refuses.
func (g *Guard) refuseHost(w http.ResponseWriter, r *http.Request, v rule.Verdict) {
	var reason string // worth its cost only when somebody reads it
	if g.site.Debug || g.log.Enabled(r.Context(), slog.LevelError) {
		reason = disallowedHost(v.Subject)
		g.logRequest(r, slog.LevelError, "request refused", http.StatusBadRequest,
			slog.String(logLogger, "django.security.DisallowedHost"),
			slog.String(logReason, reason),
			slog.String(logRule, string(v.Rule)))
	}
	g.writePage(w, http.StatusBadRequest, "", reason)
}

// refuseRedirect answers a request whose redirect would be too long, as Django's DisallowedRedirect.
func (g *Guard) refuseRedirect(w http.ResponseWriter, r *http.Request, a redirectAnswer) {
	g.logRequest(r, slog.LevelError, "request refused", http.StatusBadRequest,
		slog.String(logLogger, "django.security.DisallowedRedirect"),
		slog.String(logReason, a.reason),
		slog.String(logRule, string(a.verdict.Rule)))
	g.writePage(w, http.StatusBadRequest, "", a.reason)
}

// refuseCSRF answers a request that the CSRF protection refuses; r has the exchange in its context.
func (g *Guard) refuseCSRF(w http.ResponseWriter, r *http.Request, a csrfAnswer) {
	status, logger, level := http.StatusForbidden, "django.security.csrf", slog.LevelWarn
	if a.verdict.Rule == csrfFormRefused {
		status, logger, level = http.StatusBadRequest, "django.security.SuspiciousOperation", slog.LevelError
	}
	g.logRequest(r, level, "request refused", status,
		slog.String(logLogger, logger),
		slog.String(logReason, a.reason),
		slog.String(logRule, string(a.verdict.Rule)))
	if g.failure != nil && status == http.StatusForbidden {
		g.failure(w, r, a.verdict)
		return
	}
	g.writePage(w, status, "The request could not be verified. Go back, load the page again and repeat what you did.", a.reason)
}

func (g *Guard) logSessionError(r *http.Request, status int, err error) {
	level := slog.LevelError
	if status == http.StatusBadRequest {
		level = slog.LevelWarn // nobody's fault: Django's SessionInterrupted is a BadRequest
	}
	g.logRequest(r, level, "session not saved", status,
		slog.String(logLogger, "django.request"), slog.String(logReason, err.Error()))
}

func (g *Guard) logRequest(r *http.Request, level slog.Level, message string, status int, attrs ...slog.Attr) {
	if !g.log.Enabled(r.Context(), level) {
		return
	}
	g.log.LogAttrs(r.Context(), level, message, append(attrs,
		slog.Int(logStatus, status),
		slog.String(logMethod, cut(r.Method)),
		slog.String(logPath, cut(r.URL.Path)),
		slog.String(logClient, cut(g.client(r))))...)
}

// logCookieRefused says that no browser stores a cookie, once for each name and rule.
func (g *Guard) logCookieRefused(ctx context.Context, name string, by rule.ID) {
	if g.warned.first(cut(name) + " " + string(by)) {
		g.log.LogAttrs(ctx, slog.LevelWarn, "no browser stores this cookie",
			slog.String(logCookie, cut(name)), slog.String(logRule, string(by)))
	}
}

// logNonceLate says that a policy went out without its nonce, once for each header.
func (g *Guard) logNonceLate(ctx context.Context, header string, by rule.ID) {
	if g.warned.first(header + " " + string(by)) {
		g.log.LogAttrs(ctx, slog.LevelWarn, "browsers refuse this nonce, as the policy was sent before it was asked for",
			slog.String(logHeader, header), slog.String(logRule, string(by)))
	}
}

// Names of cookies may come from outside, so no more than this many are remembered; further ones
// are not logged.
const maxWarnings = 256

// warnings remembers what has been logged. The zero warnings is empty and ready.
type warnings struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (w *warnings) first(what string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen[what] || len(w.seen) >= maxWarnings {
		return false
	}
	if w.seen == nil {
		w.seen = make(map[string]bool)
	}
	w.seen[what] = true
	return true
}
