package lockstep_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/internal/oracle"
	"github.com/lockstep-http/lockstep/session"
)

// The same requests to a real Django 3.2 and to a Guard that shall answer like it. The form of a
// case is that of internal/oracle/oracle.py.

type djangoCase struct {
	ID       string          `json:"id"`
	Settings map[string]any  `json:"settings,omitempty"`
	View     string          `json:"view,omitempty"`
	Jar      bool            `json:"jar,omitempty"`
	Now      *int64          `json:"now,omitempty"` // seconds; nil is the clock
	Requests []djangoRequest `json:"requests"`

	differs map[string]string // what the Guard answers where it departs from Django, by what is compared
}

type djangoRequest struct {
	URL     string         `json:"url"`
	Method  string         `json:"method,omitempty"`
	Host    *string        `json:"host,omitempty"` // nil is the URL's
	Headers [][2]string    `json:"headers,omitempty"`
	Cookie  string         `json:"cookie_header,omitempty"`
	Args    map[string]any `json:"args,omitempty"`

	Body        string `json:"body,omitempty"`
	ContentType string `json:"content_type,omitempty"`
}

type djangoAnswer struct {
	Django    string `json:"django"`
	Error     string `json:"error"`
	Responses []struct {
		Status     int         `json:"status"`
		Headers    [][2]string `json:"headers"`
		SetCookies []struct {
			Raw string `json:"raw"`
		} `json:"set_cookies"`
		JSON     json.RawMessage `json:"json"`
		IsSecure any             `json:"is_secure"`
		GetHost  string          `json:"get_host"`
		Logs     [][3]string     `json:"logs"`
	} `json:"responses"`
}

// An observation is what of a response both sides must agree on, by name.
type observation map[string]string

var comparedHeaders = []string{
	"Location", sts, "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy",
	"X-Frame-Options", "X-Xss-Protection", "Vary",
}

// Session keys are drawn at random, each side has its own.
var sessionKey = regexp.MustCompile(`^sessionid=[a-z0-9]{32};`)

func (a djangoAnswer) observe(i int) observation {
	r, o, h := a.Responses[i], observation{}, http.Header{}
	o["status"] = fmt.Sprint(r.Status)
	for _, line := range r.Headers {
		h.Add(line[0], line[1])
	}
	for _, name := range comparedHeaders {
		o[name] = h.Get(name)
	}
	if r.Status == http.StatusMovedPermanently {
		o["Content-Type"] = h.Get("Content-Type")
	}
	for _, c := range r.SetCookies {
		o["Set-Cookie"] += sessionKey.ReplaceAllString(c.Raw, "sessionid=KEY;") + "\n"
	}
	if r.Status != http.StatusBadRequest { // what a Guard refuses has no handler to ask
		o["is_secure"] = fmt.Sprint(r.IsSecure)
		if !strings.HasPrefix(r.GetHost, "!DisallowedHost") { // SECURE_SSL_HOST redirects without asking
			o["get_host"] = r.GetHost
		}
		if r.Status == http.StatusOK {
			o["json"] = compactJSON(r.JSON)
		}
	}
	for _, line := range r.Logs {
		if line[0] == "django.security.DisallowedHost" {
			o["log"] = line[2]
		}
	}
	return o
}

func compactJSON(raw json.RawMessage) string {
	var b bytes.Buffer
	if len(raw) == 0 || json.Compact(&b, raw) != nil {
		return ""
	}
	return b.String()
}

func askDjango(t *testing.T, c djangoCase) djangoAnswer {
	t.Helper()
	a := oracle.Ask[djangoAnswer](t, []djangoCase{c})[0]
	if a.Error != "" || len(a.Responses) != len(c.Requests) {
		t.Fatalf("Django answered %+v", a)
	}
	return a
}

