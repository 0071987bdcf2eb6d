package session_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/internal/oracle"
)

// askDjango puts lines to a real Django and returns its answers, in their order.
func askDjango(t *testing.T, lines []map[string]any) [][]byte {
	t.Helper()
	return oracle.AskLines(t, lines)
}

// compare has Django and Lockstep do the same exchanges.
func compare(t *testing.T, exchanges []exchange) {
	t.Helper()
	var lines []map[string]any
	for _, e := range exchanges {
		lines = append(lines, e.line())
	}
	for i, raw := range askDjango(t, lines) {
		e := exchanges[i]
		t.Run(e.name, func(t *testing.T) {
			var d djangoAnswer
			if err := json.Unmarshal(raw, &d); err != nil {
				t.Fatal(err)
			}
			theirs, theirRows := e.read(t, d)
			ours, ourRows := e.perform(t)
			equal := slices.Equal(ours, theirs) && slices.Equal(ourRows, theirRows)
			if equal == (e.differs == "") {
				return
			}
			question, _ := json.Marshal(e.line())
			t.Errorf("%s\nLockstep %+v\n         %v\nDjango   %+v\n         %v\nmeant to differ: %q", question, ours, ourRows, theirs, theirRows, e.differs)
		})
	}
}

func TestConsequencesOnDjango(t *testing.T) {
	var exchanges []exchange
	for _, c := range consequences {
		exchanges = append(exchanges, c.exchange)
	}
	compare(t, exchanges)
}

