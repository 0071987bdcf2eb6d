package django

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	pbkdf2SHA256   = "pbkdf2_sha256" // of the first of PASSWORD_HASHERS
	unusablePrefix = "!"             // no encoded password begins so
	unusableLength = 40              // characters after it

	// saltLength is enough characters of 62 for the 128 bits of BasePasswordHasher.salt_entropy.
	saltLength = 22

	saltAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
)

// MaxPasswordIterations is the largest number of iterations that is carried out, six times that of
// Django 6.1 and some seconds of work. Who can write a row of the table of users could otherwise
// keep a core busy for ever with one login.
const MaxPasswordIterations = 10_000_000

// PasswordIterations returns how many iterations the PBKDF2PasswordHasher of a Django does, given
// its series, such as "5.2"; 0 when the series is not known here.
func PasswordIterations(series string) int {
	return map[string]int{
		"3.2": 260_000, "4.0": 320_000, "4.1": 390_000, "4.2": 600_000,
		"5.0": 720_000, "5.1": 870_000, "5.2": 1_000_000, "6.0": 1_200_000, "6.1": 1_500_000,
	}[series]
}

// MakePassword is make_password(password, salt) with Django's first hasher: the text of the column
// password of auth_user. The salt comes from [PasswordSalt].
//
// The error says that the salt is empty or holds a "$", or that iterations are not between 1 and
// [MaxPasswordIterations].
func MakePassword(password, salt string, iterations int) (string, error) {
	switch {
	case salt == "" || strings.Contains(salt, "$"):
		return "", errors.New(`making a password: the salt is empty or holds a "$"`)
	case iterations < 1 || iterations > MaxPasswordIterations:
		return "", fmt.Errorf("making a password: %d iterations, where 1 to %d are possible", iterations, MaxPasswordIterations)
	}
	hash, err := pbkdf2.Key(sha256.New, password, []byte(salt), iterations, sha256.Size)
	if err != nil { // under FIPS 140-3 only, which has a least length of salts
		return "", fmt.Errorf("making a password: %w", err)
	}
	return pbkdf2SHA256 + "$" + strconv.Itoa(iterations) + "$" + salt + "$" + base64.StdEncoding.EncodeToString(hash), nil
}

// CheckPassword is check_password(password, encoded) for passwords of Django's first hasher. The
// encoded texts are compared, in constant time, as Django does: another spelling of the same number
// or of the same base64 does not match.
//
// An unusable password matches nothing, at once: who answers for several users has to spend the same
// time on each. The error is [ErrPasswordFormat] for a text that is no password of this hasher.
func CheckPassword(password, encoded string) (bool, error) {
	if !UsablePassword(encoded) {
		return false, nil
	}
	salt, iterations, err := parsePassword(encoded)
	if err != nil {
		return false, err
	}
	again, err := MakePassword(password, salt, iterations)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare([]byte(again), []byte(encoded)) == 1, nil
}

// ErrPasswordFormat says that a stored password is none that [MakePassword] can have made: another
// hasher's, cut off, or with more than [MaxPasswordIterations].
var ErrPasswordFormat = errors.New("the stored password is not one of pbkdf2_sha256")

func parsePassword(encoded string) (salt string, iterations int, err error) {
	parts := strings.SplitN(encoded, "$", 4)
	if len(parts) != 4 || parts[0] != pbkdf2SHA256 || parts[2] == "" {
		return "", 0, ErrPasswordFormat
	}
	iterations, err = strconv.Atoi(parts[1])
	if err != nil || iterations < 1 || iterations > MaxPasswordIterations {
		return "", 0, ErrPasswordFormat
	}
	return parts[2], iterations, nil
}

// PasswordCost returns the iterations of an encoded password, and 0 for one that [CheckPassword]
// does not compute: who answers alike for known and unknown users makes up for the difference.
func PasswordCost(encoded string) int {
	_, iterations, err := parsePassword(encoded)
	if err != nil {
		return 0
	}
	return iterations
}

// UsablePassword is is_password_usable: false for what [UnusablePassword] makes.
func UsablePassword(encoded string) bool { return !strings.HasPrefix(encoded, unusablePrefix) }

// UnusablePassword is make_password(None): a text that no password matches.
func UnusablePassword(random io.Reader) (string, error) {
	text, err := randomText(random, unusableLength)
	return unusablePrefix + text, err
}

// PasswordSalt draws a salt for [MakePassword] as Django does: 22 letters and digits.
func PasswordSalt(random io.Reader) (string, error) { return randomText(random, saltLength) }

// randomText is get_random_string: each character is as probable as any other.
func randomText(random io.Reader, length int) (string, error) {
	const fair = 256 - 256%len(saltAlphabet) // bytes from here on would favour the first letters
	text := make([]byte, 0, length)
	var drawn [64]byte
	for len(text) < length {
		if _, err := io.ReadFull(random, drawn[:]); err != nil {
			return "", fmt.Errorf("drawing random characters: %w", err)
		}
		for _, b := range drawn {
			if int(b) < fair && len(text) < length {
				text = append(text, saltAlphabet[int(b)%len(saltAlphabet)])
			}
		}
	}
	return string(text), nil
}
