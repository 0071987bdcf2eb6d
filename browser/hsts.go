package browser

import (
	"cmp"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// Limits of the HSTS store.
const (
	// MaxHSTSHosts is how many known HSTS hosts a browser remembers. To keep one more it forgets
	// an expired one, or else the one that expires first.
	MaxHSTSHosts = 4096

	// MaxHSTSLifetime is how long a host stays known at most. RFC 6797 has no limit; Chromium
	// (kMaxHSTSAgeSecs) has this one.
	MaxHSTSLifetime = 365 * 24 * time.Hour
)

// An HSTSHost is a known HSTS host: a name that the browser asks over HTTPS only.
type HSTSHost struct {
	Host              string    // canonical, without a dot at the end
	IncludeSubDomains bool      // whether the names under it are asked over HTTPS only too
	Expiry            time.Time // from then on it is known no more; zero for a preloaded one
	Preloaded         bool      // it came with the browser, and no header removes it
}

// The answers of [Browser.Upgrade].
var (
	upgradeHSTS = rules.Add(rule.Rule{
		ID:       "upgrade-hsts",
		Source:   "RFC 6797, sections 8.2 and 8.3",
		Sentence: "The host, or a parent with includeSubDomains, is a known HSTS host, so the browser asks over HTTPS without asking over HTTP first.",
		Fix:      "To reach the site over HTTP again, send Strict-Transport-Security: max-age=0 over HTTPS from the known HSTS host that is named, and visit it once.",
		Scenario: `
set SECURE_HSTS_SECONDS=60
visit https://shop.test/
visit http://shop.test/
`,
	})

	upgradePreloaded = rules.Add(rule.Rule{
		ID:       "upgrade-preloaded",
		Source:   "RFC 6797, sections 8.3 and 12.3",
		Sentence: "The host, or a parent with includeSubDomains, is on the list of known HSTS hosts that comes with the browser, so the browser asks over HTTPS without asking over HTTP first.",
		Fix:      "Serve the site over HTTPS; to get off the list, ask at hstspreload.org and wait for new versions of the browsers.",
		Scenario: `
preload shop.test
visit http://www.shop.test/
`,
	})

	upgradeNoEntry = rules.Add(rule.Rule{
		ID:       "upgrade-no-entry",
		Source:   "RFC 6797, section 8.2",
		Sentence: "Neither the host nor a parent with includeSubDomains is a known HSTS host, so the browser asks over HTTP as the URL says.",
		Fix:      "Set SECURE_HSTS_SECONDS, so that browsers that have visited the site once over HTTPS ask over HTTPS at once.",
		Scenario: `
visit http://shop.test/
`,
	})

	upgradeExpired = rules.Add(rule.Rule{
		ID:       "upgrade-expired",
		Source:   "RFC 6797, sections 6.1.1 and 8.2",
		Sentence: "The host was a known HSTS host, but its max-age is over and no response has renewed it.",
		Fix:      "Raise SECURE_HSTS_SECONDS above the time between two visits of one person; 31536000 is a year.",
		Scenario: `
set SECURE_HSTS_SECONDS=60
visit https://shop.test/
wait 61s
visit http://shop.test/
`,
	})

	upgradeAlreadyHTTPS = rules.Add(rule.Rule{
		ID:       "upgrade-already-https",
		Source:   "RFC 6797, section 8.3",
		Sentence: "The URL is an https URL already, so there is nothing to upgrade.",
		Fix:      "Visit the http URL to see whether the browser would upgrade it.",
		Scenario: `
visit https://shop.test/
`,
	})
)

// Upgrade returns the URL to ask instead of u: a new https URL when u is an http URL whose host is
// a known HSTS host, and u itself otherwise. It asks about every request, redirects and
// subresources included, and method and body stay as they are. Port 80 becomes the default port
// of https, and any other port is kept.
//
// RFC 6797, sections 8.2 and 8.3.
func (b *Browser) Upgrade(u *url.URL, now time.Time, rec *rule.Recorder) (*url.URL, rule.Verdict) {
	name := hstsName(u)
	v := rule.Verdict{Side: rule.Browser, Question: rule.UpgradeToHTTPS, Subject: cmp.Or(name, shown(u.Host))}
	b.mu.Lock()
	found, live := b.hsts.match(name, now)
	b.mu.Unlock()
	result := u
	switch {
	case u.Scheme != "http":
		v.Rule = upgradeAlreadyHTTPS
	case live:
		v.Rule, v.Yes = upgradeHSTS, true
		if found.Preloaded {
			v.Rule = upgradePreloaded
		}
		result = withHTTPS(u)
	case found.Host != "":
		v.Rule = upgradeExpired
	default:
		v.Rule = upgradeNoEntry
	}
	if rec.Watching() {
		v.Facts = upgradeFacts(u, result, found)
		rec.Record(v)
	}
	return result, v
}

func upgradeFacts(u, result *url.URL, found HSTSHost) []rule.Fact {
	facts := []rule.Fact{{Name: "url", Value: shownURL(u)}}
	if result != u {
		facts = append(facts, rule.Fact{Name: "upgraded url", Value: shownURL(result)})
	}
	return append(facts, found.facts()...)
}

// withHTTPS returns u over https.
func withHTTPS(u *url.URL) *url.URL {
	upgraded := *u
	upgraded.Scheme = "https"
	if port, err := strconv.Atoi(u.Port()); err != nil || port == 80 {
		upgraded.Host = strings.TrimSuffix(u.Host, ":"+u.Port())
	}
	return &upgraded
}

// The answers of [Browser.StoreHSTS].
var (
	hstsOverHTTP = rules.Add(rule.Rule{
		ID:       "hsts-over-http",
		Source:   "RFC 6797, sections 7.2 and 8.1",
		Sentence: "The header arrived over plain HTTP, where anybody on the way could have written it, so the browser ignores it.",
		Fix:      "Send the header over HTTPS, and redirect HTTP to HTTPS with SECURE_SSL_REDIRECT so that browsers get there.",
		Scenario: `
set SECURE_SSL_REDIRECT=False
on / send Strict-Transport-Security: max-age=60
visit http://shop.test/
`,
	})

	hstsTLSError = rules.Add(rule.Rule{
		ID:       "hsts-tls-error",
		Source:   "RFC 6797, sections 8.1 and 8.4",
		Sentence: "The certificate of the connection was not trusted, so the browser ignores the header.",
		Fix:      "Give the site a certificate that browsers trust, valid now and for this host; a warning that a person clicked away does not count.",
		Scenario: `
network certificate-ignored
on / send Strict-Transport-Security: max-age=60
visit https://shop.test/
`,
	})

	hstsIP = rules.Add(rule.Rule{
		ID:       "hsts-ip",
		Source:   "RFC 6797, section 8.1.1",
		Sentence: "The host is an IP address, and only a name can be a known HSTS host.",
		Fix:      "Give the site a name and visit it by that name.",
		Scenario: `
on / send Strict-Transport-Security: max-age=60
visit https://127.0.0.1/
`,
	})

	hstsLocalhost = rules.Add(rule.Rule{
		ID:       "hsts-localhost",
		Source:   "Chromium, as observed; RFC 6797 makes no such exception",
		Sentence: "The host is localhost or a name under it, which every program on this machine shares, so the browser remembers nothing about it.",
		Fix:      "Try HSTS under another name that only your own machine resolves, such as shop.test.",
		Scenario: `
on / send Strict-Transport-Security: max-age=60
visit https://localhost/
`,
	})

	hstsSyntax = rules.Add(rule.Rule{
		ID:       "hsts-syntax",
		Source:   "RFC 6797, section 6.1",
		Sentence: "The header is not written as the grammar has it, so the browser ignores all of it.",
		Fix:      "Write it as max-age=31536000, with ; includeSubDomains after it if that is wanted: max-age once with digits only, includeSubDomains without a value, a semicolon between the two.",
		Scenario: `
on / send Strict-Transport-Security: 31536000; includeSubDomains
visit https://shop.test/
`,
	})

	hstsRemoved = rules.Add(rule.Rule{
		ID:       "hsts-removed",
		Source:   "RFC 6797, sections 6.1.1 and 8.1",
		Sentence: "max-age is 0, so the host is a known HSTS host no more.",
		Fix:      "Set SECURE_HSTS_SECONDS to more than 0 if browsers should keep asking over HTTPS only.",
		Scenario: `
on / send Strict-Transport-Security: max-age=0
visit https://shop.test/
`,
	})

	hstsStored = rules.Add(rule.Rule{
		ID:       "hsts-stored",
		Source:   "RFC 6797, section 8.1",
		Sentence: "The host is a known HSTS host from now until max-age is over, and each further response with the header renews that.",
		Fix:      "Send max-age=0 over HTTPS for as long as anybody may remember the host if it has to be reachable over HTTP again.",
		Scenario: `
set SECURE_HSTS_SECONDS=60
visit https://shop.test/
`,
	})

	noteHSTSExtraHeader = rules.Add(rule.Rule{
		ID:       "note-hsts-extra-header",
		Source:   "RFC 6797, section 8.1",
		Sentence: "The response has several Strict-Transport-Security lines, and the browser reads the first only.",
		Fix:      "Send the header from one place: either the application or the proxy before it.",
		Scenario: `
on / send Strict-Transport-Security: max-age=60
on / send Strict-Transport-Security: max-age=31536000; includeSubDomains
visit https://shop.test/
`,
	})

	noteHSTSParentStillApplies = rules.Add(rule.Rule{
		ID:       "note-hsts-parent-still-applies",
		Source:   "RFC 6797, sections 6.1.1 and 8.2",
		Sentence: "A parent of the host is a known HSTS host with includeSubDomains, so the browser still asks the host over HTTPS only.",
		Fix:      "Send max-age=0, or a header without includeSubDomains, from the parent that is named.",
		Scenario: `
on /parent send Strict-Transport-Security: max-age=60; includeSubDomains
on /child send Strict-Transport-Security: max-age=0
visit https://shop.test/parent
visit https://www.shop.test/child
`,
	})

	noteHSTSPreloaded = rules.Add(rule.Rule{
		ID:       "note-hsts-preloaded",
		Source:   "RFC 6797, section 12.3; Chromium, as observed",
		Sentence: "The host, or a parent with includeSubDomains, is on the list that comes with the browser, from which max-age=0 does not remove it.",
		Fix:      "Ask for removal at hstspreload.org, and keep HTTPS until the browsers have it.",
		Scenario: `
preload shop.test
on / send Strict-Transport-Security: max-age=0
visit https://shop.test/
`,
	})

	noteHSTSLifetimeCapped = rules.Add(rule.Rule{
		ID:       "note-hsts-lifetime-capped",
		Source:   "Chromium, kMaxHSTSAgeSecs; RFC 6797 has no limit",
		Sentence: "max-age is more than a year, and the browser remembers the host for a year.",
		Fix:      "Nothing has to change: each visit starts the year again.",
		Scenario: `
on / send Strict-Transport-Security: max-age=63072000
visit https://shop.test/
`,
	})
)

// StoreHSTS answers whether the browser stores the host of u as a known HSTS host, because of the
// lines of the Strict-Transport-Security header of a response, and does so. There is at least one
// line, and only the first counts. certificateOK says that the connection was https and its
// certificate trusted, without anybody having clicked a warning away.
//
// The answer is yes when the host's own entry was stored or renewed. A header that is refused
// leaves an entry as it is, and so does a response without the header, for which nothing is asked;
// max-age=0 removes it.
//
// RFC 6797, section 8.1.
func (b *Browser) StoreHSTS(u *url.URL, fields []string, certificateOK bool, now time.Time, rec *rule.Recorder) rule.Verdict {
	name := hstsName(u)
	var field string
	if len(fields) > 0 {
		field = fields[0]
	}
	policy, fault := parseHSTS(field)
	v := rule.Verdict{Side: rule.Browser, Question: rule.StoreHSTS, Subject: cmp.Or(name, shown(u.Host))}
	var speaks HSTSHost
	if refused := refuseHSTS(u, name, certificateOK, fault); len(refused) > 0 {
		v.Rule, v.Also = refused[0], refused[1:]
	} else {
		b.mu.Lock()
		speaks = b.hsts.apply(name, policy, now, &v)
		b.mu.Unlock()
	}
	if len(fields) > 1 {
		v.Notes = append(v.Notes, noteHSTSExtraHeader)
	}
	if rec.Watching() {
		v.Facts = append(headerFacts(field, policy, fault), speaks.facts()...)
		rec.Record(v)
	}
	return v
}

// refuseHSTS returns the rules by which the header is ignored, in the order in which they decide.
func refuseHSTS(u *url.URL, name string, certificateOK bool, fault hstsFault) []rule.ID {
	var refused []rule.ID
	switch {
	case u.Scheme != "https":
		refused = append(refused, hstsOverHTTP)
	case !certificateOK:
		refused = append(refused, hstsTLSError)
	}
	switch {
	case name == "" || isIPAddress(name):
		refused = append(refused, hstsIP)
	case cookie.Loopback(name):
		refused = append(refused, hstsLocalhost)
	}
	if fault.problem != "" {
		refused = append(refused, hstsSyntax)
	}
	return refused
}

// hstsStore remembers the known HSTS hosts. Entries that have expired stay until their place is
// needed, so that the browser can say why it does not upgrade any more. The zero store is ready.
type hstsStore struct {
	hosts     map[string]HSTSHost
	preloaded map[string]HSTSHost
}

// PreloadHSTS gives the browser hosts to know for good, as those of the list that browsers come with. Their
// names are canonical, as [cookie.CanonicalHost] returns them.
func (b *Browser) PreloadHSTS(hosts ...HSTSHost) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hsts.preloaded == nil {
		b.hsts.preloaded = make(map[string]HSTSHost, len(hosts))
	}
	for _, h := range hosts {
		h.Preloaded, h.Expiry = true, time.Time{}
		b.hsts.preloaded[h.Host] = h
	}
}

