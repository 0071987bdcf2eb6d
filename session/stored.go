package session

import (
	"bytes"
	"time"

	"github.com/lockstep-http/lockstep/django"
)

// Expiry returns when a session ends of which a store has the bytes and the moment at which they were
// saved, and no other date: cookieAge seconds (SESSION_COOKIE_AGE) after it, or as the session's own
// item _session_expiry says. It is for stores that keep no date, such as files.
//
// The item is read before anybody has verified the signature. That is enough to say when bytes are
// not worth looking at any more; the session verifies those that are.
func Expiry(data []byte, cookieAge int, saved time.Time) time.Time {
	var raw []byte
	payload, err := django.InsecurePayload(string(data))
	if err == nil && bytes.Contains(payload, []byte(expiryKey)) {
		if items, err := django.ParseObject(payload); err == nil {
			raw, _ = items.Get(expiryKey)
		}
	}
	return expiryOf(raw, cookieAge, false, saved).Date
}
