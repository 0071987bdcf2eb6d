package session_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/session"
)

// save has a session hold exactly the items of object and returns what is stored.
func (s *site) save(t *testing.T, object string) string {
	t.Helper()
	data, err := django.ParseObject([]byte(object))
	if err != nil {
		t.Fatal(err)
	}
	open := s.engine.Open(context.Background(), "", false)
	if err := open.Set("first", 1); err != nil {
		t.Fatal(err)
	}
	for _, key := range data.Keys() {
		raw, _ := data.Get(key)
		if err := open.Set(key, raw); err != nil {
			t.Fatal(err)
		}
	}
	if err := open.Delete("first"); err != nil {
		t.Fatal(err)
	}
	if err := open.CycleKey(); err != nil { // so that an empty one is saved, too
		t.Fatal(err)
	}
	out, err := open.Commit(context.Background(), http.StatusOK)
	if err != nil {
		t.Fatal(err)
	}
	if s.store == nil {
		return out.Value
	}
	rec, err := s.store.Load(context.Background(), out.Value)
	if err != nil {
		t.Fatal(err)
	}
	return string(rec.Data)
}

// load returns the items of what is stored, each as it stands there.
func (s *site) load(t *testing.T, stored string) string {
	t.Helper()
	cookie := stored
	if s.store != nil {
		cookie = knownKey
		if err := s.store.Delete(t.Context(), cookie); err != nil {
			t.Fatal(err)
		}
		s.put(row{Key: cookie, Raw: stored})
	}
	open := s.engine.Open(t.Context(), cookie, true)
	var data django.Object
	for _, key := range open.Keys() {
		raw, _ := session.Value[json.RawMessage](open, key)
		data.Set(key, raw)
	}
	return string(data.AppendJSON(nil))
}

