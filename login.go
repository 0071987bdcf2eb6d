package lockstep

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"

	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/session"
)

const authSource = "Django, django/contrib/auth/__init__.py"

var (
	authenticatedOK = rules.Add(rule.Rule{
		ID:       "authenticated-ok",
		Source:   authSource + ", get_user()",
		Sentence: "The session names a user, and its hash is that of the user's password, so the request is the user's.",
		Fix:      "To end it, call Logout; to end all sessions of the user, change the password.",
		Scenario: `
on /login app login ada
on /account app account
visit https://shop.test/login
visit https://shop.test/account
`,
	})
	authenticatedNoLogin = rules.Add(rule.Rule{
		ID:       "authenticated-no-login",
		Source:   authSource + ", get_user()",
		Sentence: "Nobody has logged in with this session, so the request is anonymous.",
		Fix:      "If somebody did log in, read why the session was not loaded, or why the browser did not send its cookie.",
		Scenario: `
on /account app account
visit https://shop.test/account
`,
	})
	authenticatedUserUnknown = rules.Add(rule.Rule{
		ID:       "authenticated-user-unknown",
		Source:   authSource + ", get_user()",
		Sentence: "The session names a user that there is no more, so the request is anonymous.",
		Fix:      "Nothing, if the user was deleted; if not, look whether both sides of the site use the same table of users.",
		Scenario: `
on /login app login ada
on /remove app remove-user ada
on /account app account
visit https://shop.test/login
visit https://shop.test/remove
visit https://shop.test/account
`,
	})
	authenticatedBackendDiffers = rules.Add(rule.Rule{
		ID:       "authenticated-backend-differs",
		Source:   authSource + ", get_user(); Django setting AUTHENTICATION_BACKENDS",
		Sentence: "The session was opened by another authentication backend than the user's, so the request is anonymous.",
		Fix:      "Give the User the backend that the Django beside this site writes, as its dotted path.",
		Scenario: `
on /login app login ada
on /other app change-backend ada
on /account app account
visit https://shop.test/login
visit https://shop.test/other
visit https://shop.test/account
`,
	})
	authenticatedHashDiffers = rules.Add(rule.Rule{
		ID:       "authenticated-hash-differs",
		Source:   authSource + ", get_user(); AbstractBaseUser.get_session_auth_hash()",
		Sentence: "The session has no hash of the user's password, or that of another one, so it was opened before the password was changed: it is ended, and the request is anonymous.",
		Fix:      "Log in again; the session in which the password is changed goes on if UpdateSessionAuthHash is called.",
		Scenario: `
on /login app login ada
on /password app change-password ada
on /account app account
visit https://shop.test/login
visit https://shop.test/password
visit https://shop.test/account
`,
	})
	authenticatedHashFallback = rules.Add(rule.Rule{
		ID:       "authenticated-hash-fallback",
		Source:   authSource + ", get_user(); Django setting SECRET_KEY_FALLBACKS (4.1)",
		Sentence: "The hash was made with a former SECRET_KEY, so the request is the user's, and the session is given a new key and hash.",
		Fix:      "Nothing: take a key out of SECRET_KEY_FALLBACKS once sessions of its time have ended.",
		Scenario: `
set SECRET_KEY='the-former-key-of-the-site-which-is-long-enough-0123456789'
on /login app login ada
on /account app account
visit https://shop.test/login
set SECRET_KEY_FALLBACKS=['the-former-key-of-the-site-which-is-long-enough-0123456789']
set SECRET_KEY='the-present-key-of-the-site-which-is-long-enough-012345678'
visit https://shop.test/account
`,
	})
)

// A User is what a login binds to a session, and what has to be the same for it to last.
type User struct {
	ID       string // the primary key as text, as Django writes it; never empty
	Backend  string // the dotted path of Django's authentication backend; "" is [django.ModelBackend]
	Password string // the encoded password as the database holds it, such as "pbkdf2_sha256$…"
}

// Format implements [fmt.Formatter]: the ID; the encoded password is not printed.
func (u User) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "user "+u.ID) }

// LogValue implements [slog.LogValuer] likewise.
func (u User) LogValue() slog.Value { return slog.StringValue("user " + u.ID) }

func (u User) backend() string { return cmp.Or(u.Backend, django.ModelBackend) }

// Login is Django's login(request, user), after the caller has found the password to be right: the
// session is the user's from here on, under a new key that nobody knew before, and the CSRF secret is
// a new one. What the session holds is kept, unless it was another user's, or was opened with another
// password: then it is ended and a new one begins. So it is when another request has ended the session
// meanwhile, by a logout or because the form was sent twice.
//
// An error says that nobody is logged in: the session could not be saved, the response has begun, u
// has no ID, or r did not come through a [Guard].
func Login(r *http.Request, u User) error {
	x, s, err := sessionOf(r)
	switch {
	case err != nil:
		return fmt.Errorf("logging in: %w", err)
	case u.ID == "":
		return errors.New("logging in: the user has no ID")
	}
	hash := django.SessionAuthHash(x.guard.site.SecretKey, u.Password)
	begin := s.CycleKey
	if id, loggedIn := session.Value[string](s, django.AuthUserIDKey); loggedIn {
		have, _ := session.Value[string](s, django.AuthUserHashKey)
		if id != u.ID || !sameHash(have, hash) {
			begin = s.Flush
		}
	}
	err = begin()
	if errors.Is(err, session.ErrInterrupted) { // there is nothing left to keep
		err = s.Flush()
	}
	if err != nil {
		return fmt.Errorf("logging in: %w", err)
	}
	for _, item := range [][2]string{
		{django.AuthUserIDKey, u.ID}, {django.AuthUserBackendKey, u.backend()}, {django.AuthUserHashKey, hash},
	} {
		if err := s.Set(item[0], item[1]); err != nil {
			return fmt.Errorf("logging in: %w", err)
		}
	}
	return RotateCSRFToken(r)
}

