package form_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/form"
)

// at is the URL of the pages of these tests.
var at = &url.URL{Scheme: "https", Host: "shop.test", Path: "/a/b", RawQuery: "q=1", Fragment: "f"}

// sends is what a form sends: method and URL, then the body of a POST.
func sends(f *form.Form) string {
	s, err := f.Submit("B")
	if err != nil {
		return "error: " + err.Error()
	}
	if s.Method == http.MethodGet {
		return "GET " + s.URL.String()
	}
	return fmt.Sprintf("POST %s %s", s.URL, s.Body)
}

// A formTest is a page and what each of its forms sends. What all of it means is judged by a real
// browser in the module e2e; this is what can be told at a glance.
type formTest struct {
	sentence, page string
	sends          []string
}

func TestForms(t *testing.T) {
	const post = `<form method=post action=/x>`
	for _, c := range []formTest{
		{"no form", `<p>hello`, nil},
		{"an empty form goes to its own page by GET", `<form>`, []string{"GET https://shop.test/a/b?#f"}},
		{"the query of the action gives way to the fields", `<form action="/x?gone=1"><input name=a value="1 2">`, []string{"GET https://shop.test/x?a=1+2"}},
		{"hidden fields go along, in order", post + `<input name=b value=2><input type=hidden name=a value=1>`, []string{"POST https://shop.test/x b=2&a=1"}},
		{"what is encoded", post + `<input name="é&" value="*-._~ '=+">`, []string{"POST https://shop.test/x %C3%A9%26=*-._%7E+%27%3D%2B"}},
		{"the first button only", post + `<button name=b value=1></button><button name=b value=2></button>`, []string{"POST https://shop.test/x b=1"}},
		{"a button out of use is not pressed", post + `<button name=b value=1 disabled></button><input type=submit name=c value=2>`, []string{"POST https://shop.test/x c=2"}},
		{"an image is pressed at its corner", post + `<input type=image name=i>`, []string{"POST https://shop.test/x i.x=0&i.y=0"}},
		{"radio buttons are one", post + `<input type=radio name=r value=1 checked><input type=radio name=r value=2 checked>`, []string{"POST https://shop.test/x r=2"}},
		{"a select without a choice has the first", post + `<select name=s><option disabled>1<option>2<option>3</select>`, []string{"POST https://shop.test/x s=2"}},
		{"a textarea loses its first line end, and all are CR LF", post + "<textarea name=t>\n\na\rb</textarea>", []string{"POST https://shop.test/x t=%0D%0Aa%0D%0Ab"}},
		{"a fieldset is out of use but for its legend", post + `<fieldset disabled><legend><input name=a></legend><input name=b></fieldset>`, []string{"POST https://shop.test/x a="}},
		{"fields by the form attribute", `<input form=f name=a>` + `<form id=f method=post></form>`, []string{"POST https://shop.test/a/b?q=1#f a="}},
		{"a form between the rows of a table", `<table>` + post + `<tr><td><input name=a></table><input name=b>`, []string{"POST https://shop.test/x a="}},
		{"two forms between rows", `<table>` + post + `<tr><td><input name=a></td></tr></form>` + post + `<tr><td><input name=b></table>`, []string{"POST https://shop.test/x a=", "POST https://shop.test/x b="}},
		{"two forms", post + `<input name=a></form>` + post + `<input name=b></form>`, []string{"POST https://shop.test/x a=", "POST https://shop.test/x b="}},
		{"a template is no part of the page", `<template>` + post + `</form></template>`, nil},
		{"a base", `<base href=/z/><form method=post action=x>`, []string{"POST https://shop.test/z/x "}},
		{"the first base counts", `<base target=x><base href=//other.test/><base href=/z/><form method=post action=x>`, []string{"POST https://other.test/x "}},
		{"a base that is none", `<base href="javascript:x"><form method=post action=x>`, []string{"POST https://shop.test/a/x "}},
		{"multipart", `<form method=post action=/x enctype=multipart/form-data><input name='a"b' value=1><input type=file name=f>`, []string{"POST https://shop.test/x --B\r\nContent-Disposition: form-data; name=\"a%22b\"\r\n\r\n1\r\n--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n--B--\r\n"}},
		{"an action that leads nowhere", `<form action="javascript:x"><form>`, []string{`error: reading the action of the form: the scheme is "javascript"`}},
		{"a dialog", `<form method=dialog>`, []string{"error: the method of the form is dialog, which sends nothing"}},
	} {
		forms := form.Parse([]byte(c.page), at).Forms
		var got []string
		for _, f := range forms {
			got = append(got, sends(f))
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.sends) {
			t.Errorf("%s: %s\n got %q\nwant %q", c.sentence, c.page, got, c.sends)
		}
	}
}

