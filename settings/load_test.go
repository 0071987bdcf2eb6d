package settings_test

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/settings"
)

// A loadTest is sources and what they set, as Python literals, or the lines of what is wrong
// with them.
type loadTest struct {
	name    string
	sources []settings.Source
	want    map[string]string
	errs    []string
}

func (test loadTest) run(t *testing.T) {
	t.Helper()
	got, origins, err := settings.Load(lockstep.DjangoDefaults("6.1"), test.sources...)
	var lines []string
	if err != nil {
		lines = strings.Split(err.Error(), "\n")
	}
	if !slices.Equal(lines, test.errs) {
		t.Errorf("got errors\n\t%s\nwant\n\t%s", strings.Join(lines, "\n\t"), strings.Join(test.errs, "\n\t"))
	}
	for name, want := range test.want {
		if literal, _ := settings.Format(got, name); literal != want {
			t.Errorf("%s is %s, want %s", name, literal, want)
		}
	}
	if set := slices.Sorted(maps.Keys(origins)); !slices.Equal(set, slices.Sorted(maps.Keys(test.want))) {
		t.Errorf("set are %v", set)
	}
}

func toml(lines ...string) []settings.Source {
	return []settings.Source{settings.TOML("a.toml", []byte(strings.Join(lines, "\n")))}
}

func environment(variables ...string) []settings.Source {
	return []settings.Source{settings.Environment(variables, "LOCKSTEP_SUITES")}
}

func set(assignments ...string) []settings.Source {
	return []settings.Source{settings.Assignments(assignments, "--set")}
}

