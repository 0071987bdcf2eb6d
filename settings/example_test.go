package settings_test

import (
	"fmt"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/settings"
)

func ExampleLoad() {
	file := settings.TOML("lockstep.toml", []byte(`
SECRET_KEY = "fifty or more random characters"
ALLOWED_HOSTS = ["shop.test"]
SECURE_SSL_REDIRECT = true
SECURE_HSTS_SECONDS = 3600
`))
	environment := settings.Environment([]string{"LOCKSTEP_SECURE_HSTS_SECONDS=86400"}) // os.Environ()
	flags := settings.Assignments([]string{"SESSION_COOKIE_SECURE=True"}, "--set")

	s, origins, err := settings.Load(lockstep.DjangoDefaults("6.1"), file, environment, flags)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"SECRET_KEY", "SECURE_HSTS_SECONDS", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"} {
		value, _ := settings.Format(s, name)
		fmt.Printf("%s = %s (%s)\n", name, value, origins.Of(name))
	}
	// Output:
	// SECRET_KEY = '…' (lockstep.toml:2)
	// SECURE_HSTS_SECONDS = 86400 (environment LOCKSTEP_SECURE_HSTS_SECONDS)
	// SESSION_COOKIE_SECURE = True (--set)
	// CSRF_COOKIE_SECURE = False (default)
}

func ExampleLoad_incorrect() {
	file := settings.TOML("lockstep.toml", []byte("SECURE_SSL_REDIRCT = true\nDEBUG = \"false\"\n"))
	_, _, err := settings.Load(lockstep.DjangoDefaults("6.1"), file)
	fmt.Println(err)
	// Output:
	// lockstep.toml:1: SECURE_SSL_REDIRCT: no such setting; did you mean SECURE_SSL_REDIRECT?
	// lockstep.toml:2: DEBUG = "false": is a string; write False without quotes
}

func ExampleFields() {
	for f := range settings.Fields(lockstep.DjangoDefaults("6.1")) {
		if f.Name == "SESSION_COOKIE_SAMESITE" {
			fmt.Printf("%s, %s, by default %s\n%s\n", f.Name, f.Type, f.Default, f.About)
		}
	}
	// Output:
	// SESSION_COOKIE_SAMESITE, string or False, by default 'Lax'
	// The SameSite of the session cookie, one of Strict, Lax and None, or False for no attribute.
}
