package lockstep_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep"
)

func ExampleDjangoDefaults() {
	old, latest := lockstep.DjangoDefaults("3.2"), lockstep.DjangoDefaults("6.1")
	fmt.Println(latest.SessionCookieName, latest.SessionCookieSecure, latest.SessionCookieAge)
	fmt.Printf("%q %q\n", old.SecureCrossOriginOpenerPolicy, latest.SecureCrossOriginOpenerPolicy)
	// Output:
	// sessionid false 1209600
	// "" "same-origin"
}

func ExampleRecommended() {
	s := lockstep.Recommended("fifty or more random characters", "shop.test")
	fmt.Println(s.SecureSSLRedirect, s.SecureHSTSSeconds, s.SessionCookieName)
	// Output:
	// true 31536000 __Host-sessionid
}

func TestDefaultsWithAKeyAreGood(t *testing.T) {
	for _, version := range []string{"3.2", "4.2", "5.2", "5.2.14", "6.0", "6.1"} {
		s := lockstep.DjangoDefaults(version)
		s.SecretKey = "k"
		if _, err := lockstep.CheckSettings(s); err != nil {
			t.Errorf("%s: %v", version, err)
		}
	}
	if _, err := lockstep.CheckSettings(lockstep.Recommended("k", "shop.test", ".shop.test")); err != nil {
		t.Errorf("Recommended: %v", err)
	}
}

func TestDefaultsOfVersions(t *testing.T) {
	for _, test := range []struct {
		version      string
		openerPolicy string
		legacySalt   bool
	}{
		{"3.2", "", false},
		{"3.2.25", "", false},
		{"4.2", "same-origin", false},
		{"5.2", "same-origin", true},
		{"5.2.14", "same-origin", false},
		{"5.2.15", "same-origin", true},
		{"6.0", "same-origin", true},
		{"6.0.5", "same-origin", false},
		{"6.1", "same-origin", false},
	} {
		s := lockstep.DjangoDefaults(test.version)
		if s.SecureCrossOriginOpenerPolicy != test.openerPolicy || s.SignedCookieLegacySaltFallback != test.legacySalt {
			t.Errorf("%s: got %q, %v", test.version, s.SecureCrossOriginOpenerPolicy, s.SignedCookieLegacySaltFallback)
		}
		if s.DjangoVersion != test.version {
			t.Errorf("got version %q, want %q", s.DjangoVersion, test.version)
		}
	}
}

func TestUnknownVersionIsRefusedLater(t *testing.T) {
	s := lockstep.DjangoDefaults("7.0")
	s.SecretKey = "k"
	if _, err := lockstep.CheckSettings(s); err == nil || !strings.Contains(err.Error(), `DJANGO_VERSION = "7.0"`) {
		t.Errorf("got %v", err)
	}
}

func TestRecommendedCopiesHosts(t *testing.T) {
	hosts := []string{"a.test"}
	s := lockstep.Recommended("k", hosts...)
	hosts[0] = "b.test"
	if s.AllowedHosts[0] != "a.test" {
		t.Error("the hosts are shared with the caller")
	}
}

// Django's names in Go's case, by the words that Go writes in capitals or otherwise.
var goCase = map[string]string{
	"SSL": "SSL", "HSTS": "HSTS", "CSRF": "CSRF", "XSS": "XSS", "CSP": "CSP", "TZ": "TZ", "HTTPONLY": "HttpOnly", "SAMESITE": "SameSite",
}

func TestEverySettingHasDjangosName(t *testing.T) {
	settings := reflect.TypeFor[lockstep.Settings]()
	seen := map[string]bool{}
	for f := range settings.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("django"), ",")
		var want strings.Builder
		for word := range strings.SplitSeq(name, "_") {
			spelled, ok := goCase[word]
			if !ok && word != "" {
				spelled = word[:1] + strings.ToLower(word[1:])
			}
			want.WriteString(spelled)
		}
		if f.Name != want.String() || seen[name] {
			t.Errorf("field %s has the name %q, whose field is %s", f.Name, name, want.String())
		}
		seen[name] = true
	}
}
