package lab

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// policy lets the page have style sheets, scripts, images and answers of this server, and nothing else; and
// nobody, the page's own script included, turns a text into markup.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; font-src 'self'; " +
	"form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// originsOf are the origins by which a person reaches a server on host and port. What is on localhost is
// on its addresses too.
func originsOf(host string, port int) []string {
	hosts := []string{host}
	if host == "" || strings.EqualFold(host, "localhost") {
		hosts = []string{"localhost", "127.0.0.1", "[::1]"}
	} else if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		hosts = []string{"[" + host + "]"}
	}
	var all []string
	for _, h := range hosts {
		if port == 80 { // a browser leaves it out
			all = append(all, "http://"+h)
			continue
		}
		all = append(all, "http://"+net.JoinHostPort(strings.Trim(h, "[]"), strconv.Itoa(port)))
	}
	return all
}

// secured puts the headers of every answer and the refusals before h.
func (s *Server) secured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protect(w.Header())
		defer recovered(w)
		if t := s.refuse(r); t != nil {
			t.write(w)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// recovered answers for a handler that panicked, which is a defect of the program and no reason to hang up.
// What was being written already is cut off instead.
func recovered(w http.ResponseWriter) {
	if recover() == nil {
		return
	}
	if w.Header().Get("Content-Type") != "" {
		panic(http.ErrAbortHandler)
	}
	(&trouble{http.StatusInternalServerError, "something in the lab went wrong", "reload the page"}).write(w)
}

func protect(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store") // what may be kept says so itself
}

// refuse decides whether a request is answered at all. A name that is not loopback's is a page of somebody
// else that has its name point here (DNS rebinding). Who has no Origin and no Sec-Fetch-Site is no browser,
// and sends nothing on behalf of another site.
func (s *Server) refuse(r *http.Request) *trouble {
	ours := strings.HasPrefix(r.URL.Path, "/api/") || r.Method == http.MethodPost // for the lab's own page alone
	switch {
	case !slices.Contains(s.origins, "http://"+strings.ToLower(r.Host)):
		return &trouble{http.StatusMisdirectedRequest, fmt.Sprintf("the lab does not answer for the host %q", shorten(r.Host)), "open " + s.origins[0] + "/"}
	case ours && (!fromHere(r) || !ownOrigin(r)):
		return &trouble{http.StatusForbidden, "only the lab's own page may ask this", "open " + s.origins[0] + "/ and ask there"}
	case r.Method == http.MethodPost && !isJSON(r.Header.Get("Content-Type")):
		return &trouble{http.StatusUnsupportedMediaType, "what is sent to the lab is JSON", "Content-Type: application/json"}
	}
	return nil
}

// fromHere reports whether a browser that says so says that the request is the page's, or the person's, own.
func fromHere(r *http.Request) bool {
	return !slices.ContainsFunc(r.Header.Values("Sec-Fetch-Site"), func(from string) bool { return from != "same-origin" && from != "none" })
}

// ownOrigin reports whether the Origin is that of the host that is asked; one that is not there is fine.
func ownOrigin(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	return len(origins) == 0 || len(origins) == 1 && origins[0] == "http://"+strings.ToLower(r.Host)
}

func isJSON(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/json")
}

// shorten cuts a text that came from outside.
func shorten(text string) string {
	const most = 100
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