// match returns the entry that speaks for name, and whether it is live: its own, or that of the
// nearest parent with includeSubDomains, and otherwise a preloaded one. When all that do have expired it
// is the nearest of them.
func (s *hstsStore) match(name string, now time.Time) (found HSTSHost, live bool) {
	for host := name; host != ""; host = parent(host) {
		entry, ok := s.hosts[host]
		switch {
		case !ok || host != name && !entry.IncludeSubDomains:
		case now.Before(entry.Expiry):
			return entry, true
		case found.Host == "":
			found = entry
		}
	}
	for host := name; host != ""; host = parent(host) {
		if entry, ok := s.preloaded[host]; ok && (host == name || entry.IncludeSubDomains) {
			return entry, true
		}
	}
	return found, false
}

// apply changes the entry of name as policy says, and completes the answer in v. It returns the
// live entry that speaks for name afterwards, or the zero one.
func (s *hstsStore) apply(name string, policy HSTSPolicy, now time.Time, v *rule.Verdict) HSTSHost {
	if policy.MaxAge == 0 {
		delete(s.hosts, name)
		v.Rule = hstsRemoved
		above, live := s.match(name, now)
		if !live {
			return HSTSHost{}
		}
		if above.Preloaded {
			v.Notes = append(v.Notes, noteHSTSPreloaded)
		} else {
			v.Notes = append(v.Notes, noteHSTSParentStillApplies)
		}
		return above
	}
	entry := HSTSHost{
		Host:              strings.Clone(name), // the URL it may be part of need not be kept
		IncludeSubDomains: policy.IncludeSubDomains,
		Expiry:            now.Add(min(policy.MaxAge, MaxHSTSLifetime)),
	}
	s.put(entry, now)
	v.Rule, v.Yes = hstsStored, true
	if policy.MaxAge > MaxHSTSLifetime {
		v.Notes = append(v.Notes, noteHSTSLifetimeCapped)
	}
	return entry
}

