package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/rule"
)

// The answers to "load session". All but the first and the last give an empty session.
var (
	sessionLoaded = rules.Add(rule.Rule{
		ID:       "session-loaded",
		Source:   "Django, django/contrib/sessions/backends/base.py, _get_session",
		Sentence: "The session that the cookie names exists and has not expired, so its items are loaded when the session is first touched.",
		Fix:      "To start a new session, call Flush.",
		Scenario: "visit https://shop.test/\nvisit https://shop.test/\n",
	})
	sessionNone = rules.Add(rule.Rule{
		ID:       "session-none",
		Source:   "Django, django/contrib/sessions/backends/base.py, _get_session",
		Sentence: "The request sent no session cookie, so its session is new and empty.",
		Fix:      "If the browser should have sent the cookie, read its verdicts on storing and sending it.",
		Scenario: "visit https://shop.test/\n",
	})
	sessionKeyMalformed = rules.Add(rule.Rule{
		ID:       "session-key-malformed",
		Source:   "Django, django/contrib/sessions/backends/base.py, _validate_session_key; keys have 8 to 40 characters of a-z and 0-9",
		Sentence: "The value of the session cookie cannot be a key that was ever given out, so no store is asked and the session is empty.",
		Fix:      "Delete the cookie in the browser, and look for who else sets a cookie of this name on the host or its parent domains.",
		Scenario: "header Cookie: sessionid=short\nvisit https://shop.test/\n",
	})
	sessionUnknownKey = rules.Add(rule.Rule{
		ID:       "session-unknown-key",
		Source:   "Django, django/contrib/sessions/backends/db.py, load",
		Sentence: "No session has the key that the cookie holds, so the session is empty; the key is not adopted, because whoever chose it could know it.",
		Fix:      "Nothing, if the session was ended or purged; if all sessions are gone, look whether every process uses the same store.",
		Scenario: "header Cookie: sessionid=abcdefghijklmnopqrstuvwxyz012345\nvisit https://shop.test/\n",
	})
	sessionExpired = rules.Add(rule.Rule{
		ID:       "session-expired",
		Source:   "Django setting SESSION_COOKIE_AGE",
		Sentence: "The session that the cookie names is over: a session is good until the moment it expires and not at that moment.",
		Fix:      "Raise SESSION_COOKIE_AGE, or set SESSION_SAVE_EVERY_REQUEST = True so that each visit prolongs the session.",
		Scenario: "set SESSION_EXPIRE_AT_BROWSER_CLOSE=True\nvisit https://shop.test/\nwait 15d\nvisit https://shop.test/\n",
	})
	sessionCorrupted = rules.Add(rule.Rule{
		ID:       "session-corrupted",
		Source:   "Django, django/contrib/sessions/backends/base.py, decode",
		Sentence: "What is stored for the session was not signed with a key of this site or cannot be read, so the session is empty, keeps its key and is overwritten when it is saved.",
		Fix:      "If SECRET_KEY was changed, put the old one into SECRET_KEY_FALLBACKS; if it was not, somebody changed the stored data.",
		Scenario: "set SESSION_ENGINE='django.contrib.sessions.backends.signed_cookies'\nheader Cookie: sessionid=not-signed-by-this-site\nvisit https://shop.test/\n",
	})
	sessionStoreFailed = rules.Add(rule.Rule{
		ID:       "session-store-failed",
		Source:   "Lockstep, package session, interface Store",
		Sentence: "The store of the sessions did not answer, so it is not known what the session holds, and the request is answered with 503.",
		Fix:      "Look at the store's own log; the request can be sent again when the store is back.",
		Scenario: "store failed\nvisit https://shop.test/\n",
	})
)

// load makes s.data what the session holds, once. The caller holds s.mu.
func (s *Session) load(ctx context.Context) error {
	if s.loaded || s.err != nil {
		return s.err
	}
	got, err := s.read(ctx)
	if err != nil {
		s.err = fmt.Errorf("loading session: %w", err)
		got.rule = sessionStoreFailed
	} else {
		s.take(got)
	}
	if rec := rule.FromContext(ctx); rec.Watching() {
		rec.Record(s.loadVerdict(got.rule))
	}
	return s.err
}

