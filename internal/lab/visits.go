package lab

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/internal/cert"
	"github.com/lockstep-http/lockstep/internal/lesson"
	"github.com/lockstep-http/lockstep/internal/listen"
	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/site"
	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/settings"

	_ "github.com/lockstep-http/lockstep/store/sqlite" // the accounts are in SQLite, in memory
)

// Limits of the site for one's own browser.
const (
	maxVisits  = 100 // requests that are remembered for pages that look on
	maxLookers = 16  // pages that look on at a time
	sitePort   = 8443

	streamBeat  = 15 * time.Second // between signs of life
	streamWrite = 10 * time.Second
)

// visits is the site for one's own browser, which is started once, and what the Guard decided about the
// requests to it.
type visits struct {
	mu      sync.Mutex
	running *ownSite
	seen    []numbered
	last    uint64
	lookers int
	more    chan struct{} // closed when there is more to see
	ended   bool
}

type numbered struct {
	Number uint64 `json:"number"`
	site.Report
}

func newVisits() *visits { return &visits{more: make(chan struct{})} }

// An ownSite listens on a loopback port of its own and can be given other settings.
type ownSite struct {
	port     int
	key      string
	accounts *site.Accounts
	database *sql.DB
	server   *http.Server
	handler  atomic.Pointer[http.Handler]
	person   *site.Site
}

// An opened site is what the page is told of it.
type opened struct {
	URL      string              `json:"url"`
	Plain    string              `json:"plain"` // the same over http
	Settings []lesson.Assignment `json:"settings"`
	Left     []string            `json:"left"` // settings of the scenario that make no sense on localhost
}

func (s *Server) postSite(r *http.Request) (any, error) {
	return asked(s, r, func(ctx context.Context, setup lesson.Setup) (*opened, error) {
		run, err := s.library.Run(ctx, setup)
		if err != nil {
			return nil, err
		}
		return s.visits.open(context.WithoutCancel(ctx), run.Settings)
	})
}

// elsewhere are settings that are about the scenario's hosts, or its proxy, and not about localhost.
var elsewhere = []string{
	"ALLOWED_HOSTS", "CSRF_COOKIE_DOMAIN", "CSRF_TRUSTED_ORIGINS", "LANGUAGE_COOKIE_DOMAIN", "SECRET_KEY", "SECRET_KEY_FALLBACKS",
	"SECURE_PROXY_SSL_HEADER", "SECURE_SSL_HOST", "SESSION_COOKIE_DOMAIN", "SESSION_ENGINE", "TRUSTED_PROXIES", "USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT",
}

// ownSettings are those of a run, for a site on localhost; the key is that of the site.
func ownSettings(all []lesson.Assignment) (s lockstep.Settings, kept []lesson.Assignment, left []string, err error) {
	base := lockstep.DjangoDefaults(scenario.LessonSettings().DjangoVersion)
	base.AllowedHosts = []string{"localhost", "127.0.0.1", "[::1]"}
	kept, left = []lesson.Assignment{}, []string{}
	var texts []string
	for _, a := range all {
		if slices.Contains(elsewhere, a.Name) {
			left = append(left, a.Name)
			continue
		}
		kept = append(kept, a)
		texts = append(texts, a.Name+"="+a.Value)
	}
	s, _, err = settings.Load(base, settings.Assignments(texts, "the scenario"))
	return s, kept, left, err
}

