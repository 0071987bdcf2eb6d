package django_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/django"
)

func TestCSRFConstants(t *testing.T) {
	var constants struct {
		Alphabet     string
		SecretLength int    `json:"secret_length"`
		TokenLength  int    `json:"token_length"`
		SessionKey   string `json:"session_key"`
	}
	if err := json.Unmarshal(askDjango(t, []question{{"op": "csrf_constants"}})[0].Result, &constants); err != nil {
		t.Fatal(err)
	}
	if constants.Alphabet != django.CSRFAlphabet || constants.SecretLength != django.CSRFSecretLength ||
		constants.TokenLength != django.CSRFTokenLength || constants.SessionKey != django.CSRFSessionKey {
		t.Errorf("Django has %+v", constants)
	}
}

// TestMaskOnDjango masks and unmasks what Django masks and unmasks.
func TestMaskOnDjango(t *testing.T) {
	r := seeded()
	var (
		questions []question
		want      []string
	)
	for range 200 {
		secret, mask := randomSecret(r), randomSecret(r)
		token := django.MaskCSRFSecret(secret, mask)
		questions = append(questions,
			question{"op": "csrf_mask_with", "secret": secret, "mask": mask},
			question{"op": "csrf_unmask", "token": token})
		want = append(want, token, secret)
	}
	for i, a := range askDjango(t, questions) {
		if got := a.text(t); got != want[i] {
			t.Errorf("%v: Django has %q, we have %q", questions[i], got, want[i])
		}
	}
}

// TestUnmaskOnDjango unmasks tokens that Django drew.
func TestUnmaskOnDjango(t *testing.T) {
	r := seeded()
	var questions []question
	for range 100 {
		questions = append(questions, question{"op": "csrf_mask", "secret": randomSecret(r)})
	}
	for i, a := range askDjango(t, questions) {
		token, secret := a.text(t), questions[i]["secret"].(string)
		if got, ok := django.CSRFSecret(token); !ok || got != secret {
			t.Errorf("%q hides %q, we found %q", token, secret, got)
		}
		if !django.CSRFTokensMatch(token, secret) {
			t.Errorf("%q does not match its secret %q", token, secret)
		}
	}
}

func randomSecret(r *rand.Rand) string {
	secret := make([]byte, django.CSRFSecretLength)
	for i := range secret {
		secret[i] = django.CSRFAlphabet[r.IntN(len(django.CSRFAlphabet))]
	}
	return string(secret)
}

func TestCSRFTokensMatch(t *testing.T) {
	secret, other := strings.Repeat("s", 32), strings.Repeat("t", 32)
	masked := django.MaskCSRFSecret(secret, strings.Repeat("M", 32))
	for _, c := range []struct {
		name, token string
		want        bool
	}{
		{"bare", secret, true},
		{"masked", masked, true},
		{"masked otherwise", django.MaskCSRFSecret(secret, strings.Repeat("9", 32)), true},
		{"of another secret", django.MaskCSRFSecret(other, strings.Repeat("M", 32)), false},
		{"another secret", other, false},
		{"empty", "", false},
		{"one short", masked[:63], false},
		{"one long", masked + "a", false},
		{"one character off", masked[:63] + string('a'+(masked[63]-'a'+1)%26), false},
		{"masked twice", django.MaskCSRFSecret(masked[:32], strings.Repeat("M", 32)), false},
		{"not ASCII", strings.Repeat("é", 16), false},
		{"between the letters", strings.Repeat("[", 32), false},
		{"a NUL", secret[:31] + "\x00", false},
	} {
		if got := django.CSRFTokensMatch(c.token, secret); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if django.CSRFTokensMatch("", "") || django.CSRFTokensMatch("!", "!") {
		t.Error("what is no token matches itself")
	}
}

func TestSessionAuthHashOnDjango(t *testing.T) {
	r := seeded()
	var questions []question
	for range 50 {
		questions = append(questions, question{"op": "session_auth_hash", "password": randomText(r)})
	}
	for i, a := range askDjango(t, questions) {
		if got, want := django.SessionAuthHash(oracleKey, questions[i]["password"].(string)), a.text(t); got != want {
			t.Errorf("%v: Django has %s, we have %s", questions[i], want, got)
		}
	}
}

func FuzzCSRFSecret(f *testing.F) {
	f.Add(strings.Repeat("a", 32), strings.Repeat("Z", 32))
	f.Add(strings.Repeat("9", 64), "")
	f.Fuzz(func(t *testing.T, token, mask string) {
		secret, ok := django.CSRFSecret(token)
		if !ok {
			if django.CSRFTokensMatch(token, token) {
				t.Fatalf("%q is no token and matches", token)
			}
			return
		}
		if len(secret) != django.CSRFSecretLength || !django.IsCSRFText(secret) || !django.CSRFTokensMatch(token, secret) {
			t.Fatalf("%q gave the secret %q", token, secret)
		}
		if masked := django.MaskCSRFSecret(secret, mask); masked != "" && !django.CSRFTokensMatch(masked, token) {
			t.Fatalf("%q, masked with %q, no longer matches", secret, mask)
		}
	})
}