func TestLoad(t *testing.T) {
	for _, test := range []loadTest{
		{name: "nothing"},
		{
			name: "TOML of every type",
			sources: toml(
				`SECURE_SSL_REDIRECT = true`,
				`SESSION_COOKIE_AGE = 3_600`,
				`SECRET_KEY = "s"`,
				`ALLOWED_HOSTS = ["a.test", 'b.test']`,
				`SECURE_PROXY_SSL_HEADER = ["HTTP_X_FORWARDED_PROTO", "https"]`,
				`SECURE_REFERRER_POLICY = "no-referrer, same-origin"`,
			),
			want: map[string]string{
				"SECURE_SSL_REDIRECT": "True", "SESSION_COOKIE_AGE": "3600", "SECRET_KEY": "'…'",
				"ALLOWED_HOSTS":           "['a.test', 'b.test']",
				"SECURE_PROXY_SSL_HEADER": "('HTTP_X_FORWARDED_PROTO', 'https')",
				"SECURE_REFERRER_POLICY":  "['no-referrer', 'same-origin']",
			},
		},
		{
			name: "TOML turns off",
			sources: toml(
				`SECURE_SSL_HOST = ""`, `X_FRAME_OPTIONS = false`, `CSRF_COOKIE_AGE = false`, `SECURE_REFERRER_POLICY = []`,
				`SESSION_COOKIE_SAMESITE = false`, `CSRF_COOKIE_SAMESITE = ""`, `SECURE_PROXY_SSL_HEADER = false`,
			),
			want: map[string]string{
				"SECURE_SSL_HOST": "None", "X_FRAME_OPTIONS": "None", "CSRF_COOKIE_AGE": "None", "SECURE_REFERRER_POLICY": "None",
				"SESSION_COOKIE_SAMESITE": "False", "CSRF_COOKIE_SAMESITE": "False", "SECURE_PROXY_SSL_HEADER": "None",
			},
		},
		{
			name: "TOML with every mistake",
			sources: toml(
				`# the first line`,
				`SECURE_SSL_REDIRCT = true`,
				`DEBUG = "true"`,
				`SESSION_COOKIE_AGE = 1.5`,
				`SECRET_KEY = 12345`,
				`ALLOWED_HOSTS = "a.test"`,
				`SECURE_REDIRECT_EXEMPT = [`,
				`  "a", 1]`,
				`SECURE_PROXY_SSL_HEADER = ["HTTP_X_FORWARDED_PROTO"]`,
				`CSRF_COOKIE_AGE = 0`,
				`SESSION_COOKIE_NAME = 2026-01-01`,
				`"odd name" = 1`,
				`[DJANGO_VERSION]`,
				`x = 1`,
				`[MIDDLEWARE]`,
			),
			errs: []string{
				"a.toml:2: SECURE_SSL_REDIRCT: no such setting; did you mean SECURE_SSL_REDIRECT?",
				`a.toml:3: DEBUG = "true": is a string; write True without quotes`,
				"a.toml:4: SESSION_COOKIE_AGE = 1.5: is a number with a fraction; write a whole number",
				"a.toml:5: SECRET_KEY: is a number; write a string",
				`a.toml:6: ALLOWED_HOSTS = "a.test": is a string; write a list of strings, such as ['a', 'b']`,
				`a.toml:7: SECURE_REDIRECT_EXEMPT = ['a', 1]: is a list with other things than strings; write a list of strings, such as ['a', 'b']`,
				`a.toml:9: SECURE_PROXY_SSL_HEADER = ['HTTP_X_FORWARDED_PROTO']: is a list of 1; write two strings, such as ('HTTP_X_FORWARDED_PROTO', 'https'), or None`,
				"a.toml:10: CSRF_COOKIE_AGE = 0: the cookie would be deleted at once; write a whole number or None",
				"a.toml:11: SESSION_COOKIE_NAME = …: is of a type that no setting has; write a string",
				`a.toml:12: "odd name": no such setting`,
				"a.toml:13: DJANGO_VERSION = …: is a table; write a string",
				"a.toml:15: MIDDLEWARE: no such setting",
			},
		},
		{
			name:    "not TOML",
			sources: toml(`DEBUG = true`, `SECRET_KEY = the-secret`),
			errs:    []string{`a.toml:2: not TOML: expected value but found "…" instead`},
		},
		{
			name:    "twice in TOML",
			sources: toml(`DEBUG = true`, `DEBUG = false`),
			errs:    []string{`a.toml:2: not TOML: Key 'DEBUG' has already been defined`},
		},
		{
			name: "environment",
			sources: environment(
				"HOME=/", "LOCKSTEP_SUITES=/suites", "no equals sign",
				"LOCKSTEP_SECURE_SSL_REDIRECT=true", "LOCKSTEP_SESSION_COOKIE_SECURE=True", "LOCKSTEP_SESSION_COOKIE_AGE=60",
				"LOCKSTEP_SESSION_COOKIE_NAME='quotes are the value'", "LOCKSTEP_SECURE_SSL_HOST=a.test:8443",
				"LOCKSTEP_ALLOWED_HOSTS=a.test, b.test", "LOCKSTEP_SECURE_REDIRECT_EXEMPT=['a{1,2}', r'\\d']",
				"LOCKSTEP_SECURE_PROXY_SSL_HEADER=HTTP_X_FORWARDED_PROTO,https",
				"LOCKSTEP_SESSION_COOKIE_SAMESITE=None", "LOCKSTEP_CSRF_COOKIE_SAMESITE=false",
			),
			want: map[string]string{
				"SECURE_SSL_REDIRECT": "True", "SESSION_COOKIE_SECURE": "True", "SESSION_COOKIE_AGE": "60",
				"SESSION_COOKIE_NAME": `"'quotes are the value'"`, "SECURE_SSL_HOST": "'a.test:8443'",
				"ALLOWED_HOSTS": "['a.test', 'b.test']", "SECURE_REDIRECT_EXEMPT": `['a{1,2}', '\\d']`,
				"SECURE_PROXY_SSL_HEADER": "('HTTP_X_FORWARDED_PROTO', 'https')",
				"SESSION_COOKIE_SAMESITE": "'None'", "CSRF_COOKIE_SAMESITE": "False",
			},
		},
		{
			name: "environment turns off",
			sources: environment(
				"LOCKSTEP_SECURE_SSL_HOST=", "LOCKSTEP_X_FRAME_OPTIONS=None", "LOCKSTEP_CSRF_COOKIE_AGE=",
				"LOCKSTEP_SECURE_REFERRER_POLICY=None", "LOCKSTEP_ALLOWED_HOSTS=", "LOCKSTEP_SECURE_PROXY_SSL_HEADER=",
			),
			want: map[string]string{
				"SECURE_SSL_HOST": "None", "X_FRAME_OPTIONS": "None", "CSRF_COOKIE_AGE": "None",
				"SECURE_REFERRER_POLICY": "None", "ALLOWED_HOSTS": "[]", "SECURE_PROXY_SSL_HEADER": "None",
			},
		},
		{
			name: "environment with mistakes",
			sources: environment(
				"LOCKSTEP_SECURE_SSL_REDIRCT=true", "LOCKSTEP_SECURE_SSL_REDIRECT=1", "LOCKSTEP_DEBUG=",
				"LOCKSTEP_SESSION_COOKIE_AGE=", "LOCKSTEP_ALLOWED_HOSTS=[::1]", "LOCKSTEP_SECRET_KEY_FALLBACKS=['the-secret", "LOCKSTEP_=x",
			),
			errs: []string{
				"environment LOCKSTEP_SECURE_SSL_REDIRCT: LOCKSTEP_SECURE_SSL_REDIRCT: no such setting; did you mean LOCKSTEP_SECURE_SSL_REDIRECT?",
				`environment LOCKSTEP_SECURE_SSL_REDIRECT: SECURE_SSL_REDIRECT = "1": is a string; write True or False`,
				`environment LOCKSTEP_DEBUG: DEBUG = "": is a string; write True or False`,
				`environment LOCKSTEP_SESSION_COOKIE_AGE: SESSION_COOKIE_AGE = "": is a string; write a whole number`,
				"environment LOCKSTEP_ALLOWED_HOSTS: ALLOWED_HOSTS: not a Python literal: expected True, False, None, a number, a string in quotes, " +
					"a list or a tuple, at character 2; write a list of strings, such as ['a', 'b']",
				"environment LOCKSTEP_SECRET_KEY_FALLBACKS: SECRET_KEY_FALLBACKS: not a Python literal: the quote that ends the string is missing, " +
					"at character 13; write a list of strings, such as ['a', 'b']",
				`environment LOCKSTEP_: "LOCKSTEP_": no such setting`,
			},
		},
		{
			name: "assignments",
			sources: set(
				"SESSION_COOKIE_SECURE=False", "DEBUG = true", "SESSION_COOKIE_AGE=5", "SECURE_HSTS_SECONDS='5'", "SECURE_HSTS_SECONDS=1_0",
				"SESSION_COOKIE_NAME='a b'", "CSRF_COOKIE_NAME=bare", "ALLOWED_HOSTS=('a.test', \"b.test\",)", "CSRF_TRUSTED_ORIGINS=https://a.test,https://b.test",
				"SECURE_PROXY_SSL_HEADER=('HTTP_X_FORWARDED_PROTO', 'https')", "SESSION_COOKIE_SAMESITE='None'", "CSRF_COOKIE_SAMESITE=False",
				"X_FRAME_OPTIONS=None", "SECURE_REFERRER_POLICY='no-referrer'", "SECURE_REDIRECT_EXEMPT=[r'^a\\d$']", "DJANGO_VERSION=5.2",
				"SECURE_SSL_HOST=[::1]:8443", "CSRF_COOKIE_AGE=None", "TRUSTED_PROXIES=10.0.0.1, 10.1.0.0/16",
			),
			want: map[string]string{
				"SESSION_COOKIE_SECURE": "False", "DEBUG": "True", "SESSION_COOKIE_AGE": "5", "SECURE_HSTS_SECONDS": "10",
				"SESSION_COOKIE_NAME": "'a b'", "CSRF_COOKIE_NAME": "'bare'", "ALLOWED_HOSTS": "['a.test', 'b.test']",
				"CSRF_TRUSTED_ORIGINS": "['https://a.test', 'https://b.test']", "SECURE_PROXY_SSL_HEADER": "('HTTP_X_FORWARDED_PROTO', 'https')",
				"SESSION_COOKIE_SAMESITE": "'None'", "CSRF_COOKIE_SAMESITE": "False", "X_FRAME_OPTIONS": "None",
				"SECURE_REFERRER_POLICY": "'no-referrer'", "SECURE_REDIRECT_EXEMPT": `['^a\\d$']`, "DJANGO_VERSION": "'5.2'",
				"SECURE_SSL_HOST": "'[::1]:8443'", "CSRF_COOKIE_AGE": "None",
				"TRUSTED_PROXIES": "['10.0.0.1', '10.1.0.0/16']",
			},
			errs: []string{`--set: SECURE_HSTS_SECONDS = "5": is a string; write a whole number`},
		},
		{
			name: "assignments with mistakes",
			sources: set(
				"SESSION_COOKIE_SAMESITE=None", "SecureHSTSSeconds=5", "SSL_REDIRECT=True", "SECURE_HSTS_SECONDS=60*60", "DEBUG", "NO_SUCH_THING",
				"SECURE_SSL_REDIRECT='false'", "ALLOWED_HOSTS=('a.test')", "SECRET_KEY='the-secret", "SECRET_KEY=None",
				"SESSION_COOKIE_AGE="+strings.Repeat("9", 300), "MIDDLEWARE=[]", strings.Repeat("X", 80)+"=1",
			),
			errs: []string{
				"--set: SESSION_COOKIE_SAMESITE = None: is not accepted here; write 'Lax', 'Strict' or 'None' in quotes, or False for no attribute",
				"--set: SecureHSTSSeconds: no such setting; did you mean SECURE_HSTS_SECONDS?",
				"--set: SSL_REDIRECT: no such setting; did you mean SECURE_SSL_REDIRECT?",
				"--set: SECURE_HSTS_SECONDS: not a Python literal: something follows the value, at character 3; write a whole number",
				`--set: SECURE_SSL_REDIRECT = "false": is a string; write False without quotes`,
				`--set: ALLOWED_HOSTS = "a.test": is a string; write a list of strings, such as ['a', 'b']`,
				"--set: SECRET_KEY: not a Python literal: the quote that ends the string is missing, at character 12; write a string",
				"--set: SECRET_KEY: is not accepted here; write a string",
				"--set: SESSION_COOKIE_AGE: not a Python literal: a number out of range, at character 1; write a whole number",
				"--set: MIDDLEWARE: no such setting",
				"--set: " + strings.Repeat("X", 64) + "…: no such setting",
				"--set: DEBUG: has no value; write DEBUG=True",
				"--set: NO_SUCH_THING: no such setting",
			},
		},
	} {
		t.Run(test.name, test.run)
	}
}