// A reading is what was found under a key.
type reading struct {
	stored Record        // zero when there is no such session
	data   django.Object // what it holds; empty when it cannot be read
	rule   rule.ID       // the rule that decided
}

// take makes the session what was read.
func (s *Session) take(got reading) {
	s.stored, s.data, s.found = got.stored, got.data, got.rule
	s.loaded, s.known = true, true
	switch {
	case !s.engine.inCookie():
		if got.stored.IsZero() {
			s.key = "" // a key that nobody gave out is not taken on
		}
	case s.key != "" && got.rule != sessionLoaded:
		s.modified = true // the bad cookie is replaced (backends/signed_cookies.py, load)
	}
}

// read asks the cookie or the store.
func (s *Session) read(ctx context.Context) (reading, error) {
	switch {
	case s.key == "" && s.sent:
		return reading{rule: sessionKeyMalformed}, nil
	case s.key == "":
		return reading{rule: sessionNone}, nil
	case s.engine.inCookie():
		return s.engine.readCookie(s.key), nil
	}
	return s.engine.fetch(ctx, s.key)
}

// fetch asks the store for the record of key.
func (e *Engine) fetch(ctx context.Context, key string) (reading, error) {
	if !wellFormed(key) {
		return reading{rule: sessionKeyMalformed}, nil
	}
	stored, err := e.config.Store.Load(ctx, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return reading{rule: sessionUnknownKey}, nil
	case err != nil:
		return reading{}, err
	case !stored.Expires.After(e.config.Now()):
		return reading{rule: sessionExpired}, nil
	}
	data, err := e.decode(stored.Data)
	if err != nil {
		return reading{stored: stored, rule: sessionCorrupted}, nil //nolint:nilerr // Django: a payload that cannot be read is an empty session
	}
	return reading{stored: stored, data: data, rule: sessionLoaded}, nil
}

// anyAge has [django.Signer.Loads] accept a payload of any age: the record says when it expires.
const anyAge time.Duration = -1

// decode reads the payload of a record.
func (e *Engine) decode(payload []byte) (django.Object, error) {
	return parse(e.signer.Loads(string(payload), anyAge, e.config.Now()))
}

// readCookie reads a session that lives in its cookie. What is signed there is good for
// SESSION_COOKIE_AGE, whatever expiry the session itself asked for.
func (e *Engine) readCookie(cookie string) reading {
	maxAge := time.Duration(e.config.CookieAge) * time.Second
	if maxAge < 0 {
		return reading{rule: sessionExpired}
	}
	data, err := parse(e.signer.Loads(cookie, maxAge, e.config.Now()))
	switch {
	case errors.Is(err, django.ErrSignatureExpired):
		return reading{rule: sessionExpired}
	case err != nil:
		return reading{rule: sessionCorrupted}
	}
	return reading{data: data, rule: sessionLoaded}
}

func parse(payload []byte, err error) (django.Object, error) {
	if err != nil {
		return django.Object{}, err
	}
	return django.ParseObject(payload)
}

// loadVerdict tells what was found. It names items and never shows what they hold.
func (s *Session) loadVerdict(id rule.ID) rule.Verdict {
	v := rule.Verdict{
		Side: rule.Site, Question: rule.LoadSession, Subject: s.engine.config.CookieName,
		Yes: id == sessionLoaded, Rule: id,
		Facts: []rule.Fact{{Name: "cookie sent", Value: pythonBool(s.sent)}},
	}
	if id == sessionLoaded {
		v.Facts = append(v.Facts, s.itemFacts()...)
	}
	if !s.stored.IsZero() {
		v.Facts = append(v.Facts, rule.Fact{Name: "expires", Value: s.stored.Expires.UTC().Format(time.RFC3339)})
	}
	return v
}

// maxFactKeys bounds how many items a fact names.
const maxFactKeys = 20

func (s *Session) itemFacts() []rule.Fact {
	return []rule.Fact{
		{Name: "items", Value: strconv.Itoa(s.data.Len())},
		{Name: "keys", Value: listKeys(s.data.Keys())},
	}
}

func listKeys(keys []string) string {
	if len(keys) > maxFactKeys {
		return strings.Join(keys[:maxFactKeys], ", ") + ", …"
	}
	return strings.Join(keys, ", ")
}

func pythonBool(b bool) string {
	if b {
		return "True"
	}
	return "False"
}