func (s *hstsStore) put(entry HSTSHost, now time.Time) {
	if s.hosts == nil {
		s.hosts = make(map[string]HSTSHost)
	}
	if _, renewed := s.hosts[entry.Host]; !renewed && len(s.hosts) >= MaxHSTSHosts {
		s.makeRoom(now)
	}
	s.hosts[entry.Host] = entry
}

// makeRoom forgets the hosts that have expired, or else the one that expires first.
func (s *hstsStore) makeRoom(now time.Time) {
	var first HSTSHost
	for _, entry := range s.hosts {
		if first.Host == "" || entry.before(first) {
			first = entry
		}
		if !now.Before(entry.Expiry) {
			delete(s.hosts, entry.Host)
		}
	}
	delete(s.hosts, first.Host)
}

func (h HSTSHost) before(other HSTSHost) bool {
	return cmp.Or(h.Expiry.Compare(other.Expiry), cmp.Compare(h.Host, other.Host)) < 0
}

// KnownHSTSHosts returns the hosts that are known at now, ordered by name, without those preloaded.
func (b *Browser) KnownHSTSHosts(now time.Time) []HSTSHost {
	b.mu.Lock()
	defer b.mu.Unlock()
	var known []HSTSHost
	for _, entry := range b.hsts.hosts {
		if now.Before(entry.Expiry) {
			known = append(known, entry)
		}
	}
	slices.SortFunc(known, func(a, b HSTSHost) int { return cmp.Compare(a.Host, b.Host) })
	return known
}

// facts tells about an entry, and nothing about the zero one.
func (h HSTSHost) facts() []rule.Fact {
	if h.Host == "" {
		return nil
	}
	expiry := h.Expiry.UTC().Format(time.RFC3339)
	if h.Preloaded {
		expiry = "never: it is preloaded"
	}
	return []rule.Fact{
		{Name: "known HSTS host", Value: h.Host},
		{Name: "includeSubDomains", Value: strconv.FormatBool(h.IncludeSubDomains)},
		{Name: "expiry-time", Value: expiry},
	}
}

// hstsName returns the host of u as the store has it, or "" when it is none that could be asked.
// A dot at the end names the same host here, other than in cookies: RFC 6797 compares labels.
func hstsName(u *url.URL) string {
	name, err := cookie.CanonicalHost(u.Hostname())
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(name, ".")
}

// parent returns name without its first label, and "" for a single label.
func parent(name string) string {
	_, rest, _ := strings.Cut(name, ".")
	return rest
}

// isIPAddress reports whether a browser takes name for an address: one that can be read as such,
// or one that ends in a number, such as 127.1 and 0x7f.1.
//
// URL standard, "ends in a number checker".
func isIPAddress(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}
