package lab_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lockstep-http/lockstep/internal/lab"
	"github.com/lockstep-http/lockstep/internal/lesson"
	"github.com/lockstep-http/lockstep/internal/scenario"
)

const origin = "http://localhost:8400"

// newServer returns the lab as the program has it.
var newServer = sync.OnceValue(func() *lab.Server {
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		panic(err)
	}
	library, err := lesson.New(lesson.Options{Catalogue: catalogue})
	if err != nil {
		panic(err)
	}
	s, err := lab.New(lab.Options{Library: library, Catalogue: catalogue, Host: "localhost", Port: 8400})
	if err != nil {
		panic(err)
	}
	return s
})

// A question is a request to the lab.
type question struct {
	name, method, path string
	host               string // "": localhost:8400
	header             map[string]string
	body               string
	status             int
	has                string // a part of the answer
}

func (q question) request() *http.Request {
	r := httptest.NewRequest(q.method, origin+q.path, strings.NewReader(q.body))
	if q.host != "" {
		r.Host = q.host
	}
	if q.method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	return r
}

func (q question) ask(t *testing.T) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	newServer().ServeHTTP(w, q.request())
	if w.Code != q.status {
		t.Errorf("%s: status %d, want %d: %.200s", q.name, w.Code, q.status, w.Body)
	}
	if !strings.Contains(w.Body.String(), q.has) {
		t.Errorf("%s: the answer does not have %q: %.300s", q.name, q.has, w.Body)
	}
	return w
}

// what a browser sends with a request from the lab's own page.
var own = map[string]string{"Origin": origin, "Sec-Fetch-Site": "same-origin"}

func TestRefusals(t *testing.T) {
	for _, q := range []question{
		{name: "the page", method: "GET", path: "/", status: 200, has: "<h1"},
		{name: "by address", method: "GET", path: "/", host: "127.0.0.1:8400", status: 200},
		{name: "by the other address", method: "GET", path: "/", host: "[::1]:8400", status: 200},
		{name: "upper case", method: "GET", path: "/", host: "LOCALHOST:8400", status: 200},
		{name: "DNS rebinding", method: "GET", path: "/", host: "evil.test:8400", status: 421, has: "hint"},
		{name: "another port", method: "GET", path: "/", host: "localhost:8401", status: 421},
		{name: "no port", method: "GET", path: "/", host: "localhost", status: 421},
		{name: "a name that ends as ours does", method: "GET", path: "/api/library", host: "localhost:8400.evil.test", status: 421},
		{name: "from the page", method: "POST", path: "/api/run", header: own, body: `{}`, status: 200, has: `"steps"`},
		{name: "no browser", method: "POST", path: "/api/run", body: `{}`, status: 200},
		{name: "another site", method: "POST", path: "/api/run", header: map[string]string{"Origin": "https://evil.test"}, body: `{}`, status: 403, has: "only the lab's own page"},
		{name: "a sandboxed frame", method: "POST", path: "/api/run", header: map[string]string{"Origin": "null"}, body: `{}`, status: 403},
		{name: "another port of this machine", method: "POST", path: "/api/run", header: map[string]string{"Origin": "http://localhost:3000"}, body: `{}`, status: 403},
		{name: "over https", method: "POST", path: "/api/run", header: map[string]string{"Origin": "https://localhost:8400"}, body: `{}`, status: 403},
		{name: "a name that is not the one asked", method: "POST", path: "/api/run", header: map[string]string{"Origin": "http://127.0.0.1:8400"}, body: `{}`, status: 403},
		{name: "a form of another site", method: "POST", path: "/api/run", header: map[string]string{"Sec-Fetch-Site": "cross-site"}, body: `{}`, status: 403},
		{name: "the same site, another origin", method: "POST", path: "/api/run", header: map[string]string{"Sec-Fetch-Site": "same-site"}, body: `{}`, status: 403},
		{name: "an answer for another site", method: "GET", path: "/api/library", header: map[string]string{"Sec-Fetch-Site": "cross-site"}, status: 403},
		{name: "an answer for a script of another site", method: "GET", path: "/api/library", header: map[string]string{"Origin": "https://evil.test"}, status: 403},
		{name: "a preflight", method: "OPTIONS", path: "/api/run", header: map[string]string{"Origin": "https://evil.test", "Access-Control-Request-Method": "POST"}, status: 403},
		{name: "a link on another site", method: "GET", path: "/", header: map[string]string{"Sec-Fetch-Site": "cross-site"}, status: 200},
		{name: "a form", method: "POST", path: "/api/run", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, body: "a=b", status: 415, has: "JSON"},
		{name: "plain text", method: "POST", path: "/api/run", header: map[string]string{"Content-Type": "text/plain"}, body: `{}`, status: 415},
		{name: "another method", method: "PUT", path: "/api/run", status: 405},
		{name: "a GET of what changes something", method: "GET", path: "/api/site", status: 405},
		{name: "to a page", method: "POST", path: "/", body: `{}`, status: 405},
		{name: "to nothing", method: "POST", path: "/api/nothing", body: `{}`, status: 404},
		{name: "nothing there", method: "GET", path: "/api/nothing", status: 404, has: "hint"},
		{name: "a file outside", method: "GET", path: "/assets/lab.html", status: 404, has: "hint"},
		{name: "a scenario that is not there", method: "GET", path: "/scenario/nothing", status: 404},
		{name: "a scenario", method: "GET", path: "/scenario/sslstrip", status: 200},
		{name: "a rule", method: "GET", path: "/api/rule/send-ok", status: 200, has: `"sentence"`},
		{name: "no rule", method: "GET", path: "/api/rule/no-rule", status: 404},
	} {
		t.Run(q.name, func(t *testing.T) {
			w := q.ask(t)
			headersOf(t, w)
			if allow := w.Header().Get("Allow"); (q.status == http.StatusMethodNotAllowed) != (allow != "") {
				t.Errorf("status %d with Allow %q", w.Code, allow)
			}
		})
	}
}

