package site_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/internal/cert"
	"github.com/lockstep-http/lockstep/internal/listen"
	"github.com/lockstep-http/lockstep/internal/site"
)

// A house is a site behind a real Guard, on one real port that speaks HTTP and TLS.
type house struct {
	t        *testing.T
	site     *site.Site
	accounts *site.Accounts
	host     string
	pool     *cert.Authority
	log      *logText
}

// A logText keeps what is logged.
type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newHouse(t *testing.T, change ...func(*lockstep.Settings)) *house {
	t.Helper()
	s := lockstep.DjangoDefaults("6.1")
	s.SecretKey = strings.Repeat("secret-key-of-a-test-", 3)
	s.AllowedHosts = []string{"localhost"}
	s.SecureSSLRedirect, s.SessionCookieSecure, s.CSRFCookieSecure = true, true, true
	for _, f := range change {
		f(&s)
	}
	guard, err := lockstep.New(s, lockstep.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, accounts: accounts(t, accountsPath(t)), log: new(logText)}
	h.site = site.New(site.Config{
		Accounts: h.accounts, SessionCookie: s.SessionCookieName, Logger: slog.New(slog.NewTextHandler(h.log, nil)),
	})
	if h.pool, err = cert.NewAuthority(time.Now()); err != nil {
		t.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	h.host = "localhost:" + port
	server := &http.Server{
		Handler: h.site.Observe(guard.Wrap(h.site)), ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
	}
	go server.Serve(listen.Both(l, h.pool.ServerConfig(time.Now)))
	t.Cleanup(func() {
		h.site.Close()
		server.Close()
	})
	return h
}

// A visitor is a browser as far as this site needs one: it keeps cookies and follows nothing.
type visitor struct {
	*house
	client *http.Client
	jar    http.CookieJar
}

func (h *house) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, strings.Replace(h.host, "localhost", "127.0.0.1", 1))
		},
	}
	transport.TLSClientConfig = h.pool.ServerConfig(nil).Clone()
	transport.TLSClientConfig.RootCAs = h.pool.Pool()
	h.t.Cleanup(transport.CloseIdleConnections)
	return &visitor{house: h, jar: jar, client: &http.Client{
		Transport: transport, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// An answered is a response that has been read.
type answered struct {
	*http.Response
	body string
}

func (v *visitor) do(r *http.Request) answered {
	v.t.Helper()
	response, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return answered{response, string(body)}
}

func (v *visitor) request(method, path string, form url.Values) *http.Request {
	v.t.Helper()
	target := path
	if !strings.Contains(path, "://") {
		target = "https://" + v.host + path
	}
	r, err := http.NewRequestWithContext(v.t.Context(), method, target, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "https://"+v.host)
	}
	return r
}

func (v *visitor) get(path string) answered {
	v.t.Helper()
	return v.do(v.request(http.MethodGet, path, nil))
}

var tokenPattern = regexp.MustCompile(`name="csrfmiddlewaretoken" value="([a-zA-Z0-9]{64})"`)

func token(t *testing.T, a answered) string {
	t.Helper()
	found := tokenPattern.FindStringSubmatch(a.body)
	if found == nil {
		t.Fatalf("no token in %s", a.body)
	}
	return found[1]
}

// post sends a form with the token of a page.
func (v *visitor) post(page, path string, form url.Values) answered {
	v.t.Helper()
	form.Set("csrfmiddlewaretoken", token(v.t, v.get(page)))
	return v.do(v.request(http.MethodPost, path, form))
}

func (v *visitor) login(name, password, next string) answered {
	v.t.Helper()
	return v.post("/login", "/login", url.Values{"username": {name}, "password": {password}, "next": {next}})
}

func (v *visitor) logout() answered {
	v.t.Helper()
	return v.post("/logout", "/logout", url.Values{})
}

func (v *visitor) cookie(name string) string {
	for _, c := range v.jar.Cookies(&url.URL{Scheme: "https", Host: v.host, Path: "/"}) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// steal is another browser with the session cookie that v has now.
func (v *visitor) steal() *visitor {
	thief := v.visitor()
	thief.give(v.cookie("sessionid"))
	return thief
}

func (v *visitor) give(key string) {
	v.jar.SetCookies(&url.URL{Scheme: "https", Host: v.host, Path: "/"}, []*http.Cookie{{Name: "sessionid", Value: key, Path: "/", Secure: true}})
}

func (a answered) leads(t *testing.T, status int, location string) {
	t.Helper()
	if a.StatusCode != status || a.Header.Get("Location") != location {
		t.Errorf("%d to %q, want %d to %q: %s", a.StatusCode, a.Header.Get("Location"), status, location, a.body)
	}
}

func (a answered) shows(t *testing.T, status int, text string) {
	t.Helper()
	if a.StatusCode != status || !strings.Contains(a.body, text) {
		t.Errorf("%d, want %d with %q: %s", a.StatusCode, status, text, a.body)
	}
}

const password = "correct horse"

func (h *house) with(names ...string) *house {
	for _, name := range names {
		create(h.t, h.accounts, name, password)
	}
	return h
}

func TestPages(t *testing.T) {
	h := newHouse(t).with("ann")
	v, member := h.visitor(), h.visitor()
	member.login("ann", password, "").leads(t, 303, "/account")
	for path, want := range map[string]int{
		"/": 200, "/counter": 200, "/login": 200, "/signup": 200, "/verdicts": 200, "/verdicts?refresh=no": 200, "/logged-out": 200,
		"/nothing": 404, "/static/nothing": 404, "/static/": 404, "/pages/home.html": 404, "/static/%2e%2e/pages/home.html": 400,
		"/static/site.css": 200, "/static/verdicts.js": 200, "/static/icon.svg": 200, "/account": 302, "/logout": 302,
	} {
		if a := v.get(path); a.StatusCode != want {
			t.Errorf("%s answers %d, want %d", path, a.StatusCode, want)
		} else if strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") && want == 200 {
			checkPage(t, path, a)
		}
	}
	for _, path := range []string{"/", "/account", "/logout", "/verdicts"} {
		a := member.get(path)
		a.shows(t, 200, "Logged in as <strong>ann</strong>")
		checkPage(t, path, a)
	}
}

var (
	inputPattern = regexp.MustCompile(`<input [^>]*>`)
	idPattern    = regexp.MustCompile(` id="([^"]*)"`)
)

// checkPage holds that a page keeps its own policy, and what can be said of its accessibility from its
// text.
func checkPage(t *testing.T, path string, a answered) {
	t.Helper()
	if policy := a.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") {
		t.Errorf("%s: policy %q", path, policy)
	}
	if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s: header %v", path, a.Header)
	}
	for _, inline := range []string{" style=", "<style", "onclick", "<script>", "javascript:"} {
		if strings.Contains(a.body, inline) {
			t.Errorf("%s has %q, which the policy forbids", path, inline)
		}
	}
	for _, one := range []string{"<h1>", "<main", "<title>", `<html lang="en">`, "</html>"} {
		if n := strings.Count(a.body, one); n != 1 {
			t.Errorf("%s has %q %d times", path, one, n)
		}
	}
	for _, input := range inputPattern.FindAllString(a.body, -1) {
		if strings.Contains(input, `type="hidden"`) || strings.Contains(input, " hidden") {
			continue
		}
		id := idPattern.FindStringSubmatch(input)
		if id == nil || !strings.Contains(a.body, `<label for="`+id[1]+`">`) || !strings.Contains(input, " autocomplete=") {
			t.Errorf("%s: %s has no label or no autocomplete", path, input)
		}
	}
}

