package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"

	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/rule"
)

// An Outcome is what the answer to a request has to say about its session.
type Outcome struct {
	Vary   bool // the answer depends on the cookie: Vary: Cookie
	Action Action

	// With the action SetCookie.
	Value        string    // the cookie's value: a key, or the session itself; a secret either way
	BrowserClose bool      // the cookie has neither Max-Age nor Expires
	MaxAge       int       // in seconds, also 0 and below; 0 with BrowserClose
	Expires      time.Time // now and MaxAge, in UTC; zero with BrowserClose
}

// String tells all but the value, which is a secret.
func (o Outcome) String() string {
	text := o.Action.String()
	switch {
	case o.Action == SetCookie && o.BrowserClose:
		text += " until the browser is closed"
	case o.Action == SetCookie:
		text += ", Max-Age=" + strconv.Itoa(o.MaxAge)
	}
	if o.Vary {
		text += ", Vary: Cookie"
	}
	return text
}

// An Action is what happens to the session cookie.
type Action int

// What can happen to the session cookie.
const (
	Nothing Action = iota
	SetCookie
	DeleteCookie
)

// String returns "nothing", "set cookie" or "delete cookie".
func (a Action) String() string {
	switch a {
	case Nothing:
		return "nothing"
	case SetCookie:
		return "set cookie"
	case DeleteCookie:
		return "delete cookie"
	}
	return "Action(" + strconv.Itoa(int(a)) + ")"
}

const (
	// maxAttempts bounds how often a request takes in what others changed and saves again. Each
	// attempt that fails is one that succeeded for somebody else.
	maxAttempts = 32

	// serverError is the status 500, which never saves a session.
	serverError = 500

	// compressFrom is the size in bytes from which a payload is compressed. Below, the time is
	// worth more than the bytes; Django reads both.
	compressFrom = 1024
)

