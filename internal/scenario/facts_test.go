package scenario_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/rule"
)

// A behaviour is one thing that browsers do about cookies or HSTS, and the rules that say it. Each rule is
// run by TestRules; what no rule says of itself is shown by a scenario.
type behaviour struct {
	what     string
	rules    string
	scenario string // its expectations hold in each of the profiles; "" when the scenarios of the rules say it
	profiles string // of which the scenario holds; "" is all but curl
}

// behaviours are the list of what the model has: storing, sending, HSTS.
var behaviours = map[string]behaviour{
	"S1": {what: "a control character refuses the line", rules: "store-control-char store-tab"},
	"S2": {what: "a line is cut at semicolons and at the first equals sign", rules: "note-nameless note-comma-in-value note-truncated-at-semicolon"},
	"S3": {what: "name and value above 4096 octets", rules: "store-too-big"},
	"S4": {what: "neither name nor value", rules: "store-empty store-nameless store-ambiguous"},
	"S5": {what: "an attribute above 1024 octets", rules: "note-attr-too-long"},
	"S6": {what: "an unknown attribute, and a value where none belongs", rules: "note-attr-unknown note-secure-with-value"},
	"S7": {what: "Max-Age", rules: "note-max-age-invalid note-lifetime-capped"},
	"S8": {what: "Expires, and Max-Age before it", rules: "note-expires-unparsable note-max-age-wins"},
	"S9": {what: "a dot at the start of Domain, and the last Domain", rules: "note-leading-dot", scenario: `
on /a send Set-Cookie: a=1; Domain=other.test; Domain=.SHOP.test
visit https://shop.test/a
expect store-ok a
expect note-leading-dot a
visit https://www.shop.test/b
expect send-ok a
`},
	"S10": {what: "a Domain outside ASCII", rules: "store-domain-non-ascii"},
	"S11": {what: "a Domain that is a public suffix", rules: "store-public-suffix note-public-suffix-host"},
	"S12": {what: "a Domain that the host is not under", rules: "store-domain-mismatch"},
	"S13": {what: "no Domain", rules: "note-host-only"},
	"S14": {what: "Path, and the folder of the page without it", rules: "note-default-path note-path-invalid"},
	"S15": {what: "Secure over http, and this machine", rules: "store-secure-over-http note-loopback-secure"},
	"S16": {what: "HttpOnly from a script", rules: "store-httponly-from-script"},
	"S17": {what: "http leaves Secure cookies alone", rules: "store-would-overlay-secure"},
	"S18": {what: "the last SameSite that is one", rules: "note-samesite-unknown"},
	"S19": {what: "SameSite in what another site embeds, and not in where it leads", rules: "store-samesite-cross-site", scenario: `
set INSECURE_CSRF_EXEMPT=['/']
on /a send Set-Cookie: a=1; Secure; SameSite=Strict
from https://news.test/
post https://shop.test/a x=1
expect store-ok a
`},
	"S20": {what: "SameSite=None without Secure", rules: "store-none-not-secure"},
	"S21": {what: "__Secure-", rules: "store-prefix-secure"},
	"S22": {what: "__Host-", rules: "store-prefix-host"},
	"S23": {what: "__Http- and __Host-Http-", rules: "store-prefix-http store-nameless-http-prefix"},
	"S24": {what: "a nameless cookie that looks like a prefix", rules: "store-nameless-prefix"},
	"S25": {what: "Partitioned without Secure", rules: "store-partitioned-not-secure"},
	"S26": {what: "third parties, storing", rules: "store-third-party-blocked"},
	"S27": {what: "replacing and deleting", rules: "store-replaced store-deleted store-delete-missed store-overwrites-httponly"},
	"S28": {what: "limits", rules: "note-evicted"},
	"S29": {what: "any status sets cookies", rules: "store-ok", scenario: `
foreign
on /a app plain
on /a status 500
on /a send Set-Cookie: a=1
on /b app plain
on /b status 204
on /b send Set-Cookie: b=1
on /c app plain
on /c status 302
on /c send Location: /a
on /c send Set-Cookie: c=1
visit https://shop.test/a
expect store-ok a
visit https://shop.test/b
expect store-ok b
visit https://shop.test/c
expect store-ok c
`, profiles: "rfc6265bis chromium firefox curl"},

	"R1": {what: "the credentials mode", rules: "send-credentials-mode store-credentials-mode"},
	"R2": {what: "expired", rules: "send-expired"},
	"R3": {what: "host and Domain", rules: "send-host-only send-domain-mismatch"},
	"R4": {what: "Path", rules: "send-path"},
	"R5": {what: "Secure", rules: "send-secure-over-http"},
	"R6": {what: "HttpOnly and scripts", rules: "read-httponly"},
	"R7": {what: "SameSite", rules: "send-samesite-strict send-samesite-lax send-samesite-default-lax"},
	"R8": {what: "the two minutes", rules: "note-lax-allow-unsafe"},
	"R9": {what: "every frame around counts, and so does the scheme", rules: "send-samesite-strict", scenario: `
on /a send Set-Cookie: a=1; Secure; SameSite=Strict
visit https://shop.test/a
from https://shop.test/
top https://news.test/
load image https://shop.test/a
expect send-samesite-strict a
`},
	"R10": {what: "a redirect is judged by where it leads, and by its method", rules: "send-samesite-lax", scenario: `
set INSECURE_CSRF_EXEMPT=['/']
on /a app plain
on /a send Set-Cookie: a=1; Secure; SameSite=Lax
on /see app plain
on /see status 303
on /see send Location: https://shop.test/read
on /keep app plain
on /keep status 307
on /keep send Location: https://shop.test/write
visit https://shop.test/a
from https://news.test/
post https://idp.test/see x=1
expect send-ok a
from https://news.test/
post https://idp.test/keep x=1
expect send-samesite-lax a
`},
	"R11": {what: "partitions", rules: "send-other-partition"},
	"R12": {what: "third parties, sending", rules: "send-third-party-blocked"},
	"R13": {what: "order, and one name twice", rules: "note-same-name-twice"},
	"R14": {what: "what is written, a nameless one too", rules: "send-ok"},

	"H1": {what: "over http", rules: "hsts-over-http"},
	"H2": {what: "a certificate that is not valid, and a host that is known", rules: "hsts-tls-error connect-certificate note-certificate-ignored"},
	"H3": {what: "addresses and localhost", rules: "hsts-ip hsts-localhost"},
	"H4": {what: "several lines", rules: "note-hsts-extra-header"},
	"H5": {what: "the grammar", rules: "hsts-syntax"},
	"H6": {what: "max-age=0", rules: "hsts-removed note-hsts-parent-still-applies"},
	"H7": {what: "stored, and for how long", rules: "hsts-stored note-hsts-lifetime-capped"},
	"H8": {what: "who is known", rules: "upgrade-hsts upgrade-no-entry upgrade-expired"},
	"H9": {what: "how a URL is upgraded", rules: "upgrade-hsts upgrade-already-https", scenario: `
foreign
on / app plain
on / send Strict-Transport-Security: max-age=60
visit https://shop.test/
visit http://shop.test:8001/
expect upgrade-hsts shop.test
`, profiles: "rfc6265bis chromium firefox curl"},
	"H10": {what: "the method stays, and what a page needs is upgraded too", rules: "upgrade-hsts", scenario: `
foreign
on / app plain
on / send Strict-Transport-Security: max-age=60
visit https://shop.test/
from https://shop.test/
post http://shop.test/ x=1
expect upgrade-hsts shop.test
from https://news.test/
load image http://shop.test/
expect upgrade-hsts shop.test
`},
	"H11": {what: "an answer without the header leaves what is known", rules: "upgrade-hsts", scenario: `
foreign
on / app plain
on /a app plain
on /a send Strict-Transport-Security: max-age=60
visit https://shop.test/a
visit https://shop.test/
visit http://shop.test/
expect upgrade-hsts shop.test
`, profiles: "rfc6265bis chromium firefox curl"},
	"H12": {what: "the list that comes with the browser", rules: "upgrade-preloaded note-hsts-preloaded"},
}

