package django_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/internal/oracle"
)

// The key and the clock of the real Django that is asked.
const oracleKey = "lockstep-oracle-secret-key-0123456789-abcdefghijklmnopqrstuvwxyz"

var oracleNow = time.Unix(1700000000, 0).UTC()

type (
	// A question is one line for internal/oracle/oracle.py, whose docstring is the protocol.
	question map[string]any

	// An answer is one line from it.
	answer struct {
		Result    json.RawMessage
		Error     string
		Responses []struct {
			Status     int
			Headers    [][2]string
			SetCookies []struct{ Raw string } `json:"set_cookies"`
			JSON       struct{ COOKIES map[string]string }
		}
	}
)

// text returns the answer of a verb that answers with a text.
func (a answer) text(t *testing.T) string {
	t.Helper()
	var s string
	if err := json.Unmarshal(a.Result, &s); err != nil || a.Error != "" {
		t.Fatalf("Django answered %s %q", a.Result, a.Error)
	}
	return s
}

func (a answer) location() string {
	for _, header := range a.Responses[0].Headers {
		if header[0] == "Location" {
			return header[1]
		}
	}
	return ""
}

// askDjango asks a real Django, or skips the test where there is none.
func askDjango(t *testing.T, questions []question) []answer {
	t.Helper()
	return oracle.Ask[answer](t, questions)
}

// randomText returns a short text in which the characters that matter somewhere are frequent.
func randomText(r *rand.Rand) string {
	special := []rune("\x00\x01\t\n\r\x1b\x1f !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\x7f\u0085\u00a0éÿĀαβ\u2000\u2028\ud7ff\ufeff\ufffd😀" +
		`\073""\\\"%41%zz%c3%a9`)
	text := make([]rune, r.IntN(12))
	for i := range text {
		switch r.IntN(3) {
		case 0:
			text[i] = special[r.IntN(len(special))]
		case 1:
			text[i] = rune('a' + r.IntN(26))
		default:
			text[i] = rune('0' + r.IntN(10))
		}
	}
	return string(text)
}

// seeded returns the same numbers at every run.
func seeded() *rand.Rand { return rand.New(rand.NewPCG(6265, 6797)) }
