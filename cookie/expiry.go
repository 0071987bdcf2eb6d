package cookie

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/rule"
)

// MaxLifetime is how long a browser keeps a cookie at most, whatever the line asks for.
const MaxLifetime = 400 * 24 * time.Hour

// longPast is the expiry of a cookie that a line deletes: the earliest time, for this package.
var longPast = time.Unix(0, 0).UTC()

var noteMaxAgeInvalid = rules.Add(rule.Rule{
	ID:       "note-max-age-invalid",
	Source:   bis + ", section 5.6.2",
	Sentence: "A Max-Age that is not a whole number of seconds is ignored.",
	Fix:      "Write Max-Age as digits only, with a minus sign at most: Max-Age=3600.",
	Scenario: `
on /a send Set-Cookie: a=1; Max-Age="3600"
visit https://shop.test/a
`,
})

// readMaxAge reads Max-Age. The last valid one counts.
func (l *Line) readMaxAge(value string) (Effect, rule.ID) {
	if rest, found := strings.CutPrefix(value, "+"); found && l.dialect.SignedMaxAge && isDigits(rest) {
		value = rest
	}
	digits := strings.TrimPrefix(value, "-")
	if !isDigits(digits) {
		l.HasMaxAge = l.HasMaxAge && !l.dialect.LastExpiry
		return l.unread(), noteMaxAgeInvalid
	}
	l.HasMaxAge = true
	seconds, err := strconv.ParseInt(value, 10, 64)
	switch limit := int64(math.MaxInt64 / time.Second); {
	case seconds > limit || err != nil && value == digits: // more than can be held
		l.MaxAge = time.Duration(limit) * time.Second
	case seconds <= 0 || err != nil:
		l.MaxAge = 0
	default:
		l.MaxAge = time.Duration(seconds) * time.Second
	}
	return Applied, ""
}

var noteExpiresUnparsable = rules.Add(rule.Rule{
	ID:       "note-expires-unparsable",
	Source:   bis + ", section 5.6.1",
	Sentence: "An Expires that is not a date is ignored: without another one the cookie lasts until the browser is closed.",
	Fix:      "Write Expires as an HTTP date, such as Thu, 01 Jan 2026 00:00:00 GMT, or use Max-Age.",
	Scenario: `
on /a send Set-Cookie: a=1; Expires=0
visit https://shop.test/a
`,
})

// readExpires reads Expires. The last valid one counts.
func (l *Line) readExpires(value string) (Effect, rule.ID) {
	t, ok := parseDate(value, l.earliest())
	if !ok {
		if l.dialect.LastExpiry {
			l.Expires = time.Time{}
		}
		return l.unread(), noteExpiresUnparsable
	}
	l.Expires = t
	return Applied, ""
}

// earliest is the first year that an Expires may have.
func (l *Line) earliest() int {
	if l.dialect.EarlyDates {
		return 0
	}
	return earliestYear
}

// unread is what becomes of a Max-Age or an Expires that cannot be read: where the last one counts, it
// takes the place of an earlier one.
func (l *Line) unread() Effect {
	if l.dialect.LastExpiry {
		return Applied
	}
	return Ignored
}

var noteLifetimeCapped = rules.Add(rule.Rule{
	ID:       "note-lifetime-capped",
	Source:   bis + ", section 5.5",
	Sentence: "A cookie is kept for at most 400 days, whatever the line asks for.",
	Fix:      "Ask for 34560000 seconds at most, and send the cookie again before they have passed.",
	Scenario: `
on /a send Set-Cookie: a=1; Max-Age=63072000
visit https://shop.test/a
`,
})

// Expiry returns when a cookie that is received at now expires, and whether it is persistent, that
// is, outlives the browser. Max-Age beats Expires, and neither reaches further than [MaxLifetime].
// Without either the cookie is not persistent and the time is zero. A time that is not after now
// means that the line deletes the cookie.
//
// RFC 6265bis-22, sections 5.5 and 5.7, step 6.
func (l Line) Expiry(now time.Time) (at time.Time, persistent bool) {
	at, persistent, _ = l.expiry(now)
	return at, persistent
}

// NotesAt returns Notes and those that depend on when the line is received.
func (l Line) NotesAt(now time.Time) []rule.ID {
	if _, _, capped := l.expiry(now); capped {
		return append(slices.Clip(l.Notes), noteLifetimeCapped)
	}
	return l.Notes
}

func (l *Line) expiry(now time.Time) (at time.Time, persistent, capped bool) {
	latest := now.Add(MaxLifetime)
	switch {
	case l.HasMaxAge && l.MaxAge <= 0:
		return longPast, true, false
	case l.HasMaxAge && l.MaxAge > MaxLifetime:
		return latest, true, true
	case l.HasMaxAge:
		return now.Add(l.MaxAge), true, false
	case l.Expires.IsZero():
		return time.Time{}, false, false
	case l.Expires.After(latest):
		return latest, true, true
	}
	return l.Expires, true, false
}
