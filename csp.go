package lockstep

import (
	"crypto/rand"
	"encoding/base64"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/lockstep-http/lockstep/rule"
)

var (
	headerCSPNonce = rules.Add(rule.Rule{
		ID:       "header-csp-nonce",
		Source:   "Django setting SECURE_CSP, CSP.NONCE (6.0); Content Security Policy Level 3, section 7.1",
		Sentence: "The application asked for the nonce of this response, so the policy that allows it is sent.",
		Fix:      "If no nonce was wanted, look for who calls CSPNonce; a page with a nonce must not be cached for others.",
		Scenario: `
set SECURE_CSP={'script-src': ["'self'", '<CSP_NONCE_SENTINEL>']}
on /a app nonce
visit https://shop.test/a
`,
	})
	noteCSPNonceUnused = rules.Add(rule.Rule{
		ID:       "note-csp-nonce-unused",
		Source:   "Django setting SECURE_CSP, CSP.NONCE (6.0)",
		Sentence: "The policy has a place for a nonce and nobody asked for one, so the place is left out.",
		Fix:      "Nothing needs to change, unless inline scripts are refused: give them the nonce of CSPNonce.",
		Scenario: `
set SECURE_CSP={'script-src': ["'self'", '<CSP_NONCE_SENTINEL>']}
visit https://shop.test/
`,
	})
	noteCSPNonceLate = rules.Add(rule.Rule{
		ID:       "note-csp-nonce-late",
		Source:   "Lockstep, CSPNonce",
		Sentence: "The nonce was asked for after the first byte of the response had been sent, so the policy that went out does not allow it and browsers refuse what has it.",
		Fix:      "Call CSPNonce before anything is written: take the nonce into the data of the template, not into a function that the template calls.",
		Scenario: `
set SECURE_CSP={'script-src': ['<CSP_NONCE_SENTINEL>']}
on /a app late-nonce
visit https://shop.test/a
`,
	})
)

// A CSP is a Content Security Policy, as Django's SECURE_CSP has it: directives in the order in which
// they are sent, each a name and then its sources. A name alone is a directive that has none, which
// is True in Django:
//
//	lockstep.CSP{
//		{"default-src", "'self'"},
//		{"script-src", "'self'", lockstep.CSPNonceSource},
//		{"upgrade-insecure-requests"},
//	}
type CSP [][]string

// CSPNonceSource is Django's CSP.NONCE: a source that stands for the nonce of the response. It is left
// out of a response whose handler did not ask for [CSPNonce].
const CSPNonceSource = "<CSP_NONCE_SENTINEL>"

// String returns the policy as the header has it, with [CSPNonceSource] in it.
func (p CSP) String() string { return p.policy(true) }

// policy is Django's build_policy: a directive of which no source is left is left out. With nonce,
// CSPNonceSource stays to be replaced.
func (p CSP) policy(nonce bool) string {
	var directives []string
	for _, d := range p {
		kept := d
		if !nonce {
			kept = slices.DeleteFunc(slices.Clone(d), func(source string) bool { return source == CSPNonceSource })
		}
		if len(kept) > 1 || len(d) == 1 {
			directives = append(directives, strings.Join(kept, " "))
		}
	}
	return strings.Join(directives, "; ")
}

func (p CSP) clone() CSP {
	p = slices.Clone(p)
	for i := range p {
		p[i] = slices.Clone(p[i])
	}
	return p
}

// header is the header that sends p.
func (p CSP) header(name, setting string) header {
	hd := header{name: name, setting: setting, value: line(p.policy(false)), by: inPolicies}
	if text := p.policy(true); strings.Contains(text, CSPNonceSource) {
		hd.nonced = text
	}
	return hd
}

// line is what is sent by that rule.
func (hd *header) line(by rule.ID, nonce string) []string {
	if by != headerCSPNonce {
		return hd.value
	}
	return []string{strings.ReplaceAll(hd.nonced, CSPNonceSource, "'nonce-"+nonce+"'")}
}

// notes tells of a nonce that was not asked for.
func (hd *header) notes(nonce string) []rule.ID {
	if hd.nonced == "" || nonce != "" {
		return nil
	}
	return []rule.ID{noteCSPNonceUnused}
}