// The answers to "save session".
var (
	sessionUntouched = rules.Add(rule.Rule{
		ID:       "session-untouched",
		Source:   middleware,
		Sentence: "Nothing used the session, so it was neither loaded nor saved and the answer says nothing of it.",
		Fix:      "To keep something between requests, call Set on the session; to prolong it at every visit, set SESSION_SAVE_EVERY_REQUEST = True.",
		Scenario: "on /a app plain\nvisit https://shop.test/a\n",
	})
	sessionUnmodified = rules.Add(rule.Rule{
		ID:       "session-unmodified",
		Source:   middleware,
		Sentence: "The session was read and not changed, so it is not saved and no cookie is set; the answer varies by the cookie.",
		Fix:      "If something was changed inside a value, set the value again; to save at every request, set SESSION_SAVE_EVERY_REQUEST = True.",
		Scenario: "on /a app read\nvisit https://shop.test/a\n",
	})
	sessionEmpty = rules.Add(rule.Rule{
		ID:       "session-empty",
		Source:   middleware,
		Sentence: "The session has neither a key nor items, so there is nothing to save and no cookie to delete.",
		Fix:      "To begin a session, call Set on it.",
		Scenario: "on /a app clear\nvisit https://shop.test/a\n",
	})
	sessionCookieDeleted = rules.Add(rule.Rule{
		ID:       "session-cookie-deleted",
		Source:   middleware,
		Sentence: "The browser sent a session cookie and there is no session behind it, so the cookie is deleted.",
		Fix:      "If the session should have gone on, read why it was not loaded, or do not call Flush.",
		Scenario: "on /bye app flush\nvisit https://shop.test/\nvisit https://shop.test/bye\n",
	})
	sessionNotSavedOnError = rules.Add(rule.Rule{
		ID:       "session-not-saved-on-error",
		Source:   middleware + " (4.2: any status from 500 on; earlier: 500)",
		Sentence: "The answer is a server error, so the changes of the session are not saved and no cookie is set.",
		Fix:      "Answer with a status below 500 if the changes are to be kept.",
		Scenario: "on / status 500\nvisit https://shop.test/\n",
	})
	sessionCreated = rules.Add(rule.Rule{
		ID:       "session-created",
		Source:   "Django, django/contrib/sessions/backends/db.py, create",
		Sentence: "The session had no key yet, so it is stored under a new one that nobody chose, and the cookie is set.",
		Fix:      "If visitors should not be given a session yet, do not call Set before they need one.",
		Scenario: "visit https://shop.test/\n",
	})
	sessionSaved = rules.Add(rule.Rule{
		ID:       "session-saved",
		Source:   middleware,
		Sentence: "The session is saved and the cookie is set again, so that both last as long as the expiry says from now on.",
		Fix:      "To leave the session as it is, do not change it; see also SESSION_SAVE_EVERY_REQUEST.",
		Scenario: "visit https://shop.test/\nvisit https://shop.test/\n",
	})
	sessionInterrupted = rules.Add(rule.Rule{
		ID:       "session-interrupted",
		Source:   middleware + " (SessionInterrupted)",
		Sentence: "Another request ended the session before this one was done, so nothing is saved, nothing comes back to life, and the answer is 400.",
		Fix:      "Nothing: the user logged out meanwhile and has to log in again.",
		Scenario: "on /out app flush\non /a meanwhile /out\nvisit https://shop.test/\nvisit https://shop.test/a\n",
	})
	sessionTooLarge = rules.Add(rule.Rule{
		ID:       "session-too-large",
		Source:   "Lockstep, package django, constant MaxPayload",
		Sentence: "The items of the session are more than could be read back, so it is not saved.",
		Fix:      "Keep large data in a database of its own and only its key in the session.",
		Scenario: "on /a app large\nvisit https://shop.test/a\n",
	})
	sessionKeyConflict = rules.Add(rule.Rule{
		ID:       "session-key-conflict",
		Source:   "Lockstep, docs/divergences.md",
		Sentence: "Another request changed the same item of the session at the same time, and the value of the request that was saved later is kept.",
		Fix:      "Give what is counted or collected by several requests at once a place that adds up, such as a database, or items of different names.",
		Scenario: "on /b app clear\non /a meanwhile /b\nvisit https://shop.test/\nvisit https://shop.test/a\n",
	})
	noteSessionKeyCycled = rules.Add(rule.Rule{
		ID:       "note-session-key-cycled",
		Source:   "Django, django/contrib/sessions/backends/base.py, cycle_key",
		Sentence: "The session was given a new key and the old one ended, so that a key known before a login is worth nothing after it.",
		Fix:      "Nothing: cycle the key whenever what a session may do changes.",
		Scenario: "on /a app cycle\nvisit https://shop.test/\nvisit https://shop.test/a\n",
	})
)

// Commit ends the session's part of the request, before the head of the answer is sent, and
// returns what that head has to say, given the status that it will have. It saves what is to be
// saved; changes that other requests saved meanwhile are kept.
//
// The error is [ErrInterrupted] when the session was ended meanwhile: the answer is 400 then. With
// any other, the session could not be loaded or saved, and the answer is 503. There is no cookie
// and no Vary with an error.
//
// The first call decides. Later ones return the same and do nothing. From then on the session
// cannot be changed, and can be read only if it was read before.
func (s *Session) Commit(ctx context.Context, status int) (Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.committed {
		return s.outcome, s.refusal
	}
	s.committed = true
	everyRequest := !s.modified
	id := s.decide(status)
	if s.err == nil {
		s.outcome, id = s.carryOut(ctx, id)
	}
	if s.err != nil {
		s.outcome, id = Outcome{}, ruleOf(s.err)
	}
	s.refusal = s.err
	if rec := rule.FromContext(ctx); rec.Watching() {
		rec.Record(s.saveVerdict(id, status, everyRequest))
	}
	return s.outcome, s.refusal
}

// decide is Django's response algorithm: which rule holds for what the request did. It does no more
// than look.
func (s *Session) decide(status int) rule.ID {
	c := &s.engine.config
	empty := s.isEmpty()
	switch {
	case s.sent && empty:
		return sessionCookieDeleted
	case !s.accessed && !s.modified && (!c.SaveEveryRequest || empty):
		return sessionUntouched
	case !s.modified && (!c.SaveEveryRequest || empty):
		return sessionUnmodified
	case empty:
		return sessionEmpty
	case status == serverError, c.Skip5xx && status > serverError:
		return sessionNotSavedOnError
	}
	return sessionSaved
}

