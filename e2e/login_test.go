package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/trace"
)

// accounts is a Django with accounts: what startproject has, and the pages of testdata.
var accounts = lesson{set: []string{
	"ROOT_URLCONF='accounts'",
	"INSTALLED_APPS=['django.contrib.auth', 'django.contrib.contenttypes', 'django.contrib.sessions']",
	"MIDDLEWARE=['django.middleware.security.SecurityMiddleware', 'django.contrib.sessions.middleware.SessionMiddleware', " +
		"'django.middleware.common.CommonMiddleware', 'django.middleware.csrf.CsrfViewMiddleware', " +
		"'django.contrib.auth.middleware.AuthenticationMiddleware']",
	"TEMPLATES=[{'BACKEND': 'django.template.backends.django.DjangoTemplates'}]",
	"LOGIN_REDIRECT_URL='/'",
	"ALLOWED_HOSTS=['shop.test', 'login.test']",
	"DEFAULT_AUTO_FIELD='django.db.models.AutoField'",
}}

const djangoPassword = "correct horse é&=+"

// A loginTest is a call of the program, and what it says.
type loginTest struct {
	name     string
	args     []string
	password string // on standard input
	code     int
	says     []string // regular expressions, of both streams together
}

// TestLogin has the program log in at a real Django.
func TestLogin(t *testing.T) {
	needDjango(t)
	t.Parallel()
	bin := build(t)
	s := newStage(t)
	addr := startDjango(t, accounts, s)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, s.authority.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(addr)
	reach := []string{"--cacert", ca, "--connect-to", "::127.0.0.1:" + port}
	login := func(path string, more ...string) []string {
		return append([]string{"trace", "http://shop.test/", "--login", path, "--user", "alice", "--password-file", "-"}, more...)
	}
	for _, c := range []loginTest{
		{"a login", login("/accounts/login/", "--expect", "cookie sessionid never over http", "--expect", "cookie sessionid has Secure HttpOnly SameSite=Lax", "--expect", "http redirects to https"), djangoPassword, 0, []string{
			`4 +the login form is sent: +https \(seen from outside\) +302 to /, then 200, processed; +yes: csrftoken, sessionid`,
			`value of sessionid +-.*no\. 1`,
			`value of csrftoken +- .*no\. 1 +no\. 2`,
			"Did the login work\\?\n +The answer to the login set a cookie and the form is not shown again",
			"holds +cookie sessionid never over http\n +-> step 6, GET http://shop.test/: kept back \\(rule send-secure-over-http\\)",
			`sessionid +yes: store-ok.*\n?.*yes: send-ok`,
		}},
		{"a wrong password", login("/accounts/login/"), "wrong horse", 1, []string{"does not seem to have worked: The form is shown again", "hint: Check name and password"}},
		{"a wrong password and an expectation", login("/accounts/login/", "--expect", "cookie sessionid stored"), "wrong horse", 1, []string{"does not hold +cookie sessionid stored\n +-> the site never set sessionid; it set csrftoken"}},
		{"no form", login("/"), djangoPassword, 3, []string{"the page has no form", "hint: give --login the path"}},
		{"no password", login("/search"), djangoPassword, 3, []string{`no form of the page has a password field; there is form 1 \(GET /search\)`}},
		{"no page", login("/nowhere/"), djangoPassword, 3, []string{"https://shop.test/nowhere/ answered 404 Not Found"}},
		{"two forms", login("/two/"), djangoPassword, 3, []string{`2 forms of the page have a password field: form 1 \(POST /accounts/login/, id "main", with a password\), form 2`, "hint: choose one with --form"}},
		{"two forms, one chosen", login("/two/", "--form", "main"), djangoPassword, 0, []string{"set a cookie and the form is not shown again"}},
		{"two forms, another chosen", login("/two/", "--form", "/other/"), djangoPassword, 1, []string{"does not seem to have worked: The site answered the login form with an error"}},
		{"a form that is not there", login("/two/", "--form", "3"), djangoPassword, 3, []string{`0 forms of the page are called "3"`}},
		{"fields by name", login("/accounts/login/", "--user-field", "username", "--password-field", "password"), djangoPassword, 0, []string{"observed-login-cookie"}},
		{"a field that is not there", login("/accounts/login/", "--user-field", "email"), djangoPassword, 3, []string{`no field "email" to type into`, "hint: there are .*username"}},
		{"no token", login("/notoken/"), djangoPassword, 1, []string{"answered the login form with an error", "hint: 403 often means"}},
		{"to http", login("/http/"), djangoPassword, 3, []string{"the login form was not sent to shop.test: the password does not go there", "connect-body-withheld"}},
		{"to another origin", login("/elsewhere/"), djangoPassword, 3, []string{"was not sent to evil.test"}},
		{"handed on to another origin", login("/handed/"), djangoPassword, 3, []string{"was not sent to evil.test"}},
		{"a page at another origin", login("/moved/"), djangoPassword, 3, []string{"the login page is at https://login.test/accounts/login/, and the password goes to https://shop.test only", "hint: when that is the site, trace it"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, code := call(t, bin, c.password+"\n", append(c.args, reach...)...)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, say := range c.says {
				if !regexp.MustCompile(say).MatchString(out) {
					t.Errorf("does not say %s", say)
				}
			}
			if strings.Contains(out, "horse") {
				t.Error("it tells the password")
			}
			if t.Failed() {
				t.Logf("lockstep %s\n%s", strings.Join(c.args, " "), out)
			}
		})
	}
	t.Run("a saved login", func(t *testing.T) {
		saved, code := call(t, bin, djangoPassword, append(login("/accounts/login/", "--format", "json"), reach...)...)
		if code != 0 || strings.Contains(saved, "horse") || strings.Contains(saved, "csrfmiddlewaretoken") {
			t.Fatalf("exit code %d\n%s", code, saved)
		}
		run, err := trace.ReadJSON(strings.NewReader(saved))
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := run.LoginVerdict(); !ok || v.Rule != "observed-login-cookie" {
			t.Errorf("the login of the saved run: %v %v", v, ok)
		}
		out, code := call(t, bin, saved, "trace", "--replay", "-", "--expect", "cookie sessionid sent over https", "--expect", "cookie sessionid sent over http")
		if code != 1 || !strings.Contains(out, "does not hold  cookie sessionid sent over http\n") || !strings.Contains(out, "holds          cookie sessionid sent over https\n") {
			t.Errorf("exit code %d\n%s", code, out)
		}
	})
}

// build returns the program, built.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "lockstep")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-C", "..", "-o", bin, "./cmd/lockstep").CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	return bin
}

// call runs the program and returns what it printed, both streams together, and its exit code.
func call(t *testing.T, bin, stdin string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), bin, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}