func TestLaterSourcesWin(t *testing.T) {
	got, origins, err := settings.Load(lockstep.DjangoDefaults("6.1"),
		settings.TOML("a.toml", []byte("SECURE_HSTS_SECONDS = 1\nSESSION_COOKIE_AGE = 1\nDEBUG = true\n")),
		settings.Environment([]string{"LOCKSTEP_SECURE_HSTS_SECONDS=2", "LOCKSTEP_SESSION_COOKIE_AGE=2"}),
		settings.Assignments([]string{"SECURE_HSTS_SECONDS=3"}, "--set"),
	)
	if err != nil {
		t.Fatal(err)
	}
	if got.SecureHSTSSeconds != 3 || got.SessionCookieAge != 2 || !got.Debug {
		t.Errorf("got %d %d %v", got.SecureHSTSSeconds, got.SessionCookieAge, got.Debug)
	}
	for name, want := range map[string]settings.Origin{
		"SECURE_HSTS_SECONDS": "--set",
		"SESSION_COOKIE_AGE":  "environment LOCKSTEP_SESSION_COOKIE_AGE",
		"DEBUG":               "a.toml:3",
		"ALLOWED_HOSTS":       settings.Default,
	} {
		if origins.Of(name) != want {
			t.Errorf("%s comes from %q, want %q", name, origins.Of(name), want)
		}
	}
}

