package django

import (
	"crypto/subtle"
	"strings"
)

// The lengths of django/middleware/csrf.py, in characters of CSRFAlphabet.
const (
	CSRFSecretLength = 32                   // a secret, and a token that is not masked
	CSRFTokenLength  = 2 * CSRFSecretLength // a masked token: the mask, then the masked secret
)

// CSRFAlphabet is what secrets, masks and tokens consist of, in the order in which they are added.
const CSRFAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// CSRFSessionKey is the session item that holds the secret with CSRF_USE_SESSIONS.
const CSRFSessionKey = "_csrftoken"

// csrfPlaces has for each byte its place in CSRFAlphabet, or notCSRF. What a token holds is random, so
// that a processor would guess wrongly at every comparison of a character.
var csrfPlaces = func() (places [256]uint8) {
	for i := range places {
		places[i] = notCSRF
	}
	for i, c := range []byte(CSRFAlphabet) {
		places[c] = uint8(i)
	}
	return places
}()

const notCSRF = 0xFF

func csrfIndex(c byte) int { return int(csrfPlaces[c]) }

// IsCSRFText reports whether every character of text is one of [CSRFAlphabet].
func IsCSRFText(text string) bool {
	for i := range len(text) {
		if csrfPlaces[text[i]] == notCSRF {
			return false
		}
	}
	return true
}

// MaskCSRFSecret is _mask_cipher_secret with a mask of the caller's: the token that hides secret, so
// that no two pages hold the same bytes (BREACH). Both have [CSRFSecretLength] characters of
// [CSRFAlphabet]; for others it returns "".
func MaskCSRFSecret(secret, mask string) string {
	if !isCSRFSecret(secret) || !isCSRFSecret(mask) {
		return ""
	}
	var token strings.Builder
	token.Grow(CSRFTokenLength)
	token.WriteString(mask)
	for i := range CSRFSecretLength {
		token.WriteByte(CSRFAlphabet[(csrfIndex(secret[i])+csrfIndex(mask[i]))%len(CSRFAlphabet)])
	}
	return token.String()
}

// CSRFSecret returns the secret of a token: of [CSRFTokenLength] characters it is unmasked
// (_unmask_cipher_token), [CSRFSecretLength] characters are the secret itself. A text of another
// length, or with other characters, is no token.
func CSRFSecret(token string) (secret string, ok bool) {
	if isCSRFSecret(token) {
		return token, true
	}
	if len(token) != CSRFTokenLength || !IsCSRFText(token) {
		return "", false
	}
	var plain [CSRFSecretLength]byte
	for i := range plain {
		shift := csrfIndex(token[CSRFSecretLength+i]) - csrfIndex(token[i]) + len(CSRFAlphabet)
		plain[i] = CSRFAlphabet[shift%len(CSRFAlphabet)]
	}
	return string(plain[:]), true
}

// CSRFTokensMatch reports whether two tokens, masked or not, hide the same secret. The secrets are
// compared in constant time. What is no token matches nothing.
func CSRFTokensMatch(a, b string) bool {
	secretA, okA := CSRFSecret(a)
	secretB, okB := CSRFSecret(b)
	return okA && okB && subtle.ConstantTimeCompare([]byte(secretA), []byte(secretB)) == 1
}

func isCSRFSecret(text string) bool { return len(text) == CSRFSecretLength && IsCSRFText(text) }