// CSPNonce is Django's csp_nonce: 22 characters that no page had before, for the attribute nonce of a
// script or style. It is the same at every call for one request. By the first call the response is
// sent with policies that allow it where they have [CSPNonceSource]; so it has to be called before
// the first byte of the response. A handler that sets the header itself writes 'nonce-' and the nonce
// into it.
//
// It panics when r did not come through a [Guard], as no policy would allow the nonce.
func CSPNonce(r *http.Request) string {
	x := exchangeOf(r)
	if x == nil {
		panic("lockstep: CSPNonce: the request did not come through a Guard")
	}
	x.nonce.mu.Lock()
	defer x.nonce.mu.Unlock()
	if x.nonce.value == "" {
		x.nonce.value = x.guard.newNonce()
		if x.begun.Load() {
			x.lateNonce()
		}
	}
	return x.nonce.value
}

// A nonceState is the nonce of one response, drawn when it is first asked for.
type nonceState struct {
	mu    sync.Mutex
	value string // "" until then
}

// used returns the nonce, or "" when nobody has asked for it.
func (n *nonceState) used() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.value
}

// nonceBytes is how many random bytes are in a nonce, as in Django's secrets.token_urlsafe(16).
const nonceBytes = 16

// newNonce draws one. A source of randomness that fails is replaced by the system's.
func (g *Guard) newNonce() string {
	var drawn [nonceBytes]byte
	if _, err := io.ReadFull(g.rand, drawn[:]); err != nil {
		_, _ = rand.Read(drawn[:]) // never fails
	}
	return base64.RawURLEncoding.EncodeToString(drawn[:])
}

// lateNonce says that a nonce was asked for when its policy had been sent without it.
func (x *exchange) lateNonce() {
	for _, hd := range x.guard.headers {
		if hd.nonced == "" {
			continue
		}
		x.guard.logNonceLate(x.in.Context(), hd.name, noteCSPNonceLate)
		if x.rec.Watching() {
			x.rec.Record(rule.Verdict{
				Side: rule.Site, Question: rule.SendHeader, Subject: hd.name, Rule: noteCSPNonceLate,
				Facts: []rule.Fact{{Name: "setting", Value: hd.setting}, {Name: "request.path", Value: cut(x.in.URL.Path)}},
			})
		}
	}
}

// What a policy is made of (Content Security Policy Level 3, section 2.2): a comma would begin another
// policy, a semicolon another directive.
var (
	directiveForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*$`)
	sourceForm    = regexp.MustCompile(`^[!-+\--:<-~]+$`)
)

// cspKeywords are those that browsers know in single quotes only.
var cspKeywords = []string{
	"none", "report-sample", "self", "strict-dynamic", "unsafe-eval", "unsafe-hashes", "unsafe-inline", "wasm-unsafe-eval",
}

func (c *checked) checkCSP(m *mistakes, setting string, p CSP) {
	if len(p) > 0 {
		c.since(m, 6, 0, setting)
	}
	seen := map[string]bool{}
	for _, d := range p {
		if len(d) == 0 || !directiveForm.MatchString(d[0]) {
			m.add(setting, strconv.Quote(strings.Join(d, " ")), "does not begin with the name of a directive", `write it as "default-src" and then its sources`)
			continue
		}
		name := strings.ToLower(d[0])
		if seen[name] {
			m.add(setting, strconv.Quote(d[0]), "is there twice, and browsers take the first", "put all sources into one")
		}
		seen[name] = true
		for _, source := range d[1:] {
			if problem, hint := sourceProblem(source); problem != "" {
				m.add(setting, strconv.Quote(source), problem, hint)
			}
		}
	}
}

// sourceProblem says why no browser takes source for what was meant, or "".
func sourceProblem(source string) (problem, hint string) {
	if !sourceForm.MatchString(source) {
		return "is not one source of a directive", "write every source by itself, without spaces, commas and semicolons"
	}
	if strings.HasPrefix(strings.ToLower(source), "'nonce-") {
		return "is the same in every response, so that whoever injects a script knows it", hintTo(CSPNonceSource) + ", which stands for a new one"
	}
	if bare := strings.ToLower(source); slices.Contains(cspKeywords, bare) {
		return "is a host to browsers, as keywords have single quotes around them", hintTo("'" + bare + "'")
	}
	return "", ""
}
