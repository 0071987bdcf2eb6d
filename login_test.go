package lockstep_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/session"
)

// A loginSite is a site with users, of which each test drives one browser or several.
type loginSite struct {
	settings lockstep.Settings
	store    session.Memory
	users    map[string]lockstep.User
	findErr  error
	last     rule.Verdict // about is_authenticated
}

func newLoginSite() *loginSite {
	return &loginSite{settings: djangoSettings(nil), users: map[string]lockstep.User{
		"1": {ID: "1", Password: "pbkdf2_sha256$1$salt$one"},
		"2": {ID: "2", Password: "pbkdf2_sha256$1$salt$two"},
	}}
}

func (s *loginSite) find(_ context.Context, id string) (lockstep.User, error) {
	if s.findErr != nil {
		return lockstep.User{}, s.findErr
	}
	u, ok := s.users[id]
	if !ok {
		return u, fmt.Errorf("user %q: %w", id, fs.ErrNotExist)
	}
	return u, nil
}

// A browserOf keeps the cookies of one person.
type browserOf struct {
	site *loginSite
	jar  map[string]string
}

func (s *loginSite) browser() *browserOf { return &browserOf{s, map[string]string{}} }

// do makes one request to a handler; the handler's text is the answer.
func (b *browserOf) do(t *testing.T, h func(w http.ResponseWriter, r *http.Request) string) (string, *http.Response) {
	t.Helper()
	g, err := lockstep.New(b.site.settings, lockstep.Options{Now: fixedNow, Sessions: &b.site.store})
	if err != nil {
		t.Fatal(err)
	}
	r := get(t, "https", "/", "shop.test")
	if len(b.jar) > 0 {
		r.Header.Set("Cookie", cookieLine(b.jar))
	}
	r = r.WithContext(rule.WithWatch(r.Context(), func(v rule.Verdict) {
		if v.Question == rule.IsAuthenticated {
			b.site.last = v
		}
	}))
	w := httptest.NewRecorder()
	g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, h(w, r)) })).ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if b.jar[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.jar, c.Name)
		}
	}
	return w.Body.String(), w.Result()
}

func (b *browserOf) login(t *testing.T, id string) {
	t.Helper()
	b.do(t, func(_ http.ResponseWriter, r *http.Request) string {
		if err := lockstep.Login(r, b.site.users[id]); err != nil {
			t.Error(err)
		}
		return ""
	})
}

func (b *browserOf) logout(t *testing.T) {
	t.Helper()
	b.do(t, func(_ http.ResponseWriter, r *http.Request) string {
		if err := lockstep.Logout(r); err != nil {
			t.Error(err)
		}
		return ""
	})
}

// who is the user that the site sees, and by which rule.
func (b *browserOf) who(t *testing.T) (id string, by rule.ID) {
	t.Helper()
	id, _ = b.do(t, func(_ http.ResponseWriter, r *http.Request) string {
		u, ok, err := lockstep.CurrentUser(r, b.site.find)
		if err != nil || ok != (u.ID != "") {
			t.Errorf("user %v, %v, %v", u, ok, err)
		}
		return u.ID
	})
	return id, b.site.last.Rule
}

func (b *browserOf) want(t *testing.T, id string, by rule.ID) {
	t.Helper()
	if got, rule := b.who(t); got != id || rule != by {
		t.Errorf("the site sees user %q by %s, want %q by %s", got, rule, id, by)
	}
}

// A login takes the session along under a new key, and the token given out before is worth nothing.
func TestLogin(t *testing.T) {
	s := newLoginSite()
	b := s.browser()
	b.want(t, "", "authenticated-no-login")
	token, _ := b.do(t, func(_ http.ResponseWriter, r *http.Request) string {
		_ = session.From(r.Context()).Set("cart", 7)
		return lockstep.CSRFToken(r)
	})
	anonymous, cookie := b.jar["sessionid"], b.jar["csrftoken"]
	b.login(t, "1")
	if b.jar["sessionid"] == anonymous || b.jar["csrftoken"] == cookie || django.CSRFTokensMatch(token, b.jar["csrftoken"]) {
		t.Errorf("key or secret did not change: %v", b.jar)
	}
	if _, err := s.store.Load(t.Context(), anonymous); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old key still has a session: %v", err)
	}
	b.want(t, "1", "authenticated-ok")
	items, _ := b.do(t, func(_ http.ResponseWriter, r *http.Request) string {
		s := session.From(r.Context())
		return fmt.Sprint(s.Get("cart"), s.Get(django.AuthUserIDKey), s.Get(django.AuthUserBackendKey), s.Get(django.AuthUserHashKey))
	})
	if want := fmt.Sprint(7, "1", django.ModelBackend, django.SessionAuthHash(guardKey, s.users["1"].Password)); items != want {
		t.Errorf("the session holds %s, want %s", items, want)
	}
}

