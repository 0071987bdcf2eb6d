package site

import "time"

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