// carryOut does what was decided. What saving reads by itself does not make the answer vary.
func (s *Session) carryOut(ctx context.Context, id rule.ID) (Outcome, rule.ID) {
	out := Outcome{Vary: s.accessed}
	switch id {
	case sessionCookieDeleted:
		return Outcome{Vary: true, Action: DeleteCookie}, id
	case sessionSaved:
		out.Vary = out.Vary || s.engine.config.VaryWhenSet
		id = s.save(ctx, &out)
	}
	return out, id
}

// save stores the session and fills in the cookie. Its errors are s.err's.
func (s *Session) save(ctx context.Context, out *Outcome) rule.ID {
	if s.load(ctx) != nil {
		return ""
	}
	var err error
	id := sessionSaved
	switch {
	case s.engine.inCookie():
		var next Record
		next, s.expires, err = s.encode()
		if s.key == "" {
			id = sessionCreated
		}
		s.key = string(next.Data)
	case s.key == "":
		id, err = sessionCreated, s.insert(ctx)
	default:
		err = s.update(ctx)
	}
	if err != nil {
		_ = s.fail("saving session", err)
		return ""
	}
	out.Action, out.Value = SetCookie, s.key
	if out.BrowserClose = s.expires.BrowserClose; !out.BrowserClose {
		now := s.engine.config.Now()
		out.MaxAge = s.expires.Age
		out.Expires = time.Unix(now.Unix()+int64(out.MaxAge), int64(now.Nanosecond())).UTC()
	}
	return id
}

// encode returns the record of the session as it is now. Expiry counts from now.
func (s *Session) encode() (Record, expiry, error) {
	payload := s.data.AppendJSON(nil)
	if len(payload) > django.MaxPayload {
		return Record{}, expiry{}, errTooLarge
	}
	now := s.engine.config.Now()
	e := s.expiryAt(now)
	signed := s.engine.signer.AppendDumps(nil, payload, len(payload) >= compressFrom, now)
	return Record{Data: signed, Expires: e.Date}, e, nil
}

var errTooLarge = fmt.Errorf("the items of the session are more than %d bytes of JSON", django.MaxPayload)

// insert stores the session under a new key.
func (s *Session) insert(ctx context.Context) error {
	next, e, err := s.encode()
	if err != nil {
		return err
	}
	for range maxAttempts {
		key, err := newKey(s.engine.config.Rand)
		if err != nil {
			return err
		}
		err = s.engine.config.Store.Save(ctx, key, Record{}, next)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		s.begin(key, next)
		s.expires = e
		s.engine.purge(ctx)
		return nil
	}
	return errors.New("every session key that was drawn is taken: Config.Rand is not random")
}

// begin makes what is stored under key, which nobody else knows of yet, the session's record.
func (s *Session) begin(key string, stored Record) {
	s.key, s.stored, s.known = key, stored, true
	s.changes = changes{}
}

// update replaces the record under s.key by the session. When another request has replaced it
// first, the changes of this one are made to the other's; when it is gone, it stays gone.
func (s *Session) update(ctx context.Context) error {
	if err := s.know(ctx); err != nil {
		return err
	}
	for range maxAttempts {
		err := s.replace(ctx)
		if !errors.Is(err, ErrConflict) {
			return interruptedIfGone(err)
		}
		theirs, err := s.reread(ctx, s.key)
		if err != nil {
			return err
		}
		s.rebase(s.stored, theirs, s.changes)
		s.stored = theirs.stored
	}
	return ErrConflict
}

// know reads what is under s.key when the session was cleared without having been loaded. Whether it
// has expired is not asked: nothing of it is kept, and Django does not ask either.
func (s *Session) know(ctx context.Context) error {
	if s.known {
		return nil
	}
	if !wellFormed(s.key) {
		return ErrInterrupted
	}
	stored, err := s.engine.config.Store.Load(ctx, s.key)
	if err != nil {
		return interruptedIfGone(err)
	}
	s.stored, s.known = stored, true
	return nil
}

