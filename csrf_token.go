package lockstep

import (
	"crypto/rand"
	"html/template"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/session"
)

var (
	noteCSRFTokenRotated = rules.Add(rule.Rule{
		ID:       "note-csrf-token-rotated",
		Source:   csrfSource + ", rotate_token()",
		Sentence: "The CSRF secret is a new one, so that a token known before a login is worth nothing after it; forms that are open in other tabs are stale.",
		Fix:      "Nothing needs to change; a form that is refused because of it has to be loaded again.",
		Scenario: `
on /login app login ada
visit https://shop.test/login
`,
	})
	noteCSRFTokenLate = rules.Add(rule.Rule{
		ID:       "note-csrf-token-late",
		Source:   "Lockstep, CSRFToken",
		Sentence: "The token was asked for after the first byte of the response had been sent, so its cookie could not go along and the token will not be accepted.",
		Fix:      "Call CSRFToken or CSRFField before anything is written: take the token into the data of the template, not into a function that the template calls.",
		Scenario: `
on /a app late-token
visit https://shop.test/a
`,
	})
)

// CSRFToken is Django's get_token(request): the token that a form sends as csrfmiddlewaretoken and a
// script in the header X-CSRFToken. It is masked anew at each call, so that no two pages hold the
// same bytes. The cookie or session that it has to match is sent with this response, which varies by
// Cookie; so it has to be called before the first byte of the response.
//
// It panics when r did not come through a [Guard]: a form without protection should not look
// protected.
func CSRFToken(r *http.Request) string {
	x := exchangeOf(r)
	if x == nil {
		panic("lockstep: CSRFToken: the request did not come through a Guard")
	}
	x.csrf.mu.Lock()
	defer x.csrf.mu.Unlock()
	x.csrf.load(x)
	if x.csrf.secret == "" && x.begun.Load() {
		x.lateToken()
	}
	x.csrf.use(x)
	return django.MaskCSRFSecret(x.csrf.secret, x.guard.newSecret())
}

// CSRFField is Django's {% csrf_token %}: a hidden field with [CSRFToken] for a form that is sent by
// POST to this site.
func CSRFField(r *http.Request) template.HTML {
	return template.HTML(`<input type="hidden" name="` + tokenField + `" value="` + CSRFToken(r) + `">`) //nolint:gosec // letters and digits
}

// RotateCSRFToken is Django's rotate_token(request): the secret becomes a new one, so that tokens
// given out before are worth nothing. [Login] calls it. The error says that the response has begun,
// or that r did not come through a [Guard].
func RotateCSRFToken(r *http.Request) error {
	x := exchangeOf(r)
	switch {
	case x == nil:
		return errNoGuard
	case x.begun.Load():
		return errTooLate
	}
	x.csrf.mu.Lock()
	defer x.csrf.mu.Unlock()
	x.csrf.load(x)
	x.csrf.renew(x)
	x.csrf.rotated = true
	return nil
}

// A csrfState is the CSRF secret of one request, which is read when it is first asked for.
type csrfState struct {
	mu      sync.Mutex
	loaded  bool
	found   rule.ID // why the request brought no secret; "" when it did
	secret  string  // not masked; "" when there is none yet
	stored  string  // as cookie or session hold it: masked in Django 3.2
	send    bool    // cookie or session are to be written
	rotated bool
}

// load reads the secret that the request brought. The caller holds s.mu. A cookie that is none of
// ours is replaced at once, whether or not somebody asks for a token, from Django 4.0 on.
func (s *csrfState) load(x *exchange) {
	if s.loaded {
		return
	}
	s.loaded = true
	text, sent := s.read(x)
	if !sent {
		if s.found = csrfCookieMissing; x.guard.site.CSRFUseSessions && x.session.Err() != nil {
			s.found = csrfSessionFailed
		}
		return
	}
	var ok bool
	if s.secret, ok = django.CSRFSecret(text); ok {
		if s.stored = text; len(text) == django.CSRFTokenLength != x.guard.site.version.masksCSRFCookie() {
			s.stored = x.storedForm(s.secret)
		}
		return
	}
	s.found = csrfCookieCharacters
	if n := utf8.RuneCountInString(text); n != django.CSRFSecretLength && n != django.CSRFTokenLength {
		s.found = csrfCookieLength
	}
	if x.guard.site.version.checksOrigin() {
		s.renew(x)
	}
}

