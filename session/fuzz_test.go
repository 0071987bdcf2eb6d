package session_test

import (
	"encoding/base64"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/session"
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Whatever a store holds, a session is loaded or empty, and can be saved over it.
func FuzzStoredPayload(f *testing.F) {
	signer := django.NewSigner(django.SessionSalt, secret)
	f.Add([]byte("garbage"), false)
	f.Add([]byte(`{"a":1,"_session_expiry":"x"}`), true)
	f.Add([]byte(`{"a":{"b":[1.0,NaN,"\ud83d"]},"a":2}`), true)
	f.Add([]byte(signer.Dumps([]byte(`{"a":1}`), true, instant)), false)
	f.Fuzz(func(t *testing.T, data []byte, sign bool) {
		if sign {
			data = []byte(signer.Dumps(data, true, instant))
		}
		store := new(session.Memory)
		conf := config(store)
		conf.Now = func() time.Time { return instant }
		e := engine(t, conf)
		must(t, store.Save(t.Context(), knownKey, session.Record{}, session.Record{Data: data, Expires: instant.Add(time.Hour)}))
		s := e.Open(t.Context(), knownKey, true)
		keys := s.Keys()
		for _, key := range keys {
			s.Get(key)
		}
		must(t, s.Err())
		must(t, s.Set("fuzzed", true))
		out, err := s.Commit(t.Context(), http.StatusOK)
		must(t, err)
		again := e.Open(t.Context(), out.Value, true)
		if s.ExpiryDate().After(instant) && (!again.Has("fuzzed") || again.Len() < len(keys)) {
			t.Errorf("%d items, then %d", len(keys), again.Len())
		}
	})
}

// Whatever is in _session_expiry, there is an age, and the cookie's and the record's agree.
func FuzzExpiry(f *testing.F) {
	for _, seed := range []string{`0`, `300`, `-1`, `1e400`, `-1e400`, `NaN`, `1.5`, `"2023-11-14T22:14:20+00:00"`, `"9999-12-31T23:59:59-12:00"`, `"0001-01-01"`, `[]`, `true`, `123456789012345678901234567890`} {
		f.Add(seed, int64(0))
	}
	f.Fuzz(func(t *testing.T, raw string, nano int64) {
		now := instant.Add(time.Duration(nano))
		data, err := django.ParseObject([]byte(`{"_session_expiry":` + raw + `}`))
		if err != nil {
			return
		}
		conf := config(nil)
		conf.Now = func() time.Time { return now }
		payload := django.NewSigner(django.SignedCookieSessionSalt, secret).Dumps(data.AppendJSON(nil), false, now)
		s := engine(t, conf).Open(t.Context(), payload, true)
		date, age := s.ExpiryDate(), s.ExpiryAge()
		if date.Year() < 1 || date.Year() > 9999 {
			t.Errorf("%s: %v", raw, date)
		}
		if off := date.Unix() - now.Unix() - int64(age); off < -1 || off > 1 {
			t.Errorf("%s: age %d and date %v are apart by %d s", raw, age, date, off)
		}
	})
}

// The value of a cookie is anybody's: no key of another's choice is taken on.
func FuzzCookie(f *testing.F) {
	for _, seed := range []string{"", "short", knownKey, "../../../../etc/passwd", signedCookie} {
		f.Add(seed, uint64(1))
	}
	f.Fuzz(func(t *testing.T, cookie string, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		for _, store := range []session.Store{new(session.Memory), nil} {
			e := engine(t, config(store))
			s := e.Open(t.Context(), cookie, true)
			for range r.IntN(4) {
				pick(r,
					func() { s.Get("a") }, func() { _ = s.Set("a", 1) }, func() { _ = s.Clear() }, func() { _ = s.Flush() },
					func() { _ = s.CycleKey() }, func() { _ = s.Create() }, func() { s.Key() }, func() { _ = s.Delete("a") })()
			}
			out, err := s.Commit(t.Context(), http.StatusOK)
			if store != nil && err == nil && out.Action == session.SetCookie && out.Value == cookie {
				t.Errorf("%q was taken on", cookie)
			}
		}
	})
}