// TestBehaviours holds that each behaviour has its rules and its scenario, and each rule about cookies and
// HSTS a behaviour.
func TestBehaviours(t *testing.T) {
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	used := map[rule.ID]bool{}
	for row, b := range behaviours {
		for id := range strings.FieldsSeq(b.rules) {
			used[rule.ID(id)] = true
		}
		t.Run(row, func(t *testing.T) {
			for id := range strings.FieldsSeq(b.rules) {
				if _, ok := catalogue.Lookup(rule.ID(id)); !ok {
					t.Errorf("%s: no rule %s", b.what, id)
				}
			}
			for _, p := range browser.Profiles() {
				if b.scenario != "" && b.holdsIn(p) {
					b.run(t, p)
				}
			}
		})
	}
	for _, r := range slices.Concat(browser.Rules(), cookie.Rules()) {
		word, _, _ := strings.Cut(string(r.ID), "-")
		about := slices.Contains([]string{"store", "send", "read", "hsts", "upgrade"}, word)
		if about && !used[r.ID] {
			t.Errorf("rule %s is about none of the behaviours", r.ID)
		}
	}
	if len(behaviours) != 29+14+12 {
		t.Errorf("there are %d behaviours", len(behaviours))
	}
}

func (b behaviour) holdsIn(p browser.Profile) bool {
	if b.profiles == "" {
		return p != browser.Curl()
	}
	return slices.Contains(strings.Fields(b.profiles), p.Name())
}

func (b behaviour) run(t *testing.T, p browser.Profile) {
	t.Helper()
	s, err := scenario.Parse(b.scenario)
	if err != nil {
		t.Fatal(err)
	}
	result, err := s.Do(t.Context(), scenario.Options{Profile: p})
	if err != nil {
		t.Fatalf("%s, %s: %v", b.what, p, err)
	}
	for _, e := range result.Missed {
		t.Errorf("%s, %s: line %d, %s does not hold", b.what, p, e.Line, e)
	}
}
