package django_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/django"
)

// Written by Django 3.2.25; and what is near it, and what is none.
var passwordTests = []struct {
	password, encoded string
	ok, wrong         bool // wrong: the format is
}{
	{password: "lètmein", encoded: "pbkdf2_sha256$260000$seasalt$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo=", ok: true},
	{password: "letmein", encoded: "pbkdf2_sha256$260000$seasalt$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo="},
	{password: "lètmein", encoded: "pbkdf2_sha256$0260000$seasalt$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo="},
	{password: "lètmein", encoded: "pbkdf2_sha256$260000$seasalt$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo"},
	{password: "lètmein", encoded: "pbkdf2_sha256$260000$seasalt$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo=$"},
	{password: "", encoded: "!"},
	{password: "", encoded: "!pbkdf2_sha256$1$a$"},
	{encoded: "", wrong: true},
	{encoded: "pbkdf2_sha256", wrong: true},
	{encoded: "pbkdf2_sha256$1$a", wrong: true},
	{encoded: "pbkdf2_sha256$$a$b", wrong: true},
	{encoded: "pbkdf2_sha256$0$a$b", wrong: true},
	{encoded: "pbkdf2_sha256$-1$a$b", wrong: true},
	{encoded: "pbkdf2_sha256$1_0$a$b", wrong: true},
	{encoded: "pbkdf2_sha256$ 1$a$b", wrong: true},
	{encoded: "pbkdf2_sha256$1$$b", wrong: true},
	{encoded: "pbkdf2_sha256$10000001$a$b", wrong: true},
	{encoded: "pbkdf2_sha256$99999999999999999999$a$b", wrong: true},
	{encoded: "pbkdf2_sha1$1$a$b", wrong: true},
	{encoded: "argon2$argon2id$v=19$m=102400,t=2,p=8$a$b", wrong: true},
}

func TestCheckPassword(t *testing.T) {
	for _, test := range passwordTests {
		ok, err := django.CheckPassword(test.password, test.encoded)
		if ok != test.ok || errors.Is(err, django.ErrPasswordFormat) != test.wrong || err != nil && !test.wrong {
			t.Errorf("%q with %q: %t, %v", test.password, test.encoded, ok, err)
		}
		if cost := django.PasswordCost(test.encoded); test.ok && cost != 260000 || test.wrong && cost != 0 {
			t.Errorf("%q costs %d", test.encoded, cost)
		}
	}
}

func TestMakePasswordRefuses(t *testing.T) {
	for _, test := range []struct {
		salt       string
		iterations int
	}{{"", 1}, {"a$b", 1}, {"a", 0}, {"a", -1}, {"a", django.MaxPasswordIterations + 1}} {
		if got, err := django.MakePassword("secret", test.salt, test.iterations); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q, %d: %q, %v", test.salt, test.iterations, got, err)
		}
	}
}

// A real Django makes the same text of the same password and salt, reads what is made here, and
// agrees on what matches.
func TestPasswordsOfDjango(t *testing.T) {
	type made struct {
		password, salt string
		iterations     int
	}
	r := seeded()
	all := []made{{"", "salt", 1}, {"pass\x00word", "a", 2}, {strings.Repeat("long ", 1000), "é", 3}, {"lètmein", "seasalt", 260000}}
	for range 200 {
		m := made{randomText(r), strings.ReplaceAll(randomText(r), "$", "") + "s", 1 + r.IntN(50)}
		all = append(all, m)
	}
	questions := make([]question, 0, 2*len(all))
	ours := make([]string, len(all))
	for i, m := range all {
		var err error
		if ours[i], err = django.MakePassword(m.password, m.salt, m.iterations); err != nil {
			t.Fatal(err)
		}
		questions = append(questions,
			question{"op": "make_password", "password": m.password, "salt": m.salt, "iterations": m.iterations},
			question{"op": "check_password", "password": m.password, "encoded": ours[i]})
	}
	answers := askDjango(t, questions)
	for i, m := range all {
		if want := answers[2*i].text(t); ours[i] != want {
			t.Errorf("%+v is %q, in Django %q", m, ours[i], want)
		}
		if string(answers[2*i+1].Result) != "true" {
			t.Errorf("Django does not take %q for %q: %s", m.password, ours[i], answers[2*i+1].Error)
		}
	}
}