// asDjango32 are the settings of the real Django, those of a case over them.
func asDjango32(t *testing.T, change map[string]any) lockstep.Settings {
	t.Helper()
	s := lockstep.DjangoDefaults("3.2")
	s.SecretKey, s.AllowedHosts = guardKey, []string{"*"}
	v := reflect.ValueOf(&s).Elem()
	for name, value := range change {
		field := fieldOf(t, v, name)
		if text, ok := value.(string); ok && field.Kind() == reflect.Slice {
			value = strings.Split(text, ",")
		}
		raw, err := json.Marshal(value)
		if err == nil && value != nil {
			err = json.Unmarshal(raw, field.Addr().Interface())
		} else if value == nil {
			field.SetZero()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s.InsecureTrustAnyProxy = s.SecureProxySSLHeader[0] != "" || s.UseXForwardedHost // as Django does
	return s
}

func fieldOf(t *testing.T, v reflect.Value, setting string) reflect.Value {
	t.Helper()
	for i := range v.NumField() {
		if name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("django"), ","); name == setting {
			return v.Field(i)
		}
	}
	t.Fatalf("no setting %s", setting)
	return reflect.Value{}
}

// request is r as a Go server would see it.
func (r djangoRequest) request(t *testing.T) *http.Request {
	t.Helper()
	scheme, rest, _ := strings.Cut(r.URL, "://")
	host, target := rest, "/"
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host, target = rest[:i], rest[i:]
	}
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	req := serverRequest(t, scheme, method, target, host)
	if r.Host != nil {
		var bytes []byte
		for _, c := range *r.Host { // the characters of latin1 are bytes again
			bytes = append(bytes, byte(c))
		}
		req.Host = string(bytes)
	}
	for _, line := range r.Headers {
		req.Header.Add(line[0], line[1])
	}
	if r.Cookie != "" {
		req.Header.Set("Cookie", r.Cookie)
	}
	if r.ContentType != "" {
		req.Header.Set("Content-Type", r.ContentType)
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(r.Body)), int64(len(r.Body))
	}
	return req
}

