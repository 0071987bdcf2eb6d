package site

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/session"
)

// The doings that take no arguments, by their names in scenarios.
var plainDoings = map[string]Doing{
	"counter": Counter,
	"plain":   func(http.ResponseWriter, *http.Request) (string, error) { return "plain", nil },
	"read":    read,
	"flush":   flush,
	"cycle":   cycle,
	"clear":   clearAll,
	"large":   large,
	"echo":    echo,
	"anew":    anew,
	"nested":  nested,

	"logout":     logout,
	"account":    account,
	"token":      token,
	"late-token": lateToken,
	"nonce":      nonce,
	"late-nonce": lateNonce,
}

// nonce is a page with a script that the policy allows by its nonce.
func nonce(w http.ResponseWriter, r *http.Request) (string, error) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	return `<!doctype html><title>Script</title><script nonce="` + lockstep.CSPNonce(r) + `">document.title = "ran"</script>`, nil
}

// lateNonce asks for the nonce when the response has begun.
func lateNonce(w http.ResponseWriter, r *http.Request) (string, error) {
	w.WriteHeader(http.StatusOK)
	return "nonce " + lockstep.CSPNonce(r)[:0], nil
}

// Counter counts the visits of a session: the page of the lesson.
func Counter(_ http.ResponseWriter, r *http.Request) (string, error) {
	s := session.From(r.Context())
	visits, _ := session.Value[int](s, "visits")
	visits++
	err := s.Set("visits", visits)
	return fmt.Sprintf("visit %d", visits), err
}

func read(_ http.ResponseWriter, r *http.Request) (string, error) {
	s := session.From(r.Context())
	visits, _ := session.Value[int](s, "visits")
	return fmt.Sprintf("visits so far: %d", visits), s.Err()
}

func flush(_ http.ResponseWriter, r *http.Request) (string, error) {
	return "flushed", session.From(r.Context()).Flush()
}

func cycle(_ http.ResponseWriter, r *http.Request) (string, error) {
	return "cycled", session.From(r.Context()).CycleKey()
}

func clearAll(_ http.ResponseWriter, r *http.Request) (string, error) {
	return "cleared", session.From(r.Context()).Clear()
}

// large puts more into the session than it can hold.
func large(_ http.ResponseWriter, r *http.Request) (string, error) {
	return "large", session.From(r.Context()).Set("large", strings.Repeat("x", django.MaxPayload))
}

// maxEcho is how many bytes of a body an echo has.
const maxEcho = 1 << 10

// echo tells what came: method and path, Origin, Referer and Sec-Fetch-Site, and the body.
func echo(_ http.ResponseWriter, r *http.Request) (string, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxEcho))
	h := r.Header
	return strings.Join([]string{
		r.Method, r.URL.RequestURI(), h.Get("Origin"), h.Get("Referer"), h.Get("Sec-Fetch-Site"), string(body),
	}, " "), err
}

// anew leads to its own path with another query, which is as long each time.
func anew(w http.ResponseWriter, r *http.Request) (string, error) {
	n, _ := strconv.Atoi(r.URL.Query().Get("n"))
	w.Header().Set("Location", fmt.Sprintf("%s?n=%04d", r.URL.Path, n+1))
	return "anew", nil
}

// nested leads to its own path with the URL that was asked for as the return address.
func nested(w http.ResponseWriter, r *http.Request) (string, error) {
	w.Header().Set("Location", r.URL.Path+"?next="+url.QueryEscape(r.URL.RequestURI()))
	return "nested", nil
}

// setCookie is "cookie NAME=VALUE [ATTRIBUTE ...]": the attributes are spelled as in Set-Cookie.
func setCookie(words []string) (Doing, error) {
	c, err := cookieOf(words)
	if err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter, r *http.Request) (string, error) {
		return "cookie", lockstep.SetCookie(w, r, c)
	}, nil
}

func cookieOf(words []string) (lockstep.Cookie, error) {
	name, value, _ := strings.Cut(words[0], "=")
	c := lockstep.Cookie{Name: name, Value: value}
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "Secure":
			c.Secure = true
		case "HttpOnly":
			c.HttpOnly = true
		case "Domain":
			c.Domain = value
		case "Path":
			c.Path = value
		case "SameSite":
			mode, ok := map[string]http.SameSite{"Lax": http.SameSiteLaxMode, "Strict": http.SameSiteStrictMode, "None": http.SameSiteNoneMode}[value]
			if !ok {
				return c, fmt.Errorf("%q is not Lax, Strict or None", value)
			}
			c.SameSite = mode
		case "Max-Age":
			seconds, err := strconv.Atoi(value)
			if err != nil {
				return c, fmt.Errorf("%q is not a number of seconds", value)
			}
			c.MaxAge = time.Duration(seconds) * time.Second
		default:
			return c, fmt.Errorf("no attribute %q: there are Secure, HttpOnly, Domain, Path, SameSite and Max-Age", name)
		}
	}
	return c, nil
}

// html is "html MARKUP": a page of these words.
func html(words []string) Doing {
	return func(w http.ResponseWriter, _ *http.Request) (string, error) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		return strings.Join(words, " "), nil
	}
}

func deleteCookie(name string) Doing {
	return func(w http.ResponseWriter, r *http.Request) (string, error) {
		return "deleted", lockstep.DeleteCookie(w, r, lockstep.Cookie{Name: name})
	}
}