// Logout is Django's logout(request): the session is ended, in the store at once and in the browser
// with this response, whoever was logged in. An error says that the user is still logged in.
func Logout(r *http.Request) error {
	_, s, err := sessionOf(r)
	if err == nil {
		err = s.Flush()
	}
	if err != nil {
		return fmt.Errorf("logging out: %w", err)
	}
	return nil
}

// CurrentUser is Django's get_user(request): the user who is logged in, as find returns it for the ID
// that the session holds, or false. find's error wraps [fs.ErrNotExist] when there is no such user.
//
// A session whose hash is not that of the user's password is ended, so that a change of the password
// logs out everybody who had the old one. A hash by a key of SECRET_KEY_FALLBACKS is renewed.
//
// The error is that of find, or says that the session could not be read; nobody is logged in then as
// far as anybody knows, and the answer should be 503. find gets the context of r.
func CurrentUser(r *http.Request, find func(ctx context.Context, id string) (User, error)) (User, bool, error) {
	x, s, err := sessionOf(r)
	if err != nil {
		return User{}, false, fmt.Errorf("finding the user: %w", err)
	}
	id, ok := session.Value[string](s, django.AuthUserIDKey)
	if err := s.Err(); err != nil {
		return User{}, false, fmt.Errorf("finding the user: %w", err)
	}
	if !ok {
		x.recordUser("", authenticatedNoLogin)
		return User{}, false, nil
	}
	u, by, err := x.findUser(s, id, find)
	if err != nil {
		return User{}, false, fmt.Errorf("finding the user: %w", err)
	}
	x.recordUser(id, by)
	if !authenticates(by) {
		return User{}, false, nil
	}
	return u, true, nil
}

func authenticates(by rule.ID) bool { return by == authenticatedOK || by == authenticatedHashFallback }

// findUser finds the user with an ID, holds the login in s against it, and does what follows for s.
func (x *exchange) findUser(s *session.Session, id string, find func(ctx context.Context, id string) (User, error)) (User, rule.ID, error) {
	u, err := find(x.in.Context(), id)
	if errors.Is(err, fs.ErrNotExist) {
		return u, authenticatedUserUnknown, nil
	}
	if err != nil {
		return u, "", err
	}
	by := x.verify(s, u)
	switch by {
	case authenticatedHashDiffers:
		err = s.Flush()
	case authenticatedHashFallback:
		err = x.renew(s, u)
	}
	return u, by, err
}

// UpdateSessionAuthHash is Django's update_session_auth_hash(request, user), to be called after a
// user has changed the password and u has the new one: this session goes on, under a new key, and
// all others of the user end.
func UpdateSessionAuthHash(r *http.Request, u User) error {
	x, s, err := sessionOf(r)
	if err == nil {
		err = x.renew(s, u)
	}
	if err != nil {
		return fmt.Errorf("updating the session's hash: %w", err)
	}
	return nil
}

func (x *exchange) renew(s *session.Session, u User) error {
	if err := s.CycleKey(); err != nil {
		return err
	}
	return s.Set(django.AuthUserHashKey, django.SessionAuthHash(x.guard.site.SecretKey, u.Password))
}

// verify holds the login in s against the user it names.
func (x *exchange) verify(s *session.Session, u User) rule.ID {
	if backend, _ := session.Value[string](s, django.AuthUserBackendKey); backend != u.backend() {
		return authenticatedBackendDiffers
	}
	have, _ := session.Value[string](s, django.AuthUserHashKey)
	for i, key := range x.guard.site.keys() {
		switch same := sameHash(have, django.SessionAuthHash(key, u.Password)); {
		case same && i == 0:
			return authenticatedOK
		case same:
			return authenticatedHashFallback
		}
	}
	return authenticatedHashDiffers
}

func sameHash(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// recordUser records the answer to whether somebody is logged in, and who.
func (x *exchange) recordUser(id string, by rule.ID) {
	if !x.rec.Watching() {
		return
	}
	user := "AnonymousUser"
	if authenticates(by) {
		user = "user " + id
	}
	x.rec.Record(rule.Verdict{
		Side: rule.Site, Question: rule.IsAuthenticated, Subject: x.guard.site.SessionCookieName,
		Yes: authenticates(by), Rule: by,
		Facts: []rule.Fact{{Name: "request.user", Value: cut(user)}},
	})
}

// sessionOf returns the exchange of r and its session.
func sessionOf(r *http.Request) (*exchange, *session.Session, error) {
	x := exchangeOf(r)
	if x == nil {
		return nil, nil, errNoGuard
	}
	return x, &x.session, nil
}
