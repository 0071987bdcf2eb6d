package session_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/session"
)

// An exchange is what a browser and a site do with one session: the same for Lockstep and for a
// real Django, which is why its operations have the names of Django's methods.
type exchange struct {
	name     string
	settings map[string]any
	rows     []row // stored before
	requests []request

	// differs says why Django's answer is another, when it is meant to be.
	differs string
}

// A row is a stored session.
type row struct {
	Key      string          `json:"key"`
	Data     json.RawMessage `json:"data,omitempty"`
	Raw      string          `json:"raw,omitempty"` // instead of Data, what is not signed
	ExpireIn *float64        `json:"expire_in,omitempty"`
}

// A request is one request of an exchange. Without a cookie of its own it sends what the answers
// before it have set.
type request struct {
	cookie *string
	ops    []op
	status int // 0 is 200
}

// An op is a method of the session and its arguments: ["set", "a", 1].
type op []any

// An answer is what is compared.
type answer struct {
	Status  int
	Vary    bool
	Cookie  string // "none", "deleted", or the key's name and its lifetime
	Results string // JSON of what the operations returned, where Django's are the same
}

// A stored row as it is compared: the key by the name it has in answers.
type storedRow struct {
	Key     string
	Data    string
	Expires float64 // seconds from now
}

func (r storedRow) String() string { return fmt.Sprintf("%s %s %v", r.Key, r.Data, r.Expires) }

const (
	knownKey = "abcdefghijklmnopqrstuvwxyz012345"
	secret   = "lockstep-oracle-secret-key-0123456789-abcdefghijklmnopqrstuvwxyz" // the oracle's
)

var instant = time.Unix(1700000000, 0).UTC() // the oracle's clock

// A site is a Lockstep in the place of Django.
type site struct {
	t      *testing.T
	engine *session.Engine
	store  *session.Memory // nil when sessions live in their cookies
	salt   string
}

func (e exchange) open(t *testing.T) *site {
	t.Helper()
	c := session.Config{Keys: []string{secret}, CookieAge: 1209600, Now: func() time.Time { return instant }, Rand: rand.Reader}
	s := &site{t: t, store: new(session.Memory), salt: django.SessionSalt}
	for name, value := range e.settings {
		switch name {
		case "SESSION_COOKIE_AGE":
			c.CookieAge = value.(int)
		case "SESSION_SAVE_EVERY_REQUEST":
			c.SaveEveryRequest = value.(bool)
		case "SESSION_EXPIRE_AT_BROWSER_CLOSE":
			c.ExpireAtBrowserClose = value.(bool)
		case "SESSION_ENGINE":
			s.store, s.salt = nil, django.SignedCookieSessionSalt
		default:
			t.Fatalf("setting %s", name)
		}
	}
	if s.store != nil {
		c.Store = s.store
	}
	var err error
	if s.engine, err = session.NewEngine(c); err != nil {
		t.Fatal(err)
	}
	for _, r := range e.rows {
		s.put(r)
	}
	return s
}

func (s *site) put(r row) {
	s.t.Helper()
	age := 1209600.0
	if r.ExpireIn != nil {
		age = *r.ExpireIn
	}
	raw := r.Raw
	if raw == "" {
		raw = django.NewSigner(s.salt, secret).Dumps(compact(s.t, r.Data), false, instant)
	}
	rec := session.Record{Data: []byte(raw), Expires: instant.Add(time.Duration(age * 1e9))}
	if err := s.store.Save(context.Background(), r.Key, session.Record{}, rec); err != nil {
		s.t.Fatal(err)
	}
}

func compact(t *testing.T, raw json.RawMessage) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A namer gives the keys that answers set names that do not depend on chance.
type namer map[string]string

func (n namer) name(key string) string {
	if _, ok := n[key]; !ok {
		n[key] = "new" + strconv.Itoa(len(n))
	}
	return n[key]
}

func newNamer(e exchange) namer {
	n := namer{}
	for _, r := range e.rows {
		n[r.Key] = r.Key
	}
	for _, rq := range e.requests {
		if rq.cookie != nil {
			n[*rq.cookie] = *rq.cookie // taken on, this would be a fixed session
		}
	}
	return n
}

