package site

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/session"
)

// afterLogin is where a login leads when nobody asked for another page.
const afterLogin = "/account"

// loginURL is the login, which leads back to the page that needs it.
func loginURL(r *http.Request) string {
	next := afterLogin
	if r.Method == http.MethodGet {
		next = r.URL.RequestURI()
	}
	return "/login?next=" + url.QueryEscape(safeNext(next, afterLogin))
}

// user is an account as the library knows it.
func (a Account) user() lockstep.User { return lockstep.User{ID: a.ID, Password: a.Password} }

// finder returns what CurrentUser asks, and has it put what it finds into account.
func (s *Site) finder(account *Account) func(context.Context, string) (lockstep.User, error) {
	return func(ctx context.Context, id string) (lockstep.User, error) {
		var err error
		*account, err = s.config.Accounts.Find(ctx, id)
		return account.user(), err
	}
}

func (s *Site) loginForm(w http.ResponseWriter, r *http.Request) error {
	next := safeNext(r.URL.Query().Get("next"), afterLogin)
	_, ok, err := s.current(r)
	switch {
	case err != nil:
		return err
	case ok:
		http.Redirect(w, r, next, http.StatusSeeOther) //nolint:gosec // safeNext has been asked
		return nil
	}
	s.follow(r)
	return s.render(w, r, http.StatusOK, "login", view{Title: "Log in", Form: form{Next: next}})
}

func (s *Site) login(w http.ResponseWriter, r *http.Request) error {
	f := form{Username: r.PostFormValue("username"), Next: safeNext(r.PostFormValue("next"), afterLogin)}
	s.follow(r)
	key := attemptKey(r, f.Username)
	if wait := s.attempts.take(key, s.config.Now()); wait > 0 {
		seconds := int(math.Ceil(wait.Seconds()))
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		f.Problem = fmt.Sprintf("There were %d failed logins with this name. Wait %d seconds, then try again.", maxFailures, seconds)
		return s.render(w, r, http.StatusTooManyRequests, "login", view{Title: "Log in", Form: f})
	}
	account, ok, err := s.config.Accounts.Authenticate(r.Context(), f.Username, r.PostFormValue("password"))
	switch {
	case err != nil:
		return err
	case !ok:
		// Django's form answers with 200 as well, and does not say which of the two is wrong either.
		f.Problem = "Name and password do not match. Both are case-sensitive."
		return s.render(w, r, http.StatusOK, "login", view{Title: "Log in", Form: f})
	}
	s.attempts.forgive(key)
	return s.welcome(w, r, account, f.Next)
}

// attemptKey counts failures for each name from each address.
func attemptKey(r *http.Request, username string) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return host + " " + shorten(strings.ToLower(username))
}

// welcome logs an account in and leads on.
func (s *Site) welcome(w http.ResponseWriter, r *http.Request, account Account, next string) error {
	items := session.From(r.Context())
	before, _ := session.Value[string](items, feedKey)
	if err := lockstep.Login(r, account.user()); err != nil {
		return err
	}
	from, ends := before, ""
	if !items.Has(feedKey) { // it was somebody else's session, and has been flushed
		from, ends = "", before
	}
	if err := s.beginAnew(r, from, ends); err != nil {
		return err
	}
	if err := s.config.Accounts.LoggedIn(r.Context(), account); err != nil {
		s.config.Logger.LogAttrs(r.Context(), slog.LevelWarn, "login not noted", slog.String("reason", err.Error()))
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

func (s *Site) signupForm(w http.ResponseWriter, r *http.Request) error {
	s.follow(r)
	return s.render(w, r, http.StatusOK, "signup", view{Title: "Make an account"})
}

func (s *Site) signup(w http.ResponseWriter, r *http.Request) error {
	s.follow(r)
	f, password := form{Username: r.PostFormValue("username")}, r.PostFormValue("password")
	f.UsernameProblem = checkUsername(f.Username)
	f.PasswordProblem = checkPassword(password, f.Username)
	if r.PostFormValue("again") != password {
		f.AgainProblem = "The two passwords differ."
	}
	if f.wrong() {
		return s.render(w, r, http.StatusOK, "signup", view{Title: "Make an account", Form: f})
	}
	account, err := s.config.Accounts.Create(r.Context(), f.Username, password)
	switch {
	case errors.Is(err, errTaken):
		f.UsernameProblem = "There is an account of that name already. Choose another."
	case errors.Is(err, errFull):
		f.Problem = "This site has all the accounts that it can have."
	case err != nil:
		return err
	default:
		return s.welcome(w, r, account, afterLogin)
	}
	return s.render(w, r, http.StatusOK, "signup", view{Title: "Make an account", Form: f})
}

func (s *Site) logoutForm(w http.ResponseWriter, r *http.Request, account Account) error {
	return s.render(w, r, http.StatusOK, "logout", view{Title: "Log out", Account: account})
}

// logout ends the session, whoever's it is.
func (s *Site) logout(w http.ResponseWriter, r *http.Request) error {
	ends := s.follow(r)
	if err := lockstep.Logout(r); err != nil {
		return err
	}
	rec := recordOf(r)
	rec.mu.Lock()
	rec.ends = ends
	rec.mu.Unlock()
	http.Redirect(w, r, "/logged-out", http.StatusSeeOther)
	return nil
}

func (s *Site) loggedOut(w http.ResponseWriter, r *http.Request) error {
	return s.render(w, r, http.StatusOK, "logged-out", view{Title: "You are logged out"})
}

func (s *Site) account(w http.ResponseWriter, r *http.Request, account Account) error {
	return s.showAccount(w, r, account, form{Done: r.URL.Query().Get("password") == "changed"})
}

func (s *Site) showAccount(w http.ResponseWriter, r *http.Request, account Account, f form) error {
	items := session.From(r.Context())
	return s.render(w, r, http.StatusOK, "account", view{
		Title: "Your account", Account: account, Form: f,
		Expires: items.ExpiryDate(), AtClose: items.ExpireAtBrowserClose(),
	})
}

// changePassword goes on with this session and ends the others.
func (s *Site) changePassword(w http.ResponseWriter, r *http.Request, account Account) error {
	var f form
	password := r.PostFormValue("password")
	key := attemptKey(r, account.Username)
	if s.attempts.take(key, s.config.Now()) > 0 {
		f.Problem = "There were too many failed attempts. Wait some minutes, then try again."
		return s.showAccount(w, r, account, f)
	}
	_, ok, err := s.config.Accounts.Authenticate(r.Context(), account.Username, r.PostFormValue("old"))
	if err != nil {
		return err
	}
	if !ok {
		f.OldProblem = "That is not your password."
	} else {
		s.attempts.forgive(key)
	}
	f.PasswordProblem = checkPassword(password, account.Username)
	if f.wrong() {
		return s.showAccount(w, r, account, f)
	}
	account, err = s.config.Accounts.SetPassword(r.Context(), account, password)
	if err != nil {
		return err
	}
	if err := lockstep.UpdateSessionAuthHash(r, account.user()); err != nil {
		return err
	}
	before := s.follow(r)
	if err := s.beginAnew(r, before, ""); err != nil { // the key is another one now
		return err
	}
	http.Redirect(w, r, "/account?password=changed", http.StatusSeeOther)
	return nil
}
