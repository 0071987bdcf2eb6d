package site

import (
	"time"

	"github.com/lockstep-http/lockstep/rule"
)

// Names of this package that its tests, which stand outside, ask for.
var SafeNext = safeNext

const (
	MaxFailures   = maxFailures
	FailureWindow = failureWindow
	MaxTracked    = maxTracked
)

type Attempts = attempts

func (a *attempts) Take(key string, now time.Time) time.Duration { return a.take(key, now) }
func (a *attempts) Forgive(key string)                           { a.forgive(key) }
func (a *attempts) Len() int                                     { return a.order.Len() }

var (
	ErrTaken      = errTaken
	CheckUsername = checkUsername
	CheckPassword = checkPassword
)

const MaxHashing = maxHashing

// Hashing is how many passwords are being hashed.
func (a *Accounts) Hashing() int { return len(a.hashing) }

func (s *Site) SetAccounts(a *Accounts) { s.config.Accounts = a }

type (
	Feeds = feeds
	Entry = entry
)

const (
	MaxFeeds   = maxFeeds
	MaxEntries = maxEntries
)

var NewEntry = newEntry

func (e *entry) Tell(v rule.Verdict) { e.tell(v) }

func (f *feeds) Know(id, cookie string)       { f.know(id, hashCookie(cookie)) }
func (f *feeds) Of(cookie string) string      { return f.of(hashCookie(cookie)) }
func (f *feeds) Add(id string, e *entry)      { f.add(id, e) }
func (f *feeds) Move(from, to string)         { f.move(from, to) }
func (f *feeds) End(id string)                { f.end(id) }
func (f *feeds) EntriesOf(id string) []*entry { return f.entriesOf(id) }
func (f *feeds) Len() int                     { return f.order.Len() }
func (f *feeds) Cookies() int                 { return len(f.byCookie) }
