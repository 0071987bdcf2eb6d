package main

import (
	"crypto/tls"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gorilla/csrf"
	gorilla "github.com/gorilla/sessions"
	"github.com/justinas/nosurf"
	"github.com/unrolled/secure"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/session"
)

const (
	host      = "shop.test"
	secretKey = "measured-and-not-secret-at-all-0123456789-abcdefghij"
	oneYear   = 365 * 24 * 60 * 60
	twoWeeks  = 14 * 24 * 60 * 60
)

// A stack is a library, or several, with the application behind.
type stack struct {
	name    string // as the tables have it
	handler http.Handler
	refusal int // the status of a refused POST; 0 where nothing is refused

	tokenHeader, tokenField string // where a token is looked for; "" where none is

	// redirects, holds: what the stack does at all. A bare handler does neither.
	redirects, holds bool

	inCookie bool // the session is in the cookie, so that a request sent again begins with the same
	onServer bool // it is a peer that keeps sessions where Lockstep does, which goals compare with
}

const (
	bareName     = "bare handler"
	lockstepName = "Lockstep"
)

// bare is the application without anything around it.
func bare() *stack { return &stack{name: bareName, handler: app{nothing{}}} }

// nothing keeps no sessions.
type nothing struct{}

func (nothing) get(*http.Request, string) string                       { return "" }
func (nothing) count(*http.Request) int                                { return 0 }
func (nothing) login(http.ResponseWriter, *http.Request) error         { return nil }
func (nothing) setCount(http.ResponseWriter, *http.Request, int) error { return nil }
func (nothing) token(*http.Request) string                             { return "" }

func withLockstep(store session.Store) (*stack, error) {
	guard, err := lockstep.New(lockstep.Recommended(secretKey, host), lockstep.Options{Sessions: store})
	if err != nil {
		return nil, err
	}
	return &stack{ //nolint:gosec // names of fields, no credentials
		name: lockstepName, handler: guard.Wrap(app{ours{}}), refusal: http.StatusForbidden,
		tokenHeader: "X-Csrftoken", tokenField: "csrfmiddlewaretoken", redirects: true, holds: true,
	}, nil
}

type ours struct{}

func (ours) get(r *http.Request, key string) string {
	v, _ := session.Value[string](session.From(r.Context()), key)
	return v
}

func (ours) count(r *http.Request) int {
	n, _ := session.Value[int](session.From(r.Context()), visitsKey)
	return n
}

func (ours) setCount(_ http.ResponseWriter, r *http.Request, n int) error {
	return session.From(r.Context()).Set(visitsKey, n)
}

func (ours) login(_ http.ResponseWriter, r *http.Request) error {
	s := session.From(r.Context())
	_ = s.Set(userKey, userID)
	_ = s.Set(backendKey, backend)
	return s.Set(hashKey, hash)
}

func (ours) token(r *http.Request) string { return lockstep.CSRFToken(r) }

// secured puts unrolled/secure in front of h, with the headers that lockstep.Recommended sends.
func secured(h http.Handler) http.Handler {
	return secure.New(secure.Options{
		AllowedHosts: []string{host}, SSLRedirect: true, STSSeconds: oneYear, FrameDeny: true,
		ContentTypeNosniff: true, ReferrerPolicy: "same-origin", CrossOriginOpenerPolicy: "same-origin",
	}).Handler(h)
}

// withCrossOrigin is scs behind CrossOriginProtection, which needs no tokens.
func withCrossOrigin(store scs.Store) *stack {
	m := manager(store)
	h := http.NewCrossOriginProtection().Handler(m.LoadAndSave(app{theirs{m}}))
	return &stack{
		name: "secure + CrossOriginProtection + scs", handler: secured(h), refusal: http.StatusForbidden,
		redirects: true, holds: true, onServer: true,
	}
}

// withNosurf is scs behind nosurf.
func withNosurf(store scs.Store) *stack {
	m := manager(store)
	h := nosurf.New(m.LoadAndSave(app{theirsWithToken{theirs{m}}}))
	h.SetBaseCookie(http.Cookie{Path: "/", MaxAge: oneYear, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return &stack{
		name: "secure + nosurf + scs", handler: secured(h), refusal: nosurf.FailureCode,
		tokenHeader: nosurf.HeaderName, tokenField: nosurf.FormFieldName, redirects: true, holds: true, onServer: true,
	}
}

func manager(store scs.Store) *scs.SessionManager {
	m := scs.New()
	m.Lifetime = twoWeeks * time.Second
	m.Cookie.Secure = true
	if store != nil { // it keeps them in memory otherwise
		m.Store = store
	}
	return m
}

type theirs struct{ *scs.SessionManager }

func (s theirs) get(r *http.Request, key string) string { return s.GetString(r.Context(), key) }
func (s theirs) count(r *http.Request) int              { return s.GetInt(r.Context(), visitsKey) }
func (s theirs) token(*http.Request) string             { return "" }

func (s theirs) setCount(_ http.ResponseWriter, r *http.Request, n int) error {
	s.Put(r.Context(), visitsKey, n)
	return nil
}

func (s theirs) login(_ http.ResponseWriter, r *http.Request) error {
	s.Put(r.Context(), userKey, userID)
	s.Put(r.Context(), backendKey, backend)
	s.Put(r.Context(), hashKey, hash)
	return nil
}

type theirsWithToken struct{ theirs }

func (theirsWithToken) token(r *http.Request) string { return nosurf.Token(r) }

// withGorilla keeps the session in a signed cookie, the store that gorilla/sessions has itself.
func withGorilla() *stack {
	store := gorilla.NewCookieStore([]byte(secretKey))
	store.MaxAge(twoWeeks)
	store.Options.Secure, store.Options.HttpOnly, store.Options.SameSite = true, true, http.SameSiteLaxMode
	h := csrf.Protect([]byte(secretKey)[:32], csrf.Path("/"))(app{gorillas{store}})
	return &stack{ //nolint:gosec // names of fields, no credentials
		name: "secure + gorilla/csrf + gorilla/sessions", handler: secured(h), refusal: http.StatusForbidden,
		tokenHeader: "X-Csrf-Token", tokenField: "gorilla.csrf.Token", redirects: true, holds: true, inCookie: true,
	}
}

type gorillas struct{ store *gorilla.CookieStore }

func (g gorillas) session(r *http.Request) *gorilla.Session {
	s, _ := g.store.Get(r, "session") // one that cannot be read is new and empty
	return s
}

func (g gorillas) get(r *http.Request, key string) string {
	v, _ := g.session(r).Values[key].(string)
	return v
}

func (g gorillas) count(r *http.Request) int {
	n, _ := g.session(r).Values[visitsKey].(int)
	return n
}

func (g gorillas) setCount(w http.ResponseWriter, r *http.Request, n int) error {
	s := g.session(r)
	s.Values[visitsKey] = n
	return s.Save(r, w)
}

func (g gorillas) login(w http.ResponseWriter, r *http.Request) error {
	s := g.session(r)
	s.Values[userKey], s.Values[backendKey], s.Values[hashKey] = userID, backend, hash
	return s.Save(r, w)
}

func (gorillas) token(r *http.Request) string { return csrf.Token(r) }

// connection is what a request over https has of its own; nobody looks into it.
var connection = &tls.ConnectionState{HandshakeComplete: true}
