package cookie_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

func TestProblems(t *testing.T) {
	full := "a=" + strings.Repeat("x", cookie.MaxPair-1)
	for _, test := range []struct {
		sentence string
		host     string
		line     string
		want     string // rules, separated by spaces
	}{
		{"a plain cookie", "shop.test", "a=1", ""},
		{"a tab is no control character", "shop.test", "a=1\t2", ""},
		{"a control character in the value", "shop.test", "a=1\x01", "store-control-char"},
		{"one in an unknown attribute", "shop.test", "a=1; x\x7f", "store-control-char"},
		{"4096 octets", "shop.test", full, ""},
		{"4097 octets", "shop.test", full + "x", "store-too-big"},
		{"neither name nor value", "shop.test", "=; Secure", "store-empty"},
		{"an empty line", "shop.test", "", "store-empty"},
		{"a nameless cookie", "shop.test", "token", ""},
		{"the host itself", "shop.test", "a=1; Domain=shop.test", ""},
		{"a parent", "www.shop.test", "a=1; Domain=.SHOP.test", ""},
		{"outside ASCII", "xn--lve-6lad.test", "a=1; Domain=\u00e9l\u00e8ve.test", "store-domain-non-ascii"},
		{"a public suffix", "shop.co.uk", "a=1; Domain=co.uk", "store-public-suffix"},
		{"a private public suffix", "me.github.io", "a=1; Domain=github.io", "store-public-suffix"},
		{"a public suffix that is the host", "github.io", "a=1; Domain=github.io", ""},
		{"a public suffix of somebody else", "shop.test", "a=1; Domain=com", "store-public-suffix store-domain-mismatch"},
		{"a single label is a public suffix", "www.google.izzle", "a=1; Domain=izzle", "store-public-suffix"},
		{"a public suffix with a dot at the end", "shop.test.", "a=1; Domain=test.", "store-public-suffix"},
		{"an address", "127.0.0.1", "a=1; Domain=127.0.0.1", ""},
		{"part of an address", "127.0.0.1", "a=1; Domain=0.0.1", "store-domain-mismatch"},
		{"an IPv6 address", "::1", "a=1; Domain=[::1]", ""},
		{"a sibling", "www.shop.test", "a=1; Domain=api.shop.test", "store-domain-mismatch sibling"},
		{"deeper than the host", "shop.test", "a=1; Domain=www.shop.test", "store-domain-mismatch deeper-than-host"},
		{"another site", "shop.test", "a=1; Domain=other.test", "store-domain-mismatch other-site"},
		{"a name that ends like the host", "shop.test", "a=1; Domain=op.test", "store-domain-mismatch other-site"},
		{"a port", "shop.test", "a=1; Domain=shop.test:8000", "store-domain-mismatch has-port"},
		{"a port on a single label", "localhost", "a=1; Domain=localhost:8000", "store-domain-mismatch has-port"},
		{"a scheme", "shop.test", "a=1; Domain=https://shop.test", "store-domain-mismatch has-scheme"},
		{"a dot at the end", "shop.test", "a=1; Domain=shop.test.", "store-domain-mismatch trailing-dot"},
		{"a host with a dot at the end", "shop.test.", "a=1; Domain=shop.test", "store-domain-mismatch trailing-dot"},
		{"two leading dots", "shop.test", "a=1; Domain=..shop.test", "store-domain-mismatch"},
		{"a dot alone", "shop.test", "a=1; Domain=.", "store-domain-mismatch trailing-dot"},
		{"a dot alone at a host that ends in one", "shop.test.", "a=1; Domain=.", "store-domain-mismatch"},
		{"no host: Domain is not compared", "", "a=1; Domain=com", ""},
		{"SameSite=None needs Secure", "shop.test", "a=1; SameSite=None", "store-none-not-secure"},
		{"and has it", "shop.test", "a=1; SameSite=None; Secure", ""},
		{"__Secure- needs Secure", "shop.test", "__sEcure-a=1", "store-prefix-secure"},
		{"and has it", "shop.test", "__Secure-a=1; Secure; Domain=shop.test", ""},
		{"__Host- needs three things", "shop.test", "__Host-a=1", "store-prefix-host Secure, Path=/"},
		{"and no Domain", "shop.test", "__host-a=1; Secure; Path=/; Domain=shop.test", "store-prefix-host no Domain"},
		{"an empty Domain is none", "shop.test", "__Host-a=1; Secure; Path=/; Domain=", ""},
		{"a Path that is not valid is none", "shop.test", "__Host-a=1; Secure; Path=x", "store-prefix-host Path=/"},
		{"no host: Domain counts", "", "__Host-a=1; Secure; Path=/; Domain=github.io", "store-prefix-host no Domain"},
		{"a nameless look-alike", "shop.test", "=__Host-a=1; Secure; Path=/", "store-nameless-prefix"},
		{"and without an equals sign", "shop.test", "__secure-", "store-nameless-prefix"},
		{
			"all in the draft's order", "shop.test", "__Host-a=1; SameSite=None; Domain=com; x=\x01",
			"store-control-char store-public-suffix store-domain-mismatch other-site store-none-not-secure store-prefix-host Secure, Path=/, no Domain",
		},
	} {
		l := cookie.Parse(test.line)
		var words []string
		for _, p := range l.Problems(test.host) {
			words = append(words, string(p))
			for _, f := range l.Explain(p, test.host) {
				if f.Name == "kind" || f.Name == "lacks" {
					words = append(words, f.Value)
				}
			}
		}
		got := strings.Join(words, " ")
		// A kind in the table is optional, so that cases about something else need not tell it.
		if got != test.want && !(strings.HasSuffix(test.want, "mismatch") && strings.HasPrefix(got, test.want)) {
			t.Errorf("%s: %q at %q\n got %q\nwant %q", test.sentence, test.line, test.host, got, test.want)
		}
	}
}

func TestExplain(t *testing.T) {
	for _, test := range []struct {
		line    string
		problem rule.ID
		want    rule.Fact
	}{
		{"a=1\x01", "store-control-char", rule.Fact{Name: "octet", Value: "4"}},
		{"a=" + strings.Repeat("x", 5000), "store-too-big", rule.Fact{Name: "octets of name and value", Value: "5001"}},
	} {
		got := cookie.Parse(test.line).Explain(test.problem, "shop.test")
		if !slices.Equal(got, []rule.Fact{test.want}) {
			t.Errorf("%s: got %v, want %v", test.problem, got, test.want)
		}
	}
	if got := cookie.Parse("a").Explain("store-empty", ""); got != nil {
		t.Errorf("store-empty: got %v, want nothing", got)
	}
}

func TestStepsAreInOrder(t *testing.T) {
	l := cookie.Parse("__Host-a=1; SameSite=None; Domain=com; x=\x01")
	steps := []int{}
	for _, p := range l.Problems("shop.test") {
		steps = append(steps, cookie.Step(p))
	}
	if !slices.IsSorted(steps) {
		t.Errorf("steps %v are not in order", steps)
	}
	if got := cookie.Step("send-ok"); got != 0 {
		t.Errorf("a rule that is no problem has step %d, want 0", got)
	}
}

func TestRules(t *testing.T) {
	for _, r := range cookie.Rules() {
		if r.Source == "" || r.Scenario == "" || !strings.HasSuffix(r.Sentence, ".") || !strings.HasSuffix(r.Fix, ".") {
			t.Errorf("%s is not complete: %+v", r.ID, r)
		}
	}
}
