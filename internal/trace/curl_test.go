package trace_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/trace"
)

// TestCurl runs the commands: the site gets from curl what it got from the browser.
func TestCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("LOCKSTEP_TEST_REQUIRE") == "all" {
			t.Fatal(err)
		}
		t.Skip("there is no curl: apt install curl")
	}
	requests := make(chan *http.Request, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r.Clone(context.Background())
		if r.URL.Path == "/" {
			w.Header().Add("Set-Cookie", "id=it's a \"secret\" $HOME `x` \u202eé; Path=/")
			w.Header().Add("Set-Cookie", "=nameless; Path=/")
			http.Redirect(w, r, "/a'b/../[x]?q={1,2}&$HOME", http.StatusFound)
		}
	}))
	t.Cleanup(server.Close)
	c := client()
	c.InsecureKeepCookieValues = true
	v, err := c.Visit(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(requests) != 2 {
		t.Fatalf("%d requests of the browser, want 2", len(requests))
	}
	asked := []*http.Request{<-requests, <-requests}
	var script bytes.Buffer
	run := trace.Run{Visits: []trace.Visit{v}}
	run.WriteCurl(&script, "--silent")
	if strings.Contains(script.String(), "\u202e") {
		t.Error("what a terminal obeys is printed")
	}
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", script.String()).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, out, script.String())
	}
	if len(requests) != len(asked) {
		t.Fatalf("%d requests, and %d by curl", len(asked), len(requests))
	}
	got := []*http.Request{<-requests, <-requests}
	for i := range got {
		asked[i].Header.Del("Connection")
		if got[i].Method != asked[i].Method || got[i].RequestURI != asked[i].RequestURI || got[i].Host != asked[i].Host || !reflect.DeepEqual(got[i].Header, asked[i].Header) {
			t.Errorf("curl sent %s %s %v, and the browser %s %s %v", got[i].Method, got[i].RequestURI, got[i].Header, asked[i].Method, asked[i].RequestURI, asked[i].Header)
		}
	}
}

// TestCurlHidesValues holds that nobody gets a value who did not ask for it, and that a saved run has none.
func TestCurlHidesValues(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "id=secret-value-of-the-cookie")
	}))
	t.Cleanup(server.Close)
	for _, keep := range []bool{false, true} {
		c := client()
		c.InsecureKeepCookieValues = keep
		var run trace.Run
		for range 2 {
			v, err := c.Visit(t.Context(), http.MethodGet, server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			run.Visits = append(run.Visits, v)
		}
		var curl, saved bytes.Buffer
		run.WriteCurl(&curl)
		if err := run.WriteJSON(&saved); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(curl.String(), "secret-value"); got != keep {
			t.Errorf("asked for: %t, shown: %t", keep, got)
		}
		if !keep && !strings.Contains(curl.String(), "'Cookie: id=<value of id>'") {
			t.Errorf("no place for the value in\n%s", curl.String())
		}
		if strings.Contains(saved.String(), "secret-value") {
			t.Error("the value is in the saved run")
		}
	}
}

// TestCurlOfSavedRun holds that a saved run, which may have been made by anybody, gives curl no arguments.
func TestCurlOfSavedRun(t *testing.T) {
	run := trace.Run{Visits: []trace.Visit{{Hops: []trace.Hop{{
		Method: "--output", URL: "--upload-file\n/etc/passwd", Left: true, Cookie: "a\n=1", Sent: []trace.Field{{Name: "@/etc/passwd", Value: "x"}, {Name: "Origin", Value: "'$(id)"}},
	}}}}}
	var out bytes.Buffer
	run.WriteCurl(&out)
	const want = "# visit 1, request 1: --output --upload-file?/etc/passwd; its body is not kept: add --data\n" +
		"curl --include --http1.1 --globoff --path-as-is --request --output --user-agent Lockstep-trace --header 'Accept: text/html,*/*;q=0.8' " +
		`--header 'Origin: '\''$(id)' --header 'Cookie: a=<value of a>' --url '--upload-file/etc/passwd'` + "\n\n"
	if out.String() != want {
		t.Errorf("got\n%s, want\n%s", out.String(), want)
	}
}