// headersOf holds every answer, refusals included, to what a browser is told of it.
func headersOf(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	policy := w.Header().Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy lacks %s: %s", part, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, "http") {
		t.Errorf("the policy lets through too much: %s", policy)
	}
	if w.Header().Get("Set-Cookie") != "" {
		t.Error("the lab sets a cookie")
	}
	if w.Header().Get("Cache-Control") == "" {
		t.Error("nothing says what may be kept")
	}
}

func TestBodies(t *testing.T) {
	long := strings.Repeat("x", lab.MaxAsked)
	for _, q := range []question{
		{name: "nothing", path: "/api/run", status: 400, has: "hint"},
		{name: "no JSON", path: "/api/run", body: "id=secret", status: 400},
		{name: "a list", path: "/api/run", body: "[]", status: 400},
		{name: "an unknown field", path: "/api/run", body: `{"secret": 1}`, status: 400},
		{name: "something after it", path: "/api/run", body: `{} {}`, status: 400},
		{name: "a field of another kind", path: "/api/run", body: `{"switches": 7}`, status: 400, has: "switches"},
		{name: "too long", path: "/api/run", body: `{"scenario": "` + long + `"}`, status: 413, has: "64 KB"},
		{name: "no such scenario", path: "/api/run", body: `{"scenario": "nothing"}`, status: 422, has: "nothing"},
		{name: "no such switch", path: "/api/run", body: `{"switches": {"NOTHING": "True"}}`, status: 422, has: "hint"},
		{name: "no such value", path: "/api/run", body: `{"switches": {"SESSION_COOKIE_SECURE": "maybe"}}`, status: 422, has: "hint"},
		{name: "no such browser", path: "/api/run", body: `{"profile": "mosaic"}`, status: 422},
		{name: "a long value is not repeated", path: "/api/run", body: `{"scenario": "` + strings.Repeat("y", 5000) + `"}`, status: 422, has: "yyy…"},
		{name: "a negative seed", path: "/api/test", body: `{"seed": -1}`, status: 400, has: "seed"},
		{name: "no such exercise", path: "/api/judge", body: `{"id": "nothing", "answer": {}}`, status: 422},
		{name: "a line", path: "/api/explain", body: `{"kind": "line", "text": "Set-Cookie: id=1; Secure; Foo", "url": "https://shop.test/"}`, status: 200, has: "note-attr-unknown"},
		{name: "no line", path: "/api/explain", body: `{"kind": "line", "text": " ", "url": "https://shop.test/"}`, status: 422},
		{name: "two lines", path: "/api/explain", body: `{"kind": "line", "text": "a=1\nb=2", "url": "https://shop.test/"}`, status: 422},
		{name: "a long line", path: "/api/explain", body: `{"kind": "line", "text": "` + strings.Repeat("z", lab.MaxLine+1) + `", "url": "https://shop.test/"}`, status: 422},
		{name: "no URL", path: "/api/explain", body: `{"kind": "line", "text": "a=1", "url": "mailto:a@b.test"}`, status: 422},
		{name: "a long URL", path: "/api/explain", body: `{"kind": "line", "text": "a=1", "url": "https://shop.test/` + strings.Repeat("u", lab.MaxLineURL) + `"}`, status: 422, has: "4 KB"},
		{name: "patterns that grow", path: "/api/explain", body: `{"kind": "settings", "text": "SECURE_REDIRECT_EXEMPT = ['` + strings.Repeat("(?:a{10}){99}", 30) + `']\n"}`, status: 422, has: "SECURE_REDIRECT_EXEMPT"},
		{name: "a long list", path: "/api/explain", body: `{"kind": "settings", "text": "ALLOWED_HOSTS = ['a'` + strings.Repeat(", 'b'", 300) + `]\n"}`, status: 422, has: "ALLOWED_HOSTS has more than 300"},
		{name: "patterns", path: "/api/explain", body: `{"kind": "settings", "text": "SECURE_REDIRECT_EXEMPT = ['^health/[a-z]{1,10}$', '(']\n"}`, status: 200, has: "findings"},
		{name: "no kind", path: "/api/explain", body: `{"kind": "magic"}`, status: 422},
		{name: "no recording", path: "/api/explain", body: `{"kind": "har", "text": "{}"}`, status: 422, has: "hint"},
		{name: "settings", path: "/api/explain", body: `{"kind": "settings", "text": "SECURE_SSL_REDIRECT = True\n"}`, status: 200, has: "findings"},
		{name: "no settings", path: "/api/explain", body: `{"kind": "settings", "text": "<html>"}`, status: 422},
		{name: "ten megabytes of anything", path: "/api/explain", body: `{"kind": "har", "text": "` + strings.Repeat("\u00e9", 5<<20) + `"}`, status: 422},
		{name: "more than is taken", path: "/api/explain", body: `{"kind": "har", "text": "` + strings.Repeat("x", lab.MaxPasted) + `"}`, status: 413, has: "16 MB"},
	} {
		t.Run(q.name, func(t *testing.T) {
			q.method, q.header = http.MethodPost, own
			w := q.ask(t)
			if q.status >= 400 {
				var said struct{ Error, Hint string }
				if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || said.Error == "" || said.Hint == "" {
					t.Errorf("%.300q does not say what is wrong and what to do", w.Body)
				}
				if w.Body.Len() > 2000 {
					t.Errorf("the answer has %d bytes", w.Body.Len())
				}
			}
		})
	}
}

