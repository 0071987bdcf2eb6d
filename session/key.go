package session

import (
	"fmt"
	"io"
	"unicode/utf8"
)

const (
	keyLength    = 32 // characters of a new key
	keyAlphabet  = "abcdefghijklmnopqrstuvwxyz0123456789"
	minKeyLength = 8  // Django takes a shorter cookie for none at all
	maxKeyLength = 40 // the column session_key is a varchar(40)
)

// newKey returns a key as Django makes them: 32 characters, each of the 36 as likely as any other.
func newKey(rand io.Reader) (string, error) {
	// The largest multiple of 36 that a byte can hold: what is beyond is drawn again, so that no
	// character is likelier than another.
	const fair = 256 / len(keyAlphabet) * len(keyAlphabet)
	var key [keyLength]byte
	var drawn [keyLength + 8]byte
	for n := 0; n < keyLength; {
		if _, err := io.ReadFull(rand, drawn[:]); err != nil {
			return "", fmt.Errorf("drawing a session key: %w", err)
		}
		for _, b := range drawn {
			if int(b) < fair && n < keyLength {
				key[n] = keyAlphabet[int(b)%len(keyAlphabet)]
				n++
			}
		}
	}
	return string(key[:]), nil
}

// longEnough reports whether Django takes a cookie of this value for a key: 8 characters or more.
func longEnough(cookie string) bool {
	return len(cookie) >= minKeyLength && utf8.RuneCountInString(cookie) >= minKeyLength
}

// wellFormed reports whether key may be one that a session was given, so that a store is asked
// about it. Upper case, path characters and 10 KB never are.
func wellFormed(key string) bool {
	if len(key) < minKeyLength || len(key) > maxKeyLength {
		return false
	}
	for i := range len(key) {
		if c := key[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
