package e2e_test

import (
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // accounts are Django's, in the same file

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/settings"
	"github.com/lockstep-http/lockstep/store/file"
	"github.com/lockstep-http/lockstep/store/sqlite"
)

// A mixed site is half a Django and half a Guard, behind one origin: below /django/ is Django, below
// /go/ a Guard that shares its bytes, and below /new/ one of a later version, for what versions read of
// each other. Sessions are where the engine says, accounts in Django's table.
type mixedSite struct {
	*stage
	engine string
	users  *sql.DB
	dir    string

	reached chan struct{} // a request of /go/hold has read its session
	proceed chan struct{} // and may go on
}

// mixedSettings are those of both sides.
func mixedSettings(engine string, more ...string) []string {
	return append([]string{
		"ROOT_URLCONF='mixed'",
		"INSTALLED_APPS=['django.contrib.auth', 'django.contrib.contenttypes', 'django.contrib.sessions', 'django.contrib.messages']",
		"MIDDLEWARE=['django.middleware.security.SecurityMiddleware', 'django.contrib.sessions.middleware.SessionMiddleware', " +
			"'django.middleware.common.CommonMiddleware', 'django.middleware.csrf.CsrfViewMiddleware', " +
			"'django.contrib.auth.middleware.AuthenticationMiddleware', 'django.contrib.messages.middleware.MessageMiddleware']",
		"TEMPLATES=[{'BACKEND': 'django.template.backends.django.DjangoTemplates', " +
			"'OPTIONS': {'context_processors': ['django.template.context_processors.request']}}]",
		"LOGIN_REDIRECT_URL='/django/account'",
		"DEFAULT_AUTO_FIELD='django.db.models.AutoField'",
		"USE_TZ=True",
		"SESSION_ENGINE='django.contrib.sessions.backends." + engine + "'",
	}, more...)
}

func newMixedSite(t *testing.T, engine string, more ...string) *mixedSite {
	t.Helper()
	m := &mixedSite{stage: newStage(t), engine: engine, dir: t.TempDir(), reached: make(chan struct{}), proceed: make(chan struct{})}
	files := filepath.Join(m.dir, "sessions")
	if err := os.Mkdir(files, 0o700); err != nil {
		t.Fatal(err)
	}
	set := mixedSettings(engine, more...)
	addr := serveDjango(t, append(set, "SESSION_FILE_PATH='"+files+"'"), m.stage, m.dir)
	database := filepath.Join(m.dir, "sessions.sqlite3")
	var err error
	if m.users, err = sql.Open("sqlite", "file:"+database+"?_pragma=busy_timeout(5000)"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.users.Close() })

	store := m.openStore(t, database, files)
	front := http.NewServeMux()
	front.Handle("/django/", m.toDjango(addr))
	front.Handle("/go/", m.half(t, "/go", djangoVersion, set, store))
	front.Handle("/new/", m.half(t, "/new", "6.1", set, store))
	var handler http.Handler = front
	m.site.Store(&handler)
	m.person(t, "https://shop.test").says("stranger", "/django/account") // which has Django load its pages and make its users
	return m
}

func (m *mixedSite) openStore(t *testing.T, database, files string) session.Store {
	t.Helper()
	var (
		store interface {
			session.Store
			Close() error
		}
		err error
	)
	switch m.engine {
	case "signed_cookies":
		return nil
	case "file":
		store, err = file.Open(files, file.Options{})
	default:
		store, err = sqlite.Open(t.Context(), database, sqlite.Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// toDjango hands requests on over the scheme they came by, as they came.
func (m *mixedSite) toDjango(addr string) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			scheme := "http"
			if r.In.TLS != nil {
				scheme = "https"
			}
			r.SetURL(&url.URL{Scheme: scheme, Host: addr})
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: m.authority.Pool(), ServerName: "shop.test"}, DisableKeepAlives: true},
	}
}

// half is the half of the site below a prefix.
func (m *mixedSite) half(t *testing.T, prefix, version string, set []string, store session.Store) http.Handler {
	t.Helper()
	own, _, err := settings.Load(lockstep.DjangoDefaults(version), settings.Assignments(common, "common"), settings.Assignments(ofLockstep(set), "mixed"))
	if err != nil {
		t.Fatal(err)
	}
	guard, err := lockstep.New(own, lockstep.Options{Sessions: store})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for pattern, handler := range map[string]http.HandlerFunc{
		"/login": m.login, "/logout": logout, "/account": m.account, "/form": mixedForm, "/put": putItem, "/add": addItem,
		"/items": sayItems, "/sign": sign, "/signed": signed, "/hold": m.hold,
	} {
		mux.Handle(prefix+pattern, handler)
	}
	return guard.Wrap(mux)
}

// ofLockstep are the settings that are both sides'.
func ofLockstep(set []string) []string {
	var ours []string
	for _, assignment := range set {
		for _, prefix := range []string{"SESSION_", "CSRF_", "SECURE_"} {
			if strings.HasPrefix(assignment, prefix) {
				ours = append(ours, assignment)
			}
		}
	}
	return ours
}

func say(w http.ResponseWriter, text string) {
	w.Header().Set("X-Text", text)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, text)
}

func sayError(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if errors.Is(err, session.ErrInterrupted) {
		status = http.StatusBadRequest
	}
	http.Error(w, err.Error(), status)
}

// user finds a user of Django's.
func (m *mixedSite) user(ctx context.Context, column, value string) (u lockstep.User, name string, err error) {
	err = m.users.QueryRowContext(ctx, "SELECT id, password, username FROM auth_user WHERE is_active AND "+column+" = ?", value).Scan(&u.ID, &u.Password, &name)
	if errors.Is(err, sql.ErrNoRows) {
		err = fs.ErrNotExist
	}
	return u, name, err
}

