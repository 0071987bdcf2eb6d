package trace_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/internal/cert"
	"github.com/lockstep-http/lockstep/internal/listen"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// serveBoth has h answer http and https for every host, with certificates of an authority that the
// client, which starts with an empty browser, trusts.
func serveBoth(t *testing.T, h http.Handler) *trace.Client {
	t.Helper()
	authority, err := cert.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
	go server.Serve(listen.Both(l, authority.ServerConfig(time.Now)))
	t.Cleanup(func() { server.Close() })
	host, port, _ := net.SplitHostPort(l.Addr().String())
	c := client()
	c.Roots, c.Dial = authority.Pool(), trace.DialTo([]trace.ConnectTo{{ToHost: host, ToPort: port}}, trace.Dial)
	return c
}

// endsTLS is a proxy that ends TLS before the site at a URL, and leaves it to tell what tell does.
func endsTLS(t *testing.T, site string, tell func(r *httputil.ProxyRequest)) http.Handler {
	t.Helper()
	to, err := url.Parse(site)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
		if tell != nil {
			tell(r)
		}
	}}
}

func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// A loopTest is a site, where it is visited, and what is said of its redirects.
type loopTest struct {
	name  string
	site  http.HandlerFunc
	visit string
	rule  rule.ID // "" is that nothing comes again
	facts map[string]string
}

// goTo redirects, with the status and the lines for Set-Cookie.
func goTo(w http.ResponseWriter, status int, location string, cookies ...string) {
	w.Header()["Location"] = []string{location}
	w.Header()["Set-Cookie"] = cookies
	w.WriteHeader(status)
}

// login is a site whose account needs the cookie sid, and whose login sets it and leads back.
func login(line string, accepted bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, err := r.Cookie("sid")
		switch {
		case r.URL.Path == "/in":
			goTo(w, 302, "/account", line)
		case err == nil && accepted:
			fmt.Fprintln(w, "welcome")
		default:
			goTo(w, 302, "/in")
		}
	}
}

