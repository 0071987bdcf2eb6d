package django_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/django"
)

// Written by Django 3.2.25 with oracleKey at oracleNow.
var dumpedByDjango = []struct {
	salt, json, signed string
	exact              bool // Dumps gives the same bytes
}{
	{django.DumpsSalt, `{"a":1,"b":[1.0,null,"\u00e9"]}`, "eyJhIjoxLCJiIjpbMS4wLG51bGwsIlx1MDBlOSJdfQ:1r31eq:-ZbVEfFJu5eLDsy_bjEUtbSDzoYlhFYed5gx3LJt0zE", true},
	{django.DumpsSalt, `{"a":"` + strings.Repeat("a", 60) + `"}`, ".eJyrVkpUslJKpAAo1QIARiQY2A:1r31eq:DkeNmLLJhy4FMij-MPfJ7n46kymTx_nmj056w8OJu8A", false},
	{django.SessionSalt, `{"visits":2}`, "eyJ2aXNpdHMiOjJ9:1r31eq:oHJyTuy0EHe3ZVXC9isN0Ow731dZJo-TJN9Ez_9EnEg", true},
	{django.SessionSalt, `{}`, "e30:1r31eq:41FDmNaWbtLcXD7fY2W-JqLcGhoyKTjv7ZLFSGQFyQA", true},
}

func TestDumpedByDjango(t *testing.T) {
	for _, test := range dumpedByDjango {
		signer := django.NewSigner(test.salt, oracleKey)
		if got, err := signer.Loads(test.signed, 0, oracleNow); string(got) != test.json || err != nil {
			t.Errorf("loaded %q, %v, want %q", got, err, test.json)
		}
		if got := signer.Dumps([]byte(test.json), true, oracleNow); test.exact && got != test.signed {
			t.Errorf("dumped %q, want %q", got, test.signed)
		}
	}
}

func TestCompression(t *testing.T) {
	signer := django.NewSigner("s", "k")
	for n := range 300 {
		payload := []byte(`{"a":"` + strings.Repeat("a", n) + `"}`)
		plain := signer.Dumps(payload, false, oracleNow)
		packed := signer.Dumps(payload, true, oracleNow)
		if strings.HasPrefix(plain, ".") || strings.HasPrefix(packed, ".") && len(packed) >= len(plain) {
			t.Errorf("%d bytes are %d plain and %d packed", len(payload), len(plain), len(packed))
		}
		for _, signed := range []string{plain, packed} {
			if got, err := signer.Loads(signed, -1, oracleNow); !bytes.Equal(got, payload) || err != nil {
				t.Errorf("%d bytes come back as %q, %v", len(payload), got, err)
			}
		}
	}
}

// Row Z07: what is signed well may still be broken, or a bomb.
func TestBadPayloads(t *testing.T) {
	signer := django.NewSigner("s", "k")
	deflated := func(size int) []byte {
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		_, _ = w.Write(make([]byte, size))
		_ = w.Close()
		return b.Bytes()
	}
	code := base64.RawURLEncoding.EncodeToString
	broken := deflated(100)
	broken[len(broken)-1]++ // the checksum
	tests := []struct {
		name, value string
		want        error
	}{
		{"as large as may be", "." + code(deflated(django.MaxPayload)), nil},
		{"one byte larger", "." + code(deflated(django.MaxPayload+1)), django.ErrBadPayload},
		{"a bomb", "." + code(deflated(64<<20)), django.ErrBadPayload},
		{"as large as may be, plain", code(make([]byte, django.MaxPayload)), nil},
		{"too large, plain", code(make([]byte, django.MaxPayload+1)), django.ErrBadPayload},
		{"no base64", "!", django.ErrBadPayload},
		{"padded base64", "e30=", django.ErrBadPayload},
		{"no zlib", "." + code([]byte("{}")), django.ErrBadPayload},
		{"gzip", "." + code([]byte("\x1f\x8b\x08\x00")), django.ErrBadPayload},
		{"zlib cut short", "." + code(deflated(100)[:8]), django.ErrBadPayload},
		{"zlib with a wrong checksum", "." + code(broken), django.ErrBadPayload},
		{"zlib of nothing", ".", django.ErrBadPayload},
		{"nothing", "", nil},
	}
	for range 2 { // what failed must not spoil what is used again
		for _, test := range tests {
			got, err := signer.Loads(signer.SignAt(test.value, oracleNow), -1, oracleNow)
			if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) || errors.Is(err, django.ErrBadSignature) {
				t.Errorf("%s: %d bytes, %v, want %v", test.name, len(got), err, test.want)
			}
		}
	}
	if _, err := signer.Loads(signer.Dumps([]byte("{}"), true, oracleNow), time.Second, oracleNow.Add(time.Minute)); !errors.Is(err, django.ErrSignatureExpired) {
		t.Errorf("old payload: %v", err)
	}
}

func TestPayloadsAgainstDjango(t *testing.T) {
	r := seeded()
	signers := map[string]*django.Signer{
		"dumps":          django.NewSigner(django.DumpsSalt, oracleKey),
		"session_encode": django.NewSigner(django.SessionSalt, oracleKey),
	}
	var payloads []string
	var questions []question
	for range 150 {
		raw, err := django.Marshal(randomObject(r, 0))
		if err != nil {
			t.Fatal(err)
		}
		payloads = append(payloads, string(raw))
		ours := signers["dumps"].Dumps(raw, r.IntN(2) == 0, oracleNow)
		row := signers["session_encode"].Dumps(raw, r.IntN(2) == 0, oracleNow)
		questions = append(questions,
			question{"op": "dumps", "obj": raw, "compress": r.IntN(2) == 0},
			question{"op": "session_encode", "data": raw},
			question{"op": "loads", "value": ours, "max_age": 0},
			question{"op": "session_decode", "value": row},
		)
	}
	answers := askDjango(t, questions)
	for i, payload := range payloads {
		for j, op := range []string{"dumps", "session_encode"} {
			signed := answers[4*i+j].text(t)
			if got, err := signers[op].Loads(signed, 0, oracleNow); string(got) != payload || err != nil {
				t.Errorf("Django's %s of %s loads as %s, %v", op, payload, got, err)
			}
		}
		for _, read := range answers[4*i+2 : 4*i+4] {
			// The answer is Python's JSON with white space: an Object has neither.
			var want, got any
			if err := errors.Join(json.Unmarshal([]byte(payload), &want), json.Unmarshal(read.Result, &got)); err != nil {
				t.Fatalf("%s %s: %v", payload, read.Result, err)
			}
			if !jsonEqual(want, got) {
				t.Errorf("Django reads %s (%s) of %s", read.Result, read.Error, payload)
			}
		}
	}
}

func jsonEqual(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
