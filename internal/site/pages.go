package site

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/session"
)

//go:embed pages/*.html static/*
var files embed.FS

// A view is what a page is made of. Each page uses some of it.
type view struct {
	Title   string
	Page    string // the name of the template
	Account Account
	Form    form

	Expires time.Time // of the session
	AtClose bool

	Visits  int
	Sent    bool // the browser sent the session cookie
	Entries []*entry
	Last    uint64 // number of the newest
	Limit   int
	Refresh bool // without JavaScript

	request *http.Request
	site    *Site
}

// A form is what was filled in, but for passwords, and what is wrong with it.
type form struct {
	Username, Next                                             string
	Problem                                                    string // with the whole
	UsernameProblem, OldProblem, PasswordProblem, AgainProblem string
	Done                                                       bool
}

func (f form) wrong() bool {
	return f.Problem+f.UsernameProblem+f.OldProblem+f.PasswordProblem+f.AgainProblem != ""
}

// Token is the hidden field with the token of a form.
func (v view) Token() template.HTML { return lockstep.CSRFField(v.request) }

// Secure and Host are Django's request.is_secure() and request.get_host().
func (v view) Secure() string {
	if lockstep.IsSecure(v.request) {
		return "True"
	}
	return "False"
}

// Host is Django's request.get_host().
func (v view) Host() string { return lockstep.Host(v.request) }

// Cookie is the name of the session cookie.
func (v view) Cookie() string { return v.site.config.SessionCookie }

// Current reports whether the page that is shown is the one named, for the navigation.
func (v view) Current(name string) bool { return v.Page == name }

// Hashing is what an account's password was hashed with; nothing of the hash itself.
func (v view) Hashing() string {
	algorithm, rest, _ := strings.Cut(v.Account.Password, "$")
	iterations, _, _ := strings.Cut(rest, "$")
	return algorithm + ", " + iterations + " iterations"
}

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"clock":  func(t time.Time) string { return t.Format(time.TimeOnly) },
	"moment": func(t time.Time) string { return t.Local().Format("2 January 2006, 15:04") },
	"iso":    func(t time.Time) string { return t.Format(time.RFC3339) },
	"asset":  asset,
}).ParseFS(files, "pages/*.html"))

// policy lets a page have a style sheet, a script and an icon of this site, and nothing else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// render answers with a page, which nobody keeps: it says who is logged in.
func (s *Site) render(w http.ResponseWriter, r *http.Request, status int, name string, v view) error {
	v.Page, v.request, v.site = name, r, s
	var body bytes.Buffer
	if err := templates.ExecuteTemplate(&body, name+".html", v); err != nil {
		return fmt.Errorf("rendering page %q: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // a client that has gone needs no page
	return nil
}

func (s *Site) home(w http.ResponseWriter, r *http.Request) error {
	account, _, err := s.current(r)
	if err == nil {
		err = s.begin(r)
	}
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "home", view{Title: "A site behind the Guard", Account: account, Sent: s.sent(r)})
}

// counter is the page of the lesson.
func (s *Site) counter(w http.ResponseWriter, r *http.Request) error {
	if err := s.begin(r); err != nil {
		return err
	}
	items := session.From(r.Context())
	visits, _ := session.Value[int](items, "visits")
	visits++
	if err := items.Set("visits", visits); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "counter", view{Title: fmt.Sprintf("Visit %d", visits), Visits: visits, Sent: s.sent(r)})
}

// sent reports whether the browser sent the session cookie.
func (s *Site) sent(r *http.Request) bool {
	_, sent := lockstep.ReadCookie(r, s.config.SessionCookie)
	return sent
}

func (s *Site) notFound(w http.ResponseWriter, r *http.Request) error {
	return s.render(w, r, http.StatusNotFound, "not-found", view{Title: "There is no such page"})
}

// static serves what does not depend on who asks, by addresses that change with what they hold. Browsers
// that do not trust the certificate keep nothing and ask for it with every page, so that it would fill
// the page of verdicts: it is left out there.
var static = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	recordOf(r).hide()
	w.Header().Set("Cache-Control", "public, max-age=86400")
	http.ServeFileFS(w, r, files, strings.TrimPrefix(r.URL.Path, "/"))
})

// asset is the address of a file of static, with a hash so that a browser fetches a new one.
func asset(name string) (string, error) {
	data, err := files.ReadFile("static/" + name)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return "/static/" + name + "?" + hex.EncodeToString(sum[:6]), nil
}