func TestLogin(t *testing.T) {
	h := newHouse(t).with("ann")
	v := h.visitor()
	v.get("/account").leads(t, 302, "/login?next=%2Faccount")
	v.get("/account?password=changed").leads(t, 302, "/login?next=%2Faccount%3Fpassword%3Dchanged")
	v.login("ann", "wrong", "").shows(t, 200, "do not match")
	v.login("nobody", password, "").shows(t, 200, "do not match")
	v.login("", "", "").shows(t, 200, "do not match")
	v.get("/account").leads(t, 302, "/login?next=%2Faccount")
	v.login("ann", password, "/counter").leads(t, 303, "/counter")
	v.get("/account").shows(t, 200, "<h1>Your account</h1>")
	v.get("/login?next=/counter").leads(t, 303, "/counter")
	v.get("/login?next=//evil.example").leads(t, 303, "/account")
	v.logout().leads(t, 303, "/logged-out")
	v.get("/account").leads(t, 302, "/login?next=%2Faccount")
}

func TestSignup(t *testing.T) {
	h := newHouse(t).with("ann")
	v := h.visitor()
	form := func(name, password, again string) url.Values {
		return url.Values{"username": {name}, "password": {password}, "again": {again}}
	}
	for problem, f := range map[string]url.Values{
		"There is an account of that name": form("Ann", password, password),
		"Choose a name":                    form("", password, password),
		"Letters a to z":                   form(`"><b>`, password, password),
		"At least 8 characters":            form("bob", "short", "short"),
		"passwords differ":                 form("bob", password, "another"),
		"cannot be the name":               form("bob.smith", "bob.smith", "bob.smith"),
	} {
		a := v.post("/signup", "/signup", f)
		a.shows(t, 200, problem)
		if f.Get("password") != f.Get("username") && strings.Contains(a.body, f.Get("password")+`"`) || strings.Contains(a.body, `"><b>`) {
			t.Errorf("the page repeats what it should not: %s", a.body)
		}
		checkPage(t, "/signup", a)
	}
	v.post("/signup", "/signup", form("bob", password, password)).leads(t, 303, "/account")
	v.get("/account").shows(t, 200, "bob")
	h.visitor().login("bob", password, "").leads(t, 303, "/account")
}