// TestSecrets pastes values and looks for them in the answers.
func TestSecrets(t *testing.T) {
	const secret = "p4ssw0rd-value-of-a-cookie"
	recording := `{"log":{"creator":{"name":"x","version":"1"},"entries":[{"startedDateTime":"2026-01-01T00:00:00Z","time":1,` +
		`"request":{"method":"GET","url":"https://shop.test/","headers":[{"name":"Cookie","value":"id=` + secret + `"}],"cookies":[]},` +
		`"response":{"status":200,"headers":[{"name":"Set-Cookie","value":"id=` + secret + `; Secure"}],"cookies":[]}}]}}`
	for kind, text := range map[string]string{
		"line":     "id=" + secret + "; Secure",
		"har":      recording,
		"settings": "SECRET_KEY = '" + secret + "'\n",
	} {
		t.Run(kind, func(t *testing.T) {
			body, err := json.Marshal(map[string]string{"kind": kind, "text": text, "url": "https://shop.test/"})
			if err != nil {
				t.Fatal(err)
			}
			w := question{name: kind, method: http.MethodPost, path: "/api/explain", header: own, body: string(body), status: 200}.ask(t)
			if strings.Contains(w.Body.String(), secret) {
				t.Errorf("the answer repeats the secret: %s", w.Body)
			}
		})
	}
	broken, _ := json.Marshal(map[string]string{"kind": "har", "text": recording[:len(recording)-20]})
	w := question{name: "broken", method: http.MethodPost, path: "/api/explain", header: own, body: string(broken), status: 422}.ask(t)
	if strings.Contains(w.Body.String(), secret) {
		t.Errorf("the problem repeats the secret: %s", w.Body)
	}
}

