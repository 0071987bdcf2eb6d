package oracle

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/session"
)

const none = `"<none>"` // of get and pop, where there is no such item

// The item by which Django finds out whether a browser keeps cookies.
const testCookieName, testCookieValue = "testcookie", "worked"

// session does the operations of a line with the session of the request, a result for each.
func (c *call) session() error {
	results := []json.RawMessage{}
	for _, op := range c.args.list("ops") {
		parts := listOf(op)
		if len(parts) == 0 {
			return valueError("a session operation has a verb")
		}
		run, ok := sessionOps[textOf(parts[0])]
		if !ok {
			return unsupported("the session operation %s", parts[0])
		}
		result, err := run(&sessionCall{c.w, session.From(c.r.Context()), append(parts[1:], nil, nil)})
		if err != nil {
			return err
		}
		results = append(results, orNull(result))
	}
	if c.args.flag("raise") {
		writeText(c.out, http.StatusInternalServerError, "error 500")
		return nil
	}
	if c.args.flag("as_list") {
		return c.replyJSON(mustMarshal(results))
	}
	return c.replyJSON(objectFrom("results", results))
}

// A sessionCall is one operation: the session, and the arguments.
type sessionCall struct {
	w *world
	*session.Session
	args []json.RawMessage
}

func (s *sessionCall) name() string { return textOf(s.args[0]) }

func (s *sessionCall) get(name string) json.RawMessage {
	raw, _ := session.Value[json.RawMessage](s.Session, name)
	return raw
}

func (s *sessionCall) set(name string, raw json.RawMessage) error {
	value, err := python(raw)
	if err != nil {
		return err
	}
	return s.Set(name, value)
}

// act is an operation without a result.
func act(f func(s *sessionCall) error) func(*sessionCall) (json.RawMessage, error) {
	return func(s *sessionCall) (json.RawMessage, error) { return nil, f(s) }
}

// tell is an operation that tells something.
func tell(f func(s *sessionCall) any) func(*sessionCall) (json.RawMessage, error) {
	return func(s *sessionCall) (json.RawMessage, error) { return mustMarshal(f(s)), nil }
}

// sessionOps are the operations by their verbs. To save at once, and to say by hand that a session
// was modified, is not Lockstep's: it saves what was set.
var sessionOps = map[string]func(*sessionCall) (json.RawMessage, error){
	"set":        act(func(s *sessionCall) error { return s.set(s.name(), s.args[1]) }),
	"cycle":      act(func(s *sessionCall) error { return s.CycleKey() }),
	"flush":      act(func(s *sessionCall) error { return s.Flush() }),
	"clear":      act(func(s *sessionCall) error { return s.Clear() }),
	"create":     act(func(s *sessionCall) error { return s.Create() }),
	"set_expiry": act((*sessionCall).setExpiry),
	"delete_row": act(func(s *sessionCall) error { return s.w.table.Delete(context.Background(), s.Key()) }),
	"mutate":     act((*sessionCall).mutate),

	"get": func(s *sessionCall) (json.RawMessage, error) {
		if !s.Has(s.name()) {
			return json.RawMessage(none), nil
		}
		return s.get(s.name()), nil
	},
	"pop": func(s *sessionCall) (json.RawMessage, error) {
		if !s.Has(s.name()) {
			return json.RawMessage(none), nil
		}
		raw := s.get(s.name())
		_, err := s.Pop(s.name())
		return raw, err
	},
	"setdefault": func(s *sessionCall) (json.RawMessage, error) {
		if s.Has(s.name()) {
			return s.get(s.name()), nil
		}
		return s.args[1], s.set(s.name(), s.args[1])
	},
	"del": func(s *sessionCall) (json.RawMessage, error) {
		if !s.Has(s.name()) {
			return mustMarshal("!KeyError: '" + s.name() + "'"), nil
		}
		return nil, s.Delete(s.name())
	},
	"key": func(s *sessionCall) (json.RawMessage, error) {
		if s.Key() == "" {
			return nil, nil
		}
		return mustMarshal(s.Key()), nil
	},
	"test_cookie": (*sessionCall).testCookie,

	"items":    tell((*sessionCall).items),
	"is_empty": tell(func(s *sessionCall) any { return s.IsEmpty() }),
	"flags": func(s *sessionCall) (json.RawMessage, error) {
		return objectFrom("accessed", s.Accessed(), "modified", s.Modified()), nil
	},
	"expiry_age":       tell(func(s *sessionCall) any { return s.ExpiryAge() }),
	"expiry_date":      tell(func(s *sessionCall) any { return isoformat(s.ExpiryDate()) }),
	"at_browser_close": tell(func(s *sessionCall) any { return s.ExpireAtBrowserClose() }),
}

// items are the items ordered by name.
func (s *sessionCall) items() any {
	items := [][2]any{}
	for _, name := range slices.Sorted(slices.Values(s.Keys())) {
		items = append(items, [2]any{name, s.get(name)})
	}
	raw := []json.RawMessage{}
	for _, item := range items {
		raw = append(raw, mustMarshal(item[:]))
	}
	return raw
}

// mutate changes a value within what was read, which neither Django nor Lockstep notices.
func (s *sessionCall) mutate() error {
	if !s.Has(s.name()) {
		return &djangoError{"KeyError", "'" + s.name() + "'"}
	}
	_ = append(listOf(s.get(s.name())), s.args[1])
	return nil
}

// setExpiry is Django's set_expiry(): null, a number, {"seconds": n} for a timedelta, {"iso": text}
// for a datetime.
func (s *sessionCall) setExpiry() error {
	if isNull(s.args[0]) {
		return s.ResetExpiry()
	}
	if n, ok := numberOf(s.args[0]); ok {
		return s.SetExpiry(int(n))
	}
	given := objectOf(s.args[0])
	if n, ok := seconds(given.raw("seconds")); ok {
		return s.SetExpiryAt(s.w.now().Add(duration(n)))
	}
	t, err := time.Parse(time.RFC3339, given.text("iso"))
	if err != nil {
		return unsupported("set_expiry %s", s.args[0])
	}
	return s.SetExpiryAt(t)
}

func (s *sessionCall) testCookie() (json.RawMessage, error) {
	switch s.name() {
	case "set":
		return nil, s.Set(testCookieName, testCookieValue)
	case "worked":
		value, _ := session.Value[string](s.Session, testCookieName)
		return mustMarshal(value == testCookieValue), nil
	case "delete":
		return nil, s.Delete(testCookieName)
	}
	return nil, unsupported("test_cookie %s", s.args[0])
}

// isoformat is that of an aware datetime in UTC.
func isoformat(t time.Time) string {
	text := t.UTC().Format("2006-01-02T15:04:05")
	if t.Nanosecond() != 0 {
		text += t.UTC().Format(".000000")
	}
	return text + "+00:00"
}

// itemsOf are the items of a session as one object.
func itemsOf(s *session.Session) json.RawMessage {
	var all django.Object
	for _, name := range s.Keys() {
		raw, _ := session.Value[json.RawMessage](s, name)
		all.Set(name, orNull(raw))
	}
	return all.AppendJSON(nil)
}
