package site

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"sync"

	"github.com/lockstep-http/lockstep"
)

// The users of an App, by name, which is their ID. Everybody exists until removed. What a scenario
// is about is the login, so nobody is asked for a password; the site of the demo has real ones.
type users struct {
	mu      sync.Mutex
	changed map[string]lockstep.User
	removed map[string]bool
}

func (u *users) find(_ context.Context, name string) (lockstep.User, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.removed[name] {
		return lockstep.User{}, fmt.Errorf("user %q: %w", name, fs.ErrNotExist)
	}
	if user, ok := u.changed[name]; ok {
		return user, nil
	}
	return lockstep.User{ID: name, Password: "first password of " + name}, nil
}

func (u *users) change(user lockstep.User) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.changed == nil {
		u.changed = map[string]lockstep.User{}
	}
	u.changed[user.ID] = user
}

func (u *users) remove(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.removed == nil {
		u.removed = map[string]bool{}
	}
	u.removed[name] = true
}

type appKey struct{}

func usersOf(r *http.Request) *users {
	app, ok := r.Context().Value(appKey{}).(*App)
	if !ok {
		panic("site: a Doing outside of an App")
	}
	return &app.users
}

// The doings about a user, by their names in scenarios.
var userDoings = map[string]func(name string) Doing{
	"login":           login,
	"change-password": changeUser(func(u *lockstep.User) { u.Password = "second password of " + u.ID }),
	"change-backend":  changeUser(func(u *lockstep.User) { u.Backend = "shop.auth.OtherBackend" }),
	"remove-user":     removeUser,
}

func login(name string) Doing {
	return func(_ http.ResponseWriter, r *http.Request) (string, error) {
		user, err := usersOf(r).find(r.Context(), name)
		if err == nil {
			err = lockstep.Login(r, user)
		}
		return "logged in as " + name, err
	}
}

func changeUser(change func(*lockstep.User)) func(string) Doing {
	return func(name string) Doing {
		return func(_ http.ResponseWriter, r *http.Request) (string, error) {
			user, err := usersOf(r).find(r.Context(), name)
			if err == nil {
				change(&user)
				usersOf(r).change(user)
			}
			return "changed " + name, err
		}
	}
}

func removeUser(name string) Doing {
	return func(_ http.ResponseWriter, r *http.Request) (string, error) {
		usersOf(r).remove(name)
		return "removed " + name, nil
	}
}

func logout(_ http.ResponseWriter, r *http.Request) (string, error) {
	return "logged out", lockstep.Logout(r)
}

// account is a page that needs the login.
func account(w http.ResponseWriter, r *http.Request) (string, error) {
	user, ok, err := lockstep.CurrentUser(r, usersOf(r).find)
	if err != nil || ok {
		return "account of " + user.ID, err
	}
	http.Redirect(w, r, "/login", http.StatusFound)
	return "", nil
}

// token is a page with a form.
func token(w http.ResponseWriter, r *http.Request) (string, error) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	return `<!doctype html><title>Form</title><form method="post">` + string(lockstep.CSRFField(r)) + `<button>Send</button></form>`, nil
}

// lateToken asks for a token when the response has begun.
func lateToken(w http.ResponseWriter, r *http.Request) (string, error) {
	w.WriteHeader(http.StatusOK)
	return "token " + lockstep.CSRFToken(r)[:0], nil
}