func (m *mixedSite) login(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><form method=post>%s<input name=username><input name=password type=password><button>Log in</button></form>", lockstep.CSRFField(r))
		return
	}
	u, _, err := m.user(r.Context(), "username", r.PostFormValue("username"))
	right := false
	if err == nil {
		right, err = django.CheckPassword(r.PostFormValue("password"), u.Password)
	}
	switch {
	case err != nil:
		sayError(w, err)
	case !right:
		http.Error(w, "wrong password", http.StatusForbidden)
	default:
		if err := lockstep.Login(r, u); err != nil {
			sayError(w, err)
			return
		}
		http.Redirect(w, r, strings.Replace(r.URL.Path, "login", "account", 1), http.StatusFound)
	}
}

func logout(w http.ResponseWriter, r *http.Request) {
	if err := lockstep.Logout(r); err != nil {
		sayError(w, err)
		return
	}
	say(w, "out")
}

func (m *mixedSite) account(w http.ResponseWriter, r *http.Request) {
	name := "stranger"
	_, ok, err := lockstep.CurrentUser(r, func(ctx context.Context, id string) (u lockstep.User, err error) {
		u, name, err = m.user(ctx, "id", id)
		return u, err
	})
	if err != nil {
		sayError(w, err)
		return
	}
	if !ok {
		name = "stranger"
	}
	say(w, name)
}

// mixedForm is a form whose action is the query's, and what becomes of one that was sent here.
func mixedForm(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		say(w, "go got "+r.PostFormValue("text"))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!doctype html><form method=post action='%s'>%s<input name=text><button>Send</button></form>", html.EscapeString(r.FormValue("to")), lockstep.CSRFField(r))
}

func putItem(w http.ResponseWriter, r *http.Request) {
	if err := session.From(r.Context()).Set(r.FormValue("key"), json.RawMessage(r.FormValue("value"))); err != nil {
		sayError(w, err)
		return
	}
	say(w, "put")
}

func addItem(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	have, _ := session.Value[int](s, r.FormValue("key"))
	if err := s.Set(r.FormValue("key"), have+1); err != nil {
		sayError(w, err)
		return
	}
	say(w, strconv.Itoa(have+1))
}

// hold reads the session and changes it when it is told to.
func (m *mixedSite) hold(w http.ResponseWriter, r *http.Request) {
	session.From(r.Context()).Has("held")
	m.reached <- struct{}{}
	<-m.proceed
	if err := session.From(r.Context()).Set("held", true); err != nil {
		sayError(w, err)
		return
	}
	say(w, "held")
}

func sayItems(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	var items django.Object
	for _, key := range s.Keys() {
		if raw, ok := session.Value[json.RawMessage](s, key); ok && !strings.HasPrefix(key, "_") {
			items.Set(key, raw)
		}
	}
	say(w, string(items.AppendJSON(nil)))
}

func sign(w http.ResponseWriter, r *http.Request) {
	if err := lockstep.SetSignedCookie(w, r, lockstep.Cookie{Name: "theme", Value: "dark: é"}, "shop"); err != nil {
		sayError(w, err)
		return
	}
	say(w, "signed")
}

func signed(w http.ResponseWriter, r *http.Request) {
	value, err := lockstep.SignedCookie(r, "theme", "shop", time.Hour)
	if err != nil {
		value = "none"
	}
	text, _ := django.Marshal(value)
	say(w, string(text))
}

// A person is somebody with a browser at a mixed site.
type person struct {
	*testing.T
	*trace.Client
	origin     string
	inSessions bool // the site has its CSRF secrets there
}

func (m *mixedSite) person(t *testing.T, origin string) *person {
	c := m.client()
	c.Watch = nil // one half is foreign, and the other is no different to a browser
	return &person{T: t, Client: c, origin: origin}
}

// get asks for a path and returns what the answer says, or its status.
func (p *person) get(path string) string {
	p.Helper()
	v, err := p.Visit(p.Context(), http.MethodGet, p.origin+path, nil)
	if err != nil {
		p.Fatal(err)
	}
	return said(v)
}

func said(v trace.Visit) string {
	last := v.Last()
	switch {
	case last.Response == nil:
		return "no answer"
	case last.Response.Status != http.StatusOK:
		return strconv.Itoa(last.Response.Status)
	}
	return field(last, "X-Text")
}

// send fills in the form of the page that is shown and sends it.
func (p *person) send(values ...string) string {
	p.Helper()
	if p.Document == nil || len(p.Document.Forms) != 1 {
		p.Fatal("the page has no form, or several")
	}
	f := p.Document.Forms[0]
	for i := 0; i < len(values); i += 2 {
		if err := f.Set(values[i], values[i+1]); err != nil {
			p.Fatal(err)
		}
	}
	v, err := p.Submit(p.Context(), f, nil)
	if err != nil {
		p.Fatal(err)
	}
	return said(v)
}

// logIn uses the form of a half, and ends at the account.
func (p *person) logIn(half, password string) {
	p.Helper()
	p.get(half + "/login")
	if got := p.send("username", "alice", "password", password); got != "alice" {
		p.Fatalf("after the login at %s the account says %q", half, got)
	}
}

// says holds what paths say against what they should.
func (p *person) says(want string, paths ...string) {
	p.Helper()
	for _, path := range paths {
		if got := p.get(path); got != want {
			p.Errorf("%s says %q, want %q", path, got, want)
		}
	}
}

// accounts holds who is logged in against who should be, on all halves.
func (p *person) accounts(want string) {
	p.Helper()
	p.says(want, "/django/account", "/go/account", "/new/account")
}