func TestBaseIsNotChanged(t *testing.T) {
	base := lockstep.Recommended("k", "a.test")
	if _, _, err := settings.Load(base, set("ALLOWED_HOSTS=b.test", "SECURE_REFERRER_POLICY=origin")...); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(base, lockstep.Recommended("k", "a.test")) {
		t.Errorf("the base is now %+v", base)
	}
}

func TestLargeFile(t *testing.T) {
	_, _, err := settings.Load(lockstep.Settings{}, settings.TOML("a.toml", make([]byte, 1<<20+1)))
	if err == nil || err.Error() != "a.toml: larger than 1048576 bytes" {
		t.Errorf("got %v", err)
	}
}

func TestErrorsAreSettingErrors(t *testing.T) {
	_, _, err := settings.Load(lockstep.Settings{}, set("DEBUG=1")...)
	var bad *lockstep.SettingError
	if !errors.As(err, &bad) || bad.Setting != "DEBUG" || bad.Value != "1" || bad.Problem != "is a number" || bad.Hint != "write True or False" {
		t.Errorf("got %#v", bad)
	}
}

func TestLocate(t *testing.T) {
	origins := settings.Origins{"X_FRAME_OPTIONS": "a.toml:7"}
	inFile := &lockstep.SettingError{Setting: "X_FRAME_OPTIONS", Problem: "is wrong"}
	elsewhere := &lockstep.SettingError{Setting: "SECRET_KEY", Problem: "must not be empty"}
	got := origins.Locate(errors.Join(inFile, errors.Join(elsewhere, errors.New("another"))))
	if want := "a.toml:7: X_FRAME_OPTIONS: is wrong\nSECRET_KEY: must not be empty\nanother"; got.Error() != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(got, inFile) || !errors.Is(got, elsewhere) {
		t.Error("the errors are lost")
	}
	if origins.Locate(nil) != nil || settings.Origins(nil).Of("DEBUG") != settings.Default {
		t.Error("nothing is not nothing")
	}
}