// TestDrawnExchanges draws sequences of operations and compares every decision with Django's.
func TestDrawnExchanges(t *testing.T) {
	n := 600
	if testing.Short() {
		n = 80
	}
	exchanges := make([]exchange, n)
	for i := range exchanges {
		exchanges[i] = draw(rand.New(rand.NewPCG(1, uint64(i))), fmt.Sprintf("drawn-%d", i))
	}
	compare(t, exchanges)
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func draw(r *rand.Rand, name string) exchange {
	e := exchange{name: name, settings: map[string]any{}}
	for _, flag := range []string{"SESSION_SAVE_EVERY_REQUEST", "SESSION_EXPIRE_AT_BROWSER_CLOSE"} {
		if r.IntN(4) == 0 {
			e.settings[flag] = true
		}
	}
	if r.IntN(4) == 0 {
		e.settings["SESSION_COOKIE_AGE"] = pick(r, 1, 60, 31536000)
	}
	signed := r.IntN(4) == 0
	if signed {
		e.settings["SESSION_ENGINE"] = "django.contrib.sessions.backends.signed_cookies"
	} else {
		e.rows = []row{
			{Key: knownKey, Data: json.RawMessage(pick(r, `{}`, `{"a": 5}`, `{"a": 1.0, "b": "\u00e9", "c": [1, 2]}`, `{"_session_expiry": 300, "a": 1}`, `{"_session_expiry": 0, "b": null}`))},
			{Key: "expiredexpiredexpiredexpired0123", Data: json.RawMessage(`{"a": 1}`), ExpireIn: pick(r, new(0.0), new(-1.0), new(-1e6))},
			{Key: "corruptedcorruptedcorrupted01234", Raw: pick(r, "garbage", "eyJhIjo1fQ:1r31eq:gnieuqTCydDxYT-wrxu4A1WF8bA5Xmf1slwp3tAprf4", ":", "a:b:c")},
		}
	}
	for range 1 + r.IntN(4) {
		e.requests = append(e.requests, drawRequest(r, signed))
	}
	return e
}

func drawRequest(r *rand.Rand, signed bool) request {
	rq := request{status: pick(r, 200, 200, 200, 200, 302, 404, 500, 503)}
	switch {
	case r.IntN(2) == 0: // what the jar holds
	case signed:
		rq.cookie = new(pick(r, "", "short", "longer-and-not-signed", signedCookie))
	default:
		rq.cookie = new(pick(r, "", "short", "1234567", "12345678", knownKey, knownKey, knownKey,
			"unknownunknownunknownunknown0123", "expiredexpiredexpiredexpired0123", "corruptedcorruptedcorrupted01234",
			"UPPERCASEUPPERCASEUPPERCASE01234", "../../../../etc/passwd"))
	}
	if !signed && rq.cookie != nil && r.IntN(6) == 0 { // a logout meanwhile
		if r.IntN(2) == 0 && *rq.cookie == knownKey { // another's key is forgotten once it is looked up
			rq.ops = append(rq.ops, op{"get", "a"})
		}
		rq.ops = append(rq.ops, op{"delete_row"})
		for range r.IntN(3) {
			rq.ops = append(rq.ops, drawOp(r, false))
		}
		return rq
	}
	for range r.IntN(6) {
		rq.ops = append(rq.ops, drawOp(r, true))
	}
	return rq
}

func drawOp(r *rand.Rand, newKeys bool) op {
	item := pick(r, "a", "b", "c")
	ops := []op{
		{"get", item},
		{"get", item},
		{"set", item, pick[any](r, 1, "x", nil, []any{1, "é"}, map[string]any{"z": 1.5}, true, strings9000)},
		{"set", item, 2},
		{"del", item},
		{"pop", item},
		{"items"},
		{"is_empty"},
		{"flags"},
		{"clear"},
		{"flush"},
		{"set_expiry", pick[any](r, nil, 0, 1, 300, -1, 10000000, 2.5)},
		{"expiry_age"},
		{"at_browser_close"},
	}
	if newKeys {
		ops = append(ops, op{"cycle"}, op{"create"})
	}
	return pick(r, ops...)
}

// strings9000 is long enough to be compressed.
var strings9000 = string(bytes.Repeat([]byte("lockstep "), 1000))

var signedCookie = django.NewSigner(django.SignedCookieSessionSalt, secret).Dumps([]byte(`{"a":5}`), false, instant)

// Payloads of both sides are read by the other.
func TestPayloadsOnDjango(t *testing.T) {
	values := []string{
		`{}`, `{"a":1}`, `{"z":1,"a":[1.0,1e+16,-0.0,null,true],"big":123456789012345678901234567890}`,
		`{"text":"\u00e9\ud83d\ude00</script>&\u2028\u007f\"\\"}`, `{"nested":{"a":{"b":[[[]]]}},"":""}`,
		fmt.Sprintf(`{"long":%q}`, strings9000),
	}
	for _, engine := range []string{"db", "signed_cookies"} {
		module := "django.contrib.sessions.backends." + engine
		e := exchange{}
		if engine != "db" {
			e.settings = map[string]any{"SESSION_ENGINE": module}
		}
		s := e.open(t)
		var lines []map[string]any
		for _, v := range values {
			signed := s.save(t, v)
			if engine == "db" {
				lines = append(lines, map[string]any{"op": "session_decode", "value": signed},
					map[string]any{"op": "session_encode", "data": json.RawMessage(v)})
			} else {
				lines = append(lines, map[string]any{"op": "signed_cookie_session_load", "value": signed},
					map[string]any{"op": "signed_cookie_session", "data": json.RawMessage(v)})
			}
		}
		answers := askDjango(t, lines)
		for i, v := range values {
			var decoded struct {
				Result json.RawMessage
				Error  string
			}
			if err := json.Unmarshal(answers[2*i], &decoded); err != nil || decoded.Error != "" {
				t.Fatal(err, decoded.Error)
			}
			if got := string(compact(t, decoded.Result)); got != v {
				t.Errorf("%s: Django reads %s where Lockstep wrote %s", engine, got, v)
			}
			var encoded struct{ Result string }
			if err := json.Unmarshal(answers[2*i+1], &encoded); err != nil {
				t.Fatal(err)
			}
			if got := s.load(t, encoded.Result); got != v {
				t.Errorf("%s: Lockstep reads %s where Django wrote %s", engine, got, v)
			}
		}
	}
}

// careful are items that change when they are read and written carelessly: as Python's json writes
// them, tokens and order included.
var careful = []string{
	`{"a":1.0,"b":-0.0,"c":1e+16,"d":1e-07,"e":0.1,"f":1.7976931348623157e+308,"g":5e-324}`,
	`{"big":123456789012345678901234567890,"small":-9007199254740993,"zero":0}`,
	`{"z":1,"a":{"y":1,"b":[{"x":2.0,"c":[]},null,true,false,""]},"m":{}}`,
	`{"text":"\u00e9\ud83d\ude00</script>&\u2028\u007f\"\\/\b\f\n\r\t\u0000","\u00e9":1,"":""}`,
	`{"half":"\ud83d","other":"\ude00\ud83d"}`,
	`{"nan":NaN,"infinity":Infinity,"negative":-Infinity,"in":[NaN,{"x":-Infinity}]}`,
	`{"_auth_user_id":"1","_session_expiry":300,"_csrftoken":"` + strings.Repeat("a", 64) + `"}`,
	`{"long":"` + strings.Repeat("lockstep ", 1000) + `","n":1.0}`,
}

// TestUntouchedOnDjango changes one item of a session beside others, which stay what they were to the
// byte, whatever else is done to the session; a real Django reads every one of them as it was.
func TestUntouchedOnDjango(t *testing.T) {
	var lines []map[string]any
	var want []string
	for _, items := range careful {
		for _, o := range [][]op{
			{{"set", "seen", 1}},
			{{"set", "x", 2}, {"set", "seen", 1}, {"del", "x"}},
			{{"set", "seen", 1}, {"cycle"}},
			{{"get", "n"}, {"create"}, {"set", "seen", 1}},
		} {
			s := exchange{}.open(t)
			s.put(row{Key: knownKey, Raw: django.NewSigner(s.salt, secret).Dumps([]byte(items), true, instant)})
			out, _ := s.answer(request{ops: o}, new(knownKey))
			rec, err := s.store.Load(t.Context(), out.Value)
			if err != nil {
				t.Fatal(err)
			}
			after := strings.TrimSuffix(items, "}") + `,"seen":1}`
			if got := s.payload(string(rec.Data)); got != after {
				t.Errorf("after %v there is\n%s\nwant\n%s", o, got, after)
			}
			lines = append(lines, map[string]any{"op": "session_decode", "value": string(rec.Data)})
			want = append(want, after)
		}
	}
	for i, line := range askDjango(t, lines) {
		_, result, _ := strings.Cut(withoutSpaces(line), `"result":`)
		if !strings.HasPrefix(result, want[i]) {
			t.Errorf("Django reads\n%s\nwant\n%s", result, want[i])
		}
	}
}

// withoutSpaces is Python's JSON without the spaces between tokens.
func withoutSpaces(line []byte) string {
	var b strings.Builder
	inside := false
	for i, c := range line {
		if c == '"' && !escaped(line[:i]) {
			inside = !inside
		}
		if inside || c != ' ' {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// escaped reports whether what follows before stands behind an odd number of backslashes.
func escaped(before []byte) bool {
	return (len(before)-len(bytes.TrimRight(before, `\`)))%2 == 1
}