// answerLikeDjango runs a case against a Guard.
func answerLikeDjango(t *testing.T, c djangoCase) []observation {
	t.Helper()
	var log bytes.Buffer
	g, err := lockstep.New(asDjango32(t, c.Settings), lockstep.Options{
		Now: fixedNow, Logger: slog.New(slog.NewJSONHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []observation
	jar := map[string]string{}
	for _, r := range c.Requests {
		log.Reset()
		req := r.request(t)
		if c.Jar && r.Cookie == "" && len(jar) > 0 {
			req.Header.Set("Cookie", cookieLine(jar))
		}
		o := observation{"is_secure": fmt.Sprint(g.Secure(req).Yes)}
		if host := g.Host(req); host.Yes {
			o["get_host"] = host.Subject
		}
		w := httptest.NewRecorder()
		g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { runView(t, c.View, r.Args, w, req) })).ServeHTTP(w, req)
		resp := w.Result()
		o.take(resp, w.Body.Bytes(), log.Bytes())
		for _, line := range resp.Header["Set-Cookie"] {
			pair, _, _ := strings.Cut(line, ";")
			name, value, _ := strings.Cut(pair, "=")
			if jar[name] = value; strings.Contains(line, "Max-Age=0") || strings.Contains(line, "Max-Age=-") {
				delete(jar, name)
			}
		}
		all = append(all, o)
	}
	return all
}

func (o observation) take(resp *http.Response, body, log []byte) {
	o["status"] = fmt.Sprint(resp.StatusCode)
	for _, name := range comparedHeaders {
		o[name] = strings.Join(resp.Header[name], "\n")
	}
	for _, line := range resp.Header["Set-Cookie"] {
		o["Set-Cookie"] += sessionKey.ReplaceAllString(line, "sessionid=KEY;") + "\n"
	}
	switch resp.StatusCode {
	case http.StatusMovedPermanently:
		o["Content-Type"] = resp.Header.Get("Content-Type")
	case http.StatusOK:
		o["json"] = compactJSON(body)
	case http.StatusBadRequest:
		delete(o, "is_secure")
		delete(o, "get_host")
	}
	var line struct{ Logger, Reason string }
	if json.Unmarshal(log, &line) == nil && line.Logger == "django.security.DisallowedHost" {
		o["log"] = line.Reason
	}
}

func cookieLine(jar map[string]string) string {
	var pairs []string
	for name, value := range jar {
		pairs = append(pairs, name+"="+value)
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "; ")
}

// runView does what the view of that name does in oracle.py.
func runView(t *testing.T, view string, args map[string]any, w http.ResponseWriter, r *http.Request) {
	t.Helper()
	var out any
	switch view {
	case "setcookie":
		for _, op := range args["ops"].([]any) {
			setLikeDjango(t, w, r, op.([]any)[0].(string), op.([]any)[1].(map[string]any))
		}
	case "session":
		out = map[string]any{"results": sessionOps(t, session.From(r.Context()), args["ops"].([]any))}
	case "abs":
		var uris []string
		for _, location := range args["locations"].([]any) {
			uris = append(uris, lockstep.AbsoluteURI(r, location.(string)))
		}
		out = uris
	case "":
		out = plainLike(r)
	case "status":
	default:
		t.Fatalf("no view %q", view)
	}
	if headers, ok := args["response_headers"].(map[string]any); ok {
		for name, value := range headers {
			w.Header().Set(name, value.(string))
		}
	}
	if status, ok := args["status"].(int); ok {
		w.WriteHeader(status)
	}
	if out != nil {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		_ = e.Encode(out)
	}
}

// plainLike is what of the view "plain" a Guard can tell.
func plainLike(r *http.Request) any {
	return map[string]any{
		"is_secure": lockstep.IsSecure(r), "host": lockstep.Host(r), "absolute_uri": lockstep.AbsoluteURI(r, ""),
	}
}

// trimPlain leaves of Django's answer what plainLike tells.
func trimPlain(text string) string {
	var all map[string]any
	if json.Unmarshal([]byte(text), &all) != nil {
		return text
	}
	kept, _ := json.Marshal(map[string]any{"is_secure": all["is_secure"], "host": all["host"], "absolute_uri": all["absolute_uri"]})
	return string(kept)
}

func setLikeDjango(t *testing.T, w http.ResponseWriter, r *http.Request, op string, kw map[string]any) {
	t.Helper()
	text := func(name string) string { s, _ := kw[name].(string); return s }
	c := lockstep.Cookie{Name: text("key"), Value: text("value"), Domain: text("domain"), Path: text("path")}
	c.Secure, _ = kw["secure"].(bool)
	c.HttpOnly, _ = kw["httponly"].(bool)
	c.SameSite = map[string]http.SameSite{"Lax": http.SameSiteLaxMode, "Strict": http.SameSiteStrictMode, "None": http.SameSiteNoneMode}[text("samesite")]
	if seconds, ok := kw["max_age"].(int); ok {
		c.MaxAge = time.Duration(seconds) * time.Second
	}
	if in, ok := kw["expires"].(map[string]any); ok {
		c.Expires = guardNow.Add(time.Duration(in["in"].(int)) * time.Second)
	}
	err := map[string]func() error{
		"set":    func() error { return lockstep.SetCookie(w, r, c) },
		"delete": func() error { return lockstep.DeleteCookie(w, r, c) },
		"signed": func() error { return lockstep.SetSignedCookie(w, r, c, text("salt")) },
	}[op]()
	if err != nil {
		t.Error(err)
	}
}

func sessionOps(t *testing.T, s *session.Session, ops []any) []any {
	t.Helper()
	results := []any{}
	for _, op := range ops {
		op := op.([]any)
		var result any
		var err error
		switch op[0] {
		case "set":
			err = s.Set(op[1].(string), op[2])
		case "get":
			if result = any("<none>"); s.Has(op[1].(string)) {
				result = s.Get(op[1].(string))
			}
		case "flush":
			err = s.Flush()
		case "cycle":
			err = s.CycleKey()
		case "clear":
			err = s.Clear()
		case "set_expiry":
			err = s.SetExpiry(op[1].(int))
		default:
			t.Fatalf("no session op %q", op[0])
		}
		if err != nil {
			t.Error(err)
		}
		results = append(results, result)
	}
	return results
}

func TestAgainstDjango(t *testing.T) {
	cases := djangoCases()
	t.Logf("%d cases", len(cases))
	if len(cases) < 60 {
		t.Errorf("only %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			theirs := askDjango(t, c)
			for i, mine := range answerLikeDjango(t, c) {
				want := theirs.observe(i)
				if c.View == "" {
					want["json"] = trimPlain(want["json"])
				}
				compare(t, i, mine, want, c.differs)
			}
		})
	}
}

// compare reports where mine is not want. What is said to differ must differ, and be as it is said.
func compare(t *testing.T, i int, mine, want observation, differs map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(mapsKeys(mine, want)) {
		expected, said := differs[name]
		if said && want[name] == expected {
			t.Errorf("request %d: %s does not differ: %q", i, name, expected)
		}
		if !said {
			expected = want[name]
		}
		if mine[name] != expected {
			t.Errorf("request %d: %s is\n%q, want\n%q (Django: %q)", i, name, mine[name], expected, want[name])
		}
	}
}