// No address of another site passes a login (the list of the attack and what a browser makes of it).
func TestLoginLeadsNowhereElse(t *testing.T) {
	h := newHouse(t).with("ann")
	for _, next := range unsafeNexts {
		v := h.visitor()
		v.login("ann", password, next).leads(t, 303, "/account")
		if a := h.visitor().get("/login?next=" + url.QueryEscape(next)); !strings.Contains(a.body, `name="next" value="/account"`) {
			t.Errorf("next=%q stands in the form: %s", next, a.body)
		}
	}
}

func TestTokens(t *testing.T) {
	h := newHouse(t).with("ann")
	v := h.visitor()
	form := url.Values{"username": {"ann"}, "password": {password}}
	if a := v.do(v.request(http.MethodPost, "/login", form)); a.StatusCode != http.StatusForbidden {
		t.Errorf("a login without a token answers %d", a.StatusCode)
	}
	foreign := token(t, h.visitor().get("/login"))
	v.get("/login")
	form.Set("csrfmiddlewaretoken", foreign)
	if a := v.do(v.request(http.MethodPost, "/login", form)); a.StatusCode != http.StatusForbidden {
		t.Errorf("a login with another browser's token answers %d", a.StatusCode)
	}
	before, old := v.cookie("csrftoken"), token(t, v.get("/login"))
	v.login("ann", password, "").leads(t, 303, "/account")
	if after := v.cookie("csrftoken"); after == before || after == "" {
		t.Errorf("the token is the same after the login")
	}
	for name, form := range map[string]url.Values{"without a token": {}, "with the token of before the login": {"csrfmiddlewaretoken": {old}}} {
		if a := v.do(v.request(http.MethodPost, "/logout", form)); a.StatusCode != http.StatusForbidden {
			t.Errorf("a logout %s answers %d", name, a.StatusCode)
		}
	}
	cross := v.request(http.MethodPost, "/logout", url.Values{"csrfmiddlewaretoken": {token(t, v.get("/logout"))}})
	cross.Header.Set("Origin", "https://evil.example")
	if a := v.do(cross); a.StatusCode != http.StatusForbidden {
		t.Errorf("a logout from another site answers %d", a.StatusCode)
	}
	v.get("/account").shows(t, 200, "Your account")
}