// replace is one attempt to put the session in the place of s.stored.
func (s *Session) replace(ctx context.Context) error {
	next, e, err := s.encode()
	if err != nil {
		return err
	}
	if err := s.engine.config.Store.Save(ctx, s.key, s.stored, next); err != nil {
		return err
	}
	s.expires = e
	s.begin(s.key, next)
	return nil
}

// reread loads the record of a key that had one. An expired one counts as gone.
func (s *Session) reread(ctx context.Context, key string) (reading, error) {
	got, err := s.engine.fetch(ctx, key)
	if err == nil && got.stored.IsZero() {
		err = ErrInterrupted
	}
	return got, err
}

// rebase makes what this request did to base a change of theirs.
func (s *Session) rebase(base Record, theirs reading, mine changes) {
	before, _ := s.engine.decode(base.Data) // what cannot be read was taken for empty
	m := merge(before, s.data, theirs.data, mine)
	s.data = m.data
	s.merged = append(s.merged, m.merged...)
	s.conflicts = append(s.conflicts, m.conflicts...)
}

func interruptedIfGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrInterrupted
	}
	return err
}

// ruleOf names the rule behind an error.
func ruleOf(err error) rule.ID {
	switch {
	case errors.Is(err, ErrInterrupted):
		return sessionInterrupted
	case errors.Is(err, errTooLarge):
		return sessionTooLarge
	}
	return sessionStoreFailed
}

// saveVerdict tells what became of the session. It names items and never shows what they hold.
func (s *Session) saveVerdict(id rule.ID, status int, everyRequest bool) rule.Verdict {
	v := rule.Verdict{
		Side: rule.Site, Question: rule.SaveSession, Subject: s.engine.config.CookieName,
		Yes: id == sessionSaved || id == sessionCreated, Rule: id, Notes: s.notes(id),
		Facts: []rule.Fact{
			{Name: "cookie sent", Value: pythonBool(s.sent)},
			{Name: "status", Value: strconv.Itoa(status)},
			{Name: "accessed", Value: pythonBool(s.accessed)},
			{Name: "modified", Value: pythonBool(s.modified)},
		},
	}
	if v.Yes {
		v.Facts = append(v.Facts, s.savedFacts(everyRequest)...)
	}
	if s.flushed {
		v.Facts = append(v.Facts, rule.Fact{Name: "flushed", Value: "True"})
	}
	return v
}

func (s *Session) notes(id rule.ID) []rule.ID {
	var notes []rule.ID
	if id == sessionCookieDeleted && !s.flushed {
		notes = append(notes, s.whyEmpty())
	}
	if s.cycled {
		notes = append(notes, noteSessionKeyCycled)
	}
	if len(s.conflicts) > 0 {
		notes = append(notes, sessionKeyConflict)
	}
	return notes
}

// whyEmpty is the rule that left nothing behind a cookie.
func (s *Session) whyEmpty() rule.ID {
	if s.found == "" {
		return sessionKeyMalformed // what was never looked at can only be this
	}
	return s.found
}

func (s *Session) savedFacts(everyRequest bool) []rule.Fact {
	facts := append(s.itemFacts(), rule.Fact{Name: "expires", Value: s.expires.Date.Format(time.RFC3339)})
	if s.expires.BrowserClose {
		facts = append(facts, rule.Fact{Name: "expire at browser close", Value: "True"})
	}
	if s.expires.Unreadable {
		facts = append(facts, rule.Fact{Name: expiryKey, Value: "unreadable, SESSION_COOKIE_AGE holds"})
	}
	if everyRequest {
		facts = append(facts, rule.Fact{Name: "SESSION_SAVE_EVERY_REQUEST", Value: "True"})
	}
	if len(s.merged) > 0 {
		facts = append(facts, rule.Fact{Name: "merged", Value: listKeys(s.merged)})
	}
	if len(s.conflicts) > 0 {
		facts = append(facts, rule.Fact{Name: "conflicts", Value: listKeys(s.conflicts)})
	}
	return facts
}
