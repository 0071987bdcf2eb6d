package lockstep_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/session"
)

func TestRules(t *testing.T) {
	form := regexp.MustCompile(`^(secure|host|redirect|csrf|authenticated|header|set-cookie|note)(-[a-z0-9]+)+$`)
	for _, r := range lockstep.Rules() {
		if !form.MatchString(string(r.ID)) || r.Source == "" || r.Scenario == "" {
			t.Errorf("rule %+v", r)
		}
		for _, text := range []string{r.Sentence, r.Fix} {
			if !strings.HasSuffix(text, ".") || strings.Contains(strings.TrimSuffix(text, "."), ". ") {
				t.Errorf("%s: not one sentence: %q", r.ID, text)
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := lockstep.New(lockstep.Settings{}, lockstep.Options{}); err == nil {
		t.Error("the zero Settings is taken")
	}
	signed := djangoSettings(func(s *lockstep.Settings) {
		s.SessionEngine = "django.contrib.sessions.backends.signed_cookies"
	})
	if _, err := lockstep.New(signed, lockstep.Options{Sessions: new(session.Memory)}); err == nil {
		t.Error("a store is taken for sessions that live in cookies")
	}
	if g, err := lockstep.New(signed, lockstep.Options{}); err != nil || g == nil {
		t.Errorf("signed_cookies: %v", err)
	}
}

// New copies: what happens to the settings afterwards has no effect.
func TestNewCopies(t *testing.T) {
	s := djangoSettings(func(s *lockstep.Settings) { s.AllowedHosts = []string{"shop.test"} })
	g, err := lockstep.New(s, lockstep.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.AllowedHosts[0] = "*"
	if v := g.Host(get(t, "https", "/", "evil.test")); v.Yes {
		t.Error("a later change of the settings has an effect")
	}
}

func TestGuardPrintsNoKey(t *testing.T) {
	g := newGuard(t, nil)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if strings.Contains(fmt.Sprintf(format, g), guardKey) {
			t.Errorf("%s prints SECRET_KEY", format)
		}
	}
}
