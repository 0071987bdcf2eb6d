package django_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/django"
)

// Signed by Django 3.2.25 with oracleKey at oracleNow.
var signedByDjango = []struct {
	name   string
	signer *django.Signer
	value  string
	at     bool // TimestampSigner
	signed string
}{
	{"Signer", django.NewSigner("", oracleKey), "hello", false, "hello:zevzOXRNQGACWl0rYmo43rggP7Z4xF412og39y9w5jY"},
	{"Signer, empty value", django.NewSigner(django.SignerSalt, oracleKey), "", false, ":fOEbM39kq6Slw4r0lI8c1wre-2WsS8Sh6w_88BK5ics"},
	{"Signer, separators and characters", django.NewSigner("", oracleKey), "a:b:é😀", false, "a:b:é😀:iQ4EP0mX0fSyKjMylc7yPMr5FQwU8vKv9vfPKf2uLAI"},
	{"Signer, salt", django.NewSigner("other", oracleKey), "hello", false, "hello:J2gjOj7BLmrIRbCBKfsDICXU2ngJ6WSVMuZzEHhk9ZM"},
	{"TimestampSigner", django.NewSigner(django.TimestampSignerSalt, oracleKey), "hello", true, "hello:1r31eq:Oguw702qCq-EPpowZmBZCk_3xq4jOh_bWa--NJb5clk"},
	{"signed cookie, v1", django.NewCookieSigner("a", "bc", false, oracleKey), "hello", true, "hello:1r31eq:ftGc7-EnkGwYm4_J-gtnrUSah8HWvb8cBlinxPjp8l8"},
	{"signed cookie, v2", django.NewCookieSigner("a", "bc", true, oracleKey), "hello", true, "hello:1r31eq:l2dIOZ3zmaWfxxB1OkEWGQIyx-oJcrVOqIobZ042NdU"},
}

func TestSignedByDjango(t *testing.T) {
	for _, test := range signedByDjango {
		t.Run(test.name, func(t *testing.T) {
			var got, back string
			var err error
			if test.at {
				got = test.signer.SignAt(test.value, oracleNow)
				back, _, err = test.signer.UnsignAt(test.signed, 0, oracleNow)
			} else {
				got = test.signer.Sign(test.value)
				back, err = test.signer.Unsign(test.signed)
			}
			if got != test.signed {
				t.Errorf("signed %q, want %q", got, test.signed)
			}
			if back != test.value || err != nil {
				t.Errorf("unsigned %q, %v, want %q", back, err, test.value)
			}
		})
	}
}

// Row G01 of the attacks: nothing that differs in a bit, is shorter or longer, or was signed for
// another purpose is accepted.
func TestForgeries(t *testing.T) {
	for _, test := range signedByDjango {
		refuse := func(what, forged string) {
			t.Helper()
			if value, err := test.signer.Unsign(forged); !errors.Is(err, django.ErrBadSignature) || value != "" {
				t.Errorf("%s: %s gives %q, %v", test.name, what, value, err)
			}
			if value, _, err := test.signer.UnsignAt(forged, -1, oracleNow); !errors.Is(err, django.ErrBadSignature) || value != "" {
				t.Errorf("%s: %s gives %q, %v with a time", test.name, what, value, err)
			}
		}
		for i := range len(test.signed) * 8 {
			forged := []byte(test.signed)
			forged[i/8] ^= 1 << (i % 8)
			refuse(fmt.Sprintf("bit %d flipped", i), string(forged))
		}
		for i := range len(test.signed) {
			refuse(fmt.Sprintf("cut at %d", i), test.signed[:i])
			refuse(fmt.Sprintf("cut before %d", i+1), test.signed[i+1:])
		}
		for _, separator := range []string{"", ".", "::", " :", ": ", "："} {
			i := strings.LastIndex(test.signed, ":")
			refuse(fmt.Sprintf("separator %q", separator), test.signed[:i]+separator+test.signed[i+1:])
		}
		for _, tail := range []string{"=", "A", ":", "\n", "\x00", " "} {
			refuse(fmt.Sprintf("tail %q", tail), test.signed+tail)
		}
		for _, other := range signedByDjango {
			if other.name != test.name && !(test.signer != other.signer && sameSigner(test.name, other.name)) {
				refuse("what was signed as "+other.name, other.signed)
			}
		}
		for i := range 64 { // the last character of the signature carries four bits of six
			forged := test.signed[:len(test.signed)-1] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[i])
			if forged != test.signed {
				refuse("another spelling of the signature", forged)
			}
		}
	}
}

