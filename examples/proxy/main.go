// Command proxy is a site behind a proxy that ends TLS, such as nginx or a load balancer. The site
// itself speaks plain HTTP and still knows what came over https. nginx.conf, beside this file, is the
// other half; docs/how-to/go-behind-a-proxy.md goes through both.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/session"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8000", "the `address` on which the proxy finds the site")
	proxies := flag.String("proxies", "127.0.0.1,::1", "the `addresses` of the proxies")
	verdicts := flag.Bool("verdicts", false, "log what is decided about each request, and by which rule")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *listen, *verdicts, siteSettings(os.Getenv("SECRET_KEY"), strings.Split(*proxies, ",")))
	stop()
	if err != nil {
		slog.Error("the site ended", "reason", err)
		os.Exit(1)
	}
}

// siteSettings are the recommended ones, and what a site behind a proxy has to be told: by which
// header the proxy says that a request came over https, and from whom that header is believed.
func siteSettings(secretKey string, proxies []string) lockstep.Settings {
	s := lockstep.Recommended(secretKey, "shop.test")
	s.SecureProxySSLHeader = [2]string{"HTTP_X_FORWARDED_PROTO", "https"}
	s.TrustedProxies = proxies
	return s
}

// routes has the health check in front of the Guard: a load balancer asks by an address that is no
// name of the site, and over http.
func routes(guard *lockstep.Guard) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("/", guard.Wrap(http.HandlerFunc(home)))
	return mux
}

// watched logs the verdicts of h on each request, as they fall.
func watched(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := rule.WithWatch(r.Context(), func(v rule.Verdict) { slog.Info("decided", "verdict", v, "notes", v.Notes) })
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}

var page = template.Must(template.New("page").Parse(`<!doctype html>
<p>Visit {{.Visits}} to {{.URL}}.</p>
<form method="post">{{.CSRF}}<button>Once more</button></form>
`))

type view struct {
	Visits int
	URL    string
	CSRF   template.HTML
}

func home(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	visits, _ := session.Value[int](s, "visits")
	if err := s.Set("visits", visits+1); err != nil {
		http.Error(w, "Please come again in a moment.", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v := view{Visits: visits + 1, URL: lockstep.AbsoluteURI(r, ""), CSRF: lockstep.CSRFField(r)}
	if err := page.Execute(w, v); err != nil {
		slog.Error("showing the page", "reason", err)
	}
}

// run serves the site until ctx ends.
func run(ctx context.Context, address string, verdicts bool, s lockstep.Settings) error {
	guard, err := lockstep.New(s, lockstep.Options{Logger: slog.Default()})
	if err != nil {
		return err
	}
	h := routes(guard)
	if verdicts {
		h = watched(h)
	}
	server := &http.Server{Addr: address, Handler: h, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if server.Shutdown(ending) != nil {
			server.Close()
		}
	})
	defer stop()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