func TestSet(t *testing.T) {
	const page = `<form method=post action=/x>
<input name=user><input type=password name=password><input type=hidden name=token value=t><input name=off value=1 disabled>
<input type=checkbox name=keep value=yes><input type=radio name=r value=1 checked><input type=radio name=r value=2>
<select name=s><option>1<option>2<option disabled>3</select><select name=m multiple><option>1<option>2</select><textarea name=text></textarea>
<input type=file name=f><button name=do value=login></button><button name=do value=cancel></button></form>`
	for _, c := range []struct{ name, value, want string }{
		{"user", "é", "user=%C3%A9"},
		{"password", "a b\n", "password=a+b"},
		{"token", "forged", "token=forged"},
		{"keep", "yes", "keep=yes"},
		{"r", "2", "r=2"},
		{"s", "2", "s=2"},
		{"m", "2", "m=2"},
		{"text", "a\nb", "text=a%0D%0Ab"},
		{"do", "cancel", "do=cancel"},
		{"off", "2", `error: field "off", a text, does not offer that value`},
		{"keep", "no", `error: field "keep", a checkbox, does not offer that value`},
		{"s", "3", `error: field "s", a select, does not offer that value`},
		{"f", "x", `error: field "f", a file, does not offer that value`},
		{"none", "secret", `error: the form has no field "none": there are "user", "password", "token", "off", "keep", "r", "s", "m", "text", "f", "do"`},
	} {
		f := form.Parse([]byte(page), at).Forms[0]
		if err := f.Set(c.name, c.value); err != nil {
			if got := "error: " + err.Error(); got != c.want {
				t.Errorf("%s=%s: %s, want %s", c.name, c.value, got, c.want)
			}
			continue
		}
		_, body, _ := strings.Cut(sends(f), "/x ")
		if got := strings.Split(body, "&"); !slices.Contains(got, c.want) || c.name == "r" && slices.Contains(got, "r=1") {
			t.Errorf("%s=%s: sends %s, want %s in it", c.name, c.value, body, c.want)
		}
	}
}

// TestNothingPrinted holds that no way of printing a form shows what it holds.
func TestNothingPrinted(t *testing.T) {
	f := form.Parse([]byte(`<form><input type=password name=p value=hunter2><textarea name=t>hunter2</textarea>`), at).Forms[0]
	for _, c := range f.Controls {
		if text := fmt.Sprintf("%v %+v %#v %s", c, c, c, c); strings.Contains(text, "hunter2") {
			t.Errorf("printed %s", text)
		}
	}
	if err := f.Set("x", "hunter2"); strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
	if got := f.Values("p"); len(got) != 1 || got[0] != "hunter2" {
		t.Errorf("Values: %q", got)
	}
}

func TestReferrerPolicy(t *testing.T) {
	for page, want := range map[string]browser.ReferrerPolicy{
		``:                                       "",
		`<meta name=Referrer content=" NEVER ">`: "no-referrer",
		`<meta name=referrer content=always>`:    "unsafe-url",
		`<meta name=referrer content=default>`:   "strict-origin-when-cross-origin",
		`<meta name=referrer content=origin-when-crossorigin>`:                                "origin-when-cross-origin",
		`<meta name=referrer content=origin><meta name=referrer content=x>`:                   "origin",
		`<body><p><meta name=referrer content=origin><meta name=referrer content=unsafe-url>`: "unsafe-url",
	} {
		if got := form.Parse([]byte(page), at).ReferrerPolicy; got != want {
			t.Errorf("%s: %q, want %q", page, got, want)
		}
	}
}

// TestLimits holds that a page cannot make the reader keep, or nest, without end.
func TestLimits(t *testing.T) {
	for name, page := range map[string]string{
		"forms":    strings.Repeat("<form></form>", 10000),
		"controls": "<form>" + strings.Repeat("<input name=a>", 50000),
		"options":  "<form><select name=s multiple>" + strings.Repeat("<option selected>x", 50000),
		"depth":    strings.Repeat("<div>", 100000) + "<form>",
		"radios":   "<form>" + strings.Repeat("<input type=radio name=a checked>", 50000),
		"ids":      strings.Repeat("<p id=x>", 50000),
	} {
		n := 0
		for _, f := range form.Parse([]byte(page), at).Forms {
			n += len(f.Controls)
			n += len(sends(f))
		}
		if n > 100_000 {
			t.Errorf("%s: %d", name, n)
		}
	}
}

func FuzzForms(f *testing.F) {
	f.Add([]byte(`<base href=//x><table><form method=post action=/x enctype=multipart/form-data><tr><td><input name=a><select name=s><option>1</table>`), "a", "1")
	f.Add([]byte(`<form id=f><fieldset disabled><legend><input form=f type=radio name=r checked><textarea name=t>`+"\x00\xff"), "r", "on")
	f.Add([]byte(`<meta name=referrer content=never><form><input type=hidden name=_charset_><button formaction="http://[" formmethod=dialog>`), "", "")
	f.Fuzz(func(t *testing.T, page []byte, name, value string) {
		p := form.Parse(page, at)
		if filled, err := (form.Credentials{User: name, Password: "a password of mine", Form: value}).Fill(p.Forms); err == nil {
			if s, err := filled.Submit("B"); err == nil && s.ContentType == "" && !strings.Contains(s.URL.RawQuery, "password") && filled.HasPassword() {
				t.Errorf("the password is not sent: %s", s.URL)
			}
		} else if strings.Contains(err.Error(), "password of mine") {
			t.Errorf("an error tells the password: %v", err)
		}
		for _, f := range p.Forms {
			before := sends(f)
			if again := sends(f); again != before {
				t.Errorf("sends %q and then %q", before, again)
			}
			if err := f.Set(name, value); err != nil {
				if len(value) > 8 && !strings.Contains(string(page)+name, value) && strings.Contains(err.Error(), value) {
					t.Errorf("an error tells the value: %v", err)
				}
				continue
			}
			s, err := f.Submit("B")
			if err != nil {
				continue
			}
			if s.Method == http.MethodGet && s.Body != nil || s.Method != http.MethodGet && s.Method != http.MethodPost {
				t.Errorf("%s with a body of %d bytes", s.Method, len(s.Body))
			}
			if s.ContentType == "application/x-www-form-urlencoded" {
				if _, err := url.ParseQuery(string(s.Body)); err != nil {
					t.Errorf("nobody can read %q: %v", s.Body, err)
				}
			}
		}
	})
}