// sameSigner reports whether two rows of signedByDjango have one salt.
func sameSigner(a, b string) bool {
	plain := func(name string) bool { return strings.HasPrefix(name, "Signer") && name != "Signer, salt" }
	return plain(a) && plain(b)
}

// Row G02 (CVE-2026-6873): in v1 the border between name and salt is not signed.
func TestCookieSaltBorder(t *testing.T) {
	for _, v2 := range []bool{false, true} {
		signed := django.NewCookieSigner("ab", "c", v2, oracleKey).SignAt("x", oracleNow)
		_, _, err := django.NewCookieSigner("a", "bc", v2, oracleKey).UnsignAt(signed, -1, oracleNow)
		if accepted := err == nil; accepted == v2 {
			t.Errorf("v2 %t: the value of cookie ab with salt c as cookie a with salt bc gives %v", v2, err)
		}
	}
	// The salt is counted in characters.
	want := django.NewCookieSigner("n", "é😀", true, "k").Sign("x")
	if got := django.NewSigner("django.http.cookies.v2:2:é😀n", "django.http.cookiesk").Sign("x"); got != want {
		t.Errorf("v2 signs %q, want %q", want, got)
	}
}

func TestAge(t *testing.T) {
	signer := django.NewSigner(django.TimestampSignerSalt, oracleKey)
	signed := signer.SignAt("v", oracleNow)
	tests := []struct {
		maxAge time.Duration
		now    time.Duration // after signing
		want   error
		text   string
	}{
		{10 * time.Second, 10 * time.Second, nil, ""},
		{10 * time.Second, 11 * time.Second, django.ErrSignatureExpired, "signature age 11.0 > 10 seconds"},
		{10 * time.Second, 10*time.Second + 1, django.ErrSignatureExpired, "signature age 10.0 > 10 seconds"},
		{0, 0, nil, ""},
		{0, 1, django.ErrSignatureExpired, "signature age 0.0 > 0 seconds"},
		{0, -time.Hour, nil, ""},
		{-1, math.MaxInt64, nil, ""},
		{-time.Hour, 2 * time.Hour, nil, ""},
		{math.MaxInt64, math.MaxInt64, nil, ""},
	}
	for _, test := range tests {
		value, signedAt, err := signer.UnsignAt(signed, test.maxAge, oracleNow.Add(test.now))
		if !errors.Is(err, test.want) || test.text != "" && err.Error() != test.text {
			t.Errorf("max age %v after %v: %v, want %q", test.maxAge, test.now, err, test.text)
		}
		if err == nil && (value != "v" || !signedAt.Equal(oracleNow)) {
			t.Errorf("max age %v after %v: %q of %v", test.maxAge, test.now, value, signedAt)
		}
	}
	if !errors.Is(django.ErrSignatureExpired, django.ErrBadSignature) {
		t.Error("an expired signature is no bad signature")
	}
}