// Who knew the key before the login, or planted it, has nothing by it.
func TestFixation(t *testing.T) {
	h := newHouse(t).with("ann")
	v := h.visitor()
	v.get("/counter")
	before := v.cookie("sessionid")
	thief := v.steal()
	thief.get("/verdicts").shows(t, 200, "<b>GET</b> /counter")
	v.login("ann", password, "").leads(t, 303, "/account")
	if after := v.cookie("sessionid"); after == before || after == "" {
		t.Error("the key is the same after the login")
	}
	thief.get("/account").leads(t, 302, "/login?next=%2Faccount")
	v.get("/counter").shows(t, 200, "Visit 2")
	if a := thief.get("/verdicts"); strings.Contains(a.body, `class="what"`) {
		t.Error("who knew the old key sees the verdicts after the login")
	}
	v.get("/verdicts").shows(t, 200, "<b>POST</b> /login")
	// A key of the thief's choice is not taken up either.
	v = h.visitor()
	v.give("thekeythatsomebodychoseforyou000")
	v.login("ann", password, "").leads(t, 303, "/account")
	if v.cookie("sessionid") == "thekeythatsomebodychoseforyou000" {
		t.Error("the key that the browser brought is used")
	}
}

func TestLogoutEnds(t *testing.T) {
	h := newHouse(t).with("ann")
	v := h.visitor()
	v.login("ann", password, "")
	thief := v.steal()
	thief.get("/account").shows(t, 200, "Your account") // it is the cookie that counts
	v.logout()
	if v.cookie("sessionid") != "" {
		t.Error("the cookie stays after the logout")
	}
	thief.get("/account").leads(t, 302, "/login?next=%2Faccount")
	if a := v.get("/logged-out"); len(a.Header["Set-Cookie"]) != 0 {
		t.Errorf("the page after the logout sets %v", a.Header["Set-Cookie"])
	}
	// Without a login there is nothing to end, and it is no error.
	other := h.visitor()
	other.post("/login", "/logout", url.Values{}).leads(t, 303, "/logged-out")
}

func TestChangePassword(t *testing.T) {
	h := newHouse(t).with("ann")
	v, other := h.visitor(), h.visitor()
	v.login("ann", password, "")
	other.login("ann", password, "")
	change := func(old, fresh string) answered {
		return v.post("/account", "/account/password", url.Values{"old": {old}, "password": {fresh}})
	}
	change("wrong", "another horse").shows(t, 200, "not your password")
	change(password, "short").shows(t, 200, "At least 8 characters")
	other.get("/account").shows(t, 200, "Your account")
	before := v.cookie("sessionid")
	change(password, "another horse").leads(t, 303, "/account?password=changed")
	v.get("/account?password=changed").shows(t, 200, "Your password is changed")
	if v.cookie("sessionid") == before {
		t.Error("the key is the same after the change")
	}
	other.get("/account").leads(t, 302, "/login?next=%2Faccount")
	h.visitor().login("ann", password, "").shows(t, 200, "do not match")
	h.visitor().login("ann", "another horse", "").leads(t, 303, "/account")
	stranger := h.visitor()
	stranger.post("/login", "/account/password", url.Values{"old": {"x"}}).leads(t, 302, "/login?next=%2Faccount")
}

// Another user's login in the same browser begins with nothing of the first one's.
func TestAnotherUser(t *testing.T) {
	h := newHouse(t).with("ann", "bob")
	v := h.visitor()
	v.get("/counter")
	v.login("ann", password, "")
	form := url.Values{"username": {"bob"}, "password": {password}}
	v.post("/account", "/login", form).leads(t, 303, "/account")
	v.get("/counter").shows(t, 200, "Visit 1")
	if a := v.get("/verdicts"); strings.Count(a.body, `class="what"`) != 2 {
		t.Errorf("bob sees what was ann's: %s", a.body)
	}
}

func TestTooManyFailures(t *testing.T) {
	h := newHouse(t).with("ann", "bob")
	v := h.visitor()
	for range site.MaxFailures {
		v.login("ann", "wrong", "").shows(t, 200, "do not match")
	}
	a := v.login("ANN", "wrong", "")
	a.shows(t, 429, "Wait")
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	h.visitor().login("ann", password, "").shows(t, 429, "Wait")
	h.visitor().login("bob", password, "").leads(t, 303, "/account")
}

