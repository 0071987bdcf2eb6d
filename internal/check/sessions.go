package check

import (
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/settings"
)

// What Django does not see of keys and sessions.

// Parts of keys that stand in examples and templates, in lower case.
var placeholders = []string{
	"changeme", "change-me", "change_me", "change this", "replace", "your-secret", "your_secret", "yoursecret", "secret-key", "secret_key",
	"secretkey", "insecure", "not-so-secret", "example", "placeholder", "development", "dummy", "xxxxxxxx", "12345678", "abcdefgh",
}

// fewestForStrength is how many different characters a key of 50 random ones has at least, but for
// one in a million million: keys of hexadecimal digits have up to 16.
const fewestForStrength = 10

// plainKey reports whether a key that Django's check passes can be guessed all the same.
func plainKey(key any) bool {
	var text string
	switch key := key.(type) {
	case string:
		text = key
	case settings.Bytes:
		text = string(key)
	}
	if text == "" || text == strongKey || weakKey(key) {
		return false
	}
	different := map[rune]bool{}
	for _, r := range text {
		different[r] = true
	}
	lower := strings.ToLower(text)
	named := slices.ContainsFunc(placeholders, func(p string) bool { return strings.Contains(lower, p) })
	return named || len(different) < fewestForStrength || repeats(text)
}

// repeats reports whether a text is a shorter one again and again.
func repeats(text string) bool {
	if len(text) < 2 {
		return false
	}
	return strings.Contains((text + text)[1:2*len(text)-1], text)
}

const signedCookies = "django.contrib.sessions.backends.signed_cookies"