// Row G03: times that only a holder of the key can have signed, and that are still no reason to
// panic or to overflow.
func TestStrangeTimestamps(t *testing.T) {
	signer := django.NewSigner(django.TimestampSignerSalt, oracleKey)
	tests := []struct {
		stamp   string
		any     error // with any age
		limited error // with a maximum age
	}{
		{"zzzzzz", nil, nil}, // 3769, in the future: accepted, as by Django
		{"zzzzzzzzzz", nil, nil},
		{"00001r31eq", nil, nil},
		{"0", nil, django.ErrSignatureExpired},
		{"-1", nil, django.ErrSignatureExpired},
		{"-zzzzzzzzzz", nil, django.ErrSignatureExpired},
		{"", django.ErrBadSignature, django.ErrBadSignature},
		{"-", django.ErrBadSignature, django.ErrBadSignature},
		{"--1", django.ErrBadSignature, django.ErrBadSignature},
		{"1r31e!", django.ErrBadSignature, django.ErrBadSignature},
		{" 1r31eq", django.ErrBadSignature, django.ErrBadSignature},
		{"é", django.ErrBadSignature, django.ErrBadSignature},
		{"zzzzzzzzzzz", django.ErrBadSignature, django.ErrBadSignature},
		{strings.Repeat("9", 40), django.ErrBadSignature, django.ErrBadSignature},
	}
	for _, test := range tests {
		signed := signer.Sign("v:" + test.stamp)
		if _, _, err := signer.UnsignAt(signed, -1, oracleNow); !errors.Is(err, test.any) || (err == nil) != (test.any == nil) {
			t.Errorf("%q at any age: %v, want %v", test.stamp, err, test.any)
		}
		if _, _, err := signer.UnsignAt(signed, time.Hour, oracleNow); !errors.Is(err, test.limited) || (err == nil) != (test.limited == nil) {
			t.Errorf("%q within an hour: %v, want %v", test.stamp, err, test.limited)
		}
	}
	if _, _, err := signer.UnsignAt(signer.Sign("v"), -1, oracleNow); !errors.Is(err, django.ErrBadSignature) {
		t.Errorf("no time: %v", err)
	}
}

func TestSignAtRoundTrip(t *testing.T) {
	signer := django.NewSigner(django.TimestampSignerSalt, oracleKey)
	for _, seconds := range []int64{0, 1, 61, 62, 63, -1, -62, -63, 1700000000, 1 << 40, -1 << 40} {
		when := time.Unix(seconds, 999)
		_, got, err := signer.UnsignAt(signer.SignAt("v", when), -1, oracleNow)
		if got.Unix() != seconds || err != nil {
			t.Errorf("%d comes back as %d, %v", seconds, got.Unix(), err)
		}
	}
	for _, seconds := range []int64{math.MinInt64, math.MaxInt64} {
		if _, _, err := signer.UnsignAt(signer.SignAt("v", time.Unix(seconds, 0)), -1, oracleNow); !errors.Is(err, django.ErrBadSignature) {
			t.Errorf("%d: %v", seconds, err)
		}
	}
}

// Row G04.
func TestKeyRotation(t *testing.T) {
	signer := django.NewSigner("s", "new", "old", "older")
	for place, key := range []string{"new", "old", "older"} {
		value, got, err := signer.UnsignWithKey(django.NewSigner("s", key).Sign("v"))
		if value != "v" || got != place || err != nil {
			t.Errorf("key %d: %q, %d, %v", place, value, got, err)
		}
	}
	if signer.Sign("v") != django.NewSigner("s", "new").Sign("v") {
		t.Error("the first key does not sign")
	}
	if _, err := signer.Unsign(django.NewSigner("s", "unknown").Sign("v")); !errors.Is(err, django.ErrBadSignature) {
		t.Errorf("unknown key: %v", err)
	}
	for _, keys := range [][]string{nil, {""}, {"new", ""}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("keys %q make a signer", keys)
				}
			}()
			django.NewSigner("s", keys...)
		}()
	}
}

func TestSignerInParallel(t *testing.T) {
	signer := django.NewSigner("s", "new", "old")
	old := django.NewSigner("s", "old")
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 200 {
				want := strings.Repeat("x", i*j)
				payload, err := signer.Loads(old.Dumps([]byte(want), j%2 == 0, oracleNow), 0, oracleNow)
				if string(payload) != want || err != nil {
					t.Errorf("%d bytes come back as %d, %v", len(want), len(payload), err)
				}
			}
		})
	}
	group.Wait()
}