// Each browser sees its own requests and nobody else's, whoever is logged in.
func TestVerdictsAreOnesOwn(t *testing.T) {
	h := newHouse(t).with("ann", "bob")
	a, b := h.visitor(), h.visitor()
	a.get("/counter")
	b.get("/counter")
	a.login("ann", password, "")
	b.login("bob", password, "")
	a.get("/only-of-a")
	a.get("/counter")
	b.get("/only-of-b")
	b.get("/counter")
	for _, c := range []struct {
		v            *visitor
		own, foreign string
	}{{a, "/only-of-a", "/only-of-b"}, {b, "/only-of-b", "/only-of-a"}} {
		page := c.v.get("/verdicts")
		page.shows(t, 200, c.own)
		page.shows(t, 200, "session-saved")
		page.shows(t, 200, "csrf-ok")
		if strings.Contains(page.body, c.foreign) {
			t.Errorf("the page shows another browser's %s", c.foreign)
		}
	}
	if page := h.visitor().get("/verdicts"); strings.Contains(page.body, "only-of") || !strings.Contains(page.body, "There is nothing yet") {
		t.Error("a new browser sees something")
	}
}

// Two browsers that send the same made-up cookie have no feed in common.
func TestVerdictsOfMadeUpKeys(t *testing.T) {
	h := newHouse(t)
	a, b := h.visitor(), h.visitor()
	for _, v := range []*visitor{a, b} {
		v.give("madeupmadeupmadeupmadeupmadeup00")
	}
	a.get("/").shows(t, 200, "A site behind the Guard")
	r := b.request(http.MethodGet, "http://"+b.host+"/redirected-of-b", nil)
	r.Header.Set("Cookie", "sessionid=madeupmadeupmadeupmadeupmadeup00")
	b.do(r).leads(t, 301, "https://"+b.host+"/redirected-of-b")
	if page := a.get("/verdicts"); strings.Contains(page.body, "redirected-of-b") {
		t.Error("the page shows a request of somebody else with the same made-up cookie")
	}
}

// What the Guard answers by itself is shown too, to whom the cookie belongs.
func TestVerdictsWithoutTheSite(t *testing.T) {
	h := newHouse(t)
	v := h.visitor()
	v.get("/counter")
	v.get("/counter") // the cookie is known from here on
	redirected := v.request(http.MethodGet, "http://"+v.host+"/old", nil)
	redirected.Header.Set("Cookie", "sessionid="+v.cookie("sessionid")) // as browsers do on localhost
	v.do(redirected).leads(t, 301, "https://"+v.host+"/old")
	v.do(v.request(http.MethodPost, "/refused", url.Values{}))
	page := v.get("/verdicts")
	for _, want := range []string{"/old", "redirect-to-https", "/refused", "csrf-cookie-missing", `<span class="status refused">403</span>`} {
		page.shows(t, 200, want)
	}
}

// Whatever a person sends, the page of verdicts and the log repeat nothing that may be a secret, and
// show everything else as text.
func TestVerdictsHoldNoSecrets(t *testing.T) {
	h := newHouse(t).with("ann")
	v := h.visitor()
	v.get("/counter?password=SECRET1")
	v.login("ann", "SECRET2-wrong", "/counter?x=SECRET3")
	v.login("ann", password, "")
	for _, target := range []string{"http://" + v.host + "/old?token=SECRET4", "https://" + v.host + "/<script>alert(1)</script>"} {
		r := v.request(http.MethodGet, target, nil)
		r.Header.Set("Cookie", "sessionid="+v.cookie("sessionid")+`; other=SECRET5; "><i>=SECRET6`)
		r.Header.Set("Referer", "https://user:SECRET7@evil.example/SECRET8?SECRET9")
		v.do(r)
	}
	forged := v.request(http.MethodPost, "/logout", url.Values{"csrfmiddlewaretoken": {"SECRET10"}})
	forged.Header.Del("Origin")
	forged.Header.Set("Referer", "https://user:SECRET7@evil.example/SECRET8?SECRET9")
	v.do(forged)
	page := v.get("/verdicts")
	page.shows(t, 200, "/old?…")
	page.shows(t, 200, "&lt;script&gt;")
	secrets := []string{"SECRET", password, v.cookie("sessionid"), v.cookie("csrftoken"), "<script>alert", "<i>", "pbkdf2"}
	for _, secret := range secrets {
		if strings.Contains(page.body, secret) || strings.Contains(h.log.String(), secret) {
			i := strings.Index(page.body, secret)
			t.Errorf("%q is shown: …%s…", secret, page.body[max(0, i-200):min(len(page.body), i+100)])
		}
	}
}