var sessionChecks = []Check{
	{
		ID: "lockstep.W181", Severity: Critical, Source: "OWASP ASVS 13.3; Django setting SECRET_KEY", Settings: []string{"SECRET_KEY"},
		Title: "SECRET_KEY is long enough and can be guessed",
		Doc:   "It holds words that stand in examples, repeats itself, or has few different characters. Django's check counts characters only.",
		Fix:   "Keep 50 or more random characters outside of the code, and read them from the environment.",
		Find: func(s *Subject) []Fault {
			return when(plainKey(s.value("SECRET_KEY")), "SECRET_KEY is one that can be guessed")
		},
		Show: Proof{Words: "A key is not tried in a run: that it can be guessed is harm enough, and the run has a key of its own."},
		Mend: mendSecretKey,
	},
	{
		ID: "lockstep.W182", Severity: Low, Source: "Django setting SECRET_KEY_FALLBACKS", Settings: []string{"SECRET_KEY_FALLBACKS", "SECRET_KEY"},
		Title: "SECRET_KEY is among its own fallbacks",
		Doc:   "A key that was replaced because it got out is then still the one that signs.",
		Fix:   "Take the key out of SECRET_KEY_FALLBACKS, or make a new SECRET_KEY.",
		Find: func(s *Subject) []Fault {
			again := slices.ContainsFunc(s.fallbacks(), func(key any) bool { return plainly(key) == plainly(s.value("SECRET_KEY")) })
			kept := len(s.fallbacks()) > 0 && !again
			return append(when(again, "SECRET_KEY_FALLBACKS holds SECRET_KEY"),
				only(Info, when(kept, "%d former keys are still accepted; take them out when SESSION_COOKIE_AGE has passed since the change", len(s.fallbacks())))...)
		},
		Show: Proof{Words: "A key is not tried in a run."},
		Mend: func(s *Subject) {
			key := plainly(s.value("SECRET_KEY"))
			if slices.ContainsFunc(s.fallbacks(), func(k any) bool { return plainly(k) == key }) {
				s.setAs("SECRET_KEY_FALLBACKS", slices.DeleteFunc(slices.Clone(s.fallbacks()), func(k any) bool { return plainly(k) == key }),
					line{code: "[k for k in SECRET_KEY_FALLBACKS if k != SECRET_KEY]"})
			}
		},
	},
	{
		ID: "lockstep.W183", Severity: High, Source: "Django, deprecated in 4.1 and removed in 5.0", Settings: []string{"SESSION_SERIALIZER"},
		Title: "Sessions are pickled",
		Doc:   "Whoever can write one session, by a key that got out or a way into the store, runs code on the server. From Django 5.0 on the serializer is gone and every session fails.",
		Fix:   "Set SESSION_SERIALIZER = 'django.contrib.sessions.serializers.JSONSerializer'; sessions that are there end.",
		Find: func(s *Subject) []Fault {
			return when(strings.HasSuffix(s.text("SESSION_SERIALIZER"), ".PickleSerializer"), "%s", s.show("SESSION_SERIALIZER"))
		},
		Show: Proof{Words: "The Guard reads JSON only: there is nothing in it that would run a pickle."},
		Mend: sets("SESSION_SERIALIZER", otherDefaults["SESSION_SERIALIZER"]),
	},
	{
		ID: "lockstep.W184", Severity: Medium, Source: "Django, django/contrib/sessions/backends/signed_cookies.py", Settings: []string{"SESSION_ENGINE"},
		Title: "The session is in the cookie",
		Doc:   "Whoever has the browser can read it, and a copy of the cookie is good until SESSION_COOKIE_AGE is over, whatever logout does: the server has nothing to end.",
		Fix:   "Set SESSION_ENGINE = 'django.contrib.sessions.backends.db', or cached_db.",
		Find: func(s *Subject) []Fault {
			return when(s.is("SESSION_ENGINE", signedCookies), "%s", s.show("SESSION_ENGINE"))
		},
		Show: stored("store-ok"),
		Mend: sets("SESSION_ENGINE", "django.contrib.sessions.backends.db"),
	},
	{
		ID: "lockstep.W185", Severity: Low, Source: "CVE-2026-6873", Settings: []string{"SIGNED_COOKIE_LEGACY_SALT_FALLBACK"},
		Versions: "5.2 and later", applies: func(s *Subject) bool { return s.since(5, 2) },
		Title: "Signed cookies of the old salt are still accepted",
		Doc:   "Under the old salt a cookie that was signed for one name and salt can be good for another of the same letters.",
		Fix:   "When no server of an older Django writes cookies any more: SIGNED_COOKIE_LEGACY_SALT_FALLBACK = False.",
		Find: func(s *Subject) []Fault {
			const name = "SIGNED_COOKIE_LEGACY_SALT_FALLBACK"
			return when(s.given(name) && s.on(name), "%s", s.show(name))
		},
		Show: Proof{Words: "It takes two signed cookies of the project's own, whose names a run does not know."},
		Mend: sets("SIGNED_COOKIE_LEGACY_SALT_FALLBACK", false),
	},
	{
		ID: "lockstep.W186", Severity: Medium, Source: "CVE-2026-35192", Settings: []string{"SESSION_SAVE_EVERY_REQUEST"},
		Versions: "before 5.2.14 and 6.0.5", applies: func(s *Subject) bool { return !s.variesAlways() },
		Title: "Answers with a session cookie can be cached for others",
		Doc:   "This Django sends the cookie with every answer and leaves Vary: Cookie out where the session was not read, so that a cache may give one person's cookie to another.",
		Fix:   "Update Django to 5.2.14, 6.0.5 or later, or set SESSION_SAVE_EVERY_REQUEST = False.",
		Find: func(s *Subject) []Fault {
			return when(s.on("SESSION_SAVE_EVERY_REQUEST"), "%s", s.show("SESSION_SAVE_EVERY_REQUEST"))
		},
		Show: Proof{Words: "The Guard sends Vary: Cookie in every version."},
		Mend: sets("SESSION_SAVE_EVERY_REQUEST", false),
	},
}

// variesAlways reports whether the Django has the repair of CVE-2026-35192.
func (s *Subject) variesAlways() bool {
	switch {
	case s.since(6, 1):
		return true
	case s.since(6, 0):
		return s.patched(5)
	case s.since(5, 2):
		return s.patched(14)
	}
	return false
}
