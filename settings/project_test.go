package settings_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/settings"
)

// hardened is what a careful project puts at the end of the settings.py of a new one.
const hardened = `
DEBUG = False
SECRET_KEY = 'h6#k2!vq0z@w8x$e4r%t1y^u7i&o3p*a5s(d9f)gJmNbVcXzLkQw'
ALLOWED_HOSTS = ['shop.test', 'www.shop.test']
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 31536000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
LANGUAGE_COOKIE_SECURE = True
CSRF_COOKIE_HTTPONLY = True
SECURE_PROXY_SSL_HEADER = ('HTTP_X_FORWARDED_PROTO', 'https')
CSRF_TRUSTED_ORIGINS = ['pay.shop.test']
MIDDLEWARE.insert(2, 'django.middleware.locale.LocaleMiddleware')
`

// odd holds values of all kinds that settings modules have.
const odd = `
import datetime, re, decimal, collections, enum
from pathlib import Path
from django.utils.translation import gettext_lazy as _
from django.utils.safestring import mark_safe
class Level(enum.Enum):
    LOW = 1
class Many:
    def __repr__(self): return "Many(\n  one,\n  DEBUG = True\n)"
DEBUG = False
A_BYTES = b'\x00\xff"quoted"'
A_DELTA = datetime.timedelta(days=14, seconds=3)
A_LAZY = _('Shop')
A_LIST_OF_LAZY = [('en', _('English')), ('de', _('German'))]
A_SET = {'only'}
AN_EMPTY_SET = set()
A_FROZEN = frozenset(['x'])
A_REGEXP = re.compile(r'^/api/(?P<v>\d+)/')
A_DECIMAL = decimal.Decimal('1.10')
AN_ORDERED = collections.OrderedDict([('a', 1), ('b', [2])])
AN_ENUM = Level.LOW
AN_INF = float('inf')
A_FUNCTION = len
A_LAMBDA = lambda: 'a > b'
A_COMPLEX = 3+4j
A_NUMBER = 10**30
A_TUPLE = ('one',)
A_PATH = Path('/srv/it\'s "here"')
A_SAFE = mark_safe('<b>')
A_TEXT = 'é\n\t\x00\u2028 😀 \\ \' "'
A_MANY = Many()
A_NESTED = {'a': {'b': [{'c': (1, 2.5, -3, None, True, {'d': b''})}]}}
SESSION_COOKIE_SAMESITE = None
SESSION_COOKIE_AGE = 60 * 60
SECURE_REDIRECT_EXEMPT = [r'^health/\d+$', 'a\'b']
SECRET_KEY = b'h6#k2!vq0z@w8x$e4r%t1y^u7i&o3p*a5s(d9f)gJmNbVcXzLkQw'
DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': 'shop', 'PASSWORD': 'planted-in-databases'}}
`

// The texts of testdata that a real Django 3.2 prints.
var printedTexts = []struct {
	file     string
	question object
}{
	{"new-3.2.txt", object{"code": ""}},
	{"new-3.2-short.txt", object{"code": "", "all": false}},
	{"hardened-3.2.txt", object{"code": hardened}},
	{"hardened-3.2-short.txt", object{"code": hardened, "all": false}},
	{"hardened-3.2-unified.txt", object{"code": hardened, "output": "unified"}},
	{"hardened-3.2-unified-short.txt", object{"code": hardened, "output": "unified", "all": false}},
	{"odd-3.2.txt", object{"code": odd}},
}

// What of a text differs from run to run.
var (
	madeKey   = regexp.MustCompile(`'django-insecure-[^']*'|"django-insecure-[^"]*"`)
	anAddress = regexp.MustCompile(`0x[0-9a-f]{6,}`)
)