// open starts the site, or gives the one that runs other settings.
func (v *visits) open(ctx context.Context, all []lesson.Assignment) (*opened, error) {
	s, kept, left, err := ownSettings(all)
	if err != nil {
		return nil, unfit(err.Error(), "turn the switches back and try again")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ended {
		return nil, &trouble{http.StatusServiceUnavailable, "the lab is being stopped", "start it again"}
	}
	if v.running == nil {
		if v.running, err = startOwn(ctx); err != nil {
			return nil, fmt.Errorf("starting the site: %w", err)
		}
	}
	if err := v.running.use(s, v.told); err != nil {
		return nil, unfit(err.Error(), "turn the switches back and try again")
	}
	at := net.JoinHostPort("localhost", strconv.Itoa(v.running.port))
	return &opened{URL: "https://" + at + "/counter", Plain: "http://" + at + "/counter", Settings: kept, Left: left}, nil
}

func startOwn(ctx context.Context) (_ *ownSite, err error) {
	o := &ownSite{key: rand.Text() + rand.Text()}
	now := time.Now()
	authority, err := cert.NewAuthority(now)
	if err != nil {
		return nil, err
	}
	if o.database, err = sql.Open("sqlite", "file::memory:"); err != nil {
		return nil, err
	}
	o.database.SetMaxOpenConns(1) // another connection is another database
	defer func() {
		if err != nil {
			o.database.Close()
		}
	}()
	if o.accounts, err = site.OpenAccounts(ctx, o.database, site.AccountsOptions{}); err != nil {
		return nil, err
	}
	l, port, err := listen.Local(ctx, "localhost", sitePort)
	if err != nil {
		return nil, err
	}
	o.port = port
	o.server = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*o.handler.Load()).ServeHTTP(w, r) }),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // a browser that declines the certificate
	}
	unready := http.NotFoundHandler()
	o.handler.Store(&unready)
	go func() { _ = o.server.Serve(listen.Both(l, authority.ServerConfig(time.Now))) }() // until it is closed
	return o, nil
}

// use puts a Guard with these settings before the site. Sessions begin anew.
func (o *ownSite) use(s lockstep.Settings, told func(site.Report)) error {
	s.SecretKey = o.key
	guard, err := lockstep.New(s, lockstep.Options{Sessions: new(session.Memory)})
	if err != nil {
		return err
	}
	if o.person != nil {
		o.person.Close()
	}
	o.person = site.New(site.Config{Accounts: o.accounts, SessionCookie: s.SessionCookieName, Told: told})
	h := o.person.Observe(guard.Wrap(o.person))
	o.handler.Store(&h)
	return nil
}

// told remembers a request and wakes those who look on.
func (v *visits) told(r site.Report) {
	if strings.HasPrefix(r.Path, "/favicon") {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last++
	v.seen = append(v.seen, numbered{v.last, r})
	if len(v.seen) > maxVisits {
		v.seen = slices.Delete(v.seen, 0, len(v.seen)-maxVisits)
	}
	v.wake()
}

// wake tells those who look on that there is more. The caller holds v.mu.
func (v *visits) wake() {
	close(v.more)
	v.more = make(chan struct{})
}

// since returns what came after a number, and what is closed when there is more; nil when nothing will be.
func (v *visits) since(number uint64) ([]numbered, <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ended {
		return nil, nil
	}
	if number > v.last { // of a lab that ran before this one
		number = 0
	}
	i := slices.IndexFunc(v.seen, func(n numbered) bool { return n.Number > number })
	if i < 0 {
		return nil, v.more
	}
	return slices.Clone(v.seen[i:]), v.more
}

// look counts a page that looks on, and reports false when there are enough.
func (v *visits) look(by int) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.lookers+by > maxLookers {
		return false
	}
	v.lookers += by
	return true
}

func (v *visits) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.ended {
		v.ended = true
		v.wake()
	}
}

func (v *visits) close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.running == nil {
		return nil
	}
	if v.running.person != nil {
		v.running.person.Close()
	}
	err := v.running.server.Close()
	v.running.database.Close()
	v.running = nil
	return err
}

// stream sends requests to the site as they are answered, as server-sent events.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	if !s.visits.look(1) {
		(&trouble{http.StatusServiceUnavailable, "enough pages look on", "close another page of the lab"}).write(w)
		return
	}
	defer s.visits.look(-1)
	number, _ := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64)
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	_ = out.SetReadDeadline(time.Time{}) // nothing more is read, and the stream goes on
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	send := func(text string) bool {
		_ = out.SetWriteDeadline(time.Now().Add(streamWrite)) // not every writer has one
		_, err := w.Write([]byte(text))
		return err == nil && out.Flush() == nil
	}
	for ok := send("retry: 2000\n\n"); ok; {
		events, more := s.visits.since(number)
		for _, e := range events {
			text, _ := json.Marshal(e) // of texts, numbers and times
			ok = ok && send(fmt.Sprintf("id: %d\ndata: %s\n\n", e.Number, text))
			number = e.Number
		}
		if more == nil {
			return
		}
		select {
		case <-more:
		case <-beat.C:
			ok = ok && send(":\n\n")
		case <-r.Context().Done():
			return
		}
	}
}
