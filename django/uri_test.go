package django_test

import (
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/django"
)

// Rows P01 to P08 of the attacks, and each quirk of the SSL redirect.
func TestFullPath(t *testing.T) {
	tests := []struct{ path, query, want string }{
		{"/", "", "/"},
		{"/a/b.html", "x=1&y=%41", "/a/b.html?x=1&y=%41"},
		{"//evil.example/%2f..", "", "//evil.example//.."},
		{`/\evil.example`, "", "/%5Cevil.example"},
		{"/x%0d%0aSet-Cookie:%20a=b", "", "/x%0D%0ASet-Cookie:%20a%3Db"},
		{"/healthz/%2e%2e/admin", "", "/healthz/../admin"},
		{"/pub;/../admin", "", "/pub%3B/../admin"},
		{"/pub/%c0%ae%c0%ae/admin", "", "/pub/%25C0%25AE%25C0%25AE/admin"},
		{"/x%00.png", "", "/x%00.png"},
		{"/x%zz", "", "/x%25zz"},
		{"/x%", "", "/x%25"},
		{"/x%4", "", "/x%254"},
		{"/x", "a=1;b=2", "/x?a=1;b=2"},
		{"/é", "é=é", "/%C3%A9?%C3%83%C2%A9=%C3%83%C2%A9"},
		{"/%c3%a9%C3", "", "/%C3%A9%25C3"},
		{"/%FF%e2%82", "", "/%25FF%25E2%2582"},
		{"/~%7e%2B%3d%20%3F%23%25%5b", "", "/~~+%3D%20%3F%23%25%5B"},
		{"/a/../b/./c", "", "/a/../b/./c"},
		{"/x", "%zz&%41", "/x?%zz&%41"},
		{"/x", `<>"{}|\^` + "`", "/x?%3C%3E%22%7B%7D%7C%5C%5E%60"},
		{"/x", "a+b [1]#?/", "/x?a+b%20[1]#?/"},
		{"/x", "\r\n\x00\x7f\xff", "/x?%0D%0A%00%7F%C3%BF"},
		{"*", "", "/*"},
		{"a/b/c", "", "/ab/c"},
		{"", "", "/"},
		{"%2fa", "", "/a"},
	}
	for _, test := range tests {
		if got := django.FullPath(test.path, test.query); got != test.want {
			t.Errorf("%q with query %q is %q, want %q", test.path, test.query, got, test.want)
		}
	}
}

func TestEscapes(t *testing.T) {
	tests := []struct{ text, path, query, iri string }{
		{"", "", "", ""},
		{"azAZ09_.-~/:@&+$,!*'()", "azAZ09_.-~/:@&+$,!*'()", "azAZ09_.-~/:@&+$,!*'()", "azAZ09_.-~/:@&+$,!*'()"},
		{"#%[]=;?", "%23%25%5B%5D%3D%3B%3F", "#%[]=;?", "#%[]=;?"},
		{"é", "%C3%A9", "%C3%83%C2%A9", "%C3%A9"},
		{"\xff😀\ufffd", "%25FF%F0%9F%98%80%EF%BF%BD", "%C3%BF%C3%B0%C2%9F%C2%98%C2%80%C3%AF%C2%BF%C2%BD", "%FF%F0%9F%98%80%EF%BF%BD"},
	}
	for _, test := range tests {
		if got := django.EscapePath(test.text); got != test.path {
			t.Errorf("%q is the path %q, want %q", test.text, got, test.path)
		}
		if got := django.EscapeQuery(test.text); got != test.query {
			t.Errorf("%q is the query %q, want %q", test.text, got, test.query)
		}
		if got := django.IRIToURI(test.text); got != test.iri {
			t.Errorf("%q is the URI %q, want %q", test.text, got, test.iri)
		}
	}
}

func TestEscapesAgainstDjango(t *testing.T) {
	r := seeded()
	var texts []string
	for c := range rune(0x180) {
		texts = append(texts, string(c))
	}
	for range 300 {
		texts = append(texts, randomText(r))
	}
	var questions []question
	for _, text := range texts {
		questions = append(questions, question{"op": "escape_uri_path", "value": text}, question{"op": "iri_to_uri", "value": text})
	}
	answers := askDjango(t, questions)
	for i, text := range texts {
		if got, want := django.EscapePath(text), answers[2*i].text(t); got != want {
			t.Errorf("%q is the path %q, in Django %q", text, got, want)
		}
		if got, want := django.IRIToURI(text), answers[2*i+1].text(t); got != want {
			t.Errorf("%q is the URI %q, in Django %q", text, got, want)
		}
	}
}

// The Location of Django's SSL redirect.
func TestFullPathAgainstDjango(t *testing.T) {
	r := seeded()
	type target struct{ path, query string }
	var targets []target
	for c := range rune(0x100) {
		if c != '?' && c != '#' {
			targets = append(targets, target{"/a" + string(c) + "b", "a" + string(c) + "b"})
		}
	}
	for range 300 {
		path := strings.NewReplacer("?", "%3f", "#", "%23").Replace("/" + randomText(r))
		for range r.IntN(4) {
			path += []string{"%" + string("0123456789abcdefABCDEF"[r.IntN(22)]) + string("0123456789abcdefABCDEF"[r.IntN(22)]), "%c3%a9", "%e2%82", "%", "/", "//"}[r.IntN(6)]
		}
		targets = append(targets, target{path, strings.ReplaceAll(randomText(r), "#", "")})
	}
	var questions []question
	for _, target := range targets {
		questions = append(questions, question{"settings": question{"SECURE_SSL_REDIRECT": true}, "requests": []question{{"url": "http://a.test" + target.path + "?" + target.query}}})
	}
	for i, a := range askDjango(t, questions) {
		if got, want := "https://a.test"+django.FullPath(targets[i].path, targets[i].query), a.location(); got != want {
			t.Errorf("%q goes to %q, in Django %q", targets[i], got, want)
		}
	}
}