// The texts of testdata are what a real Django prints; with -update they are written anew.
func TestPrintedTextsAreDjangos(t *testing.T) {
	var questions strings.Builder
	for _, text := range printedTexts {
		line, _ := json.Marshal(text.question)
		questions.Write(append(line, '\n'))
	}
	answers := decodeLines(t, askPython(t, []byte(questions.String()), "testdata/diffsettings.py"))
	for i, text := range printedTexts {
		got, ok := answers[i]["text"].(string)
		if !ok || !strings.HasPrefix(answers[i]["django"].(string), "3.2.") {
			t.Skipf("Django %v is here, %v; the texts are of 3.2", answers[i]["django"], answers[i]["error"])
		}
		got = madeKey.ReplaceAllString(got, "'django-insecure-00000000000000000000000000000000000000000000000000'")
		got = anAddress.ReplaceAllString(got, "0x7f0000000000")
		name := filepath.Join("testdata", text.file)
		if *update {
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if want, err := os.ReadFile(name); err != nil || string(want) != got {
			t.Errorf("%s is not what Django prints: go test ./settings -run PrintedTexts -update (%v)", name, err)
		}
	}
}

func read(t *testing.T, file string) *settings.Project {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	p, err := settings.ReadDiffsettings(file, text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The forms in which diffsettings prints say the same of what was changed.
func TestFormsOfDiffsettingsAgree(t *testing.T) {
	whole := read(t, "hardened-3.2.txt")
	for _, file := range []string{"hardened-3.2-short.txt", "hardened-3.2-unified.txt", "hardened-3.2-unified-short.txt"} {
		p := read(t, file)
		for _, v := range whole.Values() {
			other, ok := p.Lookup(v.Name)
			if !ok && v.State == settings.Unset && strings.Contains(file, "short") {
				continue
			}
			if !ok || fmt.Sprintf("%#v", other.Python) != fmt.Sprintf("%#v", v.Python) || other.State != v.State {
				t.Errorf("%s: %s is %#v %d, want %#v %d", file, v.Name, other.Python, other.State, v.Python, v.State)
			}
		}
		want, _, err := settings.Load(lockstep.DjangoDefaults("3.2"), whole.Source())
		got, _, err2 := settings.Load(lockstep.DjangoDefaults("3.2"), p.Source())
		if err != nil || err2 != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, %v; want %v, %v", file, got, err2, want, err)
		}
	}
}

func TestOddValues(t *testing.T) {
	p := read(t, "odd-3.2.txt")
	for name, want := range map[string]string{
		"A_LIST_OF_LAZY": `[]interface {}{[]interface {}{"en", "English"}, []interface {}{"de", "German"}}`,
		"A_SET":          `[]interface {}{"only"}`,
		"A_FROZEN":       `[]interface {}{"x"}`,
		"A_TUPLE":        `[]interface {}{"one"}`,
		"A_TEXT":         fmt.Sprintf("%#v", "é\n\t\x00\u2028 😀 \\ ' \""),
		"AN_ORDERED":     `[]interface {}{[]interface {}{"a", 1}, []interface {}{"b", []interface {}{2}}}`,
	} {
		v, ok := p.Lookup(name)
		got := strings.ReplaceAll(fmt.Sprintf("%#v", v.Python), "settings.Opaque", "")
		if !ok || got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	for _, name := range []string{"A_DELTA", "A_REGEXP", "A_DECIMAL", "AN_ENUM", "AN_INF", "A_FUNCTION", "A_LAMBDA", "A_COMPLEX", "A_NUMBER", "A_PATH", "A_MANY", "AN_EMPTY_SET"} {
		v, ok := p.Lookup(name)
		if _, opaque := v.Python.(settings.Opaque); !ok || !opaque {
			t.Errorf("%s: got %#v, want it kept as it is", name, v.Python)
		}
	}
	if v, _ := p.Lookup("A_BYTES"); v.Python != settings.Bytes("\x00ÿ\"quoted\"") {
		t.Errorf("A_BYTES: got %q", string(v.Python.(settings.Bytes)))
	}
	s, origins, err := settings.Load(lockstep.DjangoDefaults("3.2"), p.Source())
	if err != nil || s.SessionCookieSameSite != "" || s.SessionCookieAge != 3600 || !slices.Equal(s.SecureRedirectExempt, []string{`^health/\d+$`, "a'b"}) {
		t.Errorf("got %v, %v", s, err)
	}
	if len(s.SecretKey) != 52 || !strings.HasPrefix(string(origins.Of("SESSION_COOKIE_AGE")), "odd-3.2.txt:") {
		t.Errorf("the key has %d bytes, the age is from %s", len(s.SecretKey), origins.Of("SESSION_COOKIE_AGE"))
	}
	if v, _ := p.Lookup("DEBUG"); v.Python != false {
		t.Errorf("DEBUG is %v, which a value of many lines says", v)
	}
}

// Texts that were written by hand after what Django's release notes and global_settings.py say, for
// versions that are not here to be asked.
var versionTests = []struct{ text, version, because string }{
	{"SETTINGS_MODULE = 'a'  ###\n### FILE_CHARSET = 'utf-8'\n", "3.2", "FILE_CHARSET"},
	{"### SECURE_BROWSER_XSS_FILTER = False\n", "3.2", "SECURE_BROWSER_XSS_FILTER"},
	{"SECURE_BROWSER_XSS_FILTER = True  ###\n### SECURE_CROSS_ORIGIN_OPENER_POLICY = 'same-origin'\n### USE_L10N = True\n", "4.2", "USE_L10N"},
	{"### CSRF_COOKIE_MASKED = False\n", "4.2", "CSRF_COOKIE_MASKED"},
	{"### SECRET_KEY_FALLBACKS = []\n### FORMS_URLFIELD_ASSUME_HTTPS = False\n", "5.2", "FORMS_URLFIELD_ASSUME_HTTPS"},
	{"SECURE_CSP = {}  ###\n### SIGNED_COOKIE_LEGACY_SALT_FALLBACK = True\n", "5.2", "SECURE_CSP"},
	{"### SECURE_CSP = {}\n### SIGNED_COOKIE_LEGACY_SALT_FALLBACK = True\n", "6.0", "SIGNED_COOKIE_LEGACY_SALT_FALLBACK"},
	{"### SECURE_CSP = {}\n### SIGNED_COOKIE_LEGACY_SALT_FALLBACK = False\n", "6.1", "SIGNED_COOKIE_LEGACY_SALT_FALLBACK"},
	{"  SECURE_CSP = {}\n+ SETTINGS_MODULE = 'a'\n", "6.1", "SECURE_CSP"},
	{"USE_TZ = True\n", "4.2", "USE_TZ"},
	{"### USE_TZ = True\n", "6.1", "USE_TZ"},
	{"DEBUG = True\n", "", ""},
	{"USE_L10N = True  ###\n### USE_L10N = True\n", "4.2", "USE_L10N"},
}

func TestVersion(t *testing.T) {
	for _, test := range versionTests {
		p, err := settings.ReadDiffsettings("x", []byte(test.text))
		if err != nil {
			t.Fatal(err)
		}
		if version, because := p.Version(); version != test.version || because != test.because {
			t.Errorf("%q: got %s by %s, want %s by %s", test.text, version, because, test.version, test.because)
		}
	}
	for _, text := range printedTexts {
		if version, _ := read(t, text.file).Version(); version != "3.2" && version != "4.2" || version == "4.2" && !strings.Contains(text.file, "short") {
			t.Errorf("%s: got %s", text.file, version)
		}
	}
}

// A text may be saved by a shell that writes UTF-16, with lines of Windows, in colours.
func TestTextAsItIsSaved(t *testing.T) {
	const text = "\x1b[32;1m+ DEBUG = True\x1b[0m\r\nnoise\r\n"
	utf16Text := []byte{0xFF, 0xFE}
	for _, unit := range utf16.Encode([]rune(text)) {
		utf16Text = append(utf16Text, byte(unit), byte(unit>>8))
	}
	for _, saved := range [][]byte{[]byte(text), []byte("\uFEFF" + text), utf16Text} {
		p, err := settings.ReadDiffsettings("x", saved)
		if err != nil {
			t.Errorf("%q: %v", saved, err)
			continue
		}
		if v, ok := p.Lookup("DEBUG"); !ok || v.Python != true {
			t.Errorf("%q: got %#v", saved, v)
		}
	}
}

func TestNotDiffsettings(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "x: no line of it is a setting",
		"Traceback (most recent...)": "x: no line of it is a setting",
		"\xff\xfe":                   "x: no line of it is a setting",
		strings.Repeat("A = 1\n", 10) + strings.Repeat("é", 1<<22): "x: larger than",
	} {
		if _, err := settings.ReadDiffsettings("x", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %s", text, err, want)
		}
	}
	var many strings.Builder
	for i := range 10_001 {
		fmt.Fprintf(&many, "A_%d = 1\n", i)
	}
	if _, err := settings.ReadDiffsettings("x", []byte(many.String())); err == nil {
		t.Error("more settings than the limit were read")
	}
}

// Secrets stay out of everything that prints a value.
func TestValuesPrintNoSecrets(t *testing.T) {
	p, err := settings.ReadDiffsettings("x", []byte(`SECRET_KEY = 'planted1'
SECRET_KEY_FALLBACKS = ['planted2']
DATABASES = {'default': {'PASSWORD': 'planted3'}}
MY_API = 'planted4'
BROKER_URL = 'redis://:planted5@host'
SECURE_SSL_REDIRECT = <planted6
SESSION_COOKIE_AGE = b'planted7'
`))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = settings.Load(lockstep.DjangoDefaults("3.2"), p.Source())
	printed := fmt.Sprint(err)
	for _, v := range p.Values() {
		printed += fmt.Sprintf("%v %s %q %#v", v, v, v, v) + v.String()
	}
	if strings.Contains(printed, "planted") {
		t.Errorf("a secret was printed: %s", printed)
	}
}

func TestReadTOMLAndEnvironment(t *testing.T) {
	p, err := settings.ReadTOML("x.toml", []byte("SECURE_SSL_REDIRECT = true\nMIDDLEWARE = ['a', 'b']\n[TEMPLATES]\nb = 1\na = 2\n"))
	if err != nil {
		t.Fatal(err)
	}
	v, ok := p.Lookup("MIDDLEWARE")
	if !ok || v.Line != 2 || v.String() != "['a', 'b']" || p.Printed() {
		t.Errorf("got %#v", v)
	}
	if s, _, err := settings.Load(lockstep.Settings{}, p.Source()); err != nil || !s.SecureSSLRedirect {
		t.Errorf("got %v, %v", s, err)
	}
	for _, name := range []string{`"SECURE_SSL_REDIREC\nT"`, `"DEBU\u001bG"`, `"A B"`, `""`, `"É"`, `1A`, `DE-BUG`} {
		_, err := settings.ReadTOML("x.toml", []byte("DEBUG = true\n"+name+" = 1\n"))
		if err == nil || !strings.HasPrefix(err.Error(), "x.toml:2: ") || strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("a setting called %s: %v", name, err)
		}
	}
	if _, err := settings.ReadTOML("x.toml", []byte("SECRET_KEY = 'planted\n")); err == nil || strings.Contains(err.Error(), "planted") {
		t.Errorf("got %v", err)
	}
	p = settings.ReadEnvironment([]string{"LOCKSTEP_DEBUG=true", "HOME=/root"})
	if v, ok := p.Lookup("DEBUG"); !ok || v.Python != true || v.Origin != "environment LOCKSTEP_DEBUG" {
		t.Errorf("got %#v", v)
	}
}

func FuzzDiffsettings(f *testing.F) {
	for _, text := range printedTexts {
		if contents, err := os.ReadFile(filepath.Join("testdata", text.file)); err == nil && len(contents) < 1<<13 {
			f.Add(contents)
		}
	}
	for _, test := range versionTests {
		f.Add([]byte(test.text))
	}
	f.Add([]byte(odd))
	f.Add([]byte("A = {'a': <x y='>'>, 'b': f(1, k=[2])}  ###\n- B = 1\n+ B = 2\n"))
	f.Add([]byte("\xff\xfeA\x00 \x00=\x00 \x001\x00"))
	f.Add([]byte("A = " + strings.Repeat("[", 100)))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := settings.ReadDiffsettings("x", text)
		if err != nil {
			return
		}
		p.Version()
		_, _, _ = settings.Load(lockstep.DjangoDefaults("6.1"), p.Source())
		for _, v := range p.Values() {
			if got, ok := p.Lookup(v.Name); !ok || got.Line != v.Line {
				t.Errorf("%s is not found", v.Name)
			}
			settings.Nearest(v.Name)
			literal := settings.Literal(v.Python)
			if !v.Read || strings.Contains(literal, "…") {
				continue
			}
			again, err := settings.ReadDiffsettings("x", []byte(v.Name+" = "+literal))
			if err != nil {
				t.Fatalf("%s = %s: %v", v.Name, literal, err)
			}
			if got, _ := again.Lookup(v.Name); settings.Literal(got.Python) != literal {
				t.Errorf("%s = %s is read as %s", v.Name, literal, settings.Literal(got.Python))
			}
		}
	})
}