func TestCheckPasswordAgrees(t *testing.T) {
	questions := make([]question, 0, len(passwordTests))
	for _, test := range passwordTests {
		if strings.HasPrefix(test.encoded, "pbkdf2_sha256$1") && strings.Contains(test.encoded, "000000") || strings.Contains(test.encoded, "$999") {
			continue // Django would do them all
		}
		questions = append(questions, question{"op": "check_password", "password": test.password, "encoded": test.encoded, "ours": test.ok})
	}
	for i, a := range askDjango(t, questions) {
		var theirs bool
		if a.Error == "" {
			if err := json.Unmarshal(a.Result, &theirs); err != nil {
				t.Fatal(err)
			}
		}
		if ours := questions[i]["ours"].(bool); ours != theirs {
			t.Errorf("%v: %t, in Django %t (%s)", questions[i]["encoded"], ours, theirs, a.Error)
		}
	}
}

func TestPasswordIterations(t *testing.T) {
	a := askDjango(t, []question{{"op": "password_iterations"}})[0]
	var theirs struct {
		Series     string
		Iterations int
	}
	if err := json.Unmarshal(a.Result, &theirs); err != nil {
		t.Fatal(err, a.Error)
	}
	if got := django.PasswordIterations(theirs.Series); got != theirs.Iterations {
		t.Errorf("%s: %d iterations, in Django %d", theirs.Series, got, theirs.Iterations)
	}
	if got := django.PasswordIterations("1.0"); got != 0 {
		t.Errorf("an unknown series has %d", got)
	}
}

func TestPasswordRandomness(t *testing.T) {
	salt, err := django.PasswordSalt(rand.Reader)
	if err != nil || !regexp.MustCompile(`^[a-zA-Z0-9]{22}$`).MatchString(salt) {
		t.Errorf("salt %q, %v", salt, err)
	}
	if again, _ := django.PasswordSalt(rand.Reader); again == salt {
		t.Error("two salts are the same")
	}
	unusable, err := django.UnusablePassword(rand.Reader)
	if err != nil || !regexp.MustCompile(`^![a-zA-Z0-9]{40}$`).MatchString(unusable) || django.UsablePassword(unusable) {
		t.Errorf("unusable password %q, %v", unusable, err)
	}
	if !django.UsablePassword("") || !django.UsablePassword(passwordTests[0].encoded) {
		t.Error("a usable password is not")
	}
	if _, err := django.PasswordSalt(closedReader{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("without randomness: %v", err)
	}
	// The bytes from 248 on would favour the first characters, and are left out.
	source := bytes.NewReader(append(bytes.Repeat([]byte{248, 250, 255}, 64), bytes.Repeat([]byte{0, 247, 62}, 64)...))
	if salt, err := django.PasswordSalt(source); err != nil || salt != strings.Repeat("a9a", 7)+"a" {
		t.Errorf("salt %q, %v", salt, err)
	}
}

type closedReader struct{}

func (closedReader) Read([]byte) (int, error) { return 0, os.ErrClosed }

// What CheckPassword accepts is what MakePassword makes, and nothing makes it panic or work for long.
func FuzzCheckPassword(f *testing.F) {
	for _, test := range passwordTests {
		f.Add(test.password, test.encoded)
	}
	f.Add("a", "pbkdf2_sha256$1$b$c")
	f.Fuzz(func(t *testing.T, password, encoded string) {
		if cost := django.PasswordCost(encoded); cost > 1000 {
			t.Skip() // slow on purpose
		}
		ok, err := django.CheckPassword(password, encoded)
		if ok && err != nil {
			t.Errorf("%q: accepted with %v", encoded, err)
		}
		if parts := strings.Split(encoded, "$"); ok {
			iterations, _ := strconv.Atoi(parts[1])
			if made, err := django.MakePassword(password, parts[2], iterations); made != encoded || err != nil {
				t.Errorf("%q is accepted, and made as %q", encoded, made)
			}
		}
		salt := strings.ReplaceAll(encoded, "$", "") + "s"
		made, err := django.MakePassword(password, salt, 1)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := django.CheckPassword(password, made); !ok || err != nil {
			t.Errorf("%q is not accepted: %v", made, err)
		}
		if ok, _ := django.CheckPassword(password+"x", made); ok {
			t.Errorf("%q is accepted for another password", made)
		}
	})
}

func BenchmarkCheckPassword(b *testing.B) {
	encoded, err := django.MakePassword("secret", "seasalt", django.PasswordIterations("6.1"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if ok, err := django.CheckPassword("secret", encoded); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