func mapsKeys(ms ...observation) func(func(string) bool) {
	all := map[string]bool{}
	for _, m := range ms {
		for k := range m {
			all[k] = true
		}
	}
	return func(yield func(string) bool) {
		for k := range all {
			if !yield(k) {
				return
			}
		}
	}
}

func oneRequest(id string, settings map[string]any, r djangoRequest) djangoCase {
	return djangoCase{ID: id, Settings: settings, Requests: []djangoRequest{r}}
}

func djangoCases() []djangoCase {
	return slices.Concat(
		redirectCases(), hostCases(), proxyCases(), headerCases(), cookieCases(), sessionCases(), uriCases(), divergentCases())
}

var sslRedirect = map[string]any{"SECURE_SSL_REDIRECT": true}

func redirectCases() (cases []djangoCase) {
	for _, tt := range locationTests {
		if strings.Contains(tt.target, "#") {
			continue // ends the path for the oracle
		}
		cases = append(cases, oneRequest("redirect "+tt.name, sslRedirect, djangoRequest{URL: "http://" + tt.host + tt.target}))
	}
	for _, tt := range redirectTests {
		if tt.change == nil || strings.Contains(tt.target, "#") || tt.name == "line end" {
			continue
		}
		s := djangoSettings(tt.change)
		settings := map[string]any{
			"SECURE_SSL_REDIRECT": true, "SECURE_REDIRECT_EXEMPT": append([]string{}, s.SecureRedirectExempt...),
			"ALLOWED_HOSTS": s.AllowedHosts,
		}
		if s.SecureSSLHost != "" {
			settings["SECURE_SSL_HOST"] = s.SecureSSLHost
		}
		r := djangoRequest{URL: tt.scheme + "://shop.test" + tt.target}
		if tt.host != "" {
			r.Host = &tt.host
		}
		cases = append(cases, oneRequest("redirect "+tt.name, settings, r))
	}
	for _, method := range []string{"POST", "HEAD", "PUT", "OPTIONS"} {
		cases = append(cases, oneRequest("redirect "+method, sslRedirect, djangoRequest{URL: "http://shop.test/a?b", Method: method}))
	}
	return cases
}

func hostCases() (cases []djangoCase) {
	for _, tt := range hostTests {
		if tt.host == "\u212a.test" || tt.host == "shop.test\n" || tt.host == "[:0]" {
			continue // header bytes that a Go server refuses; see divergentCases for the last
		}
		settings := map[string]any{}
		if tt.allowed != nil {
			settings["ALLOWED_HOSTS"] = tt.allowed
		}
		host := latin1(tt.host)
		c := oneRequest("host "+tt.name, settings, djangoRequest{URL: "http://shop.test/", Host: &host})
		cases = append(cases, c)
		redirected := c
		redirected.ID += ", redirected"
		redirected.Settings = map[string]any{"SECURE_SSL_REDIRECT": true, "ALLOWED_HOSTS": []string{"*"}}
		if tt.allowed != nil {
			redirected.Settings["ALLOWED_HOSTS"] = tt.allowed
		}
		cases = append(cases, redirected)
	}
	return cases
}

