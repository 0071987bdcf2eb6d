package django

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// The salts that Django uses when nobody gives one. A salt keeps what was signed for one purpose
// from being accepted for another.
const (
	SignerSalt              = "django.core.signing.Signer"                      // Signer()
	TimestampSignerSalt     = "django.core.signing.TimestampSigner"             // TimestampSigner()
	DumpsSalt               = "django.core.signing"                             // signing.dumps() and loads()
	SessionSalt             = "django.contrib.sessions.SessionStore"            // rows of the engines db, file and cached_db
	SignedCookieSessionSalt = "django.contrib.sessions.backends.signed_cookies" // the engine signed_cookies
)

const (
	separator = ":"

	cookieKeyPrefix    = "django.http.cookies"
	cookieSaltV2Prefix = "django.http.cookies.v2:"

	// Larger buffers are left to the garbage collector: one big session should not be remembered
	// by every signer.
	maxPooledBuffer = 64 << 10
)

// A Signer signs and verifies as django.core.signing does with its separator ":" and HMAC-SHA256.
// It may be used by several goroutines at once.
//
// Signatures are compared in constant time and as strings: another spelling of the same base64 does
// not match.
type Signer struct {
	keys []signingKey
}

// NewSigner returns a Signer for salt. keys[0] signs and all keys verify, in their order: they are
// SECRET_KEY and then SECRET_KEY_FALLBACKS. An empty salt is [SignerSalt], as in Django.
//
// It panics when there is no key or when one is empty, which would sign for everybody: callers
// check their settings first.
func NewSigner(salt string, keys ...string) *Signer {
	if salt == "" {
		salt = SignerSalt
	}
	return newSigner(salt, "", keys)
}

// NewCookieSigner returns the Signer of response.set_signed_cookie(name, salt=salt). Its values are
// written and read by [Signer.SignAt] and [Signer.UnsignAt].
//
// v2 chooses how name and salt become one salt. Django 5.2.14, 6.0.5 and earlier write and read v1
// only, in which cookie "ab" with salt "c" and cookie "a" with salt "bc" are the same
// (CVE-2026-6873). Django 6.1 writes and reads v2; the versions between read both.
//
// To make one costs little more than to use it, so that it need not be kept for each cookie. It
// panics as [NewSigner] does.
func NewCookieSigner(name, salt string, v2 bool, keys ...string) *Signer {
	full := name + salt
	if v2 {
		full = cookieSaltV2Prefix + strconv.Itoa(utf8.RuneCountInString(salt)) + separator + salt + name
	}
	if full == "" {
		full = TimestampSignerSalt
	}
	return newSigner(full, cookieKeyPrefix, keys)
}

func newSigner(salt, keyPrefix string, keys []string) *Signer {
	if len(keys) == 0 {
		panic("django: a signer needs a key")
	}
	s := &Signer{keys: make([]signingKey, len(keys))}
	for i, key := range keys {
		if key == "" {
			panic("django: a signer's key is empty")
		}
		s.keys[i].derived = sha256.Sum256([]byte(salt + "signer" + keyPrefix + key))
	}
	return s
}

// Format implements [fmt.Formatter]. Whatever the verb, keys are not printed.
func (s *Signer) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("Signer(…)"))
}

// Sign is Signer.sign: value, ":" and the signature.
func (s *Signer) Sign(value string) string {
	m := s.keys[0].borrow()
	defer s.keys[0].giveBack(m)
	m.text = append(m.text[:0], value...)
	return string(m.seal())
}

// Unsign is Signer.unsign: the value that was signed, or an error that is [ErrBadSignature].
func (s *Signer) Unsign(signed string) (string, error) {
	value, _, err := s.UnsignWithKey(signed)
	return value, err
}

// UnsignWithKey is [Signer.Unsign] and tells which key matched, as its place among the keys given to
// [NewSigner]. A value whose place is not 0 was signed with a fallback and may be signed anew.
func (s *Signer) UnsignWithKey(signed string) (value string, key int, err error) {
	i := strings.LastIndex(signed, separator)
	if i < 0 {
		return "", 0, errNoSeparator
	}
	value, signature := signed[:i], signed[i+len(separator):]
	for key := range s.keys {
		if s.keys[key].verify(value, signature) {
			return value, key, nil
		}
	}
	return "", 0, ErrBadSignature
}

// SignAt is TimestampSigner.sign at the time t: value, ":", t in whole seconds in base 62, ":" and
// the signature. Its salt in Django is [TimestampSignerSalt] when none is given there.
func (s *Signer) SignAt(value string, t time.Time) string {
	m := s.keys[0].borrow()
	defer s.keys[0].giveBack(m)
	m.text = append(m.text[:0], value...)
	return string(m.sealAt(t))
}

