package lockstep

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/lockstep-http/lockstep/django"
)

// SetSignedCookie is [SetCookie] with a signed value, as Django's response.set_signed_cookie()
// writes it in DJANGO_VERSION. salt has to be the same when the cookie is read; it may be empty.
func SetSignedCookie(w http.ResponseWriter, r *http.Request, c Cookie, salt string) error {
	return addCookie(w, r, c.Name, func(g *Guard) (django.SetCookie, error) {
		// The value that goes out is ASCII whatever was signed, but Django reads it back as Latin-1.
		if err := checkLatin1(c.Value); err != nil {
			return django.SetCookie{}, err
		}
		now := g.now()
		c.Value = g.cookieSigner(c.Name, salt, g.site.version.signsCookiesAnew()).SignAt(c.Value, now)
		return c.asDjango(now)
	})
}

// SignedCookie returns what was signed by [SetSignedCookie], or by Django, with the same name and
// salt: Django's request.get_signed_cookie(). A maxAge above 0 refuses what was signed longer ago.
//
// The error wraps [fs.ErrNotExist] when the request has no such cookie, [django.ErrBadSignature]
// when the signature does not match, and [django.ErrSignatureExpired] when maxAge has passed. r has
// to have come through a [Guard].
func SignedCookie(r *http.Request, name, salt string, maxAge time.Duration) (string, error) {
	x := exchangeOf(r)
	if x == nil {
		return "", errNoGuard
	}
	signed, ok := ReadCookie(r, name)
	if !ok {
		return "", fmt.Errorf("reading cookie %q: %w", name, fs.ErrNotExist)
	}
	value, err := x.guard.unsign(name, salt, signed, maxAge)
	if err != nil {
		return "", fmt.Errorf("reading cookie %q: %w", name, err)
	}
	return value, nil
}

// unsign tries the salt that DJANGO_VERSION writes and, where SIGNED_COOKIE_LEGACY_SALT_FALLBACK
// allows, the one that older versions wrote.
func (g *Guard) unsign(name, salt, signed string, maxAge time.Duration) (string, error) {
	if maxAge <= 0 {
		maxAge = -1
	}
	anew := g.site.version.signsCookiesAnew()
	value, _, err := g.cookieSigner(name, salt, anew).UnsignAt(signed, maxAge, g.now())
	if err == nil || !anew || !g.site.SignedCookieLegacySaltFallback || errors.Is(err, django.ErrSignatureExpired) {
		return value, err
	}
	value, _, err = g.cookieSigner(name, salt, false).UnsignAt(signed, maxAge, g.now())
	return value, err
}

func (g *Guard) cookieSigner(name, salt string, v2 bool) *django.Signer {
	return django.NewCookieSigner(name, salt, v2, g.site.keys()...)
}

// keys returns SECRET_KEY, which signs, and then its fallbacks.
func (c *checked) keys() []string {
	return append([]string{c.SecretKey}, c.SecretKeyFallbacks...)
}
