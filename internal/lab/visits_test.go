package lab_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/internal/lab"
	"github.com/lockstep-http/lockstep/internal/lesson"
	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/site"
)

// startLab serves a lab of its own on a port of loopback, and returns its origin.
func startLab(t *testing.T) string {
	t.Helper()
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	library, err := lesson.New(lesson.Options{Catalogue: catalogue})
	if err != nil {
		t.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := lab.New(lab.Options{Library: library, Catalogue: catalogue, Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port})
	if err != nil {
		t.Fatal(err)
	}
	server := s.HTTP()
	go server.Serve(l)
	t.Cleanup(func() {
		s.Close()
		server.Close()
	})
	return "http://" + l.Addr().String()
}

// patience is how long a stream that says nothing is waited for, so that the test fails and does not hang.
const patience = 20 * time.Second

func fetch(t *testing.T, c *http.Client, method, url, body string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

type opened struct {
	URL, Plain string
	Settings   []lesson.Assignment
	Left       []string
}

func open(t *testing.T, lab, setup string) (o opened) {
	t.Helper()
	answer := fetch(t, http.DefaultClient, http.MethodPost, lab+"/api/site", setup)
	if err := json.NewDecoder(answer.Body).Decode(&o); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %v", answer.StatusCode, err)
	}
	return o
}

// TestOwnBrowser starts the site for one's own browser, visits it, and reads the verdicts as they arrive;
// then gives it other settings.
func TestOwnBrowser(t *testing.T) {
	at := startLab(t)
	o := open(t, at, `{}`)
	stream := bufio.NewScanner(fetch(t, http.DefaultClient, http.MethodGet, at+"/api/site/visits", "").Body)
	jar, _ := cookiejar.New(nil)
	person := &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	if got := fetch(t, person, http.MethodGet, o.Plain, ""); got.StatusCode != http.StatusOK || got.Request.URL.String() != o.URL {
		t.Fatalf("status %d at %s, want 200 at %s", got.StatusCode, got.Request.URL, o.URL)
	}
	seen := next(t, stream)
	if seen.Scheme != "http" || seen.Status != http.StatusMovedPermanently || !decided(seen, "redirect-to-https") {
		t.Errorf("the first request: %+v", seen)
	}
	if seen = next(t, stream); seen.Scheme != "https" || seen.Status != http.StatusOK || !decided(seen, "secure-over-tls") {
		t.Errorf("the second request: %+v", seen)
	}
	again := open(t, at, `{"switches": {"SECURE_SSL_REDIRECT": "False"}}`)
	if again.URL != o.URL {
		t.Errorf("another site is at %s", again.URL)
	}
	if got := fetch(t, person, http.MethodGet, o.Plain, ""); got.Request.URL.String() != o.Plain {
		t.Errorf("redirected to %s although the setting is off", got.Request.URL)
	}
	if seen = next(t, stream); !decided(seen, "redirect-off") {
		t.Errorf("under the other setting: %+v", seen)
	}
}

// TestOwnSettings opens the site under settings that name the hosts of the scenario, and a proxy: they are
// left out and told.
func TestOwnSettings(t *testing.T) {
	o := open(t, startLab(t), `{"switches": {"SESSION_COOKIE_DOMAIN": "shop.test", "proxy": "trusted", "SECURE_HSTS_SECONDS": "3600"}}`)
	for _, name := range []string{"SESSION_COOKIE_DOMAIN", "SECURE_PROXY_SSL_HEADER"} {
		if !strings.Contains(strings.Join(o.Left, " "), name) {
			t.Errorf("%s is not told to be left out: %v", name, o.Left)
		}
	}
	kept := false
	for _, a := range o.Settings {
		kept = kept || a.Name == "SECURE_HSTS_SECONDS" && a.Value == "3600"
	}
	if !kept {
		t.Errorf("the setting that can be had is not: %v", o.Settings)
	}
}

// TestLookers lets more pages look on than may.
func TestLookers(t *testing.T) {
	at := startLab(t)
	for i := range lab.MaxLookers + 1 {
		want := http.StatusOK
		if i == lab.MaxLookers {
			want = http.StatusServiceUnavailable
		}
		if got := fetch(t, http.DefaultClient, http.MethodGet, at+"/api/site/visits", ""); got.StatusCode != want {
			t.Errorf("page %d: status %d, want %d", i+1, got.StatusCode, want)
		}
	}
}

func next(t *testing.T, stream *bufio.Scanner) (r site.Report) {
	t.Helper()
	for stream.Scan() {
		if text, ok := strings.CutPrefix(stream.Text(), "data: "); ok {
			if err := json.Unmarshal([]byte(text), &r); err != nil {
				t.Fatal(err)
			}
			return r
		}
	}
	t.Fatalf("the stream ended: %v", stream.Err())
	return r
}

func decided(r site.Report, id string) bool {
	for _, v := range r.Verdicts {
		if string(v.Rule) == id {
			return true
		}
	}
	return false
}