// Whatever Format writes is read back as the same value, by assignment.
func TestFormatIsReadBack(t *testing.T) {
	full := lockstep.Recommended("k", "a.test", `it's "quoted"`, "tab\t\x01\u00e9\u200b😀")
	full.SecureProxySSLHeader = [2]string{"HTTP_X_FORWARDED_PROTO", "https"}
	full.SecureRedirectExempt = []string{`^a\d$`}
	full.SecureReferrerPolicy = []string{"no-referrer", "origin"}
	full.CSRFCookieAge = 0
	full.SessionCookieSameSite = "None"
	full.CSRFCookieSameSite = ""
	for _, s := range []lockstep.Settings{full, lockstep.DjangoDefaults("3.2"), lockstep.DjangoDefaults("6.1")} {
		var assignments []string
		for f := range settings.Fields(s) {
			if !f.Secret {
				assignments = append(assignments, f.Name+"="+f.Default)
			}
		}
		got, _, err := settings.Load(lockstep.Settings{}, settings.Assignments(assignments, "--set"))
		if err != nil {
			t.Fatal(err)
		}
		got.SecretKey, got.SecretKeyFallbacks = s.SecretKey, s.SecretKeyFallbacks
		for f := range settings.Fields(s) {
			if again, _ := settings.Format(got, f.Name); again != f.Default {
				t.Errorf("%s = %s is read as %s", f.Name, f.Default, again)
			}
		}
	}
}

func TestFormatHidesSecrets(t *testing.T) {
	s := lockstep.Settings{SecretKey: "the-secret", SecretKeyFallbacks: []string{"one", "two"}}
	for name, want := range map[string]string{"SECRET_KEY": "'…'", "SECRET_KEY_FALLBACKS": "['…', '…']"} {
		if got, ok := settings.Format(s, name); !ok || got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if _, ok := settings.Format(s, "SECRET"); ok {
		t.Error("there is no setting SECRET")
	}
}

func TestNearestName(t *testing.T) {
	for _, test := range []struct{ name, near string }{
		{"SECURE_SSL_REDIRCT", "SECURE_SSL_REDIRECT"},
		{"secure_ssl_redirect", "SECURE_SSL_REDIRECT"},
		{"SecureSSLRedirect", "SECURE_SSL_REDIRECT"},
		{"ALOWED_HOST", "ALLOWED_HOSTS"},
		{"HSTS_SECONDS", "SECURE_HSTS_SECONDS"},
		{"COOKIE_SECURE", ""}, // two settings end so
		{"SESSION_COOKIE_SECURED", "SESSION_COOKIE_SECURE"},
		{"CSRF_COOKIE_HTTP_ONLY", "CSRF_COOKIE_HTTPONLY"},
		{"X", ""},
		{"MIDDLEWARE", ""},
	} {
		_, _, err := settings.Load(lockstep.Settings{}, set(test.name+"=1")...)
		want := "--set: " + test.name + ": no such setting"
		if test.near != "" {
			want += fmt.Sprintf("; did you mean %s?", test.near)
		}
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func FuzzTOML(f *testing.F) {
	for _, seed := range []string{
		"SECURE_SSL_REDIRECT = true\n", "ALLOWED_HOSTS = [\n'a',\n]\n", "[a.b]\nc = 1\n", "SECRET_KEY = \"\"\"\nsecret\"\"\"", "a.b.c = {d = 1}",
		"[[x]]\n[[x]]\n", "CSRF_COOKIE_AGE = 9223372036854775807", "SECURE_HSTS_SECONDS = nan", "\"\" = 1", "'a\nb' = 1", "DEBUG = 1979-05-27T07:32:00Z",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		const secret = "kept-by-all-means"
		for _, data := range []string{text, text + "\nSECRET_KEY = \"" + secret + "\"\n", text + "\nSECRET_KEY = " + secret + "\n"} {
			s, origins, err := settings.Load(lockstep.DjangoDefaults("6.1"), settings.TOML("a.toml", []byte(data)))
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the secret is in %v", err)
			}
			for name, origin := range origins {
				if _, ok := settings.Format(s, name); !ok || !strings.HasPrefix(string(origin), "a.toml") {
					t.Errorf("%s comes from %s", name, origin)
				}
			}
		}
	})
}