// consequences are those of Django's response algorithm, as facts. Each is also put to a real
// Django.
var consequences = []struct {
	exchange
	want []answer
	rows []storedRow
}{
	{
		exchange: exchange{name: "no cookie, untouched: nothing", requests: []request{{}}},
		want:     []answer{{200, false, "none", "null"}},
	},
	{
		exchange: exchange{name: "no cookie, read: Vary alone", requests: []request{{ops: []op{{"get", "a"}}}}},
		want:     []answer{{200, true, "none", `["\u003cnone\u003e"]`}},
	},
	{
		exchange: exchange{name: "no cookie, written: a new key", requests: []request{{ops: []op{{"set", "a", 1}}}}},
		want:     []answer{{200, true, "new0" + fortnight, "[null]"}},
		rows:     []storedRow{{"new0", `{"a":1}`, 1209600}},
	},
	{
		exchange: exchange{name: "known, untouched: no Vary, no cookie", rows: known(`{"a":5}`), requests: []request{{cookie: new(knownKey)}}},
		want:     []answer{{200, false, "none", "null"}},
		rows:     []storedRow{{knownKey, `{"a":5}`, 1209600}},
	},
	{
		exchange: exchange{name: "known, read", rows: known(`{"a":5}`), requests: []request{{cookie: new(knownKey), ops: []op{{"get", "a"}}}}},
		want:     []answer{{200, true, "none", "[5]"}},
		rows:     []storedRow{{knownKey, `{"a":5}`, 1209600}},
	},
	{
		exchange: exchange{name: "known, written: its key is kept", rows: known(`{"a":5}`), requests: []request{{cookie: new(knownKey), ops: []op{{"set", "b", 1}}}}},
		want:     []answer{{200, true, knownKey + fortnight, "[null]"}},
		rows:     []storedRow{{knownKey, `{"a":5,"b":1}`, 1209600}},
	},
	{
		exchange: exchange{name: "unknown, unread: nothing", requests: []request{{cookie: new(knownKey)}}},
		want:     []answer{{200, false, "none", "null"}},
	},
	{
		exchange: exchange{name: "unknown, read: the cookie is deleted", requests: []request{{cookie: new(knownKey), ops: []op{{"get", "a"}}}}},
		want:     []answer{{200, true, "deleted", `["\u003cnone\u003e"]`}},
	},
	{
		exchange: exchange{name: "Z01 unknown, written: a new key, no fixation", requests: []request{{cookie: new(knownKey), ops: []op{{"set", "a", 1}}}}},
		want:     []answer{{200, true, "new1" + fortnight, "[null]"}},
		rows:     []storedRow{{"new1", `{"a":1}`, 1209600}},
	},
	{
		exchange: exchange{name: "a test cookie that worked", requests: []request{
			{ops: []op{{"test_cookie", "worked"}, {"test_cookie", "set"}}},
			{ops: []op{{"test_cookie", "worked"}, {"test_cookie", "delete"}, {"test_cookie", "worked"}}},
		}},
		want: []answer{{200, true, "new0" + fortnight, "[false,null]"}, {200, true, "new0" + fortnight, "[true,null,false]"}},
		rows: []storedRow{{"new0", `{}`, 1209600}},
	},
	{
		exchange: exchange{name: "unknown, cleared: interrupted", requests: []request{{cookie: new(knownKey), ops: []op{{"clear"}}}}},
		want:     []answer{{400, false, "none", ""}},
	},
	{
		exchange: exchange{name: "expired, written: a new key", rows: []row{{Key: knownKey, Data: json.RawMessage(`{"a":5}`), ExpireIn: new(0.0)}}, requests: []request{{cookie: new(knownKey), ops: []op{{"set", "b", 1}}}}},
		want:     []answer{{200, true, "new1" + fortnight, "[null]"}},
		rows:     []storedRow{{knownKey, `{"a":5}`, 0}, {"new1", `{"b":1}`, 1209600}},
	},
	{
		exchange: exchange{name: "expired, cleared: the row lives on, empty", rows: []row{{Key: knownKey, Data: json.RawMessage(`{"a":5}`), ExpireIn: new(0.0)}}, requests: []request{{cookie: new(knownKey), ops: []op{{"clear"}}}}},
		want:     []answer{{200, true, knownKey + fortnight, "[null]"}},
		rows:     []storedRow{{knownKey, `{}`, 1209600}},
	},
	{
		exchange: exchange{name: "Z02 short, unread: deleted", requests: []request{{cookie: new("1234567")}}},
		want:     []answer{{200, true, "deleted", "null"}},
	},
	{
		exchange: exchange{name: "Z02 empty, unread: deleted", requests: []request{{cookie: new("")}}},
		want:     []answer{{200, true, "deleted", "null"}},
	},
	{
		exchange: exchange{name: "short, written: a new key", requests: []request{{cookie: new("x"), ops: []op{{"set", "a", 1}}}}},
		want:     []answer{{200, true, "new1" + fortnight, "[null]"}},
		rows:     []storedRow{{"new1", `{"a":1}`, 1209600}},
	},
	{
		exchange: exchange{name: "a key of other characters is unknown", requests: []request{{cookie: new("../../../etc/passwd")}, {cookie: new("../../../etc/passwd"), ops: []op{{"get", "a"}}}}},
		want:     []answer{{200, false, "none", "null"}, {200, true, "deleted", `["\u003cnone\u003e"]`}},
	},
	{
		exchange: exchange{name: "save every request, untouched: a cookie without Vary", settings: everyRequest, rows: known(`{"a":5}`), requests: []request{{cookie: new(knownKey)}}},
		want:     []answer{{200, false, knownKey + fortnight, "null"}},
		rows:     []storedRow{{knownKey, `{"a":5}`, 1209600}},
	},
	{
		exchange: exchange{name: "save every request, unknown, unread: a new empty row", settings: everyRequest, requests: []request{{cookie: new(knownKey)}}},
		want:     []answer{{200, false, "new1" + fortnight, "null"}},
		rows:     []storedRow{{"new1", `{}`, 1209600}},
	},
	{
		exchange: exchange{name: "save every request, unknown, read: deleted", settings: everyRequest, requests: []request{{cookie: new(knownKey), ops: []op{{"get", "a"}}}}},
		want:     []answer{{200, true, "deleted", `["\u003cnone\u003e"]`}},
	},
	{
		exchange: exchange{name: "save every request, no cookie: nothing", settings: everyRequest, requests: []request{{}}},
		want:     []answer{{200, false, "none", "null"}},
	},
	{
		exchange: exchange{name: "the last item removed: an empty session lives on", rows: known(`{"a":5}`), requests: []request{{cookie: new(knownKey), ops: []op{{"del", "a"}, {"is_empty"}}}}},
		want:     []answer{{200, true, knownKey + fortnight, "[null,false]"}},
		rows:     []storedRow{{knownKey, `{}`, 1209600}},
	},
	{
		exchange: exchange{name: "clear: an empty session lives on", rows: known(`{"a":5}`), requests: []request{{cookie: new(knownKey), ops: []op{{"clear"}}}}},
		want:     []answer{{200, true, knownKey + fortnight, "[null]"}},
		rows:     []storedRow{{knownKey, `{}`, 1209600}},
	},
	{
		exchange: exchange{name: "flush: row and cookie go", rows: known(`{"a":5}`), requests: []request{{cookie: new(knownKey), ops: []op{{"flush"}}}}},
		want:     []answer{{200, true, "deleted", "[null]"}},
	},
	{
		exchange: exchange{name: "flush and 500: row and cookie go all the same", rows: known(`{"a":5}`), requests: []request{{cookie: new(knownKey), ops: []op{{"flush"}}, status: 500}}},
		want:     []answer{{500, true, "deleted", ""}},
	},
	{
		exchange: exchange{name: "flush, then set: a new session", rows: known(`{"a":5}`), requests: []request{{cookie: new(knownKey), ops: []op{{"flush"}, {"set", "b", 1}}}}},
		want:     []answer{{200, true, "new1" + fortnight, "[null,null]"}},
		rows:     []storedRow{{"new1", `{"b":1}`, 1209600}},
	},
	{
		exchange: exchange{name: "cycle: items move, the old row goes", rows: known(`{"a":5}`), requests: []request{{cookie: new(knownKey), ops: []op{{"cycle"}, {"set", "b", 1}}}}},
		want:     []answer{{200, true, "new1" + fortnight, "[null,null]"}},
		rows:     []storedRow{{"new1", `{"a":5,"b":1}`, 1209600}},
	},
	{
		exchange: exchange{name: "cycle and 500: the old row is gone, nobody knows the new", rows: known(`{"a":5}`), requests: []request{{cookie: new(knownKey), ops: []op{{"cycle"}}, status: 500}}},
		want:     []answer{{500, true, "none", ""}},
		rows:     []storedRow{{"untold", `{"a":5}`, 1209600}},
	},
	{
		exchange: exchange{name: "cycle of an unknown key: new and empty", requests: []request{{cookie: new(knownKey), ops: []op{{"cycle"}}}}},
		want:     []answer{{200, true, "new1" + fortnight, "[null]"}},
		rows:     []storedRow{{"new1", `{}`, 1209600}},
	},
	{
		exchange: exchange{name: "create, unread: new and empty, the old row stays", rows: known(`{"a":5}`), requests: []request{{cookie: new(knownKey), ops: []op{{"create"}}}}},
		want:     []answer{{200, true, "new1" + fortnight, "[null]"}},
		rows:     []storedRow{{knownKey, `{"a":5}`, 1209600}, {"new1", `{}`, 1209600}},
	},
	{
		exchange: exchange{name: "create, read: items are copied", rows: known(`{"a":5}`), requests: []request{{cookie: new(knownKey), ops: []op{{"get", "a"}, {"create"}}}}},
		want:     []answer{{200, true, "new1" + fortnight, "[5,null]"}},
		rows:     []storedRow{{knownKey, `{"a":5}`, 1209600}, {"new1", `{"a":5}`, 1209600}},
	},
	{
		exchange: exchange{name: "reading and popping what is not there does not modify", rows: known(`{"a":5}`), requests: []request{{cookie: new(knownKey), ops: []op{{"get", "b"}, {"pop", "b"}, {"del", "b"}, {"flags"}}}}},
		want:     []answer{{200, true, "none", `["\u003cnone\u003e","\u003cnone\u003e",null,{"accessed":true,"modified":false}]`}},
		rows:     []storedRow{{knownKey, `{"a":5}`, 1209600}},
	},
	{
		exchange: exchange{name: "500: not saved, no cookie, Vary", requests: []request{{ops: []op{{"set", "a", 1}}, status: 500}}},
		want:     []answer{{500, true, "none", ""}},
	},
	{
		exchange: exchange{name: "503 before Django 4.2: saved", requests: []request{{ops: []op{{"set", "a", 1}}, status: 503}}},
		want:     []answer{{503, true, "new0" + fortnight, "[null]"}},
		rows:     []storedRow{{"new0", `{"a":1}`, 1209600}},
	},
	{
		exchange: exchange{name: "Z04 deleted meanwhile, written: interrupted", rows: known(`{"a":5}`), requests: []request{{cookie: new(knownKey), ops: []op{{"get", "a"}, {"delete_row"}, {"set", "a", 6}}}}},
		want:     []answer{{400, false, "none", ""}},
	},
	{
		exchange: exchange{
			name: "deleted meanwhile, cycled: interrupted", rows: known(`{"a":5}`), requests: []request{{cookie: new(knownKey), ops: []op{{"get", "a"}, {"delete_row"}, {"cycle"}}}},
			differs: "Django brings the session that was ended back to life under the new key",
		},
		want: []answer{{400, false, "none", ""}},
	},
	{
		exchange: exchange{name: "corrupted, read: empty, nothing is said", rows: []row{{Key: knownKey, Raw: "garbage"}}, requests: []request{{cookie: new(knownKey), ops: []op{{"get", "a"}}}}},
		want:     []answer{{200, true, "none", `["\u003cnone\u003e"]`}},
		rows:     []storedRow{{knownKey, "garbage", 1209600}},
	},
	{
		exchange: exchange{name: "corrupted, written: key kept, row overwritten", rows: []row{{Key: knownKey, Raw: "garbage"}}, requests: []request{{cookie: new(knownKey), ops: []op{{"set", "a", 1}}}}},
		want:     []answer{{200, true, knownKey + fortnight, "[null]"}},
		rows:     []storedRow{{knownKey, `{"a":1}`, 1209600}},
	},
	{
		exchange: exchange{name: "set_expiry(300)", requests: []request{{ops: []op{{"set_expiry", 300}, {"expiry_age"}, {"expiry_date"}, {"at_browser_close"}}}}},
		want:     []answer{{200, true, "new0 Max-Age=300 expires=Tue, 14 Nov 2023 22:18:20 GMT", `[null,300,"2023-11-14T22:18:20+00:00",false]`}},
		rows:     []storedRow{{"new0", `{"_session_expiry":300}`, 300}},
	},
	{
		exchange: exchange{name: "set_expiry(0): a cookie without a lifetime, a row with one", requests: []request{{ops: []op{{"set_expiry", 0}, {"expiry_age"}, {"at_browser_close"}}}}},
		want:     []answer{{200, true, "new0", `[null,1209600,true]`}},
		rows:     []storedRow{{"new0", `{"_session_expiry":0}`, 1209600}},
	},
	{
		exchange: exchange{name: "set_expiry(-1): over at once", requests: []request{{ops: []op{{"set_expiry", -1}}}}},
		want:     []answer{{200, true, "new0 Max-Age=-1 expires=Tue, 14 Nov 2023 22:13:19 GMT", `[null]`}},
		rows:     []storedRow{{"new0", `{"_session_expiry":-1}`, -1}},
	},
	{
		exchange: exchange{name: "set_expiry(1.7): Max-Age drops the fraction", requests: []request{{ops: []op{{"set_expiry", 1.7}}}}},
		want:     []answer{{200, true, "new0 Max-Age=1 expires=Tue, 14 Nov 2023 22:13:21 GMT", `[null]`}},
		rows:     []storedRow{{"new0", `{"_session_expiry":1.7}`, 1.7}},
	},
	{
		exchange: exchange{name: "set_expiry(None)", rows: known(`{"_session_expiry":300,"a":1}`), requests: []request{{cookie: new(knownKey), ops: []op{{"set_expiry", nil}}}}},
		want:     []answer{{200, true, knownKey + fortnight, `[null]`}},
		rows:     []storedRow{{knownKey, `{"a":1}`, 1209600}},
	},
	{
		exchange: exchange{name: "expire at browser close", settings: map[string]any{"SESSION_EXPIRE_AT_BROWSER_CLOSE": true}, requests: []request{{ops: []op{{"set", "a", 1}, {"at_browser_close"}}}}},
		want:     []answer{{200, true, "new0", `[null,true]`}},
		rows:     []storedRow{{"new0", `{"a":1}`, 1209600}},
	},
	{
		exchange: exchange{name: "expire at browser close, set_expiry(300) overrides", settings: map[string]any{"SESSION_EXPIRE_AT_BROWSER_CLOSE": true}, requests: []request{{ops: []op{{"set_expiry", 300}}}}},
		want:     []answer{{200, true, "new0 Max-Age=300 expires=Tue, 14 Nov 2023 22:18:20 GMT", `[null]`}},
		rows:     []storedRow{{"new0", `{"_session_expiry":300}`, 300}},
	},
	{
		exchange: exchange{name: "untouched values keep their tokens and order", rows: known(`{"z":1.0,"a":12345678901234567890,"m":{"y":1e+16,"b":-0.0}}`), requests: []request{{cookie: new(knownKey), ops: []op{{"set", "b", 1}}}}},
		want:     []answer{{200, true, knownKey + fortnight, `[null]`}},
		rows:     []storedRow{{knownKey, `{"z":1.0,"a":12345678901234567890,"m":{"y":1e+16,"b":-0.0},"b":1}`, 1209600}},
	},
	{
		exchange: exchange{name: "cookie session: tampered, unread: nothing", settings: inCookie, requests: []request{{cookie: new("tampered-value")}}},
		want:     []answer{{200, false, "none", "null"}},
	},
	{
		exchange: exchange{name: "cookie session: tampered, read: set again, empty", settings: inCookie, requests: []request{{cookie: new("tampered-value"), ops: []op{{"get", "a"}}}}},
		want:     []answer{{200, true, "{}" + fortnight, `["\u003cnone\u003e"]`}},
	},
	{
		exchange: exchange{name: "cookie session: written", settings: inCookie, requests: []request{{ops: []op{{"set", "a", 1}}}, {ops: []op{{"get", "a"}}}, {ops: []op{{"set", "b", 2}}}}},
		want:     []answer{{200, true, `{"a":1}` + fortnight, "[null]"}, {200, true, "none", "[1]"}, {200, true, `{"a":1,"b":2}` + fortnight, "[null]"}},
	},
	{
		exchange: exchange{name: "cookie session: flush, cycle, create, clear", settings: inCookie, requests: []request{{ops: []op{{"cycle"}}}, {ops: []op{{"create"}}}, {ops: []op{{"set", "a", 1}, {"clear"}}}, {ops: []op{{"flush"}}}}},
		want: []answer{
			{200, true, `{}` + fortnight, "[null]"},
			{200, false, `{}` + fortnight, "[null]"},
			{200, true, `{}` + fortnight, "[null,null]"},
			{200, true, `deleted`, "[null]"},
		},
	},
}