// UnsignAt is TimestampSigner.unsign at the time now: the value and when it was signed. The error is
// [ErrSignatureExpired] when that is more than maxAge ago; exactly maxAge is still good, a time in
// the future is too, as in Django. A negative maxAge accepts any age.
//
// A signed text whose time is not a number of at most ten base 62 digits is [ErrBadSignature].
func (s *Signer) UnsignAt(signed string, maxAge time.Duration, now time.Time) (value string, signedAt time.Time, err error) {
	stamped, err := s.Unsign(signed)
	if err != nil {
		return "", time.Time{}, err
	}
	i := strings.LastIndex(stamped, separator)
	if i < 0 {
		return "", time.Time{}, errNoTimestamp
	}
	seconds, ok := parseBase62(stamped[i+len(separator):])
	if !ok {
		return "", time.Time{}, errBadTimestamp
	}
	signedAt = time.Unix(seconds, 0).UTC()
	if age := now.Sub(signedAt); maxAge >= 0 && age > maxAge {
		return "", time.Time{}, expired(age, maxAge)
	}
	return stamped[:i], signedAt, nil
}

// A signingKey is one secret made ready for one salt (django.utils.crypto.salted_hmac). The states
// of its HMAC are kept for the next call.
type signingKey struct {
	derived [sha256.Size]byte
	macs    sync.Pool
}

// A macState is an HMAC with the room it works in.
type macState struct {
	mac       hash.Hash
	used      bool // to be reset first, which costs a new one more than signing does
	text      []byte
	sum       []byte
	signature []byte
}

func (k *signingKey) borrow() *macState {
	if m, ok := k.macs.Get().(*macState); ok {
		return m
	}
	return &macState{mac: hmac.New(sha256.New, k.derived[:])}
}

func (k *signingKey) giveBack(m *macState) {
	if cap(m.text) <= maxPooledBuffer {
		k.macs.Put(m)
	}
}

func (k *signingKey) verify(value, signature string) bool {
	m := k.borrow()
	defer k.giveBack(m)
	m.text = append(m.text[:0], value...)
	m.sign()
	return subtle.ConstantTimeCompare(m.signature, []byte(signature)) == 1
}

// sign computes the signature of m.text.
func (m *macState) sign() {
	if m.used {
		m.mac.Reset()
	}
	m.used = true
	m.mac.Write(m.text)
	m.sum = m.mac.Sum(m.sum[:0])
	m.signature = base64.RawURLEncoding.AppendEncode(m.signature[:0], m.sum)
}

// seal returns m.text with its signature, valid until m is used again.
func (m *macState) seal() []byte {
	m.sign()
	m.text = append(m.text, separator...)
	m.text = append(m.text, m.signature...)
	return m.text
}

// sealAt returns m.text with the time t and its signature, valid until m is used again.
func (m *macState) sealAt(t time.Time) []byte {
	m.text = append(m.text, separator...)
	m.text = appendBase62(m.text, t.Unix())
	return m.seal()
}

const (
	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

	// Ten digits are 26 thousand million years of seconds and fit an int64 with room to spare;
	// Django's six digits last until 3769.
	maxBase62Digits = 10
)

// appendBase62 is signing.b62_encode.
func appendBase62(dst []byte, n int64) []byte {
	if n < 0 {
		dst = append(dst, '-')
	}
	var digits [11]byte // 2^63 has eleven
	i := len(digits)
	for {
		i--
		digit := n % 62
		digits[i] = base62[max(digit, -digit)]
		if n /= 62; n == 0 {
			return append(dst, digits[i:]...)
		}
	}
}

// parseBase62 is signing.b62_decode, for at most maxBase62Digits digits.
func parseBase62(s string) (n int64, ok bool) {
	digits, negative := strings.CutPrefix(s, "-")
	if digits == "" || len(digits) > maxBase62Digits {
		return 0, false
	}
	for i := range len(digits) {
		value := strings.IndexByte(base62, digits[i])
		if value < 0 {
			return 0, false
		}
		n = n*62 + int64(value)
	}
	if negative {
		n = -n
	}
	return n, true
}

var (
	// ErrBadSignature is Django's BadSignature: the text was not signed with one of the keys for
	// this salt, or was changed since.
	ErrBadSignature error = &signatureError{text: "signature does not match"}

	// ErrSignatureExpired is Django's SignatureExpired: the signature is good and too old. It is
	// also an [ErrBadSignature].
	ErrSignatureExpired error = &signatureError{text: "signature is too old", kind: ErrBadSignature}

	errNoSeparator  error = &signatureError{text: `no ":" found in value`, kind: ErrBadSignature}
	errNoTimestamp  error = &signatureError{text: `no ":" found before the signature: a value signed without a time`, kind: ErrBadSignature}
	errBadTimestamp error = &signatureError{text: "time of the signature is not a base 62 number of seconds", kind: ErrBadSignature}
)

// A signatureError is a text that names no secret (Django's own texts quote the signature).
type signatureError struct {
	text string
	kind error
}

func (e *signatureError) Error() string { return e.text }
func (e *signatureError) Unwrap() error { return e.kind }

func expired(age, maxAge time.Duration) error {
	return &signatureError{
		text: fmt.Sprintf("signature age %.1f > %v seconds", age.Seconds(), maxAge.Seconds()),
		kind: ErrSignatureExpired,
	}
}