// Who presses the button twice sends the form twice: the second login finds its session gone, to the first
// one or to a logout, and begins another, in which nothing of the old one is.
func TestLoginMeanwhile(t *testing.T) {
	for _, before := range []string{"", "1"} { // who was logged in
		for name, meanwhile := range map[string]func(t *testing.T, b *browserOf){
			"login":  func(t *testing.T, b *browserOf) { b.login(t, "1") },
			"logout": func(t *testing.T, b *browserOf) { b.logout(t) },
		} {
			t.Run(name+" of "+before, func(t *testing.T) {
				s := newLoginSite()
				b := s.browser()
				b.do(t, func(_ http.ResponseWriter, r *http.Request) string {
					_ = session.From(r.Context()).Set("cart", 7)
					return ""
				})
				if before != "" {
					b.login(t, before)
				}
				first, second := *b, *b
				first.jar, second.jar = maps.Clone(b.jar), maps.Clone(b.jar)
				_, resp := second.do(t, func(_ http.ResponseWriter, r *http.Request) string {
					items := session.From(r.Context())
					_ = items.Set("mine", items.Get("cart")) // the session has been read, and changed
					meanwhile(t, &first)
					if err := lockstep.Login(r, s.users["1"]); err != nil {
						t.Error(err)
					}
					return ""
				})
				if resp.StatusCode != http.StatusOK || second.jar["sessionid"] == b.jar["sessionid"] {
					t.Errorf("status %d, cookies %v", resp.StatusCode, second.jar)
				}
				second.want(t, "1", "authenticated-ok")
				if name == "login" {
					first.want(t, "1", "authenticated-ok")
				}
				b.want(t, "", "authenticated-no-login")
				if kept, _ := second.do(t, func(_ http.ResponseWriter, r *http.Request) string {
					items := session.From(r.Context())
					return fmt.Sprint(items.Has("cart"), items.Has("mine"))
				}); kept != "false false" {
					t.Errorf("items of a session that was ended are kept: %s", kept)
				}
			})
		}
	}
}

// To log in once more cycles the key; another user gets nothing of the first one's session.
func TestLoginAgain(t *testing.T) {
	s := newLoginSite()
	b := s.browser()
	b.login(t, "1")
	first := b.jar["sessionid"]
	b.do(t, func(_ http.ResponseWriter, r *http.Request) string {
		_ = session.From(r.Context()).Set("private", 1)
		return ""
	})
	b.login(t, "1")
	second := b.jar["sessionid"]
	private := func() string {
		text, _ := b.do(t, func(_ http.ResponseWriter, r *http.Request) string {
			return fmt.Sprint(session.From(r.Context()).Has("private"))
		})
		return text
	}
	if second == first || private() != "true" {
		t.Errorf("the same user: key changed %v, items kept %s", second != first, private())
	}
	b.login(t, "2")
	if b.jar["sessionid"] == second || private() != "false" {
		t.Errorf("another user: key changed %v, items kept %s", b.jar["sessionid"] != second, private())
	}
	b.want(t, "2", "authenticated-ok")
	b.do(t, func(_ http.ResponseWriter, r *http.Request) string {
		_ = session.From(r.Context()).Set("private", 1)
		return ""
	})
	s.users["3"] = lockstep.User{ID: "3", Password: s.users["2"].Password} // whose hash is the same
	if b.login(t, "3"); private() != "false" {
		t.Error("another user with the same encoded password gets the first one's items")
	}
	b.want(t, "3", "authenticated-ok")
	if s.store.Len() != 1 {
		t.Errorf("%d sessions are left", s.store.Len())
	}
}

func TestLogout(t *testing.T) {
	s := newLoginSite()
	b, thief := s.browser(), s.browser()
	b.login(t, "1")
	thief.jar["sessionid"] = b.jar["sessionid"]
	thief.want(t, "1", "authenticated-ok")
	_, resp := b.do(t, func(_ http.ResponseWriter, r *http.Request) string {
		if err := lockstep.Logout(r); err != nil {
			t.Error(err)
		}
		return ""
	})
	if line := strings.Join(resp.Header["Set-Cookie"], "\n"); !strings.HasPrefix(line, `sessionid=""; expires=Thu, 01 Jan 1970`) {
		t.Errorf("Set-Cookie: %s", line)
	}
	b.want(t, "", "authenticated-no-login")
	thief.want(t, "", "authenticated-no-login")
}

// A change of the password ends all sessions but the one in which it is made.
func TestPasswordChange(t *testing.T) {
	s := newLoginSite()
	here, there := s.browser(), s.browser()
	here.login(t, "1")
	there.login(t, "1")
	before := here.jar["sessionid"]
	s.users["1"] = lockstep.User{ID: "1", Password: "pbkdf2_sha256$1$salt$three"}
	here.do(t, func(_ http.ResponseWriter, r *http.Request) string {
		if err := lockstep.UpdateSessionAuthHash(r, s.users["1"]); err != nil {
			t.Error(err)
		}
		return ""
	})
	if here.jar["sessionid"] == before {
		t.Error("the key did not change")
	}
	here.want(t, "1", "authenticated-ok")
	there.want(t, "", "authenticated-hash-differs")
	if there.jar["sessionid"] != "" || s.store.Len() != 1 {
		t.Errorf("the other session is still there: %v, %d", there.jar, s.store.Len())
	}
}