// latin1 takes each byte for a character, as a WSGI server does: the oracle hands hosts over as text.
func latin1(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

func proxyCases() (cases []djangoCase) {
	settings := map[string]any{"SECURE_SSL_REDIRECT": true, "SECURE_PROXY_SSL_HEADER": []string{"HTTP_X_FORWARDED_PROTO", "https"}, "SECURE_HSTS_SECONDS": 60}
	for _, scheme := range []string{"http", "https"} {
		for _, value := range []string{"https", "http", "", "httpss", "http, http"} {
			cases = append(cases, oneRequest("proxy "+scheme+" "+value, settings, djangoRequest{
				URL: scheme + "://shop.test/a", Headers: [][2]string{{"X-Forwarded-Proto", value}},
			}))
		}
		cases = append(cases, oneRequest("proxy silent "+scheme, settings, djangoRequest{URL: scheme + "://shop.test/a"}))
	}
	for _, host := range []string{"app.test", "evil.test", "", "a,b", "APP.test:444"} {
		for _, used := range []bool{true, false} {
			settings := map[string]any{"USE_X_FORWARDED_HOST": used, "ALLOWED_HOSTS": []string{"app.test", "shop.test"}}
			cases = append(cases, oneRequest(fmt.Sprintf("forwarded host %q %v", host, used), settings, djangoRequest{
				URL: "http://shop.test/a", Headers: [][2]string{{"X-Forwarded-Host", host}},
			}))
		}
	}
	return cases
}

func headerCases() (cases []djangoCase) {
	for i, settings := range []map[string]any{
		{},
		{"SECURE_HSTS_SECONDS": 3600},
		{"SECURE_HSTS_SECONDS": 3600, "SECURE_HSTS_INCLUDE_SUBDOMAINS": true},
		{"SECURE_HSTS_SECONDS": 3600, "SECURE_HSTS_INCLUDE_SUBDOMAINS": true, "SECURE_HSTS_PRELOAD": true},
		{"SECURE_HSTS_SECONDS": 3600, "SECURE_HSTS_PRELOAD": true},
		{"SECURE_CONTENT_TYPE_NOSNIFF": false, "SECURE_REFERRER_POLICY": nil},
		{"SECURE_REFERRER_POLICY": "no-referrer,same-origin"},
		{"SECURE_BROWSER_XSS_FILTER": true, "X_FRAME_OPTIONS": "sameorigin"},
	} {
		for _, scheme := range []string{"http", "https"} {
			for _, status := range []int{200, 404, 500} {
				cases = append(cases, djangoCase{
					ID: fmt.Sprintf("headers %d %s %d", i, scheme, status), Settings: settings, View: "status",
					Requests: []djangoRequest{{URL: scheme + "://shop.test/", Args: map[string]any{"status": status}}},
				})
			}
		}
		cases = append(cases, djangoCase{
			ID: fmt.Sprintf("headers %d of the app", i), Settings: settings, View: "status",
			Requests: []djangoRequest{{URL: "https://shop.test/", Args: map[string]any{"status": 200, "response_headers": map[string]any{
				sts: "max-age=1", "X-Frame-Options": "ALLOWALL", "Referrer-Policy": "origin", "X-Content-Type-Options": "x", "Vary": "Accept",
			}}}},
		})
	}
	return cases
}

func cookieCases() (cases []djangoCase) {
	ops := map[string][]any{
		"value":       {"set", map[string]any{"key": "a", "value": "v"}},
		"empty":       {"set", map[string]any{"key": "a", "value": ""}},
		"quotes":      {"set", map[string]any{"key": "a", "value": `a "b" \c; d,e`}},
		"line end":    {"set", map[string]any{"key": "a", "value": "line\r\nSet-Cookie: x=1"}},
		"latin-1":     {"set", map[string]any{"key": "a", "value": "é"}},
		"max_age":     {"set", map[string]any{"key": "a", "value": "v", "max_age": 60}},
		"max_age < 0": {"set", map[string]any{"key": "a", "value": "v", "max_age": -5}},
		"expires":     {"set", map[string]any{"key": "a", "value": "v", "expires": map[string]any{"in": 60}}},
		"past":        {"set", map[string]any{"key": "a", "value": "v", "expires": map[string]any{"in": -3600}}},
		"all": {"set", map[string]any{
			"key": "a", "value": "v", "max_age": 60, "domain": "shop.test", "path": "/x", "secure": true, "httponly": true, "samesite": "None",
		}},
		"dotted domain":        {"set", map[string]any{"key": "a", "value": "v", "domain": ".shop.test", "samesite": "Lax"}},
		"delete":               {"delete", map[string]any{"key": "a"}},
		"delete with all":      {"delete", map[string]any{"key": "a", "path": "/x", "domain": "shop.test", "samesite": "Lax"}},
		"delete None":          {"delete", map[string]any{"key": "a", "samesite": "None"}},
		"delete host prefix":   {"delete", map[string]any{"key": "__Host-a"}},
		"delete secure prefix": {"delete", map[string]any{"key": "__Secure-a"}},
		"signed":               {"signed", map[string]any{"key": "a", "value": "hello", "salt": "bc"}},
		"signed with all":      {"signed", map[string]any{"key": "a", "value": "h:é", "salt": "", "max_age": 60, "httponly": true}},
	}
	for _, name := range slices.Sorted(mapsKeysOf(ops)) {
		for _, scheme := range []string{"http", "https"} {
			cases = append(cases, djangoCase{ID: "cookie " + name + " " + scheme, View: "setcookie", Requests: []djangoRequest{
				{URL: scheme + "://shop.test/", Args: map[string]any{"ops": []any{ops[name]}}},
			}})
		}
	}
	return append(cases, djangoCase{ID: "cookies in their order", View: "setcookie", Requests: []djangoRequest{
		{URL: "https://shop.test/", Args: map[string]any{"ops": []any{ops["delete"], ops["delete host prefix"], ops["delete secure prefix"]}}},
	}})
}

func mapsKeysOf(m map[string][]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func sessionCases() (cases []djangoCase) {
	visit := func(scheme string, status int, ops ...[]any) djangoRequest {
		list := make([]any, len(ops))
		for i, op := range ops {
			list[i] = op
		}
		return djangoRequest{URL: scheme + "://shop.test/", Args: map[string]any{"ops": list, "status": status}}
	}
	set, read, flush := []any{"set", "a", 1}, []any{"get", "a"}, []any{"flush"}
	runs := map[string][]djangoRequest{
		"untouched":          {visit("https", 200)},
		"read":               {visit("https", 200, read)},
		"written, read":      {visit("https", 200, set), visit("https", 200, read)},
		"written over http":  {visit("http", 200, set), visit("http", 200, read)},
		"written, flushed":   {visit("https", 200, set), visit("https", 200, flush), visit("https", 200, read)},
		"written, cycled":    {visit("https", 200, set), visit("https", 200, []any{"cycle"}), visit("https", 200, read)},
		"written, cleared":   {visit("https", 200, set), visit("https", 200, []any{"clear"}), visit("https", 200, read)},
		"written on 500":     {visit("https", 500, set), visit("https", 200, read)},
		"written on 503":     {visit("https", 503, set), visit("https", 200, read)},
		"written on 404":     {visit("https", 404, set), visit("https", 200, read)},
		"expires in a while": {visit("https", 200, set, []any{"set_expiry", 300})},
		"expires with close": {visit("https", 200, set, []any{"set_expiry", 0})},
		"expired":            {visit("https", 200, set, []any{"set_expiry", -1}), visit("https", 200, read)},
	}
	for _, settings := range []map[string]any{
		nil,
		{"SESSION_COOKIE_SECURE": true, "SESSION_COOKIE_HTTPONLY": false, "SESSION_COOKIE_SAMESITE": "Strict", "SESSION_COOKIE_PATH": "/x", "SESSION_COOKIE_DOMAIN": "shop.test", "SESSION_COOKIE_AGE": 60},
		{"SESSION_EXPIRE_AT_BROWSER_CLOSE": true},
		{"SESSION_SAVE_EVERY_REQUEST": true},
		{"SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies"},
	} {
		for name, requests := range runs {
			cases = append(cases, djangoCase{ID: fmt.Sprintf("session %s %v", name, settings), Settings: settings, View: "session", Jar: true, Requests: requests})
		}
		for _, cookie := range []string{"sessionid=short", "sessionid=", "sessionid=abcdefghijklmnopqrstuvwxyz012345", "sessionid=UPPER-CASE-and-odd"} {
			for name, ops := range map[string][][]any{"untouched": nil, "read": {read}, "written": {set}} {
				r := visit("https", 200, ops...)
				r.Cookie = cookie
				cases = append(cases, djangoCase{ID: fmt.Sprintf("session %s %s %v", cookie, name, settings), Settings: settings, View: "session", Requests: []djangoRequest{r}})
			}
		}
	}
	return cases
}

func uriCases() (cases []djangoCase) {
	locations := []any{
		"/b", "b", "?q=1", "#f", "//other.test/c", "///x", "/a/../b", "/a/./b", "../c", "..", ".", "mailto:a@shop.test",
		"https://pay.shop.test/a b", "http:x", "https:x", "javascript:alert(1)", "/é?ü", ";p", "b;p?q#f", "//", "//other.test", "/a//b", "a//b", "b/", "b/..",
		" /b", "/b\tc", "HTTP://UP.test/x", "1a:b", "//other.test?q", "/?", "/x?y#", "../../../../z", "/%zz",
	}
	for _, u := range []string{
		"http://shop.test:8000/dir/page?x=1", "https://SHOP.test/", "https://shop.test/a/b/c/", "https://shop.test/a;b/c;d", "https://shop.test//two", "https://shop.test/a%20b/%C3%A9",
	} {
		cases = append(cases, djangoCase{ID: "uri " + u, View: "abs", Requests: []djangoRequest{{URL: u, Args: map[string]any{"locations": locations}}}})
	}
	for _, target := range []string{"/", "/a?b=1", "//two/x", "/a/./b", "/a/../b", "//evil/../x", "/a%2Fb;c=d", "/?x=a/../b"} {
		cases = append(cases, oneRequest("own uri "+target, nil, djangoRequest{URL: "https://shop.test" + target}))
	}
	return cases
}

// divergentCases are rows of docs/divergences.md.
func divergentCases() []djangoCase {
	proxy := map[string]any{"SECURE_PROXY_SSL_HEADER": []string{"HTTP_X_FORWARDED_PROTO", "https"}}
	proto := func(lines ...string) djangoRequest {
		r := djangoRequest{URL: "http://shop.test/"}
		for _, line := range lines {
			r.Headers = append(r.Headers, [2]string{"X-Forwarded-Proto", line})
		}
		return r
	}
	secure := func(id string, r djangoRequest) djangoCase {
		c := oneRequest("differs: "+id, proxy, r)
		c.differs = map[string]string{"is_secure": "true", "json": `{"absolute_uri":"https://shop.test/","host":"shop.test","is_secure":true}`}
		return c
	}
	underscore := djangoRequest{URL: "http://shop.test/", Headers: [][2]string{{"X_Forwarded_Proto", "https"}}}
	loopback := oneRequest("differs: HSTS on loopback", map[string]any{"SECURE_HSTS_SECONDS": 60}, djangoRequest{URL: "https://localhost:8443/"})
	loopback.differs = map[string]string{sts: ""}
	conflated := oneRequest("differs: proxy underscore", proxy, underscore)
	conflated.differs = map[string]string{"is_secure": "false", "json": `{"absolute_uri":"http://shop.test/","host":"shop.test","is_secure":false}`}
	lineEnd := oneRequest("differs: exempt before a line end", map[string]any{
		"SECURE_SSL_REDIRECT": true, "SECURE_REDIRECT_EXEMPT": []string{"^health$"},
	}, djangoRequest{URL: "http://shop.test/health%0A"})
	lineEnd.differs = map[string]string{
		"status": "301", "Location": "https://shop.test/health%0A", "X-Frame-Options": "", "Content-Type": "text/html; charset=utf-8", "json": "",
	}
	again := djangoCase{ID: "differs: cookie set twice", View: "setcookie", Requests: []djangoRequest{{URL: "https://shop.test/", Args: map[string]any{"ops": []any{
		[]any{"delete", map[string]any{"key": "a"}}, []any{"set", map[string]any{"key": "a", "value": "v"}},
	}}}}}
	again.differs = map[string]string{"Set-Cookie": "a=v; Path=/\n"}
	noAddress := "[:0]"
	brackets := oneRequest("differs: host in brackets", sslRedirect, djangoRequest{URL: "http://shop.test/", Host: &noAddress})
	brackets.differs = map[string]string{
		"status": "400", "is_secure": "", "get_host": "",
		"log": "Invalid HTTP_HOST header: '[:0]'. The domain name provided is not valid according to RFC 1034/1035.",
	}
	farther := oneRequest("differs: proxy list farther", map[string]any{
		"SECURE_PROXY_SSL_HEADER": proxy["SECURE_PROXY_SSL_HEADER"], "SECURE_SSL_REDIRECT": true,
	}, proto("https,http"))
	farther.differs = map[string]string{"status": "500", "Location": "", "Content-Type": ""}
	unknown := oneRequest("differs: proxy unknown", sslRedirect, proto("https"))
	unknown.differs = farther.differs
	return []djangoCase{
		brackets, farther, unknown,
		secure("proxy letter case", proto("HTTPS")),
		secure("proxy white space", proto(" https ")),
		secure("proxy list nearest", proto("http,https")),
		secure("proxy lines nearest", proto("http", "https")),
		conflated, loopback, lineEnd, again,
	}
}

// What a redirect leads to has the host that was validated, whatever the path is.
func TestRedirectStaysOnHost(t *testing.T) {
	g := newGuard(t, redirecting)
	for _, tt := range locationTests {
		location, _ := g.Redirect(get(t, "http", tt.target, tt.host))
		u, err := url.Parse(strings.ReplaceAll(location, "%", "")) // broken escapes of queries are kept
		if err != nil || u.Scheme != "https" || u.Host != tt.host {
			t.Errorf("%q: %v", location, err)
		}
	}
}