// perform has Lockstep answer the exchange.
func (e exchange) perform(t *testing.T) (answers []answer, rows []storedRow) {
	t.Helper()
	s, names := e.open(t), newNamer(e)
	var jar *string
	for _, rq := range e.requests {
		sent := jar
		if rq.cookie != nil {
			sent = rq.cookie
		}
		out, a := s.answer(rq, sent)
		switch out.Action {
		case session.SetCookie:
			a.Cookie = s.describe(names, out)
			if jar = &out.Value; !out.BrowserClose && out.MaxAge <= 0 {
				jar = nil
			}
		case session.DeleteCookie:
			a.Cookie, jar = "deleted", nil
		case session.Nothing:
			a.Cookie = "none"
		}
		answers = append(answers, a)
	}
	return answers, s.dump(names)
}

func (s *site) describe(names namer, out session.Outcome) string {
	expires := ""
	if !out.BrowserClose {
		expires = fmt.Sprintf(" Max-Age=%d expires=%s", out.MaxAge, django.HTTPDate(out.Expires))
	}
	if s.store == nil {
		return s.payload(out.Value) + expires
	}
	return names.name(out.Value) + expires
}

// payload is the JSON that is signed in a cookie or record.
func (s *site) payload(signed string) string {
	data, err := django.NewSigner(s.salt, secret).Loads(signed, -1, instant)
	if err != nil {
		return signed // a row that was never replaced
	}
	return string(data)
}

func (s *site) answer(rq request, sent *string) (session.Outcome, answer) {
	s.t.Helper()
	value := ""
	if sent != nil {
		value = *sent
	}
	open := s.engine.Open(context.Background(), value, sent != nil)
	var results []any
	for _, o := range rq.ops {
		results = append(results, s.do(open, o, value))
	}
	a := answer{Status: cmp.Or(rq.status, 200), Results: canonical(s.t, results)}
	out, err := open.Commit(context.Background(), a.Status)
	if errors.Is(err, session.ErrInterrupted) {
		a.Status, a.Results = 400, ""
	} else if err != nil {
		s.t.Fatal(err)
	}
	if a.Status == 500 {
		a.Results = ""
	}
	a.Vary = out.Vary
	return out, a
}

// do is one operation, with Django's result.
func (s *site) do(open *session.Session, o op, cookie string) any {
	s.t.Helper()
	var err error
	var result any
	switch o[0] {
	case "set":
		err = open.Set(o[1].(string), o[2])
	case "get":
		if result = "<none>"; open.Has(o[1].(string)) {
			result = open.Get(o[1].(string))
		}
	case "del":
		err = open.Delete(o[1].(string))
	case "pop":
		has := open.Has(o[1].(string))
		if result, err = open.Pop(o[1].(string)); !has {
			result = "<none>"
		}
	case "items":
		result = open.Len()
	case "cycle":
		err = open.CycleKey()
	case "flush":
		err = open.Flush()
	case "clear":
		err = open.Clear()
	case "create":
		err = open.Create()
	case "is_empty":
		result = open.IsEmpty()
	case "flags":
		result = map[string]any{"accessed": open.Accessed(), "modified": open.Modified()}
	case "set_expiry":
		switch v := o[1].(type) {
		case nil:
			err = open.ResetExpiry()
		case int:
			err = open.SetExpiry(v)
		default:
			err = open.Set("_session_expiry", v)
		}
	case "expiry_age":
		result = open.ExpiryAge()
	case "expiry_date":
		result = open.ExpiryDate().Format("2006-01-02T15:04:05+00:00")
	case "at_browser_close":
		result = open.ExpireAtBrowserClose()
	case "test_cookie":
		switch o[1] {
		case "set":
			err = open.SetTestCookie()
		case "delete":
			err = open.DeleteTestCookie()
		default:
			result = open.TestCookieWorked()
		}
	case "delete_row":
		err = s.store.Delete(context.Background(), cookie)
	default:
		s.t.Fatalf("operation %v", o)
	}
	if err != nil && !errors.Is(err, session.ErrInterrupted) {
		s.t.Fatalf("%v: %v", o, err)
	}
	return result
}

