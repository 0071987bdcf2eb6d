package main

import (
	"context"
	_ "embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/session"
)

//go:embed pages.html
var pagesText string

var pages = template.Must(template.New("pages").Parse(pagesText))

// A site answers requests that a Guard has let through.
type site struct {
	people *accounts
}

func (s *site) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /signup", s.form("signup"))
	mux.HandleFunc("POST /signup", s.signup)
	mux.HandleFunc("GET /login", s.form("login"))
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("GET /account", s.account)
	mux.HandleFunc("POST /logout", s.logout)
	return mux
}

// A view is what pages.html shows.
type view struct {
	Name    string        // of who is logged in, or ""
	Visits  int           // to the account page, in this session
	Form    string        // "signup" or "login"
	Problem string        // with what was sent, or ""
	CSRF    template.HTML // goes into every form that is sent by POST
}

// showForm shows a page with a form: its token is taken before the first byte, so that the cookie that
// it has to match goes along.
func showForm(w http.ResponseWriter, r *http.Request, page string, v view) {
	v.CSRF = lockstep.CSRFField(r)
	show(w, page, v)
}

func show(w http.ResponseWriter, page string, v view) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store") // nobody else shall see it
	if err := pages.ExecuteTemplate(w, page, v); err != nil {
		slog.Error("showing a page", "page", page, "reason", err)
	}
}

// visitor is who is logged in, if somebody is.
func (s *site) visitor(r *http.Request) (a account, ok bool, err error) {
	_, ok, err = lockstep.CurrentUser(r, func(ctx context.Context, id string) (lockstep.User, error) {
		a, err = s.people.byID(ctx, id)
		return a.user(), err
	})
	if !ok {
		a = account{} // it was found, but is not who is asking: its password has changed
	}
	return a, ok, err
}

func (s *site) home(w http.ResponseWriter, r *http.Request) {
	a, _, err := s.visitor(r)
	if err != nil {
		unavailable(w, err)
		return
	}
	show(w, "home", view{Name: a.name})
}

// account is the page that needs the login.
func (s *site) account(w http.ResponseWriter, r *http.Request) {
	a, ok, err := s.visitor(r)
	switch {
	case err != nil:
		unavailable(w, err)
		return
	case !ok:
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	data := session.From(r.Context())
	visits, _ := session.Value[int](data, "visits")
	if err := data.Set("visits", visits+1); err != nil {
		unavailable(w, err)
		return
	}
	showForm(w, r, "account", view{Name: a.name, Visits: visits + 1})
}

// form is the page on which a person types name and password.
func (s *site) form(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { showForm(w, r, "form", view{Form: name}) }
}

func (s *site) signup(w http.ResponseWriter, r *http.Request) {
	a, err := s.people.create(r.Context(), r.PostFormValue("username"), r.PostFormValue("password"))
	if mistake := new(mistakeError); errors.As(err, &mistake) {
		showForm(w, r, "form", view{Form: "signup", Problem: mistake.Error()})
		return
	}
	s.enter(w, r, a, err)
}

func (s *site) login(w http.ResponseWriter, r *http.Request) {
	a, ok, err := s.people.authenticate(r.Context(), r.PostFormValue("username"), r.PostFormValue("password"))
	if err == nil && !ok {
		showForm(w, r, "form", view{Form: "login", Problem: "There is no account of that name with that password."})
		return
	}
	s.enter(w, r, a, err)
}

// enter logs a in: the session gets a new key, so that one planted before is worth nothing, and the
// CSRF token is a new one.
func (s *site) enter(w http.ResponseWriter, r *http.Request, a account, err error) {
	if err == nil {
		err = lockstep.Login(r, a.user())
	}
	if err != nil {
		unavailable(w, err)
		return
	}
	http.Redirect(w, r, "/account", http.StatusSeeOther)
}

func (s *site) logout(w http.ResponseWriter, r *http.Request) {
	if err := lockstep.Logout(r); err != nil {
		unavailable(w, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// unavailable answers when a database does not: nobody knows then who is asking.
func unavailable(w http.ResponseWriter, err error) {
	slog.Error("a request could not be served", "reason", err)
	w.Header().Set("Retry-After", "5")
	http.Error(w, "Please come again in a moment.", http.StatusServiceUnavailable)
}
