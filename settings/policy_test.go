package settings_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/settings"
)

// A policyTest is a policy in one of the ways in which it can be written.
type policyTest struct {
	name    string
	sources []settings.Source
	want    string // the policy, as the header has it
	literal string // as Format writes it, "" when that is not looked at
	err     string
}

func TestPolicies(t *testing.T) {
	const short = "default-src 'self'; upgrade-insecure-requests; img-src 'self' https:"
	const literal = `{'default-src': ["'self'"], 'upgrade-insecure-requests': True, 'img-src': ["'self'", 'https:']}`
	for _, test := range []policyTest{
		{name: "a dictionary", sources: set("SECURE_CSP=" + literal), want: short, literal: literal},
		{name: "a dictionary over lines", sources: set("SECURE_CSP={\n  'default-src':\n\t[\"'self'\"] , }"), want: "default-src 'self'"},
		{name: "a tuple, a string, False, None and nothing", sources: set(`SECURE_CSP={'a-src': ("'self'", 'b'), 'b-src': 'x  y', 'c-src': False, 'd-src': None, 'e-src': []}`), want: "a-src 'self' b; b-src x y"},
		{name: "a set, which Django sorts", sources: set(`SECURE_CSP={'a-src': {'c', 'b', "'self'", 'b'}}`), want: "a-src 'self' b c"},
		{name: "what diffsettings prints", sources: set(`SECURE_CSP={'script-src': [<CSP.SELF: "'self'">, <CSP.NONCE: '<CSP_NONCE_SENTINEL>'>]}`), want: "script-src 'self' <CSP_NONCE_SENTINEL>"},
		{name: "a file of diffsettings", sources: []settings.Source{settings.Diffsettings("s.txt", []byte(`SECURE_CSP = {'script-src': {<CSP.SELF: "'self'">, 'https:', <CSP.NONCE: '<CSP_NONCE_SENTINEL>'>}}`))}, want: "script-src 'self' <CSP_NONCE_SENTINEL> https:"},
		{name: "a name again", sources: set(`SECURE_CSP={'a-src': ['x'], 'b-src': ['y'], 'a-src': ['z']}`), want: "a-src x; b-src y; a-src z"},
		{name: "a header", sources: set("SECURE_CSP=" + short + ";"), want: short, literal: literal},
		{name: "a header with a directive twice, which New refuses", sources: set("SECURE_CSP=a x; a y"), want: "a x; a y", literal: "'a x; a y'"},
		{name: "None", sources: set("SECURE_CSP=None"), literal: "{}"},
		{name: "empty", sources: set("SECURE_CSP={}"), literal: "{}"},
		{name: "the environment", sources: environment("LOCKSTEP_SECURE_CSP=" + short), want: short},
		{name: "the environment, a dictionary", sources: environment("LOCKSTEP_SECURE_CSP=" + literal), want: short},
		{name: "the environment, empty", sources: environment("LOCKSTEP_SECURE_CSP="), literal: "{}"},
		{name: "TOML, in its order", sources: toml("[SECURE_CSP]", `z-src = ["'self'"]`, "upgrade-insecure-requests = true", `a-src = ["x", "y"]`, "m-src = false"), want: "z-src 'self'; upgrade-insecure-requests; a-src x y"},
		{name: "TOML, in one line", sources: toml(`SECURE_CSP = { z-src = ["x"], "a-src" = "y" }`), want: "z-src x; a-src y"},
		{name: "TOML, a header", sources: toml(`SECURE_CSP = "` + short + `"`), want: short},
		{name: "TOML, off", sources: toml(`SECURE_CSP = false`), literal: "{}"},

		{name: "a number", sources: set("SECURE_CSP={'a-src': [1]}"), err: "is a dictionary with other things than lists of strings; write a dictionary of directives"},
		{name: "no string as a key", sources: set("SECURE_CSP={1: ['x']}"), err: "is a dictionary with other things"},
		{name: "a set and a dictionary", sources: set("SECURE_CSP={'a': 'b', 'c'}"), err: "not a dictionary as Python writes it"},
		{name: "no comma", sources: set("SECURE_CSP={'a': 'b' 'c': 'd'}"), err: "not a dictionary as Python writes it"},
		{name: "no end", sources: set("SECURE_CSP={'a': 'b'"), err: "not a dictionary as Python writes it"},
		{name: "no member", sources: set("SECURE_CSP={'a': [<CSP.SELF>]}"), err: "is a dictionary with other things"},
		{name: "a member of something else", sources: set("SECURE_CSP={'a': [<Other.SELF: 'x'>]}"), err: "is a dictionary with other things"},
		{name: "a member without an end", sources: set("SECURE_CSP={'a': [<CSP.SELF: 'x']}"), err: "not a dictionary as Python writes it"},
		{name: "a list", sources: toml(`SECURE_CSP = ["x"]`), err: "is a list of 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, _, err := settings.Load(lockstep.DjangoDefaults("6.1"), test.sources...)
			if (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("error %v, want %q", err, test.err)
			}
			if got.SecureCSP.String() != test.want {
				t.Errorf("policy %q, want %q", got.SecureCSP, test.want)
			}
			written, _ := settings.Format(got, "SECURE_CSP")
			if test.literal != "" && written != test.literal {
				t.Errorf("written %s, want %s", written, test.literal)
			}
			again, _, err := settings.Load(lockstep.DjangoDefaults("6.1"), set("SECURE_CSP="+written)...)
			if err != nil || again.SecureCSP.String() != test.want {
				t.Errorf("read back %q, %v", again.SecureCSP, err)
			}
			var file bytes.Buffer
			_ = settings.WriteTOML(&file, got, settings.TOMLOptions{})
			if again, _, err = settings.Load(lockstep.DjangoDefaults("6.1"), settings.TOML("b.toml", file.Bytes())); err != nil || again.SecureCSP.String() != test.want {
				t.Errorf("read back from TOML %q, %v", again.SecureCSP, err)
			}
			stored, _ := json.Marshal(got)
			var restored lockstep.Settings
			if err := json.Unmarshal(stored, &restored); err != nil || !reflect.DeepEqual(restored.SecureCSP, got.SecureCSP) {
				t.Errorf("restored %q from JSON, %v", restored.SecureCSP, err)
			}
		})
	}
}

// Whatever is read as a policy is written so that it is read as the same.
func FuzzPolicy(f *testing.F) {
	f.Add(`{'default-src': ["'self'"], 'upgrade-insecure-requests': True}`)
	f.Add(`{'script-src': {<CSP.SELF: "'self'">, 'b'}, 'a': None}`)
	f.Add("default-src 'self'; img-src *")
	f.Fuzz(func(t *testing.T, text string) {
		got, _, err := settings.Load(lockstep.Settings{}, settings.Assignments([]string{"SECURE_CSP=" + text}, "fuzz"))
		if err != nil {
			return
		}
		written, _ := settings.Format(got, "SECURE_CSP")
		again, _, err := settings.Load(lockstep.Settings{}, settings.Assignments([]string{"SECURE_CSP=" + written}, "fuzz"))
		if text, _ := settings.Format(again, "SECURE_CSP"); err != nil || text != written {
			t.Errorf("%q became %q, written %s: %v", got.SecureCSP, again.SecureCSP, written, err)
		}
	})
}
