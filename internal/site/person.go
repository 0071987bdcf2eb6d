package site

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/session"
)

// A Config is what a Site for a person's browser is made of.
type Config struct {
	Accounts      *Accounts
	SessionCookie string           // its name
	Logger        *slog.Logger     // nil discards
	Now           func() time.Time // nil: time.Now

	// Told is called with each request that the page of verdicts is for, of whatever session, when it has
	// been answered. It is called from many goroutines. nil: nobody is told.
	Told func(Report)
}

// A Site is the site for a person's browser: a counter, accounts with a page that needs a login, and a
// page that shows the Guard's verdicts on that person's own requests. It is safe for concurrent use.
//
// It stands behind the Guard, and [Site.Observe] in front of it:
//
//	s := site.New(config)
//	handler := s.Observe(guard.Wrap(s))
//
// What needs care is left to the library: the Guard checks the token of each POST, and Login, Logout and
// CurrentUser see to the session.
type Site struct {
	config   Config
	mux      *http.ServeMux
	attempts attempts
	feeds    feeds
}

// New returns a site.
func New(c Config) *Site {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Site{config: c, mux: http.NewServeMux()}
	for pattern, page := range map[string]page{
		"GET /{$}":               s.home,
		"GET /counter":           s.counter,
		"GET /login":             s.loginForm,
		"POST /login":            s.login,
		"GET /signup":            s.signupForm,
		"POST /signup":           s.signup,
		"GET /account":           s.member(s.account),
		"POST /account/password": s.member(s.changePassword),
		"GET /logout":            s.member(s.logoutForm),
		"POST /logout":           s.logout,
		"GET /logged-out":        s.loggedOut,
		"GET /verdicts":          s.verdicts,
		"GET /verdicts/stream":   s.stream,
		"/":                      s.notFound,
	} {
		s.mux.Handle(pattern, s.answer(page))
	}
	s.mux.Handle("GET /static/", static)
	return s
}

// ServeHTTP implements [http.Handler]. The request has to have come through a Guard.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Close ends the streams of the page of verdicts, which last as long as somebody looks on. Pages are
// answered as before.
func (s *Site) Close() { s.feeds.close() }

// A page answers a request, or returns why it could not.
type page func(w http.ResponseWriter, r *http.Request) error

// answer turns an error into a page that says little; the log has the rest.
func (s *Site) answer(p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := p(w, r)
		if err == nil {
			return
		}
		s.config.Logger.LogAttrs(r.Context(), slog.LevelError, "request not answered",
			slog.String("reason", err.Error()), slog.String("method", shorten(r.Method)), slog.String("path", shorten(r.URL.Path)))
		w.Header().Set("Retry-After", "5")
		_ = s.render(w, r, http.StatusServiceUnavailable, "trouble", view{Title: "Something does not work at the moment"})
	})
}

// member is a page for who is logged in. Others are sent to the login and come back.
func (s *Site) member(p func(http.ResponseWriter, *http.Request, Account) error) page {
	return func(w http.ResponseWriter, r *http.Request) error {
		account, ok, err := s.current(r)
		switch {
		case err != nil:
			return err
		case !ok:
			http.Redirect(w, r, loginURL(r), http.StatusFound) //nolint:gosec // the path is fixed
			return nil
		}
		s.follow(r)
		return p(w, r, account)
	}
}

// current returns the account of who is logged in.
func (s *Site) current(r *http.Request) (account Account, ok bool, err error) {
	_, ok, err = lockstep.CurrentUser(r, s.finder(&account))
	if err != nil {
		return Account{}, false, fmt.Errorf("asking who is logged in: %w", err)
	}
	return account, ok, nil
}

// The item of the session that holds the ID of its feed.
const feedKey = "verdicts"

// follow shows this request in the feed of its session, if the session has one.
func (s *Site) follow(r *http.Request) (id string) {
	id, ok := session.Value[string](session.From(r.Context()), feedKey)
	if !ok {
		return ""
	}
	rec := recordOf(r)
	rec.mu.Lock()
	defer rec.mu.Unlock()
	// The session is there, so that the cookie is that of its browser and not one that anybody made up.
	s.feeds.know(id, rec.cookie)
	rec.feed = id
	return id
}

// begin gives the session a feed if it has none yet.
func (s *Site) begin(r *http.Request) error {
	if s.follow(r) != "" {
		return nil
	}
	return s.beginAnew(r, "", "")
}

// beginAnew gives the session another feed, to which that of from moves, and ends one.
func (s *Site) beginAnew(r *http.Request, from, ends string) error {
	id := rand.Text()
	if err := session.From(r.Context()).Set(feedKey, id); err != nil {
		return err
	}
	rec := recordOf(r)
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.feed, rec.from, rec.ends = id, from, ends
	return nil
}
