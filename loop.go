package lockstep

import (
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-http/lockstep/rule"
)

// A redirect to the URL that the client has asked for already goes round for ever. It happens behind a
// proxy that ends TLS and does not say so in a way that the site believes: the client is at https, the
// request arrives over http, and the site sends the client to https. Django does that, and the browser
// gives up with ERR_TOO_MANY_REDIRECTS, which tells nobody what to change.
//
// What says that the client is at https can be sent by anybody, so it is never believed for content:
// it only turns a redirect into a page that says what to set, for whoever sent it, in an answer that
// no cache keeps. It is believed at once where nobody has said which proxies may say so, or where one
// that may does. Everything else has to happen twice: the client gets the redirect, and only if the
// same request is back in a moment was it no way to https.

var (
	redirectLoopForwarded = rules.Add(rule.Rule{
		ID:       "redirect-loop-forwarded",
		Source:   "Lockstep, docs/divergences.md; Django setting SECURE_PROXY_SSL_HEADER",
		Sentence: "The request arrived over http and a forwarding header says that the client came over https, so a redirect to https would lead back here for ever; the answer is 500 and says what to set.",
		Fix:      "Set SECURE_PROXY_SSL_HEADER to the header that the nearest proxy sets, as ('HTTP_X_FORWARDED_PROTO', 'https'), and TRUSTED_PROXIES to the address of that proxy; of several proxies, have each pass on what the one before it said.",
		Scenario: `
header X-Forwarded-Proto: https
visit http://shop.test/
`,
	})
	redirectLoopRepeated = rules.Add(rule.Rule{
		ID:       "redirect-loop-repeated",
		Source:   "Lockstep, docs/divergences.md; Fetch Metadata Request Headers, section 2: browsers send them to trustworthy URLs only",
		Sentence: "The client says that it is at https and was redirected there a moment ago, and its request arrived over http again, so the redirect leads back here; the answer is 500 and says what to set.",
		Fix:      "Have the proxy that ends TLS set X-Forwarded-Proto, set SECURE_PROXY_SSL_HEADER to ('HTTP_X_FORWARDED_PROTO', 'https'), and TRUSTED_PROXIES to the address of that proxy.",
		Scenario: `
header Sec-Fetch-Site: none
visit http://shop.test/
header Sec-Fetch-Site: none
visit http://shop.test/
`,
	})
	noteRedirectNotCached = rules.Add(rule.Rule{
		ID:       "note-redirect-not-cached",
		Source:   "Lockstep, docs/divergences.md",
		Sentence: "The request has what only a client at https sends, so the redirect may lead back here; it says Cache-Control: no-store, since browsers keep a 301 for ever, even one that leads to itself.",
		Fix:      "If a proxy ends TLS in front of this site, set SECURE_PROXY_SSL_HEADER and TRUSTED_PROXIES; if the request came from a program that copies a browser's headers, nothing needs to change.",
		Scenario: `
header Sec-Fetch-Site: none
visit http://shop.test/
`,
	})
)

// A clue is what says that a client came over https although its request did not.
type clue struct {
	header string // that says it; "" is no clue
	sure   bool   // it needs no second request
}

const fetchSite = "Sec-Fetch-Site"

// Headers by which proxies say that their client came over https, and the value that says it.
var httpsHeaders = [][2]string{
	{"X-Forwarded-Proto", "https"},
	{"X-Forwarded-Scheme", "https"},
	{"X-Forwarded-Protocol", "https"},
	{"X-Forwarded-Ssl", "on"},
	{"X-Url-Scheme", "https"},
	{"Front-End-Https", "on"},
	{"Cloudfront-Forwarded-Proto", "https"},
}

// httpsClue looks for one in a request that is not secure.
func (g *Guard) httpsClue(r *http.Request) clue {
	host, _ := g.rawHost(r)
	if to := g.site.SecureSSLHost; to != "" && !strings.EqualFold(to, host) {
		return clue{} // the redirect leads elsewhere
	}
	trusted := g.trusts(r.RemoteAddr)
	said := g.proxyLines(r)
	switch {
	case anyElement(said, g.site.proxyValue):
		return clue{g.site.proxyHeader, trusted}
	case len(said) > 0 && trusted:
		// The proxy has been asked. What other headers say, it may have passed on from the client.
	default:
		if name := forwardedHTTPS(r.Header); name != "" {
			return clue{name, trusted || g.site.proxyHeader == ""}
		}
	}
	if len(r.Header[fetchSite]) > 0 && !isLoopback(domainOf(host)) {
		return clue{fetchSite, false}
	}
	return clue{}
}

// forwardedHTTPS returns the header that says https, or "".
func forwardedHTTPS(h http.Header) string {
	for _, known := range httpsHeaders {
		if lines := h[known[0]]; lines != nil && anyElement(lines, known[1]) {
			return known[0]
		}
	}
	for _, line := range h["Forwarded"] { // RFC 7239: elements of pairs
		for pair := range strings.FieldsFuncSeq(line, func(c rune) bool { return c == ',' || c == ';' }) {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if strings.EqualFold(name, "proto") && strings.EqualFold(strings.Trim(value, `"`), "https") {
				return "Forwarded"
			}
		}
	}
	return ""
}

