package main

import (
	"errors"
	"io"
	"net/http"
	"strconv"
)

// The paths of the application that runs behind each stack.
const (
	loginPath  = "/login"  // begins a session as Django's login() leaves it
	formPath   = "/form"   // answers with the token that a form holds
	plainPath  = "/plain"  // does not look at the session
	readPath   = "/read"   // answers with the user's id, from the session
	visitPath  = "/visit"  // counts one more in the session
	visitsPath = "/visits" // answers with the count
)

const (
	userKey    = "_auth_user_id"
	backendKey = "_auth_user_backend"
	hashKey    = "_auth_user_hash"
	visitsKey  = "visits"

	userID  = "42"
	backend = "django.contrib.auth.backends.ModelBackend"
	hash    = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

	noteField = "note" // of the form that is sent
	noteText  = "two pounds of apples"
)

// sessions is what the application wants of a library for sessions, and of one for forms.
type sessions interface {
	get(r *http.Request, key string) string
	count(r *http.Request) int
	login(w http.ResponseWriter, r *http.Request) error // sets user, backend and hash
	setCount(w http.ResponseWriter, r *http.Request, n int) error
	token(r *http.Request) string // "" where forms need none
}

// An app answers the paths above.
type app struct{ sessions }

// ServeHTTP implements [http.Handler]. It has no mux, which would cost all stacks the same.
func (a app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var err error
	answer := "ok"
	switch r.URL.Path {
	case plainPath:
	case readPath:
		answer = a.get(r, userKey)
	case visitPath:
		if r.Body != nil && r.PostFormValue(noteField) != noteText {
			err = errors.New("the form did not arrive")
			break
		}
		err = a.setCount(w, r, a.count(r)+1)
	case visitsPath:
		answer = strconv.Itoa(a.count(r))
	case formPath:
		answer = a.token(r)
	case loginPath:
		err = a.login(w, r)
	default:
		err = errors.New("no such path")
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = io.WriteString(w, answer)
}
