package check_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/check"
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
CSRF_TRUSTED_ORIGINS = ['pay.shop.test']
MIDDLEWARE.insert(2, 'django.middleware.locale.LocaleMiddleware')
`

// A djangoAnswer is what a real Django says of a settings module.
type djangoAnswer struct {
	Text   string
	IDs    []string
	Error  string
	Django string
}

// askDjango asks a real Django 3.2 about the settings of a new project with each code behind them.
func askDjango(t *testing.T, codes ...string) []djangoAnswer {
	t.Helper()
	const python = "/usr/bin/python3"
	version, err := exec.CommandContext(t.Context(), python, "-c", "import django; print(django.get_version())").Output()
	if err != nil || !bytes.HasPrefix(version, []byte("3.2.")) {
		if os.Getenv("LOCKSTEP_TEST_REQUIRE") == "all" {
			t.Fatalf("no Django 3.2 to compare with: apt-get install python3-django: %q, %v", version, err)
		}
		t.Skip("no Django 3.2 to compare with: apt-get install python3-django")
	}
	var questions bytes.Buffer
	for _, code := range codes {
		if err := json.NewEncoder(&questions).Encode(map[string]string{"code": code}); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), python, "../../settings/testdata/diffsettings.py")
	cmd.Stdin, cmd.Stderr = &questions, os.Stderr
	cmd.Env = append(os.Environ(), "SECRET_KEY=n7!q2#r9@t4$w1%y6^z3&x8*c5(v0)bNmKjHgFdSaPoIuYtReW")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := make([]djangoAnswer, 0, len(codes))
	for line := range bytes.Lines(out) {
		var a djangoAnswer
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(codes) {
		t.Fatalf("%d answers to %d questions", len(answers), len(codes))
	}
	return answers
}

// audit audits a text of diffsettings.
func audit(t *testing.T, text string, o check.Options) *check.Report {
	t.Helper()
	p, err := settings.ReadDiffsettings("settings.txt", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	r, err := check.Audit(t.Context(), "settings.txt", p, o)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return r
}

// find is audit without runs.
func find(t *testing.T, text string) *check.Report {
	t.Helper()
	p, err := settings.ReadDiffsettings("settings.txt", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	r, err := check.Find(p, check.Options{})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return r
}

// ids are those of findings, ordered.
func ids(findings []check.Finding, wanted func(check.Finding) bool) []string {
	all := []string{}
	for _, f := range findings {
		if wanted(f) {
			all = append(all, f.Check.ID)
		}
	}
	slices.Sort(all)
	return all
}

func every(check.Finding) bool { return true }

// The settings with which Django's own check and Lockstep's are compared: each alone behind those of
// a new project, and behind a hardened one.
var variants = []string{
	"", "DEBUG = False", "DEBUG = 1", "DEBUG = 0", "DEBUG = 'False'", "DEBUG = ''",
	"ALLOWED_HOSTS = []", "ALLOWED_HOSTS = ()", "ALLOWED_HOSTS = ['']", "ALLOWED_HOSTS = ['*']", "ALLOWED_HOSTS = 'shop.test'", "ALLOWED_HOSTS = None",
	"SECURE_SSL_REDIRECT = False", "SECURE_SSL_REDIRECT = 1", "SECURE_SSL_REDIRECT = 'True'", "SECURE_SSL_REDIRECT = None",
	"SECURE_HSTS_SECONDS = 0", "SECURE_HSTS_SECONDS = None", "SECURE_HSTS_SECONDS = ''", "SECURE_HSTS_SECONDS = '3600'", "SECURE_HSTS_SECONDS = -1", "SECURE_HSTS_SECONDS = True",
	"SECURE_HSTS_INCLUDE_SUBDOMAINS = 1", "SECURE_HSTS_INCLUDE_SUBDOMAINS = False", "SECURE_HSTS_PRELOAD = 'yes'", "SECURE_HSTS_PRELOAD = False",
	"SECURE_CONTENT_TYPE_NOSNIFF = False", "SECURE_CONTENT_TYPE_NOSNIFF = 1",
	"X_FRAME_OPTIONS = 'deny'", "X_FRAME_OPTIONS = 'SAMEORIGIN'", "X_FRAME_OPTIONS = None",
	"SECURE_REFERRER_POLICY = None", "SECURE_REFERRER_POLICY = ''", "SECURE_REFERRER_POLICY = []", "SECURE_REFERRER_POLICY = 'no-referrer, same-origin'",
	"SECURE_REFERRER_POLICY = ('origin', 'bad')", "SECURE_REFERRER_POLICY = 'bad'", "SECURE_REFERRER_POLICY = 'Same-Origin'", "SECURE_REFERRER_POLICY = {'origin'}",
	"SESSION_COOKIE_SECURE = False", "SESSION_COOKIE_SECURE = 'yes'", "SESSION_COOKIE_SECURE = 0", "SESSION_COOKIE_SECURE = None",
	"SESSION_COOKIE_HTTPONLY = False", "SESSION_COOKIE_HTTPONLY = 1", "CSRF_COOKIE_SECURE = False", "CSRF_COOKIE_SECURE = 'no'",
	"CSRF_USE_SESSIONS = True", "CSRF_USE_SESSIONS = True; CSRF_COOKIE_SECURE = False", "CSRF_USE_SESSIONS = 'x'; CSRF_COOKIE_SECURE = False",
	"SECRET_KEY = 'short'", "SECRET_KEY = ''", "SECRET_KEY = 'a' * 60", "SECRET_KEY = 'abcd' * 20", "SECRET_KEY = 'abcde' * 10", "SECRET_KEY = 'é' * 46 + 'abcd'",
	"SECRET_KEY = 'abcdefghij' * 5", "SECRET_KEY = 'django-insecure-' + 'abcdefghij' * 5",
	"MIDDLEWARE = []", "MIDDLEWARE = ()", "MIDDLEWARE.remove('django.middleware.security.SecurityMiddleware')", "MIDDLEWARE = MIDDLEWARE[1:]; SECURE_REFERRER_POLICY = 'bad'",
	"MIDDLEWARE.remove('django.middleware.csrf.CsrfViewMiddleware')", "MIDDLEWARE.remove('django.middleware.clickjacking.XFrameOptionsMiddleware'); X_FRAME_OPTIONS = 'x'",
	"MIDDLEWARE.remove('django.contrib.sessions.middleware.SessionMiddleware'); SESSION_COOKIE_SECURE = False; SESSION_COOKIE_HTTPONLY = False",
	"INSTALLED_APPS.remove('django.contrib.sessions'); SESSION_COOKIE_SECURE = False; SESSION_COOKIE_HTTPONLY = False",
	"INSTALLED_APPS.remove('django.contrib.sessions'); MIDDLEWARE = []; SESSION_COOKIE_SECURE = False",
	"MIDDLEWARE = tuple(MIDDLEWARE); INSTALLED_APPS = tuple(INSTALLED_APPS)",
	"CSRF_TRUSTED_ORIGINS = ['*.test', 'https://a.test']", "CSRF_FAILURE_VIEW = 'failure'", "DEFAULT_HASHING_ALGORITHM = 'sha1'", "DEFAULT_HASHING_ALGORITHM = 'md5'",
	"SECURE_CROSS_ORIGIN_OPENER_POLICY = 'bad'", "SECURE_CSP = 'x'", "SECRET_KEY_FALLBACKS = ['x']", "SILENCED_SYSTEM_CHECKS = ['security.W004']",
}

// TestAgainstDjango holds that Lockstep finds what "check --deploy" of a real Django finds, id by
// id, over its own text of the same settings.
func TestAgainstDjango(t *testing.T) {
	var codes []string
	for _, v := range variants {
		codes = append(codes, v, hardened+v)
	}
	for i, answer := range askDjango(t, codes...) {
		if answer.Error != "" {
			t.Errorf("%s: Django fails: %s", codes[i], answer.Error)
			continue
		}
		r := find(t, answer.Text)
		got := ids(r.Findings, func(f check.Finding) bool { return f.Check.DjangosOwn() })
		if !slices.Equal(got, answer.IDs) {
			t.Errorf("%s\ngot  %v\nwant %v", strings.TrimPrefix(codes[i], hardened), got, answer.IDs)
		}
		if r.Django != "3.2" {
			t.Errorf("Django is told to be %s by %s", r.Django, r.Because)
		}
	}
}

// An unsafe change of one setting, and the check that finds it. All but the first four pass the
// check of Django 3.2 in silence.
type unsafeChange struct {
	code string
	id   string
	step int    // of the lesson, which shows the harm; 0: another run, or none
	rule string // what it shows; "": no run does
}

var unsafeChanges = []unsafeChange{
	{"SESSION_COOKIE_SECURE = False", "security.W012", 0, "send-ok"},
	{"SESSION_COOKIE_HTTPONLY = False", "security.W015", 3, "store-ok"},
	{"SECURE_SSL_REDIRECT = 'false'", "security.W008", 0, ""},
	{"DEBUG = 'False'", "security.W018", 0, ""},
	{"ALLOWED_HOSTS = ['*']", "lockstep.W101", 0, "host-allowed"},
	{"ALLOWED_HOSTS = ['']", "lockstep.W104", 0, "host-not-allowed"},
	{"ALLOWED_HOSTS = ['.test']", "lockstep.W102", 0, "host-allowed"},
	{"SECURE_HSTS_SECONDS = 1", "lockstep.W111", 0, "upgrade-expired"},
	{"SECURE_HSTS_SECONDS = 300; SECURE_HSTS_PRELOAD = True", "lockstep.W112", 2, "header-hsts-sent"},
	{"SESSION_COOKIE_SAMESITE = None", "lockstep.W120", 0, "note-lax-allow-unsafe"},
	{"SESSION_COOKIE_NAME = '__Host-sid'; SESSION_COOKIE_DOMAIN = 'shop.test'", "lockstep.W123", 0, "store-prefix-host"},
	{"SESSION_COOKIE_NAME = '__Secure-sid'; SESSION_COOKIE_SECURE = 'yes'", "lockstep.W180", 0, ""},
	{"SESSION_COOKIE_DOMAIN = '.com'", "lockstep.W124", 3, "store-public-suffix"},
	{"CSRF_COOKIE_SAMESITE = 'None'", "lockstep.W122", 0, "send-ok"},
	{"SECURE_REFERRER_POLICY = 'no-referrer'", "lockstep.W140", 0, "csrf-referer-missing"},
	{"SECURE_REFERRER_POLICY = 'unsafe-url'", "lockstep.W141", 2, "header-sent"},
	{"SECURE_PROXY_SSL_HEADER = ('X-Forwarded-Proto', 'https')", "lockstep.W150", 2, "redirect-loop-forwarded"},
	{"SECURE_PROXY_SSL_HEADER = ('HTTP_X_FORWARDED_PROTO', 'http')", "lockstep.W151", 1, "secure-proxy-header"},
	{"SECURE_REDIRECT_EXEMPT = ['']", "lockstep.W106", 1, "redirect-off"},
	{"SESSION_COOKIE_AGE = 10 * 365 * 24 * 60 * 60", "lockstep.W127", 3, "note-lifetime-capped"},
	{"SESSION_SERIALIZER = 'django.contrib.sessions.serializers.PickleSerializer'", "lockstep.W183", 0, ""},
	{"SESSION_ENGINE = 'django.contrib.sessions.backends.signed_cookies'", "lockstep.W184", 3, "store-ok"},
	{"CSRF_TRUSTED_ORIGINS = ['*.test']", "lockstep.W170", 0, ""},
	{"USE_X_FORWARDED_HOST = True", "lockstep.W152", 0, "host-allowed"},
	{"SECURE_SSL_HOST = 'pay.shop.test'", "lockstep.W105", 2, "host-not-allowed"},
	{"MIDDLEWARE.append(MIDDLEWARE.pop(0))", "lockstep.W190", 0, ""},
	{"LANGUAGE_COOKIE_SECURE = False", "lockstep.W131", 0, "send-ok"},
	{"SESSION_COOKIE_PATH = '/app'", "lockstep.W126", 4, "send-path"},

	// Beyond those that were known to pass.
	{"SECURE_REDIRECT_EXEMPT = ['.*']", "lockstep.W106", 1, "redirect-exempt"},
	{"SECURE_REDIRECT_EXEMPT = ['^/health/$']", "lockstep.W107", 0, "redirect-to-https"},
	{"SESSION_COOKIE_SAMESITE = 'None'; SESSION_COOKIE_SECURE = False", "lockstep.W121", 0, "store-none-not-secure"},
	{"SESSION_COOKIE_SAMESITE = 'None'", "lockstep.W122", 0, "send-ok"},
	{"SESSION_COOKIE_SAMESITE = 'Lux'", "lockstep.W129", 0, ""},
	{"CSRF_COOKIE_NAME = 'sessionid'", "lockstep.W129", 0, ""},
	{"SESSION_COOKIE_DOMAIN = 'shop.test'; CSRF_COOKIE_DOMAIN = 'shop.test'", "lockstep.W125", 0, "send-ok"},
	{"SESSION_COOKIE_DOMAIN = 'shop.test'", "lockstep.W128", 0, "send-host-only"},
	{"CSRF_COOKIE_PATH = '/app'", "lockstep.W126", 0, "send-path"},
	{"CSRF_COOKIE_AGE = 10 * 365 * 24 * 60 * 60", "lockstep.W127", 0, "note-lifetime-capped"},
	{"ALLOWED_HOSTS = ['shop.test', 'https://shop.test:443/']", "lockstep.W104", 0, "host-not-allowed"},
	{"ALLOWED_HOSTS = 'shop.test'", "lockstep.W104", 0, "host-not-allowed"},
	{"CSRF_TRUSTED_ORIGINS = ['https://pay.shop.test']", "lockstep.W171", 0, ""},
	{"SECRET_KEY = 'change-me-please-' + 'abcdefghijklmnopqrstuvwxyz0123456789'", "lockstep.W181", 0, ""},
	{"SECRET_KEY = 'abcdefghij' * 5", "lockstep.W181", 0, ""},
	{"SESSION_SAVE_EVERY_REQUEST = True", "lockstep.W186", 0, ""},
	{"SESSION_EXPIRE_AT_BROWSR_CLOSE = True", "lockstep.W191", 0, ""},
	{"SECURE_PROXY_SSL_HEADER = 'HTTP_X_FORWARDED_PROTO'", "lockstep.W150", 0, ""},
	{"CSRF_HEADER_NAME = 'X-CSRFToken'", "lockstep.W100", 0, ""},
	{"SECURE_SSL_HOST = 'https://shop.test'", "lockstep.W100", 0, ""},
	{"SESSION_COOKIE_HTTPONLY = 'False'", "lockstep.W180", 0, ""},
	{"MIDDLEWARE.remove('django.middleware.security.SecurityMiddleware')", "security.W001", 1, "redirect-off"},
	{"MIDDLEWARE.remove('django.middleware.csrf.CsrfViewMiddleware')", "security.W003", 0, "csrf-exempt"},
	{"CSRF_TRUSTED_ORIGINS = ['.test']", "lockstep.W170", 0, "csrf-cookie-missing"},
}

// TestUnsafeChanges holds that each change of a hardened project is found, with the step of a run
// that shows its harm, and that the patch mends it: a real Django that runs it is clean for both.
func TestUnsafeChanges(t *testing.T) {
	var codes []string
	for _, c := range unsafeChanges {
		codes = append(codes, hardened+c.code)
	}
	answers := askDjango(t, codes...)
	var patched []string
	for i, c := range unsafeChanges {
		r := audit(t, answers[i].Text, check.Options{})
		f := slices.IndexFunc(r.Counting(), func(f check.Finding) bool { return f.Check.ID == c.id })
		if f < 0 {
			t.Errorf("%s: found %v, want %s", c.code, ids(r.Findings, every), c.id)
			patched = append(patched, hardened)
			continue
		}
		e := r.Findings[f].Evidence
		if e.Step != c.step || string(e.Rule) != c.rule || (c.rule != "" && c.step == 0) != (e.Scenario != "") || e.Text == "" {
			t.Errorf("%s: shown by %+v, want step %d, rule %q", c.code, e, c.step, c.rule)
		}
		if len(r.Counting()) > 3 {
			t.Errorf("%s: found %v, which is much for one change", c.code, ids(r.Counting(), every))
		}
		patched = append(patched, codes[i]+"\n"+r.Patch)
	}
	for i, answer := range askDjango(t, patched...) {
		if answer.Error != "" {
			t.Errorf("%s: the patch fails: %s\n%s", unsafeChanges[i].code, answer.Error, patched[i])
			continue
		}
		r := find(t, answer.Text)
		if !r.Clean() || r.Patch != "" {
			t.Errorf("%s: after the patch %v\n%s", unsafeChanges[i].code, ids(r.Counting(), every), patched[i])
		}
		if left := slices.DeleteFunc(answer.IDs, func(id string) bool { return id == "security.W005" || id == "security.W021" }); len(left) > 0 {
			t.Errorf("%s: after the patch Django finds %v", unsafeChanges[i].code, left)
		}
	}
}

// TestHardened holds that nothing is said of a hardened project, and that preload and
// includeSubDomains are never asked for.
func TestHardened(t *testing.T) {
	modest := hardened + "SECURE_HSTS_INCLUDE_SUBDOMAINS = False\nSECURE_HSTS_PRELOAD = False\n"
	answers := askDjango(t, hardened, modest)
	if r := audit(t, answers[0].Text, check.Options{}); len(r.Findings) > 0 || r.Patch != "" || len(r.Unread) > 0 || len(r.Replaced) > 0 {
		t.Errorf("found %v, %v, patch %q", ids(r.Findings, every), r.Replaced, r.Patch)
	}
	r := audit(t, answers[1].Text, check.Options{})
	if !r.Clean() || r.Patch != "" || !slices.Equal(ids(r.Findings, every), []string{"security.W005", "security.W021"}) {
		t.Errorf("found %v, patch %q", ids(r.Findings, every), r.Patch)
	}
}

// TestVariantsArePatched holds that the patch of every variant is Python that a real Django runs, and
// after which nothing is found.
func TestVariantsArePatched(t *testing.T) {
	answers := askDjango(t, variants...)
	var patched []string
	for i, answer := range answers {
		patched = append(patched, variants[i]+"\n"+find(t, answer.Text).Patch)
	}
	for i, answer := range askDjango(t, patched...) {
		if answer.Error != "" {
			t.Errorf("%q: the patch fails: %s\n%s", variants[i], answer.Error, patched[i])
			continue
		}
		if r := find(t, answer.Text); !r.Clean() {
			t.Errorf("%q: after the patch %v\n%s", variants[i], ids(r.Counting(), every), patched[i])
		}
	}
}

// A versionTest is a text of another Django, which is not here to be asked.
var versionTests = []struct {
	django, text string
	want         []string // of those found, when each is asked for
	not          []string
}{
	{"4.2", "SESSION_COOKIE_SECURE = 'yes'\nMIDDLEWARE = ['django.contrib.sessions.middleware.SessionMiddleware']\n", []string{"security.W011"}, nil},
	{"3.2", "SESSION_COOKIE_SECURE = 'yes'\nMIDDLEWARE = ['django.contrib.sessions.middleware.SessionMiddleware']\n", nil, []string{"security.W011"}},
	{"4.2", "CSRF_TRUSTED_ORIGINS = ['.shop.test', 'https://*.test']\n", []string{"4_0.E001", "lockstep.W170"}, []string{"lockstep.W171"}},
	{"5.2", "CSRF_TRUSTED_ORIGINS = ['https://a.test/', 'http://b.test']\n", []string{"lockstep.W171", "lockstep.W173"}, []string{"4_0.E001"}},
	{"4.2", "SECRET_KEY_FALLBACKS = ['short']\n", []string{"security.W025"}, nil},
	{"3.2", "SECRET_KEY_FALLBACKS = ['short']\n", nil, []string{"security.W025"}},
	{"4.2", "MIDDLEWARE = ['django.middleware.security.SecurityMiddleware']\nSECURE_CROSS_ORIGIN_OPENER_POLICY = 'bad'\n", []string{"security.E024"}, nil},
	{"6.0", "SECURE_CSP = ['x']\n", []string{"security.E026"}, nil},
	{"5.2", "SECURE_CSP = ['x']  ###\n", nil, []string{"security.E026"}},
	{"6.1", "MIDDLEWARE = ['django.middleware.csp.ContentSecurityPolicyMiddleware']\nSECURE_CSP = {'script-src': [\"'self'\", <CSP.NONCE: '<CSP_NONCE_SENTINEL>'>]}\nTEMPLATES = [{'OPTIONS': {'context_processors': []}}]\n", []string{"security.W027"}, nil},
	{"6.0", "MIDDLEWARE = ['django.middleware.csp.ContentSecurityPolicyMiddleware']\nSECURE_CSP = {'script-src': ['<CSP_NONCE_SENTINEL>']}\n", nil, []string{"security.W027"}},
	{"6.0", "SIGNED_COOKIE_LEGACY_SALT_FALLBACK = True\n", []string{"lockstep.W185"}, nil},
	{"5.2.13", "SESSION_SAVE_EVERY_REQUEST = True\n", []string{"lockstep.W186"}, nil},
	{"5.2.14", "SESSION_SAVE_EVERY_REQUEST = True\n", nil, []string{"lockstep.W186"}},
	{"6.1", "SESSION_SAVE_EVERY_REQUEST = True\n", nil, []string{"lockstep.W186"}},
	{"6.1", "MIDDLEWARE = <unread>\nSECRET_KEY = <unread>\n", nil, []string{"security.W001", "security.W009"}},
	{"6.1", "SESSION_COOKIE_SAMESITE = 'None'\nMIDDLEWARE = []\nSESSION_COOKIE_SECURE = True\n", []string{"lockstep.W122", "security.W003"}, nil},
}

func TestVersions(t *testing.T) {
	for _, test := range versionTests {
		r := audit(t, test.text, check.Options{Django: test.django})
		found := ids(r.Findings, every)
		for _, id := range test.want {
			if !slices.Contains(found, id) {
				t.Errorf("%s of %s: found %v, want %s", test.text, test.django, found, id)
			}
		}
		for _, id := range test.not {
			if slices.Contains(found, id) {
				t.Errorf("%s of %s: found %s", test.text, test.django, id)
			}
		}
	}
	p, err := settings.ReadDiffsettings("x", []byte("DEBUG = True\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"4.1", "7.0", "x", "5.2.", "5"} {
		if _, err := check.Audit(t.Context(), "x", p, check.Options{Django: version}); err == nil || errors.Is(err, os.ErrNotExist) {
			t.Errorf("Django %q was taken", version)
		}
	}
}

// What a finding shows in a Django that is not here, or though it does not count.
var shownTests = []struct{ django, text, id, rule string }{
	{"6.1", "SECURE_REFERRER_POLICY = 'no-referrer'\nMIDDLEWARE = ['django.middleware.security.SecurityMiddleware', 'django.middleware.csrf.CsrfViewMiddleware']\n", "lockstep.W140", "csrf-origin-mismatch"},
	{"4.2", "CSRF_TRUSTED_ORIGINS = ['https://*.test']\nMIDDLEWARE = ['django.middleware.csrf.CsrfViewMiddleware']\n", "lockstep.W170", "csrf-cookie-missing"},
	{"4.2", "CSRF_TRUSTED_ORIGINS = ['https://*.shop.test']\nMIDDLEWARE = ['django.middleware.csrf.CsrfViewMiddleware']\n", "lockstep.W172", "csrf-token-missing"},
	{"4.2", "CSRF_TRUSTED_ORIGINS = ['http://pay.shop.test']\nMIDDLEWARE = ['django.middleware.csrf.CsrfViewMiddleware']\n", "lockstep.W173", "csrf-cookie-missing"},
	{"6.1", "SESSION_COOKIE_SAMESITE = 'Strict'\n", "lockstep.W132", "send-samesite-strict"},
	{"6.1", "SECURE_HSTS_SECONDS = 31536000\nMIDDLEWARE = ['django.middleware.security.SecurityMiddleware']\n", "security.W005", "upgrade-no-entry"},
	{"6.1", "SESSION_COOKIE_PATH = ''\n", "lockstep.W126", "note-default-path"},
}

func TestShown(t *testing.T) {
	for _, test := range shownTests {
		r := audit(t, "ALLOWED_HOSTS = ['shop.test']\n"+test.text, check.Options{Django: test.django})
		i := slices.IndexFunc(r.Findings, func(f check.Finding) bool { return f.Check.ID == test.id })
		if i < 0 || string(r.Findings[i].Evidence.Rule) != test.rule {
			t.Errorf("%s of %s: %s is shown by %+v, want %s", test.text, test.django, test.id, r.Findings, test.rule)
		}
	}
}

// TestChecks holds the values of checks to their form.
func TestChecks(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range check.All() {
		if seen[c.ID] || c.Find == nil || len(c.Settings) == 0 {
			t.Errorf("%s is there twice, finds nothing or looks at nothing", c.ID)
		}
		seen[c.ID] = true
		for name, text := range map[string]string{"Doc": c.Doc, "Fix": c.Fix} {
			if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "'") && !strings.HasSuffix(text, "True") {
				t.Errorf("%s: %s %q is no sentence", c.ID, name, text)
			}
		}
		if c.Title == "" || strings.HasSuffix(c.Title, ".") || c.Source == "" {
			t.Errorf("%s: title %q, source %q", c.ID, c.Title, c.Source)
		}
		if c.Severity > check.Info && c.Mend == nil {
			t.Errorf("%s counts and has no patch", c.ID)
		}
		if c.Show.Steps == nil && c.Show.Scenario == nil && c.Show.Words == "" {
			t.Errorf("%s shows nothing and does not say why", c.ID)
		}
		if got, ok := check.Lookup(c.ID); !ok || got.Title != c.Title {
			t.Errorf("%s is not found", c.ID)
		}
	}
	if len(seen) < 60 {
		t.Errorf("%d checks", len(seen))
	}
}

// printedAll is everything that a report writes.
func printedAll(t *testing.T, r *check.Report) string {
	t.Helper()
	var out bytes.Buffer
	r.WriteText(&out)
	r.WriteMarkdown(&out)
	if err := errors.Join(r.WriteJSON(&out), r.WriteSARIF(&out, "v1")); err != nil {
		t.Fatal(err)
	}
	return out.String() + fmt.Sprintf("%v %+v %#v", r, r, r)
}

// TestNoSecrets holds that what must not be printed is not, whatever is wrong with it.
func TestNoSecrets(t *testing.T) {
	for _, text := range []string{
		"SECRET_KEY = 'planted-key'\nSECRET_KEY_FALLBACKS = ['planted-fallback', 'planted-key']\nDATABASES = {'default': {'PASSWORD': 'planted-db'}}\n" +
			"EMAIL_HOST_PASSWORD = 'planted-mail'\nAWS_SECRET_ACCESS_KEY = 'planted-aws'\nPAYMENT_API = 'planted-api'\nMY_TOKEN = 'planted-token'\nBROKER_URL = 'amqp://u:planted-url@h'\n",
		"SECRET_KEY = b'planted-bytes'\nSECRET_KEY_FALLBACKS = 'planted-text'\nDEBUG = <planted-object>\n",
		"SECRET_KEY = ['planted-list']\nSECRET_KEY_FALLBACKS = [['planted-nested'], b'planted-b']\nSECRET_KEYS = 'planted-misspelt'\nSECRT_KEY = 'planted-misspelt-too'  ###\n",
		"SECRET_KEY = 'planted-unended\nSECURE_SSL_REDIRECT = planted-word\nSESSION_COOKIE_NAME = b'planted-name'\n",
	} {
		for _, django := range []string{"3.2", "6.1"} {
			r := audit(t, text, check.Options{Django: django})
			if printed := printedAll(t, r); strings.Contains(printed, "planted") {
				i := strings.Index(printed, "planted")
				t.Errorf("a secret is printed: %s", printed[max(0, i-200):min(len(printed), i+100)])
			}
		}
	}
}

// FuzzFind holds that no text of settings breaks a check, a mend or a writer.
func FuzzFind(f *testing.F) {
	for _, v := range variants {
		f.Add(strings.ReplaceAll(v, "; ", "\n"), uint8(0))
	}
	for _, c := range unsafeChanges {
		f.Add(strings.ReplaceAll(c.code, "; ", "\n"), uint8(4))
	}
	for i, test := range versionTests {
		f.Add(test.text, uint8(i))
	}
	f.Add(many, uint8(4))
	versions := []string{"3.2", "4.2", "5.2.13", "6.0", "6.1"}
	f.Fuzz(func(t *testing.T, text string, version uint8) {
		p, err := settings.ReadDiffsettings("x", []byte(text))
		if err != nil {
			return
		}
		r, err := check.Find(p, check.Options{Django: versions[int(version)%len(versions)]})
		if err != nil {
			t.Fatal(err)
		}
		for _, finding := range r.Findings {
			if finding.Text == "" || finding.Setting == "" || strings.ContainsAny(finding.Text, "\n\x1b") {
				t.Errorf("%s says %q of %q", finding.Check.ID, finding.Text, finding.Setting)
			}
		}
	})
}

// What the texts of other Djangos have and have not, against 3.2 (django/conf/global_settings.py and
// the release notes): they are not here to be asked.
var otherDjangos = []struct {
	version string   // that the text tells
	without []string // settings of 3.2
	with    string
}{
	{"3.2", []string{"DEFAULT_HASHING_ALGORITHM", "DEFAULT_AUTO_FIELD", "SECURE_REFERRER_POLICY"}, "SECURE_REFERRER_POLICY = 'same-origin'\n### FILE_CHARSET = 'utf-8'\n"}, // 2.2
	{
		"4.2",
		[]string{"DEFAULT_HASHING_ALGORITHM", "PASSWORD_RESET_TIMEOUT_DAYS", "SECURE_BROWSER_XSS_FILTER", "CSRF_TRUSTED_ORIGINS"},
		"### CSRF_COOKIE_MASKED = False\n### SECRET_KEY_FALLBACKS = []\n### SECURE_CROSS_ORIGIN_OPENER_POLICY = 'same-origin'\nCSRF_TRUSTED_ORIGINS = ['https://pay.shop.test']\n### USE_DEPRECATED_PYTZ = False\n",
	},
	{
		"5.2",
		[]string{"DEFAULT_HASHING_ALGORITHM", "PASSWORD_RESET_TIMEOUT_DAYS", "SECURE_BROWSER_XSS_FILTER", "CSRF_TRUSTED_ORIGINS", "USE_L10N", "USE_TZ"},
		"### USE_TZ = True\n### SECRET_KEY_FALLBACKS = []\n### SECURE_CROSS_ORIGIN_OPENER_POLICY = 'same-origin'\nCSRF_TRUSTED_ORIGINS = ['https://pay.shop.test']\n### FORMS_URLFIELD_ASSUME_HTTPS = False\n",
	},
	{
		"6.0",
		[]string{"DEFAULT_HASHING_ALGORITHM", "PASSWORD_RESET_TIMEOUT_DAYS", "SECURE_BROWSER_XSS_FILTER", "CSRF_TRUSTED_ORIGINS", "USE_L10N", "USE_TZ"},
		"### USE_TZ = True\n### SECRET_KEY_FALLBACKS = []\n### SECURE_CROSS_ORIGIN_OPENER_POLICY = 'same-origin'\n### SECURE_CSP = {}\n### SECURE_CSP_REPORT_ONLY = {}\n### SIGNED_COOKIE_LEGACY_SALT_FALLBACK = True\n",
	},
	{
		"6.1",
		[]string{"DEFAULT_HASHING_ALGORITHM", "PASSWORD_RESET_TIMEOUT_DAYS", "SECURE_BROWSER_XSS_FILTER", "CSRF_TRUSTED_ORIGINS", "USE_L10N", "USE_TZ"},
		"### USE_TZ = True\n### SECRET_KEY_FALLBACKS = []\n### SECURE_CROSS_ORIGIN_OPENER_POLICY = 'same-origin'\n### SECURE_CSP = {}\n### SECURE_CSP_REPORT_ONLY = {}\n### SIGNED_COOKIE_LEGACY_SALT_FALLBACK = False\n",
	},
}

// TestOtherDjangos holds that the text of a hardened project of any Django is read as of its version,
// and that nothing is found but what that version leaves open.
func TestOtherDjangos(t *testing.T) {
	text, err := os.ReadFile("../../settings/testdata/hardened-3.2.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range otherDjangos {
		var changed strings.Builder
		for line := range strings.Lines(string(text)) {
			name, _, _ := strings.Cut(strings.TrimPrefix(line, "### "), " ")
			if !slices.Contains(other.without, name) {
				changed.WriteString(line)
			}
		}
		r := audit(t, changed.String()+other.with, check.Options{})
		want := []string{}
		if other.version == "6.0" {
			want = []string{"lockstep.W185"} // which 6.0 has on by default
		}
		if got := ids(r.Counting(), every); r.Django != other.version || !slices.Equal(got, want) {
			t.Errorf("%s: told to be %s by %s; found %v, want %v", other.version, r.Django, r.Because, got, want)
		}
	}
}
