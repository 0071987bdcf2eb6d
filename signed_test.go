package lockstep_test

import (
	"errors"
	"io/fs"
	"net/http"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/django"
)

// Written by a real Django with the same key at the same time: facts of signing, section 7.
const (
	signedV1 = "hello:1r31eq:ftGc7-EnkGwYm4_J-gtnrUSah8HWvb8cBlinxPjp8l8"
	signedV2 = "hello:1r31eq:l2dIOZ3zmaWfxxB1OkEWGQIyx-oJcrVOqIobZ042NdU"
)

func versioned(version string, fallback bool) func(*lockstep.Settings) {
	return func(s *lockstep.Settings) {
		s.DjangoVersion, s.SignedCookieLegacySaltFallback = version, fallback
	}
}

func TestSetSignedCookie(t *testing.T) {
	for version, want := range map[string]string{
		"3.2": signedV1, "4.2": signedV1, "5.2.14": signedV1, "6.0.5": signedV1,
		"5.2": signedV2, "6.0": signedV2, "6.1": signedV2,
	} {
		g := newGuard(t, versioned(version, false))
		resp := answerOf(g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := lockstep.SetSignedCookie(w, r, lockstep.Cookie{Name: "a", Value: "hello"}, "bc"); err != nil {
				t.Error(err)
			}
		})), get(t, "https", "/", "shop.test"))
		if got := resp.Header.Get("Set-Cookie"); got != "a="+want+"; Path=/" {
			t.Errorf("%s sends %q", version, got)
		}
	}
}

func TestSignedCookie(t *testing.T) {
	tests := []struct {
		name     string
		version  string
		fallback bool
		later    time.Duration
		cookie   string
		read     string
		salt     string
		maxAge   time.Duration
		want     string
		err      error
	}{
		{name: "v1 by 3.2", version: "3.2", cookie: "a=" + signedV1, want: "hello"},
		{name: "v2 by 3.2", version: "3.2", cookie: "a=" + signedV2, err: django.ErrBadSignature},
		{name: "v2 by 3.2, fallback or not", version: "3.2", fallback: true, cookie: "a=" + signedV2, err: django.ErrBadSignature},
		{name: "v2 by 6.1", version: "6.1", cookie: "a=" + signedV2, want: "hello"},
		{name: "v1 by 6.1", version: "6.1", cookie: "a=" + signedV1, err: django.ErrBadSignature},
		{name: "v1 by 6.1 with fallback", version: "6.1", fallback: true, cookie: "a=" + signedV1, want: "hello"},
		{name: "G02 name and salt confused, v2", version: "6.1", cookie: "ab=" + signedV2, read: "ab", salt: "c", err: django.ErrBadSignature},
		{name: "G02 name and salt confused, v1", version: "3.2", cookie: "ab=" + signedV1, read: "ab", salt: "c", want: "hello"},
		{name: "expired", version: "6.1", cookie: "a=" + signedV2, later: 11 * time.Second, maxAge: 10 * time.Second, err: django.ErrSignatureExpired},
		{name: "expired v1 with fallback", version: "6.1", fallback: true, cookie: "a=" + signedV1, later: 11 * time.Second, maxAge: 10 * time.Second, err: django.ErrSignatureExpired},
		{name: "at its age", version: "6.1", cookie: "a=" + signedV2, later: 10 * time.Second, maxAge: 10 * time.Second, want: "hello"},
		{name: "any age", version: "6.1", cookie: "a=" + signedV2, later: 1000 * time.Hour, want: "hello"},
		{name: "no cookie", version: "6.1", err: fs.ErrNotExist},
		{name: "not signed", version: "6.1", cookie: "a=hello", err: django.ErrBadSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, err := lockstep.New(djangoSettings(versioned(tt.version, tt.fallback)), lockstep.Options{
				Now: func() time.Time { return guardNow.Add(tt.later) },
			})
			if err != nil {
				t.Fatal(err)
			}
			name, salt := tt.read, tt.salt
			if name == "" {
				name, salt = "a", "bc"
			}
			answerOf(g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got, err := lockstep.SignedCookie(r, name, salt, tt.maxAge)
				if got != tt.want || !errors.Is(err, tt.err) {
					t.Errorf("%q, %v; want %q, %v", got, err, tt.want, tt.err)
				}
			})), get(t, "https", "/", "shop.test", "Cookie: "+tt.cookie))
		})
	}
}

// G04: a key that was replaced verifies, and no longer signs.
func TestSignedCookieFallbackKey(t *testing.T) {
	rotated := func(s *lockstep.Settings) {
		s.SecretKeyFallbacks = []string{s.SecretKey}
		s.SecretKey = "another-key-with-enough-characters-0123456789-abcdefgh"
	}
	resp := answerOf(newGuard(t, rotated).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got, err := lockstep.SignedCookie(r, "a", "bc", 0); got != "hello" {
			t.Errorf("%q, %v", got, err)
		}
		if err := lockstep.SetSignedCookie(w, r, lockstep.Cookie{Name: "a", Value: "hello"}, "bc"); err != nil {
			t.Error(err)
		}
	})), get(t, "https", "/", "shop.test", "Cookie: a="+signedV2))
	if got := resp.Header.Get("Set-Cookie"); got == "" || got == "a="+signedV2+"; Path=/" {
		t.Errorf("sent %q", got)
	}
}
