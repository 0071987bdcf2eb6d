package browser_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/rule"
)

// TestPreflight is about which requests a browser asks for, and what answers allow them.
func TestPreflight(t *testing.T) {
	const (
		from = "https://app.test"
		open = "Access-Control-Allow-Origin: " + from
		all  = "Access-Control-Allow-Methods: "
		who  = "Access-Control-Allow-Credentials: true"
	)
	for _, c := range []struct {
		name   string
		mode   browser.Credentials
		status int
		header []string
		want   string // the problem; "" for none
	}{
		{"allowed", "", 204, []string{open, all + "GET, DELETE"}, ""},
		{"anybody, any method", "", 200, []string{"Access-Control-Allow-Origin: *", all + "*"}, ""},
		{"several lines", "", 200, []string{open, all + "PUT", all + "\tDELETE "}, ""},
		{"with credentials", "include", 200, []string{open, all + "DELETE", who}, ""},
		{"nothing", "", 200, nil, "no Access-Control-Allow-Origin"},
		{"another origin", "", 200, []string{open + ":8443", all + "DELETE"}, "Access-Control-Allow-Origin is https://app.test:8443"},
		{"two origins", "", 200, []string{open, open, all + "DELETE"}, "Access-Control-Allow-Origin is https://app.test, https://app.test"},
		{"anybody with credentials", "include", 200, []string{"Access-Control-Allow-Origin: *", all + "DELETE", who}, "Access-Control-Allow-Origin is *"},
		{"no credentials", "include", 200, []string{open, all + "DELETE"}, "Access-Control-Allow-Credentials is not true"},
		{"credentials in capitals", "include", 200, []string{open, all + "DELETE", strings.ToUpper(who)}, "Access-Control-Allow-Credentials is not true"},
		{"any method with credentials", "include", 200, []string{open, all + "*", who}, "Access-Control-Allow-Methods does not name DELETE"},
		{"no methods", "", 200, []string{open}, "Access-Control-Allow-Methods does not name DELETE"},
		{"another case", "", 200, []string{open, all + "delete"}, "Access-Control-Allow-Methods does not name DELETE"},
		{"a login before it", "", 401, []string{open, all + "DELETE"}, "the status is none of 2xx"},
		{"a redirect", "", 302, []string{open, all + "DELETE"}, "the status is none of 2xx"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := fetchOf("DELETE", "https://api.test/a", from+"/page", c.mode)
			ask, ok := req.Preflight()
			if !ok || ask.Method != http.MethodOptions || ask.Credentials != browser.CredentialsOmit {
				t.Fatalf("asked %v with %+v", ok, ask)
			}
			header := func(name string) (values []string) {
				for _, line := range c.header {
					if n, value, _ := strings.Cut(line, ": "); strings.EqualFold(n, name) {
						values = append(values, value)
					}
				}
				return values
			}
			var told rule.Verdict
			v := req.Allowed(c.status, header, rule.NewRecorder(func(v rule.Verdict) { told = v }))
			problem, _ := told.Fact("problem")
			if v.Yes != (c.want == "") || !strings.HasPrefix(problem, c.want) || told.Yes != v.Yes {
				t.Errorf("%v: %q, want %q", v.Yes, problem, c.want)
			}
		})
	}
	for _, req := range []browser.Request{
		fetchOf("GET", "https://api.test/a", from+"/page", ""),
		fetchOf("HEAD", "https://api.test/a", from+"/page", ""),
		fetchOf("POST", "https://api.test/a", from+"/page", "include"),
		fetchOf("", "https://api.test/a", from+"/page", ""),
		fetchOf("DELETE", from+"/a", from+"/page", ""),
		{Method: "DELETE", URL: mustURL("https://api.test/a")},
		{Method: "PUT", URL: mustURL("https://api.test/a"), Initiator: &browser.Document{URL: mustURL(from)}},
	} {
		if _, ok := req.Preflight(); ok {
			t.Errorf("%s %s as %s is asked for first", req.Method, req.URL, req.As)
		}
	}
}

func mustURL(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return u
}

func fetchOf(method, target, from string, mode browser.Credentials) browser.Request {
	return browser.Request{
		Method: method, URL: mustURL(target), As: browser.AsFetch, Credentials: mode,
		Initiator: &browser.Document{URL: mustURL(from)},
	}
}

// TestMayFollow is about which redirects of a fetch may be followed.
func TestMayFollow(t *testing.T) {
	const open = "https://app.test"
	for _, c := range []struct {
		name, from, at string
		mode           browser.Credentials
		as             browser.Destination
		allowed, who   string // Access-Control-Allow-Origin and -Credentials of the redirect
		want           bool
	}{
		{"its own origin", "https://app.test/", "https://app.test/a", "", browser.AsFetch, "", "", true},
		{"another origin", "https://app.test/", "https://api.test/a", "", browser.AsFetch, "", "", false},
		{"another port", "https://app.test/", "https://app.test:8443/a", "", browser.AsFetch, "", "", false},
		{"another origin that lets it", "https://app.test/", "https://api.test/a", "", browser.AsFetch, open, "", true},
		{"with credentials", "https://app.test/", "https://api.test/a", "include", browser.AsFetch, open, "", false},
		{"with credentials that may", "https://app.test/", "https://api.test/a", "include", browser.AsFetch, open, "true", true},
		{"an image", "https://app.test/", "https://api.test/a", "", browser.AsImage, "", "", true},
		{"an image with crossorigin", "https://app.test/", "https://api.test/a", "include", browser.AsImage, "", "", false},
		{"a link", "https://app.test/", "https://api.test/a", "", browser.AsNavigation, "", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := fetchOf(http.MethodGet, c.at, c.from, c.mode)
			req.As = c.as
			header := func(name string) []string {
				for n, value := range map[string]string{"Access-Control-Allow-Origin": c.allowed, "Access-Control-Allow-Credentials": c.who} {
					if n == name && value != "" {
						return []string{value}
					}
				}
				return nil
			}
			var told []rule.ID
			got := req.MayFollow(header, rule.NewRecorder(func(v rule.Verdict) { told = append(told, v.Rule) }))
			if got != c.want || got != (len(told) == 0) || !got && told[0] != "follow-not-shared" {
				t.Errorf("%t by %q, want %t", got, told, c.want)
			}
		})
	}
}