func TestLoops(t *testing.T) {
	n := 0
	for _, c := range []loopTest{
		{
			"https leads to itself", func(w http.ResponseWriter, r *http.Request) { goTo(w, 301, "https://"+r.Host+r.RequestURI) },
			"http://shop.test/a?q=1", "loop-tls-unseen",
			map[string]string{"hop": "2", "comes again as hop": "3", "period": "1", "header that the site needs": "X-Forwarded-Proto: https", "HAProxy": "http-request set-header X-Forwarded-Proto https if { ssl_fc }"},
		},
		{"the proxy is named", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Server", "nginx/1.26.3")
			goTo(w, 308, "https://"+r.Host+r.RequestURI, "seen=1")
		}, "https://shop.test/", "loop-tls-unseen", map[string]string{"answered by": "nginx", "nginx": "proxy_set_header X-Forwarded-Proto $scheme; or, behind another proxy that ends TLS, $http_x_forwarded_proto;", "HAProxy": "", "hop": "2", "comes again as hop": "3"}},
		{"Cloudflare's flexible mode", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Server", "cloudflare")
			goTo(w, 301, "https://"+r.Host+r.RequestURI)
		}, "https://shop.test/", "loop-flexible-tls", map[string]string{"answered by": "Cloudflare", "hop": "1"}},
		{"each scheme leads to the other", func(w http.ResponseWriter, r *http.Request) {
			goTo(w, 301, map[string]string{"http": "https", "https": "http"}[schemeOf(r)]+"://"+r.Host+"/")
		}, "http://shop.test/", "loop-schemes", map[string]string{"period": "2", "hop": "1", "comes again as hop": "3", "hop 2": "https://shop.test/ leads to http://shop.test/"}},
		{"HSTS goes back", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Strict-Transport-Security", "max-age=60")
			goTo(w, 302, "http://"+r.Host+"/")
		}, "https://shop.test/", "loop-hsts", map[string]string{"period": "1", "hop 1": "https://shop.test/ leads to http://shop.test/"}},
		{"two hosts and two schemes", func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.TLS == nil:
				goTo(w, 301, "https://"+r.Host+r.RequestURI)
			case r.Host == "shop.test":
				goTo(w, 301, "https://www.shop.test"+r.RequestURI)
			default:
				goTo(w, 301, "http://shop.test"+r.RequestURI)
			}
		}, "http://shop.test/a", "loop-hosts", map[string]string{"period": "3", "hosts": "http://shop.test, https://shop.test, https://www.shop.test"}},
		{"a slash comes and goes", func(w http.ResponseWriter, r *http.Request) {
			if p, found := strings.CutSuffix(r.URL.Path, "/"); found {
				goTo(w, 301, p)
				return
			}
			goTo(w, 301, r.URL.Path+"/")
		}, "https://shop.test/a", "loop-slash", map[string]string{"period": "2", "paths": "/a, /a/"}},
		{"a login whose cookie is refused", login("sid=1; Domain=pay.test", true), "https://shop.test/account", "loop-cookie-refused", map[string]string{"cookie": "sid", "rule": "store-domain-mismatch", "set by hop": "2", "period": "2"}},
		{"a login over http with a Secure cookie", login("sid=1; Secure", true), "http://shop.test/account", "loop-cookie-refused", map[string]string{"cookie": "sid", "rule": "store-secure-over-http"}},
		{"a login whose cookie stays at its path", login("sid=1; Path=/in", true), "https://shop.test/account", "loop-cookie-kept-back", map[string]string{"cookie": "sid", "rule": "send-path", "kept back from hop": "3"}},
		{"a login at another host", func(w http.ResponseWriter, r *http.Request) {
			if r.Host == "id.shop.test" {
				goTo(w, 302, "https://shop.test/account", "sid=1")
				return
			}
			goTo(w, 302, "https://id.shop.test/in")
		}, "https://shop.test/account", "loop-cookie-kept-back", map[string]string{"cookie": "sid", "rule": "send-host-only"}},
		{"a login whose cookie means nothing", login("sid=1; Path=/", false), "https://shop.test/account", "loop-cookie-unread", map[string]string{"cookie": "sid"}},
		{"a login with another cookie each time", func(w http.ResponseWriter, r *http.Request) {
			n++
			if r.URL.Path == "/in" {
				goTo(w, 302, "/account", fmt.Sprintf("sid=%d; Path=/", n))
				return
			}
			goTo(w, 302, "/in")
		}, "https://shop.test/account", "loop-cookie-unread", map[string]string{"cookie": "sid", "period": "2", "comes again as hop": "20"}},
		{"a page that tries whether cookies come back", func(w http.ResponseWriter, r *http.Request) {
			goTo(w, 302, "https://"+r.Host+r.RequestURI, "probe=1")
		}, "https://shop.test/", "loop-cookie-unread", map[string]string{"cookie": "probe", "period": "1"}},
		{"a login that works", login("sid=1; Path=/", true), "https://shop.test/account", "", nil},
		{"a page leads to itself", func(w http.ResponseWriter, r *http.Request) { goTo(w, 302, r.URL.Path) }, "http://shop.test/a", "loop-self", map[string]string{"Location": "/a", "period": "1"}},
		{"three pages", func(w http.ResponseWriter, r *http.Request) {
			goTo(w, 302, map[string]string{"/": "/a", "/a": "/b", "/b": "/c", "/c": "/a"}[r.URL.Path])
		}, "http://shop.test/", "loop-round", map[string]string{"hop": "2", "comes again as hop": "5", "period": "3"}},
		{"a return address in a return address", func(w http.ResponseWriter, r *http.Request) {
			goTo(w, 302, "/login?next="+url.QueryEscape(r.RequestURI))
		}, "https://shop.test/", "loop-growing", nil},
		{"a path that grows", func(w http.ResponseWriter, r *http.Request) { goTo(w, 302, "en/") }, "https://shop.test/", "loop-growing", map[string]string{"requests": "20"}},
		{"another query each time", func(w http.ResponseWriter, r *http.Request) {
			n++
			goTo(w, 302, fmt.Sprintf("/a?t=%06d", n))
		}, "https://shop.test/a", "loop-query", map[string]string{"requests": "20"}},
		{"many pages, none twice", func(w http.ResponseWriter, r *http.Request) {
			n++
			goTo(w, 302, fmt.Sprintf("/%06d", n))
		}, "https://shop.test/", "", nil},
		{"a form that fails after its redirect", func(w http.ResponseWriter, r *http.Request) {
			if len(r.Cookies()) > 0 {
				http.Error(w, "broken", http.StatusInternalServerError)
				return
			}
			goTo(w, 303, "https://"+r.Host+r.RequestURI, "sid=1")
		}, "https://shop.test/", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := serveBoth(t, c.site).Visit(t.Context(), http.MethodGet, c.visit, nil)
			if err != nil {
				t.Fatal(err)
			}
			c.check(t, v)
		})
	}
}