// anyElement reports whether any element of a list header is value.
func anyElement(lines []string, value string) bool {
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(element), value) {
				return true
			}
		}
	}
	return false
}

// decideLoop turns the redirect of a into a diagnosis, if it would lead back.
func (g *Guard) decideLoop(a *redirectAnswer, r *http.Request, c clue) {
	switch {
	case c.sure:
		a.verdict.Rule = redirectLoopForwarded
	case g.given.remembers(g.redirectID(r), g.now()):
		a.verdict.Rule = redirectLoopRepeated
	default:
		a.suspect, a.verdict.Notes = true, []rule.ID{noteRedirectNotCached}
		return
	}
	a.location, a.reason = "", g.loopReason(r, c)
}

// loopReason is for the operator: what was seen, and what to set.
func (g *Guard) loopReason(r *http.Request, c clue) string {
	at := cut(peer(r.RemoteAddr))
	switch {
	case c.header == fetchSite:
		return "browsers send Sec-Fetch-Site over https only, and the request arrived over http from " + at +
			": have the proxy that ends TLS set X-Forwarded-Proto, and set " + proxySettings("X-Forwarded-Proto", at)
	case g.site.proxyHeader == "":
		return c.header + " says https, and the request arrived over http from " + at + ": set " + proxySettings(c.header, at)
	case !g.trusts(r.RemoteAddr):
		return c.header + " says https, and " + at + ", which sent it, is not in TRUSTED_PROXIES: if it is your proxy, add it"
	case c.header == g.site.proxyHeader:
		return c.header + " says https only before its last element, which the proxy at " + at +
			" wrote: have it pass on what the proxy in front of it says"
	}
	return c.header + " says https, and SECURE_PROXY_SSL_HEADER names " + g.site.SecureProxySSLHeader[0] +
		", which does not: have the proxy at " + at + " set that header"
}

// proxySettings are the settings that make a header count; a header whose value cannot be compared as
// a whole gives way to one that can.
func proxySettings(header, at string) string {
	value := "https"
	for _, known := range httpsHeaders {
		if known[0] == header {
			value = known[1]
		}
	}
	if header == "Forwarded" {
		header = "X-Forwarded-Proto"
	}
	meta := "HTTP_" + strings.ToUpper(strings.ReplaceAll(header, "-", "_"))
	return fmt.Sprintf("SECURE_PROXY_SSL_HEADER = (%q, %q) and TRUSTED_PROXIES = [%q]", meta, value, at)
}

const loopAdvice = "This page would redirect to itself without end. A proxy in front of the site speaks https with the browser and http with the site, " +
	"and the site does not know it.\n\nFor whoever runs the site: SECURE_PROXY_SSL_HEADER and TRUSTED_PROXIES have to name what the proxy sends and where it is; " +
	"the log of the site says what was seen."

// diagnoseLoop answers in place of a redirect that would lead back.
func (g *Guard) diagnoseLoop(w http.ResponseWriter, r *http.Request, a redirectAnswer) {
	g.logRequest(r, slog.LevelError, "redirect loop", http.StatusInternalServerError,
		slog.String(logLogger, "django.request"),
		slog.String(logReason, a.reason),
		slog.String(logRule, string(a.verdict.Rule)))
	w.Header()["Cache-Control"] = noStore
	g.writePage(w, http.StatusInternalServerError, loopAdvice, a.reason)
}

// facts are what the clue was.
func (c clue) facts(r *http.Request) []rule.Fact {
	if c.header == "" {
		return nil
	}
	return []rule.Fact{
		{Name: c.header, Value: cut(strings.Join(r.Header[c.header], ","))},
		{Name: "REMOTE_ADDR", Value: peer(r.RemoteAddr)},
	}
}

const (
	// loopWindow is how soon a redirect that leads back is back. Browsers follow at once.
	loopWindow = 10 * time.Second

	// maxGiven is how many redirects are remembered. A newer one takes the place of an older, so that
	// nobody can fill the memory; what is forgotten is redirected once more.
	maxGiven = 256
)

// redirects remembers those that a client at https was given in the last moment. The zero redirects
// is empty and ready.
type redirects struct {
	mu    sync.Mutex
	slots [maxGiven]struct {
		id uint64
		at time.Time
	}
}

// seed makes the places of redirects something that nobody outside can choose.
var seed = maphash.MakeSeed()

// redirectID stands for who asked for what. The method is not in it: browsers make GET of a POST.
func (g *Guard) redirectID(r *http.Request) uint64 {
	host, _ := g.rawHost(r)
	var h maphash.Hash
	h.SetSeed(seed)
	for _, part := range []string{peer(r.RemoteAddr), host, r.URL.Path, r.URL.RawQuery} {
		_, _ = h.WriteString(part)
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

func (m *redirects) remember(id uint64, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	slot := &m.slots[id%maxGiven]
	slot.id, slot.at = id, now
}

func (m *redirects) remembers(id uint64, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	slot := &m.slots[id%maxGiven]
	age := now.Sub(slot.at)
	return slot.id == id && !slot.at.IsZero() && age >= 0 && age <= loopWindow
}
