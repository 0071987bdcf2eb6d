package e2e_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lockstep-http/lockstep"
)

// TestRedirectLoop has Chromium ask for a page behind a proxy that ends TLS, of which the site was not
// told. Django's answer, a redirect to what was asked, ends in no page after dozens of requests.
func TestRedirectLoop(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, err, "chromium")
	}
	settings := lockstep.Recommended("a key of this test, which has more than fifty characters", "shop.test")
	guard, err := lockstep.New(settings, lockstep.Options{})
	if err != nil {
		t.Fatal(err)
	}
	site := guard.Wrap(http.NotFoundHandler())
	django := http.RedirectHandler("https://shop.test/page", http.StatusMovedPermanently)
	for _, tt := range []struct {
		name     string
		site     http.Handler
		header   string // in which the proxy says https; "" is none
		page     bool
		requests int32 // at most
	}{
		{"a proxy that says nothing", site, "", true, 2},
		{"a proxy that says https", site, "X-Forwarded-Proto", true, 1},
		{"without the diagnosis", django, "", false, 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asked atomic.Int32
			addr := behindTLS(t, tt.header, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/page" { // and not the icon
					asked.Add(1)
				}
				tt.site.ServeHTTP(w, r)
			}))
			ctx, cancel := context.WithTimeout(t.Context(), visitTimeout)
			defer cancel()
			chromium := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-component-update",
				"--user-data-dir="+t.TempDir(), "--ignore-certificate-errors", "--no-proxy-server", "--host-resolver-rules=MAP * "+addr,
				"--dump-dom", "https://shop.test/page")
			chromium.Env = append(os.Environ(), "HOME="+t.TempDir()) // for its crash reports
			dom, err := chromium.Output()
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(string(dom), "SECURE_PROXY_SSL_HEADER"); got != tt.page || asked.Load() > tt.requests || asked.Load() == 0 {
				t.Errorf("%d requests, page %q", asked.Load(), dom)
			}
		})
	}
}

// behindTLS is the address of a proxy that speaks TLS with the browser and http with the site.
func behindTLS(t *testing.T, header string, site http.Handler) (addr string) {
	t.Helper()
	inner := httptest.NewServer(site)
	t.Cleanup(inner.Close)
	target, err := url.Parse(inner.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
		if header != "" {
			r.Out.Header.Set(header, "https")
		}
	}})
	proxy.Config.ErrorLog = log.New(io.Discard, "", 0) // Chromium asks for components over http
	proxy.StartTLS()
	t.Cleanup(proxy.Close)
	return proxy.Listener.Addr().String()
}