// What else a login is held against.
func TestCurrentUser(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(s *loginSite, b *browserOf)
		id     string
		rule   rule.ID
	}{
		{"nothing", func(*loginSite, *browserOf) {}, "1", "authenticated-ok"},
		{"the user is gone", func(s *loginSite, _ *browserOf) { delete(s.users, "1") }, "", "authenticated-user-unknown"},
		{"another backend", func(s *loginSite, _ *browserOf) {
			s.users["1"] = lockstep.User{ID: "1", Password: s.users["1"].Password, Backend: "a.b"}
		}, "", "authenticated-backend-differs"},
		{"the key became a fallback", func(s *loginSite, _ *browserOf) {
			s.settings.SecretKeyFallbacks, s.settings.SecretKey = []string{"x", guardKey}, "a new key"
		}, "1", "authenticated-hash-fallback"},
		{"the key is gone", func(s *loginSite, _ *browserOf) { s.settings.SecretKey = "a new key" }, "", "authenticated-no-login"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newLoginSite()
			b := s.browser()
			b.login(t, "1")
			test.change(s, b)
			b.want(t, test.id, test.rule)
			if test.rule == "authenticated-hash-fallback" {
				b.want(t, "1", "authenticated-ok") // it has been renewed
			}
		})
	}
}

// A session without a hash, as one forged or of a Django before 1.7 would be, is nobody's.
func TestNoHash(t *testing.T) {
	s := newLoginSite()
	b := s.browser()
	for _, hash := range []any{nil, "", 1} {
		b.login(t, "1")
		b.do(t, func(_ http.ResponseWriter, r *http.Request) string {
			_ = session.From(r.Context()).Set(django.AuthUserHashKey, hash)
			return ""
		})
		b.want(t, "", "authenticated-hash-differs")
	}
}

// Errors say that nobody is logged in as far as anybody knows.
func TestLoginErrors(t *testing.T) {
	outside := httptest.NewRequest(http.MethodGet, "/", nil)
	s := newLoginSite()
	if lockstep.Login(outside, s.users["1"]) == nil || lockstep.Logout(outside) == nil || lockstep.UpdateSessionAuthHash(outside, s.users["1"]) == nil {
		t.Error("without a Guard there is no error")
	}
	if _, ok, err := lockstep.CurrentUser(outside, s.find); ok || err == nil {
		t.Error("without a Guard there is a user")
	}
	b := s.browser()
	b.do(t, func(w http.ResponseWriter, r *http.Request) string {
		if lockstep.Login(r, lockstep.User{}) == nil {
			t.Error("a user without an ID logs in")
		}
		w.WriteHeader(http.StatusOK)
		if lockstep.Login(r, s.users["1"]) == nil {
			t.Error("a login after the response has begun")
		}
		return ""
	})
	b.login(t, "1")
	s.findErr = errors.New("the table of users is locked")
	b.do(t, func(_ http.ResponseWriter, r *http.Request) string {
		if u, ok, err := lockstep.CurrentUser(r, s.find); ok || u.ID != "" || !errors.Is(err, s.findErr) {
			t.Errorf("%v, %v, %v", u, ok, err)
		}
		return ""
	})
	s.findErr = nil
	b.want(t, "1", "authenticated-ok") // and it was not ended by the failure
}

func TestLoginStoreFails(t *testing.T) {
	refused := errors.New("connection refused")
	g, err := lockstep.New(djangoSettings(nil), lockstep.Options{Sessions: failingStore{refused}})
	if err != nil {
		t.Fatal(err)
	}
	resp := answerOf(g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := lockstep.Login(r, lockstep.User{ID: "1"}); !errors.Is(err, refused) {
			t.Errorf("Login: %v", err)
		}
		if err := lockstep.Logout(r); err == nil {
			t.Error("Logout says that it worked")
		}
	})), get(t, "https", "/", "shop.test", "Cookie: sessionid=abcdefghijklmnopqrstuvwxyz012345"))
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestUserPrintsNoPassword(t *testing.T) {
	u := lockstep.User{ID: "1", Password: "pbkdf2_sha256$1$salt$one"}
	for _, text := range []string{fmt.Sprint(u), fmt.Sprintf("%+v", u), fmt.Sprintf("%#v", u), fmt.Sprintf("%s", u), u.LogValue().String()} {
		if strings.Contains(text, "pbkdf2") {
			t.Errorf("%q", text)
		}
	}
}