func (c *loopTest) check(t *testing.T, v trace.Visit) {
	t.Helper()
	d, ok := v.Diagnosis()
	if ok != (c.rule != "") || d.Rule != c.rule {
		t.Fatalf("%d hops, the diagnosis %+v; want %q", len(v.Hops), d, c.rule)
	}
	for name, want := range c.facts {
		if got, _ := d.Fact(name); got != want {
			t.Errorf("%s is %q, want %q; %+v", name, got, want, d.Facts)
		}
	}
	// A run that was saved is diagnosed alike, since the hops have all there is to it.
	var saved bytes.Buffer
	if err := (&trace.Run{Visits: []trace.Visit{v}}).WriteJSON(&saved); err != nil {
		t.Fatal(err)
	}
	again, err := trace.ReadJSON(&saved)
	if err != nil {
		t.Fatal(err)
	}
	if now, ok := trace.DiagnoseLoop(again.Visits[0].Hops); c.rule != "loop-told" && ok != (c.rule != "") || ok && fmt.Sprint(now) != fmt.Sprint(d) {
		t.Errorf("of the saved run: %+v, of the run: %+v", now, d)
	}
}

// TestLoopBehindProxy has real proxies before a real Guard: one that does not tell it of TLS, and the same
// with the header and the setting that the diagnosis names.
func TestLoopBehindProxy(t *testing.T) {
	settings := lockstep.DjangoDefaults("6.1")
	settings.SecretKey = strings.Repeat("diagnosis", 8)
	settings.AllowedHosts = []string{"shop.test"}
	settings.SecureSSLRedirect = true
	told := settings
	told.SecureProxySSLHeader, told.TrustedProxies = [2]string{"HTTP_X_FORWARDED_PROTO", "https"}, []string{"127.0.0.1"}
	say := func(r *httputil.ProxyRequest) { r.Out.Header.Set("X-Forwarded-Proto", schemeOf(r.In)) }
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello") })
	for _, c := range []struct {
		loopTest
		settings lockstep.Settings
		tell     func(*httputil.ProxyRequest)
	}{
		{loopTest{name: "not told", rule: "loop-tls-unseen", facts: map[string]string{"hop": "2", "comes again as hop": "3", "ended by": "500, by which the site ends the loop itself"}}, settings, nil},
		{loopTest{name: "the setting alone", rule: "loop-tls-unseen"}, told, nil},
		{loopTest{name: "the header alone", rule: "loop-told", facts: map[string]string{"header that the site needs": "X-Forwarded-Proto: https"}}, settings, say},
		{loopTest{name: "header and setting"}, told, say},
	} {
		t.Run(c.name, func(t *testing.T) {
			guard, err := lockstep.New(c.settings, lockstep.Options{})
			if err != nil {
				t.Fatal(err)
			}
			behind := httptest.NewServer(guard.Wrap(hello))
			defer behind.Close()
			v, err := serveBoth(t, endsTLS(t, behind.URL, c.tell)).Visit(t.Context(), http.MethodGet, "http://shop.test/", nil)
			if err != nil {
				t.Fatal(err)
			}
			c.check(t, v)
			if answered := v.Last().Response.Status == http.StatusOK; answered != (c.rule == "") {
				t.Errorf("the answer in the end is %d", v.Last().Response.Status)
			}
		})
	}
}

