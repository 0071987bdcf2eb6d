package settings_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/settings"
)

// What is read of literals shows where strings are asked for: a list of them for the strings,
// and a number for the rest.
type literalTest struct {
	literal string
	want    []string // the strings of a list
	err     string
}

var literalTests = []literalTest{
	{`[]`, []string{}, ""},
	{`()`, []string{}, ""},
	{`['a']`, []string{"a"}, ""},
	{`[ 'a' , "b" , ]`, []string{"a", "b"}, ""},
	{"(\n'a',\n)", []string{"a"}, ""},
	{`[('a'), (('b'))]`, []string{"a", "b"}, ""},
	{`['it\'s', "it's", '"', "\""]`, []string{"it's", "it's", `"`, `"`}, ""},
	{`['\\ \n \t \r \a \b \f \v']`, []string{"\\ \n \t \r \a \b \f \v"}, ""},
	{`['\x41\xe9\u20ac\U0001F600']`, []string{"Aé€😀"}, ""},
	{`['\0\101\1012\7']`, []string{"\x00AA2\x07"}, ""},
	{`['\777']`, []string{"\u01ff"}, ""},
	{`['^\d+\.\w$']`, []string{`^\d+\.\w$`}, ""},
	{`[r'^\d\'\\', R"\n"]`, []string{`^\d\'\\`, `\n`}, ""},
	{`['é 😀']`, []string{"é 😀"}, ""},
	{`[r'\']`, nil, "the quote that ends the string is missing, at character 7"},
	{`['a' 'b']`, nil, "a comma is missing between two strings, at character 6"},
	{`['''a''']`, nil, "a comma is missing between two strings, at character 4"},
	{`['a'`, nil, "a comma or ']' is missing, at character 5"},
	{`['a',`, nil, "a value is missing, at character 6"},
	{`[,]`, nil, "expected True, False, None, a number, a string in quotes, a list or a tuple, at character 2"},
	{`['a',,'b']`, nil, "expected True, False, None, a number, a string in quotes, a list or a tuple, at character 6"},
	{`(,)`, nil, "expected True, False, None, a number, a string in quotes, a list or a tuple, at character 2"},
	{`['a')`, nil, "a comma or ']' is missing, at character 5"},
	{`['a'] x`, nil, "something follows the value, at character 7"},
	{`['é', 'a]`, nil, "the quote that ends the string is missing, at character 10"},
	{"['a\nb']", nil, "the quote that ends the string is missing, at character 4"},
	{`['\x4']`, nil, "an escape that is no character, at character 4"},
	{`['\x`, nil, "an escape has too few digits, at character 4"},
	{`['\ud800']`, nil, "an escape that is no character, at character 4"},
	{`['\U00110000']`, nil, "an escape that is no character, at character 4"},
	{`['\N{BULLET}']`, nil, "an escape that is not read here, at character 4"},
	{`[b'a']`, nil, "expected True, False, None, a number, a string in quotes, a list or a tuple, at character 2"},
	{`[f()]`, nil, "expected True, False, None, a number, a string in quotes, a list or a tuple, at character 2"},
	{"['\xff']", nil, "not UTF-8"},
	{"['\x00']", nil, "a null byte is in it"},
	{strings.Repeat("[", 100), nil, "nested too deeply, at character 10"},
	{"['" + strings.Repeat("a", 1<<16) + "']", nil, "longer than 65536 bytes"},
}

func TestLiteralStrings(t *testing.T) {
	for _, test := range literalTests {
		got, _, err := settings.Load(lockstep.Settings{}, set("SECURE_REDIRECT_EXEMPT="+test.literal)...)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err+"; write") {
				t.Errorf("%.80q: got %v, want %s", test.literal, err, test.err)
			}
			continue
		}
		if err != nil || strings.Join(got.SecureRedirectExempt, "|") != strings.Join(test.want, "|") {
			t.Errorf("%q: got %q, %v, want %q", test.literal, got.SecureRedirectExempt, err, test.want)
		}
	}
}

var numberTests = []struct {
	literal string
	want    int
	ok      bool
}{
	{"0", 0, true},
	{"00", 0, true},
	{"-5", -5, true},
	{"+5", 5, true},
	{"(7)", 7, true},
	{"1_000_000", 1000000, true},
	{"9223372036854775807", 9223372036854775807, true},
	{"9223372036854775808", 0, false},
	{"007", 0, false},
	{"1__0", 0, false},
	{"_1", 0, false},
	{"1_", 0, false},
	{"1.0", 0, false},
	{"1e3", 0, false},
	{"60*60", 0, false},
	{"60 * 60", 0, false},
	{"1-1", 0, false},
	{"0x10", 0, false},
	{"True", 0, false},
	{"None", 0, false},
	{"'1'", 0, false},
	{"[1]", 0, false},
	{"", 0, false},
	{"one", 0, false},
}

func TestLiteralNumbers(t *testing.T) {
	for _, test := range numberTests {
		got, _, err := settings.Load(lockstep.Settings{}, set("SECURE_HSTS_SECONDS="+test.literal)...)
		if (err == nil) != test.ok || got.SecureHSTSSeconds != test.want {
			t.Errorf("%s: got %d, %v", test.literal, got.SecureHSTSSeconds, err)
		}
	}
}

func FuzzLiteral(f *testing.F) {
	for _, test := range literalTests {
		if len(test.literal) < 1<<10 {
			f.Add(test.literal)
		}
	}
	for _, test := range numberTests {
		f.Add(test.literal)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for f := range settings.Fields(lockstep.Settings{}) {
			s, origins, err := settings.Load(lockstep.Settings{}, set(f.Name+"="+text)...)
			if (err == nil) != (origins.Of(f.Name) == "--set") {
				t.Fatalf("%s=%q: %v, from %s", f.Name, text, err, origins.Of(f.Name))
			}
			if err != nil || f.Secret {
				continue
			}
			literal, _ := settings.Format(s, f.Name)
			again, _, err := settings.Load(lockstep.Settings{}, set(f.Name+"="+literal)...)
			if got, _ := settings.Format(again, f.Name); err != nil || got != literal {
				t.Errorf("%s=%s from %s is read as %s, %v", f.Name, literal, strconv.Quote(text), got, err)
			}
		}
	})
}