func TestDifference(t *testing.T) {
	w := question{
		name: "without Secure", method: http.MethodPost, path: "/api/run", header: own,
		body: `{"scenario": "lesson", "switches": {"SESSION_COOKIE_SECURE": "False"}}`, status: 200,
	}.ask(t)
	var c struct {
		Run, Base *lesson.Run
		Changes   []lesson.Change
	}
	if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil {
		t.Fatal(err)
	}
	if c.Base == nil || c.Run == nil || c.Base.Steps[4].Sent == c.Run.Steps[4].Sent {
		t.Fatalf("the runs do not differ in step 5: %+v", c)
	}
	found := false
	for _, one := range c.Changes {
		found = found || one.Step == 5 && one.Was == c.Base.Steps[4].Sent && one.Now == c.Run.Steps[4].Sent
	}
	if !found {
		t.Errorf("the difference of step 5 is not told: %+v", c.Changes)
	}
	same := question{name: "as it is", method: http.MethodPost, path: "/api/run", header: own, body: `{"scenario": "lesson", "switches": {}, "profile": ""}`, status: 200, has: `"base":null,"changes":[]`}
	same.ask(t)
}

func TestKeptFiles(t *testing.T) {
	for _, path := range []string{"/", "/lab.css", "/lab.js", "/texts.json", "/icon.svg"} {
		first := question{name: path, method: "GET", path: path, status: 200}.ask(t)
		tag := first.Header().Get("ETag")
		if tag == "" || first.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: ETag %q, Cache-Control %q", path, tag, first.Header().Get("Cache-Control"))
		}
		again := question{name: path + " again", method: "GET", path: path, header: map[string]string{"If-None-Match": tag}, status: 304}.ask(t)
		if again.Body.Len() > 0 {
			t.Errorf("%s is sent again", path)
		}
	}
	if got := (question{name: "answers", method: "GET", path: "/api/library", status: 200}).ask(t).Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("answers may be kept: %q", got)
	}
}

func FuzzBodies(f *testing.F) {
	for _, path := range []string{"run", "explain", "judge", "test", "strong", "predict", "quiz"} {
		f.Add(path, []byte(`{}`))
		f.Add(path, []byte(`{"scenario":"lesson","switches":{"start":"https"},"profile":"firefox"}`))
		f.Add(path, []byte(`{"kind":"line","text":"a=b; Secure","url":"https://shop.test/"}`))
		f.Add(path, []byte(`{"kind":"har","text":"{\"log\":{\"entries\":[]}}"}`))
		f.Add(path, []byte(`{"kind":"settings","text":"DEBUG = True"}`))
		f.Add(path, []byte(`{"id":"x","answer":{"step":-1,"line":"a"}}`))
		f.Add(path, []byte(`{"seed":18446744073709551615,"answers":[-1,1e9]}`))
	}
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		switch path {
		case "run", "explain", "judge", "test", "strong", "predict", "quiz":
		default:
			return
		}
		r := httptest.NewRequest(http.MethodPost, origin+"/api/"+path, strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		newServer().ServeHTTP(w, r)
		if w.Code == http.StatusInternalServerError {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("the answer is no JSON: %q", w.Body)
		}
	})
}

func FuzzPaths(f *testing.F) {
	for _, path := range []string{"/", "/scenario/lesson", "/api/rule/send-ok", "/scenario/%00", "/lab.css", "/api/../"} {
		f.Add(path, "localhost:8400")
	}
	f.Fuzz(func(t *testing.T, path, host string) {
		r := httptest.NewRequest(http.MethodGet, origin+"/", nil)
		r.URL.Path, r.Host = path, host
		w := httptest.NewRecorder()
		newServer().ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%q: status %d: %s", path, w.Code, w.Body)
		}
		_, _ = io.Copy(io.Discard, w.Body)
	})
}

// TestSwitchesOfEachScenario puts the switches together again, as the page does.
func TestSwitchesOfEachScenario(t *testing.T) {
	library, err := lesson.New(lesson.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var sent struct {
		Switches []lesson.Switch              `json:"switches"`
		Defaults map[string]map[string]string `json:"defaults"`
	}
	if err := json.Unmarshal((question{method: "GET", path: "/api/library", status: 200}).ask(t).Body.Bytes(), &sent); err != nil {
		t.Fatal(err)
	}
	for _, s := range library.Scenarios() {
		for _, want := range library.Switches(s.Name) {
			i := slices.IndexFunc(sent.Switches, func(one lesson.Switch) bool { return one.Name == want.Name })
			if i < 0 {
				t.Fatalf("%s: the switch %s is not sent", s.Name, want.Name)
			}
			got := sent.Switches[i]
			if own, ok := sent.Defaults[s.Name][want.Name]; ok {
				got.Default = own
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v, want %+v", s.Name, got, want)
			}
		}
	}
}