func (s *csrfState) read(x *exchange) (text string, sent bool) {
	if x.guard.site.CSRFUseSessions {
		return session.Value[string](&x.session, django.CSRFSessionKey)
	}
	return lookupCookie(cookieHeader(x.in), x.guard.site.CSRFCookieName)
}

// use has the secret sent, a new one if there is none.
func (s *csrfState) use(x *exchange) {
	if s.secret == "" {
		s.renew(x)
	}
	s.send = true
}

func (s *csrfState) renew(x *exchange) {
	s.secret = x.guard.newSecret()
	s.stored = x.storedForm(s.secret)
	s.send = true
}

// notes are what else there is to know of the cookie that goes out.
func (s *csrfState) notes() []rule.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rotated {
		return []rule.ID{noteCSRFTokenRotated}
	}
	return nil
}

// storedForm is how cookie and session hold a secret.
func (x *exchange) storedForm(secret string) string {
	if x.guard.site.version.masksCSRFCookie() {
		return django.MaskCSRFSecret(secret, x.guard.newSecret())
	}
	return secret
}

// newSecret draws a secret, or a mask. A source of randomness that fails is replaced by the system's.
func (g *Guard) newSecret() string {
	// The largest multiple of 62 that a byte can hold: what is beyond is drawn again, so that no
	// character is likelier than another.
	const fair = 256 / len(django.CSRFAlphabet) * len(django.CSRFAlphabet)
	var (
		secret [django.CSRFSecretLength]byte
		drawn  [django.CSRFSecretLength + 8]byte
	)
	for n := 0; n < len(secret); {
		if _, err := io.ReadFull(g.rand, drawn[:]); err != nil {
			_, _ = rand.Read(drawn[:]) // never fails
		}
		for _, b := range drawn {
			if int(b) < fair && n < len(secret) {
				secret[n] = django.CSRFAlphabet[int(b)%len(django.CSRFAlphabet)]
				n++
			}
		}
	}
	return string(secret[:])
}

// commitCSRF writes the secret into cookie or session, as CsrfViewMiddleware does after the
// application. Only a cookie is looked at when nobody asked: to read a session costs the store a
// question.
func (x *exchange) commitCSRF() {
	s, site := &x.csrf, &x.guard.site.Settings
	s.mu.Lock()
	defer s.mu.Unlock()
	if !site.CSRFUseSessions {
		s.load(x)
	}
	switch {
	case !s.send:
	case site.CSRFUseSessions:
		if have, _ := session.Value[string](&x.session, django.CSRFSessionKey); have != s.stored {
			_ = x.session.Set(django.CSRFSessionKey, s.stored) // a session that failed says so when it is committed
		}
	default:
		c := django.SetCookie{
			Name: site.CSRFCookieName, Value: s.stored, Domain: site.CSRFCookieDomain, Path: site.CSRFCookiePath,
			SameSite: site.CSRFCookieSameSite, Secure: site.CSRFCookieSecure, HttpOnly: site.CSRFCookieHttpOnly,
		}
		if site.CSRFCookieAge != 0 {
			lasts(&c, site.CSRFCookieAge, x.guard.now())
		}
		put(x.out.Header(), c.String())
		varyOnCookie(x.out.Header())
	}
}

// lateToken says that a token was asked for when its cookie could no longer be sent.
func (x *exchange) lateToken() {
	x.guard.logCookieRefused(x.in.Context(), x.guard.site.CSRFCookieName, noteCSRFTokenLate)
	if x.rec.Watching() {
		x.rec.Record(rule.Verdict{
			Side: rule.Site, Question: rule.SetCookie, Subject: x.guard.site.CSRFCookieName,
			Rule:  noteCSRFTokenLate,
			Facts: []rule.Fact{{Name: "request.path", Value: cut(x.in.URL.Path)}},
		})
	}
}

// port is Django's request.get_port(): what a trusted proxy says in X-Forwarded-Port with
// USE_X_FORWARDED_PORT, else the port on which this server took the request, else the default.
func (g *Guard) port(r *http.Request) string {
	if lines := r.Header["X-Forwarded-Port"]; g.site.UseXForwardedPort && len(lines) > 0 && g.trusts(r.RemoteAddr) {
		return nearest(lines)
	}
	if addr, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		return strconv.Itoa(addr.Port)
	}
	if r.TLS != nil {
		return "443"
	}
	return "80"
}