const fortnight = " Max-Age=1209600 expires=Tue, 28 Nov 2023 22:13:20 GMT"

var (
	everyRequest = map[string]any{"SESSION_SAVE_EVERY_REQUEST": true}
	inCookie     = map[string]any{"SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies"}
)

func known(data string) []row { return []row{{Key: knownKey, Data: json.RawMessage(data)}} }

func TestConsequences(t *testing.T) {
	for _, c := range consequences {
		t.Run(c.name, func(t *testing.T) {
			answers, rows := c.perform(t)
			for i, want := range c.want {
				if answers[i] != want {
					t.Errorf("request %d\n got %+v\nwant %+v", i, answers[i], want)
				}
			}
			if len(rows) != len(c.rows) {
				t.Fatalf("rows\n got %v\nwant %v", rows, c.rows)
			}
			for i, want := range sorted(c.rows) {
				if rows[i] != want {
					t.Errorf("row\n got %v\nwant %v", rows[i], want)
				}
			}
		})
	}
}

func TestTestCookie(t *testing.T) {
	s := exchange{}.open(t).engine.Open(t.Context(), "", false)
	if s.TestCookieWorked() || s.DeleteTestCookie() != nil || s.Modified() {
		t.Error("without a test cookie there is one, or deleting it does something")
	}
	if err := s.Set("testcookie", "failed"); err != nil || s.TestCookieWorked() {
		t.Error("another item of this name is no test cookie", err)
	}
}