// What WriteTOML writes is read back to the same settings, whatever it is laid over.
func TestTOMLIsReadBack(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) != len(printedTexts) {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		for _, version := range []string{"3.2", "6.1"} {
			p := read(t, filepath.Base(file))
			s, _, err := settings.Load(lockstep.DjangoDefaults(version), p.Source())
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			s.SecureReferrerPolicy = append(s.SecureReferrerPolicy, "\"\\\x7f\u2028\U000E0001é")
			for _, base := range []lockstep.Settings{{}, lockstep.Recommended("other", "other.test")} {
				var text strings.Builder
				if err := settings.WriteTOML(&text, s, settings.TOMLOptions{Secrets: true}); err != nil {
					t.Fatal(err)
				}
				got, _, err := settings.Load(base, settings.TOML(file, []byte(text.String())))
				if err != nil || fmt.Sprintf("%+v", plainly(got)) != fmt.Sprintf("%+v", plainly(s)) {
					t.Errorf("%s as %s: got %v, %v, want %v\n%s", file, version, got, err, s, text.String())
				}
				text.Reset()
				if err := settings.WriteTOML(&text, s, settings.TOMLOptions{Leave: []string{"DEBUG"}}); err != nil || strings.Contains(text.String(), s.SecretKey) || !strings.Contains(text.String(), "LOCKSTEP_SECRET_KEY") ||
					strings.Contains(text.String(), "DEBUG =") {
					t.Errorf("%s: %v, with the secret or without its variable\n%s", file, err, text.String())
				}
			}
		}
	}
}

// plainly is a settings value with its secrets, none of its lists nil.
func plainly(s lockstep.Settings) map[string]any {
	all := map[string]any{}
	for f := range settings.Fields(s) {
		all[f.Name], _ = settings.Python(s, f.Name)
	}
	return all
}
