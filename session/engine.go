package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/lockstep-http/lockstep/django"
)

// Config is what an [Engine] needs to know. Its fields are Django's settings and, below them, how
// this process does it.
type Config struct {
	Keys                 []string // SECRET_KEY, then SECRET_KEY_FALLBACKS: the first signs, all verify
	CookieName           string   // SESSION_COOKIE_NAME, which verdicts call the session by; "" is "sessionid"
	CookieAge            int      // SESSION_COOKIE_AGE, in seconds; with 0 or less, sessions are over at once
	ExpireAtBrowserClose bool     // SESSION_EXPIRE_AT_BROWSER_CLOSE
	SaveEveryRequest     bool     // SESSION_SAVE_EVERY_REQUEST
	Skip5xx              bool     // Django 4.2 and later: not saved with any status from 500 on; earlier, with 500 only
	NoMoments            bool     // Django 4.0 and earlier fail on a session that ends at a moment, so none is set: see Session.SetExpiryAt
	NaiveMoments         bool     // USE_TZ = False: that moment is written without its zone, which is UTC
	VaryWhenSet          bool     // Django 5.2.14, 6.0.5 and later: Vary: Cookie with every session cookie that is set

	Store Store            // where sessions are; nil keeps them in the cookie, as the engine signed_cookies does
	Now   func() time.Time // the clock; required
	Rand  io.Reader        // where keys are drawn from, such as crypto/rand.Reader; read by many goroutines at a time; required
}

// An Engine opens the sessions of a site. It is safe for concurrent use.
type Engine struct {
	config  Config
	signer  *django.Signer
	created atomic.Int64 // sessions since the start, for purging
}

const defaultCookieName = "sessionid"

// NewEngine returns an Engine with a copy of c, or an error that joins all mistakes in it.
func NewEngine(c Config) (*Engine, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	salt := django.SessionSalt
	if c.Store == nil {
		salt = django.SignedCookieSessionSalt
	}
	if c.CookieName == "" {
		c.CookieName = defaultCookieName
	}
	e := &Engine{config: c, signer: django.NewSigner(salt, c.Keys...)}
	e.config.Keys = nil // the signer has what it needs of them
	return e, nil
}

func (c Config) check() error {
	var mistakes []error
	if len(c.Keys) == 0 {
		mistakes = append(mistakes, errors.New("sessions need SECRET_KEY"))
	}
	for _, key := range c.Keys {
		if key == "" {
			mistakes = append(mistakes, errors.New("a key of SECRET_KEY or SECRET_KEY_FALLBACKS is empty"))
		}
	}
	if c.Now == nil {
		mistakes = append(mistakes, errors.New("sessions need a clock: Config.Now is nil"))
	}
	if c.Rand == nil && c.Store != nil {
		mistakes = append(mistakes, errors.New("session keys need randomness: Config.Rand is nil"))
	}
	if c.CookieAge > maxCookieAge {
		mistakes = append(mistakes, fmt.Errorf("SESSION_COOKIE_AGE of %d seconds is more than %d", c.CookieAge, maxCookieAge))
	}
	return errors.Join(mistakes...)
}

// maxCookieAge is about 63 years, in seconds; beyond it durations overflow, and for ever becomes now.
const maxCookieAge = 2_000_000_000

// Format implements [fmt.Formatter]: keys are not printed.
func (c Config) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("session.Config")) }

// Open returns the session of a request that sent a session cookie with this value, or sent none.
// It asks no store: the session is loaded when it is first touched, for which it keeps ctx. A
// session therefore lives as long as the request that ctx belongs to, and no longer.
func (e *Engine) Open(ctx context.Context, cookie string, sent bool) *Session {
	s := new(Session)
	e.OpenIn(s, ctx, cookie, sent)
	return s
}

// OpenIn is [Engine.Open] for who has room for the session in a struct of its own: s is zero before,
// and stays where it is.
func (e *Engine) OpenIn(s *Session, ctx context.Context, cookie string, sent bool) { //nolint:revive // s is what is opened
	s.engine, s.ctx, s.sent = e, ctx, sent
	if sent && longEnough(cookie) {
		s.key = cookie
	}
}

// inCookie reports whether sessions live in their cookies and not in a store.
func (e *Engine) inCookie() bool { return e.config.Store == nil }

const (
	purgeEvery = 64  // sessions created between two batches
	purgeBatch = 128 // records a batch removes at most; more than purgeEvery, so that the store shrinks
)

// purge removes a small batch of expired records now and then, so that a store never holds many
// more sessions than are alive and no request waits long. Its errors are not those of the request
// that happened to be the one to do it.
func (e *Engine) purge(ctx context.Context) {
	if p, ok := e.config.Store.(Purger); ok && e.created.Add(1)%purgeEvery == 0 {
		_, _ = p.Purge(ctx, e.config.Now(), purgeBatch)
	}
}

type contextKey struct{}

// NewContext returns a context that carries s for [From].
func NewContext(ctx context.Context, s *Session) context.Context {
	return context.WithValue(ctx, contextKey{}, s)
}

// ContextValue is for who has a context of a type of his own that carries s, without the one more
// that [NewContext] makes: it returns s for the key by which [From] asks, and nil for every other.
func (s *Session) ContextValue(key any) any {
	if key == (contextKey{}) {
		return s
	}
	return nil
}

// From returns the session of the request that ctx belongs to.
//
// It panics when there is none. That is a mistake of the program, in which a handler runs outside
// of what opens sessions; answering with an empty session would lose in silence what is written to
// it.
func From(ctx context.Context) *Session {
	s, ok := ctx.Value(contextKey{}).(*Session)
	if !ok {
		panic("session: no session in this context: the handler is not wrapped by what opens sessions")
	}
	return s
}