// A reader reads a stream of server-sent events.
type reader struct {
	*http.Response
	lines *bufio.Scanner
}

func (v *visitor) stream(path string) *reader {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), 20*time.Second) // one that does not end fails, and does not hang
	v.t.Cleanup(cancel)
	response, err := v.client.Do(v.request(http.MethodGet, path, nil).WithContext(ctx))
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { response.Body.Close() })
	return &reader{response, bufio.NewScanner(response.Body)}
}

// end reads the stream to its end, which has to be one.
func (r *reader) end(t *testing.T) (events []string) {
	t.Helper()
	for event := r.next(); event != ""; event = r.next() {
		events = append(events, event)
	}
	if err := r.lines.Err(); err != nil {
		t.Errorf("the stream does not end: %v", err)
	}
	return events
}

// next returns the next event that has data, or "" when the stream has ended.
func (r *reader) next() (event string) {
	for r.lines.Scan() {
		if line := r.lines.Text(); line != "" {
			event += line + "\n"
		} else if strings.Contains(event, "data: ") {
			return event
		} else {
			event = ""
		}
	}
	return ""
}

func TestStream(t *testing.T) {
	h := newHouse(t).with("ann")
	v := h.visitor()
	if a := v.get("/verdicts/stream"); a.StatusCode != http.StatusNoContent {
		t.Errorf("a stream without a session answers %d", a.StatusCode)
	}
	v.get("/counter")
	before := v.cookie("sessionid")
	s := v.stream("/verdicts/stream?after=0")
	if s.StatusCode != http.StatusOK || s.Header.Get("Content-Type") != "text/event-stream" || len(s.Header["Set-Cookie"]) != 0 {
		t.Fatalf("%d, %v", s.StatusCode, s.Header)
	}
	if event := s.next(); !strings.Contains(event, "id: 1\n") || !strings.Contains(event, "/counter") {
		t.Errorf("first event %q", event)
	}
	v.get("/while-looking")
	if event := s.next(); !strings.Contains(event, "id: 2\n") || !strings.Contains(event, "/while-looking") {
		t.Errorf("second event %q", event)
	}
	// A carriage return ends a line of the stream, too, and with it what a path could say there.
	v.get("/x%0Did:%2077%0D%0Ddata:%20forged%0D%0A%0D%0Ay")
	if event := s.next(); !strings.Contains(event, "id: 3\n") || strings.Contains(event, "\r") || !strings.HasSuffix(event, "data: </li>\n") {
		t.Errorf("a path with line ends: %q", event)
	}
	if v.cookie("sessionid") != before {
		t.Error("the stream changed the session's cookie")
	}
	again := v.stream("/verdicts/stream?after=1")
	if event := again.next(); !strings.Contains(event, "id: 2\n") {
		t.Errorf("from 1 on: %q", event)
	}
	restarted := v.stream("/verdicts/stream?after=99")
	if event := restarted.next(); !strings.Contains(event, "id: 1\n") {
		t.Errorf("after a number of another feed: %q", event)
	}
	if many := v.stream("/verdicts/stream"); many.StatusCode != http.StatusTooManyRequests {
		t.Errorf("one stream too many answers %d", many.StatusCode)
	}
	restarted.Body.Close()
	eventually(t, "a stream that was left is counted on", func() bool {
		r := v.request(http.MethodGet, "/verdicts/stream", nil)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		response, err := v.client.Do(r.WithContext(ctx))
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	// At a login the feed moves, and streams of the old session end.
	v.login("ann", password, "")
	for _, event := range s.end(t) {
		if strings.Contains(event, "<b>POST</b>") {
			t.Error("the stream of the old session sees what comes after the login")
		}
	}
	s = v.stream("/verdicts/stream?after=0")
	v.logout()
	events := s.end(t)
	if last := events[len(events)-1]; !strings.Contains(last, "<b>POST</b>") || !strings.Contains(last, "session-cookie-deleted") {
		t.Errorf("the last event is not the logout: %q", last)
	}
}

func TestStreamsEndWithTheSite(t *testing.T) {
	h := newHouse(t)
	v := h.visitor()
	v.get("/counter")
	s := v.stream("/verdicts/stream")
	s.next()
	h.site.Close()
	if event := s.next(); event != "" || s.lines.Err() != nil {
		t.Errorf("%q, %v", event, s.lines.Err())
	}
	v.get("/counter").shows(t, 200, "Visit 2")
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 200 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Error(what)
}

// With SESSION_SAVE_EVERY_REQUEST and the other engine the site works as well.
func TestOtherSettings(t *testing.T) {
	for name, change := range map[string]func(*lockstep.Settings){
		"every request": func(s *lockstep.Settings) { s.SessionSaveEveryRequest = true },
		"in the cookie": func(s *lockstep.Settings) { s.SessionEngine = "django.contrib.sessions.backends.signed_cookies" },
		"token in it":   func(s *lockstep.Settings) { s.CSRFUseSessions = true },
		"other names":   func(s *lockstep.Settings) { s.SessionCookieName = "__Host-s" },
	} {
		t.Run(name, func(t *testing.T) {
			v := newHouse(t, change).with("ann").visitor()
			v.get("/counter").shows(t, 200, "Visit 1")
			v.login("ann", password, "/counter").leads(t, 303, "/counter")
			v.get("/counter").shows(t, 200, "Visit 2")
			v.get("/verdicts").shows(t, 200, "/login")
			v.logout().leads(t, 303, "/logged-out")
			v.get("/account").leads(t, 302, "/login?next=%2Faccount")
		})
	}
}

// A database that does not answer is a page that says so, and nobody is let in or out by it.
func TestAccountsDoNotAnswer(t *testing.T) {
	path := accountsPath(t)
	db := database(t, path)
	a, err := site.OpenAccounts(t.Context(), db, site.AccountsOptions{Iterations: quick})
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t)
	h.site.SetAccounts(a)
	create(t, a, "ann", password)
	v, stranger := h.visitor(), h.visitor()
	v.login("ann", password, "").leads(t, 303, "/account")
	db.Close()
	got := v.get("/account")
	got.shows(t, 503, "Something does not work")
	if got.Header.Get("Retry-After") == "" || !strings.Contains(h.log.String(), "request not answered") {
		t.Errorf("%v, log %q", got.Header, h.log)
	}
	stranger.login("ann", password, "").shows(t, 503, "Something does not work")
	v.get("/counter").shows(t, 200, "Visit 1")
}

func TestLargeBodies(t *testing.T) {
	v := newHouse(t).with("ann").visitor()
	a := v.post("/login", "/login", url.Values{"username": {"ann"}, "password": {strings.Repeat("x", 1<<20)}})
	if a.StatusCode != http.StatusForbidden { // the token is not reached
		t.Errorf("a body of a megabyte answers %d", a.StatusCode)
	}
	a = v.post("/login", "/login", url.Values{"username": {strings.Repeat("a", 10_000)}, "password": {strings.Repeat("x", 10_000)}})
	a.shows(t, 200, "do not match")
}

// Every page of the folder is one that is shown.
func TestPagesAreUsed(t *testing.T) {
	entries, err := fs.ReadDir(os.DirFS("pages"), ".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".html"))
	}
	want := []string{"account", "counter", "home", "layout", "logged-out", "login", "logout", "not-found", "signup", "trouble", "verdicts"}
	if !slices.Equal(names, want) {
		t.Errorf("%v", names)
	}
	if _, err := os.Stat("static/site.css"); errors.Is(err, fs.ErrNotExist) {
		t.Error("no style sheet")
	}
}