// djangoSite is a Django with SECURE_SSL_REDIRECT that listens on a port of its own and prints it.
const djangoSite = `
import sys
from django.conf import settings
settings.configure(SECRET_KEY="x" * 50, ALLOWED_HOSTS=["*"], ROOT_URLCONF="__main__", SECURE_SSL_REDIRECT=True, SECURE_PROXY_SSL_HEADER=eval(sys.argv[1]),
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware"])
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
urlpatterns = [path("", lambda request: HttpResponse("hello"))]
from wsgiref.simple_server import make_server, WSGIRequestHandler
class Quiet(WSGIRequestHandler):
    def log_message(self, *args): pass
server = make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet)
print(server.server_port, flush=True)
server.serve_forever()
`

// TestLoopOfDjango is the same with a real Django, which goes round until the browser gives up.
func TestLoopOfDjango(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.CommandContext(t.Context(), python, "-I", "-c", "import django").Run(); err != nil {
		if os.Getenv("LOCKSTEP_TEST_REQUIRE") == "all" {
			t.Fatal("no Django to trace: apt-get install python3-django")
		}
		t.Skip("no Django to trace: apt-get install python3-django")
	}
	say := func(r *httputil.ProxyRequest) { r.Out.Header.Set("X-Forwarded-Proto", schemeOf(r.In)) }
	const header = "('HTTP_X_FORWARDED_PROTO', 'https')"
	for _, c := range []struct {
		loopTest
		setting string
		tell    func(*httputil.ProxyRequest)
	}{
		{loopTest{name: "the header is missing", rule: "loop-tls-unseen", facts: map[string]string{"hop": "2", "comes again as hop": "3", "answered by": ""}}, header, nil},
		{loopTest{name: "the setting is missing", rule: "loop-tls-unseen"}, "None", say},
		{loopTest{name: "both are there"}, header, say},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), python, "-I", "-c", djangoSite, c.setting)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { cmd.Process.Kill(); cmd.Wait() }()
			var port int
			if _, err := fmt.Fscan(out, &port); err != nil {
				t.Fatalf("reading the port of the Django: %v", err)
			}
			v, err := serveBoth(t, endsTLS(t, fmt.Sprintf("http://127.0.0.1:%d", port), c.tell)).Visit(t.Context(), http.MethodGet, "http://shop.test/", nil)
			if err != nil {
				t.Fatal(err)
			}
			c.check(t, v)
		})
	}
}

// FuzzDiagnoseLoop gives a diagnosis whatever a saved run may hold: hops of a few URLs that lead to each
// other. It neither panics nor names a hop that is not there.
func FuzzDiagnoseLoop(f *testing.F) {
	f.Add("https://a.test/\nhttps://a.test/\n", "https://a.test/\nhttps://a.test/\n", uint16(301))
	f.Add("http://a.test/\n:%zz\nhttp://[::1/", "/\nhttp://b\n\x00", uint16(302))
	f.Fuzz(func(t *testing.T, urls, locations string, status uint16) {
		asked, led := strings.Split(urls, "\n"), strings.Split(locations, "\n")
		var hops []trace.Hop
		for i := range min(len(asked), 30) {
			h := trace.Hop{Method: http.MethodGet, URL: asked[i]}
			if i < len(led) {
				h.Response = &trace.Response{Status: int(status), Fields: []trace.Field{{Name: "Location", Value: led[i]}}}
			}
			hops = append(hops, h)
		}
		v, ok := trace.DiagnoseLoop(hops)
		if ok && (v.Rule == "" || v.Question != rule.ExplainLoop) {
			t.Errorf("a diagnosis without a rule: %+v", v)
		}
		trace.Diagnosed(v, "")
	})
}
