package oracle_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/django"
)

// A reply is the answer to a line, by oracle.py or by an Answerer.
type reply struct {
	Result    json.RawMessage
	Error     string
	Sessions  json.RawMessage
	Responses []struct {
		Status     int
		Headers    [][2]string
		SetCookies []struct{ Raw string } `json:"set_cookies"`
		Body       *string
		JSON       json.RawMessage
		IsSecure   json.RawMessage `json:"is_secure"`
		GetHost    string          `json:"get_host"`
		Logs       [][3]string
		Exception  string
	}
}

// An observation is what of an answer two sides must agree on, by name; what belongs to a request
// begins with its number, as in "0.status".
type observation map[string]string

var comparedHeaders = []string{
	"Location", "Vary", "Strict-Transport-Security", "X-Content-Type-Options", "Referrer-Policy",
	"Cross-Origin-Opener-Policy", "X-Frame-Options", "X-Xss-Protection", "Content-Security-Policy",
	"Content-Security-Policy-Report-Only",
}

// observe takes from an answer what is compared. What is left out, and why:
//
//   - bodies of refusals, which are pages of the site (docs/divergences.md); redirects and the answers
//     of views are compared
//   - headers that are not the Guard's, such as Content-Length; Content-Type is compared in redirects
//   - loggers other than django.security's; and of those the second record that Django before 6.0
//     writes of a 400, "Bad Request: /"
//   - of errors all but the class
//   - of the view "plain" port, path and path_info, which net/http knows
//   - whether a payload is compressed, and to which bytes: what it holds and when it was signed counts
//   - the masks of CSRF tokens, where they differ: the secret that they hide counts
func observe(t *testing.T, line []byte) observation {
	t.Helper()
	var a reply
	fromPython(t, line, &a)
	o := observation{}
	o.put("result", canonical(t, a.Result))
	o.put("sessions", canonical(t, a.Sessions))
	class, _, _ := strings.Cut(a.Error, ":")
	o.put("error", class)
	for i, r := range a.Responses {
		n := strconv.Itoa(i) + "."
		o.put(n+"status", strconv.Itoa(r.Status))
		for _, h := range r.Headers {
			name := http.CanonicalHeaderKey(h[0])
			if slices.Contains(comparedHeaders, name) || name == "Content-Type" && r.Status == 301 {
				o.put(n+name, h[1])
			}
		}
		for _, c := range r.SetCookies {
			o[n+"Set-Cookie"] += c.Raw + "\n"
		}
		o.put(n+"is_secure", string(r.IsSecure))
		host, _, _ := strings.Cut(r.GetHost, ":")
		if host != "!DisallowedHost" {
			host = r.GetHost
		}
		o.put(n+"get_host", host)
		o.put(n+"json", withoutServer(canonical(t, r.JSON)))
		if r.Body != nil && r.Status < 400 {
			o.put(n+"body", *r.Body)
		}
		for _, l := range r.Logs {
			if strings.HasPrefix(l[0], "django.security.") && !strings.HasPrefix(l[2], "Bad Request: ") {
				o[n+"logs"] += l[0] + " " + l[1] + " " + l[2] + "\n"
			}
		}
		if r.Exception != "" {
			o[n+"exception"] = "yes"
		}
	}
	return o
}

// put leaves out what is empty, so that it equals what is not there.
func (o observation) put(name, value string) {
	if value != "" {
		o[name] = value
	}
}

// words are the numbers of Python's JSON that others do not have.
var words = regexp.MustCompile(`([\[:, ])(NaN|-?Infinity)([\],} ])`)

// fromPython reads JSON with NaN and Infinity, which stand as texts in what v gets.
func fromPython(t *testing.T, line []byte, v any) {
	t.Helper()
	if bytes.Contains(line, []byte("NaN")) || bytes.Contains(line, []byte("Infinity")) {
		for range 2 { // neighbours share a comma
			line = words.ReplaceAll(line, []byte(`$1"$2"$3`))
		}
	}
	if err := json.Unmarshal(line, v); err != nil {
		t.Fatalf("%v in %q", err, line)
	}
}

// canonical is JSON with its members in order, where 1.0 is not 1, and payloads opened.
func canonical(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	var value any
	if err := django.Unmarshal(raw, &value); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	text, err := django.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return raised.ReplaceAllString(string(text), `"!$1"`)
}

// raised is an exception that a view of oracle.py tells of, of which the class counts.
var raised = regexp.MustCompile(`"!(\w+): (?:[^"\\]|\\.)*"`)

// withoutServer takes out of the answer of the view "plain" what the server knows.
func withoutServer(text string) string {
	var plain map[string]json.RawMessage
	if !strings.Contains(text, `"path_info"`) || json.Unmarshal([]byte(text), &plain) != nil {
		return text
	}
	for _, name := range []string{"port", "path", "path_info"} {
		delete(plain, name)
	}
	kept, _ := django.Marshal(plain)
	return string(kept)
}

var (
	// payload is one of django.core.signing.dumps(), compressed when it begins with a point.
	payload = regexp.MustCompile(`(\.?)([A-Za-z0-9_-]+):([0-9A-Za-z]{6}):([A-Za-z0-9_-]{43})`)
	token   = regexp.MustCompile(`\b[A-Za-z0-9]{64}\b`)
)

// open writes out what compressed payloads and tokens hold.
func open(text string) string {
	if strings.Contains(text, ".eJ") {
		text = payload.ReplaceAllStringFunc(text, openPayload)
	}
	return token.ReplaceAllStringFunc(text, func(found string) string {
		secret, _ := django.CSRFSecret(found)
		return "<token of " + secret + ">"
	})
}

// openPayload is what a payload holds, and when it was signed.
func openPayload(found string) string {
	m := payload.FindStringSubmatch(found)
	data, err := base64.RawURLEncoding.DecodeString(m[2])
	if err == nil && m[1] == "." {
		var r io.ReadCloser
		if r, err = zlib.NewReader(bytes.NewReader(data)); err == nil {
			data, err = io.ReadAll(io.LimitReader(r, 1<<20))
		}
	}
	if err != nil || !json.Valid(data) {
		return found
	}
	return "<" + string(data) + " of " + m[3] + ">"
}

// same reports whether two observed texts are the same. Payloads are opened only where one of them is
// compressed: otherwise the signature counts.
func same(a, b string) bool {
	if strings.Contains(a+b, ".eJ") {
		a, b = payload.ReplaceAllStringFunc(a, openPayload), payload.ReplaceAllStringFunc(b, openPayload)
	}
	return a == b || open(a) == open(b)
}

// names are those of all observations, ordered.
func names(all ...observation) (names []string) {
	for _, o := range all {
		for name := range o {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}
