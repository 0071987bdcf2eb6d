package session

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// expiryKey is the item in which a session keeps an expiry of its own
// (django/contrib/sessions/backends/base.py, set_expiry).
const expiryKey = "_session_expiry"

// The moments a Python datetime can hold; Django's database writes no others.
var (
	firstMoment = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	lastMoment  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()
)

// An expiry is when a session ends, if it is saved now.
type expiry struct {
	Age          int       // seconds, as SESSION_COOKIE_AGE counts: the cookie's Max-Age
	Date         time.Time // the same as a moment, to the microsecond: the record's
	BrowserClose bool      // the cookie has no lifetime; the record has Age all the same
	Unreadable   bool      // the item is something Django does not write
}

// expiryOf reads the item [expiryKey], nil when the session has none: an integer counts from now
// and so moves on with every save, text is a fixed moment, 0 asks for a cookie without a lifetime,
// and a session without the item has cookieAge seconds.
//
// Where Django ends in an exception (other text, numbers beyond the year 9999), the session keeps
// cookieAge, or the last moment there is.
func expiryOf(raw json.RawMessage, cookieAge int, atBrowserClose bool, now time.Time) expiry {
	text := strings.TrimSpace(string(raw))
	switch {
	case text == "" || text == "null":
		e := expiryAfter(float64(cookieAge), now)
		e.BrowserClose = atBrowserClose
		return e
	case text == "true": // Python's True is the number 1
		return expiryAfter(1, now)
	case text == "false":
		e := expiryAfter(float64(cookieAge), now)
		e.BrowserClose = true
		return e
	case text[0] == '"':
		return expiryAt(text, cookieAge, now)
	case text == "[]" || text == "{}": // false to Python, and not 0
		return expiryAfter(float64(cookieAge), now)
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if math.IsNaN(seconds) || err != nil && !math.IsInf(seconds, 0) {
		return unreadableExpiry(cookieAge, now)
	}
	if seconds == 0 {
		e := expiryAfter(float64(cookieAge), now)
		e.BrowserClose = true
		return e
	}
	return expiryAfter(seconds, now)
}

func unreadableExpiry(cookieAge int, now time.Time) expiry {
	e := expiryAfter(float64(cookieAge), now)
	e.Unreadable = true
	return e
}

// expiryAfter counts seconds from now. Max-Age drops the fraction, the record keeps it.
func expiryAfter(seconds float64, now time.Time) expiry {
	seconds = min(max(seconds, float64(firstMoment-now.Unix())), float64(lastMoment-now.Unix()))
	whole, fraction := math.Modf(seconds)
	nano := int64(now.Nanosecond()) + int64(math.Round(fraction*1e6))*1000
	return expiry{Age: int(whole), Date: time.Unix(now.Unix()+int64(whole), nano).UTC().Truncate(time.Microsecond)}
}

// expiryAt reads a moment. Max-Age is the time until then, rounded down.
func expiryAt(token string, cookieAge int, now time.Time) expiry {
	var text string
	if json.Unmarshal([]byte(token), &text) != nil {
		return unreadableExpiry(cookieAge, now)
	}
	if text == "" {
		return expiryAfter(float64(cookieAge), now)
	}
	at, ok := parseMoment(text)
	if !ok {
		return unreadableExpiry(cookieAge, now)
	}
	at = at.UTC().Truncate(time.Microsecond)
	age := at.Unix() - now.Unix()
	if at.Nanosecond() < now.Truncate(time.Microsecond).Nanosecond() {
		age--
	}
	return expiry{Age: int(age), Date: at}
}

// momentLayouts are the forms of datetime.fromisoformat that are in use: isoformat's own, with
// any separator Python takes for T replaced by one, with and without a zone.
var momentLayouts = []string{
	"2006-01-02T15:04:05Z07:00",
	"2006-01-02T15:04:05",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04",
	"2006-01-02",
}

// parseMoment reads what Python's isoformat writes. A moment without a zone is read as UTC:
// Django reads it in TIME_ZONE, which a session does not know.
func parseMoment(text string) (time.Time, bool) {
	const date = len("2006-01-02")
	if len(text) > date && (text[date] == ' ' || text[date] == 't') {
		text = text[:date] + "T" + text[date+1:]
	}
	for _, layout := range momentLayouts {
		t, err := time.Parse(layout, text)
		if err == nil && t.Unix() >= firstMoment && t.Unix() <= lastMoment {
			return t, true
		}
	}
	return time.Time{}, false
}

// formatMoment writes t, in UTC, as Python's isoformat writes an aware datetime or, without a zone, a
// naive one.
func formatMoment(t time.Time, zone bool) string {
	layout := "2006-01-02T15:04:05"
	if t = t.UTC(); t.Nanosecond() >= int(time.Microsecond) {
		layout += ".000000"
	}
	if zone {
		layout += "+00:00"
	}
	return t.Format(layout)
}