// canonical is v as JSON whatever it was written by.
func canonical(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var again any
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	b, _ = json.Marshal(again)
	return string(b)
}

func (s *site) dump(names namer) []storedRow {
	var rows []storedRow
	if s.store == nil {
		return nil
	}
	for key, rec := range s.store.All() {
		rows = append(rows, storedRow{orphan(names, key), s.payload(string(rec.Data)), rec.Expires.Sub(instant).Seconds()})
	}
	return sorted(rows)
}

// orphan names a key that no answer told of.
func orphan(names namer, key string) string { return cmp.Or(names[key], "untold") }

func sorted(rows []storedRow) []storedRow {
	slices.SortFunc(rows, func(a, b storedRow) int { return strings.Compare(a.String(), b.String()) })
	return rows
}

// line is the exchange as a question to the oracle.
func (e exchange) line() map[string]any {
	var requests []map[string]any
	for _, rq := range e.requests {
		line := map[string]any{"url": "http://example.com/", "args": map[string]any{"ops": rq.ops, "status": cmp.Or(rq.status, 200)}}
		if rq.ops == nil {
			line["args"].(map[string]any)["ops"] = []op{}
		}
		if rq.cookie != nil {
			line["cookies"] = map[string]string{"sessionid": *rq.cookie}
		}
		requests = append(requests, line)
	}
	return map[string]any{
		"id": e.name, "view": "session", "jar": true, "now": instant.Unix(), "dump_sessions": true,
		"settings": e.settings, "session_rows": e.rows, "requests": requests,
	}
}

// A djangoAnswer is one line of the oracle.
type djangoAnswer struct {
	ID        string
	Error     string
	Responses []struct {
		Status     int
		Headers    [][2]string
		SetCookies []struct {
			Name, Value string
			Attrs       map[string]any
		} `json:"set_cookies"`
		JSON *struct {
			Results []any
		}
	}
	Sessions []struct {
		Key, Raw  string
		ExpiresIn float64 `json:"expires_in"`
	}
}

// read brings Django's answer into the form in which it is compared.
func (e exchange) read(t *testing.T, d djangoAnswer) (answers []answer, rows []storedRow) {
	t.Helper()
	if d.Error != "" {
		t.Fatalf("the oracle: %s", d.Error)
	}
	s, names := e.open(t), newNamer(e)
	for i, r := range d.Responses {
		a := answer{Status: r.Status, Cookie: "none"}
		for _, h := range r.Headers {
			a.Vary = a.Vary || h[0] == "Vary" && h[1] == "Cookie"
		}
		for _, c := range r.SetCookies {
			out := session.Outcome{Value: c.Value}
			age, has := c.Attrs["Max-Age"]
			if out.BrowserClose = !has; has {
				out.MaxAge, _ = strconv.Atoi(age.(string))
				out.Expires, _ = time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", c.Attrs["expires"].(string))
			}
			if a.Cookie = "deleted"; c.Value != "" {
				a.Cookie = s.describe(names, out)
			}
		}
		if r.JSON != nil && r.Status != 500 {
			a.Results = canonical(t, withoutErrors(e.requests[i].ops, r.JSON.Results))
		}
		answers = append(answers, a)
	}
	if s.store == nil {
		return answers, nil
	}
	for _, r := range d.Sessions {
		rows = append(rows, storedRow{orphan(names, r.Key), s.payload(r.Raw), r.ExpiresIn})
	}
	return answers, sorted(rows)
}

// withoutErrors takes the results that Lockstep does not have from Django's.
func withoutErrors(ops []op, results []any) []any {
	for i, o := range ops {
		switch o[0] {
		case "del": // KeyError
			results[i] = nil
		case "items":
			results[i] = len(results[i].([]any))
		case "expiry_age": // a float where the expiry is one
			if f, ok := results[i].(float64); ok {
				results[i] = int(f)
			}
		}
	}
	if len(ops) == 0 {
		return nil
	}
	return results
}