func TestSignerPrintsNoKey(t *testing.T) {
	signer := django.NewSigner("s", "very-secret")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(verb, signer); got != "Signer(…)" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
	_, err := signer.Unsign("value:signature")
	_, _, expired := signer.UnsignAt(signer.SignAt("value", oracleNow), 1, oracleNow.Add(time.Hour))
	for _, err := range []error{err, expired} {
		if strings.Contains(err.Error(), "value") || strings.Contains(err.Error(), "-secret") {
			t.Errorf("error tells %q", err)
		}
	}
}

func TestSigningAgainstDjango(t *testing.T) {
	r := seeded()
	type testCase struct {
		keys        []string
		salt, value string
	}
	var tests []testCase
	var questions []question
	for range 150 {
		test := testCase{keys: []string{oracleKey}, salt: "s" + randomText(r), value: randomText(r)}
		if r.IntN(2) == 0 {
			test.keys[0] = "k" + randomText(r)
		}
		signer := django.NewSigner(test.salt, test.keys...)
		tests = append(tests, test)
		questions = append(questions,
			question{"op": "signer_sign", "key": test.keys[0], "salt": test.salt, "value": test.value},
			question{"op": "signer_unsign", "key": test.keys[0], "salt": test.salt, "value": signer.Sign(test.value)},
			question{"op": "ts_sign", "key": test.keys[0], "salt": test.salt, "value": test.value},
			question{"op": "ts_unsign", "key": test.keys[0], "salt": test.salt, "max_age": 5, "value": signer.SignAt(test.value, oracleNow.Add(-5*time.Second))},
			question{"op": "ts_unsign", "key": test.keys[0], "salt": test.salt, "max_age": 5, "value": signer.SignAt(test.value, oracleNow.Add(-6*time.Second))},
			question{"op": "cookie_sign", "name": "n", "salt": test.salt, "value": test.value},
		)
	}
	answers := askDjango(t, questions)
	for i, test := range tests {
		a := answers[6*i : 6*i+6]
		signer := django.NewSigner(test.salt, test.keys...)
		if got, want := signer.Sign(test.value), a[0].text(t); got != want {
			t.Errorf("%q: signed %q, Django %q", test, got, want)
		}
		if got, want := signer.SignAt(test.value, oracleNow), a[2].text(t); got != want {
			t.Errorf("%q: signed with time %q, Django %q", test, got, want)
		}
		if a[1].text(t) != test.value || a[3].text(t) != test.value {
			t.Errorf("%q: Django reads %q and %q", test, a[1].text(t), a[3].text(t))
		}
		if !strings.HasPrefix(a[4].Error, "SignatureExpired: ") {
			t.Errorf("%q: Django says %q to an old signature", test, a[4].Error)
		}
		cookies := django.NewCookieSigner("n", test.salt, false, oracleKey)
		if got, want := cookies.SignAt(test.value, oracleNow), a[5].text(t); got != want {
			t.Errorf("%q: signed cookie %q, Django %q", test, got, want)
		}
	}
}

func TestBase62AgainstDjango(t *testing.T) {
	signer := django.NewSigner("s", "k")
	var times []int64
	var questions []question
	for _, n := range []int64{0, 9, 10, 35, 36, 61, 62, 3843, 3844, -1, -62, 1700000000, 1 << 33, 839299365868340223} {
		times = append(times, n)
		questions = append(questions, question{"op": "b62", "encode": n})
	}
	for i, a := range askDjango(t, questions) {
		got := strings.Split(signer.SignAt("", time.Unix(times[i], 0)), ":")[1]
		if want := a.text(t); got != want {
			t.Errorf("%d is %q, in Django %q", times[i], got, want)
		}
	}
}
