package form_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/form"
)

// TestCredentials holds which form and which fields of it are taken for a login.
func TestCredentials(t *testing.T) {
	const (
		search = `<form action=/search><input name=q></form>`
		login  = `<form method=post action=/in><input name=user><input type=password name=pass></form>`
	)
	for _, c := range []struct {
		sentence, page string
		as             form.Credentials
		want           string // what is sent, or the problem
	}{
		{"the one with a password", search + login, form.Credentials{}, "user=me&pass=secret"},
		{"no form", "<p>", form.Credentials{}, "error: the page has no form"},
		{"no password", search, form.Credentials{}, "error: no form of the page has a password field; there is form 1 (GET /search)"},
		{"two", login + login, form.Credentials{}, "error: 2 forms of the page have a password field: form 1 (POST /in, with a password), form 2 (POST /in, with a password)"},
		{"two, the second by its number", login + `<form method=post action=/x><input name=user value=x><input type=password name=p2></form>`, form.Credentials{Form: "2"}, "user=me&p2=secret"},
		{"by its ID", `<form id=a><input type=password name=p></form><form id=b method=post action=/x><input name=u><input type=password name=p></form>`, form.Credentials{Form: "b"}, "u=me&p=secret"},
		{"by its name", `<form name=a method=post action=/x><input name=u><input type=password name=p></form>` + login, form.Credentials{Form: "a"}, "u=me&p=secret"},
		{"by its action", login + `<form method=post action=/y>`, form.Credentials{Form: "/in"}, "user=me&pass=secret"},
		{"two of that action", login + login, form.Credentials{Form: "/in"}, `error: 2 forms of the page are called "/in"`},
		{"a named form without a password", search, form.Credentials{Form: "1"}, `error: form "1" has no password field`},

		{"hidden fields go along", `<form method=post action=/x><input type=hidden name=token value=t><input name=email type=email><input type=password name=p><input type=checkbox name=keep checked>`, form.Credentials{}, "token=t&email=me&p=secret&keep=on"},
		{"autocomplete before everything", `<form method=post action=/x><input name=user><input name=a autocomplete="section-1 Username"><input type=password name=p>`, form.Credentials{}, "user=&a=me&p=secret"},
		{"an email before a name", `<form method=post action=/x><input name=username_hint><input name=a type=email><input type=password name=p>`, form.Credentials{}, "username_hint=&a=me&p=secret"},
		{"by its name", `<form method=post action=/x><input name=captcha><input name=x_login><input type=password name=p>`, form.Credentials{}, "captcha=&x_login=me&p=secret"},
		{"by its ID", `<form method=post action=/x><input name=captcha><input name=f1 id=id_account><input type=password name=p>`, form.Credentials{}, "captcha=&f1=me&p=secret"},
		{"the only one", `<form method=post action=/x><input name=f1><input type=password name=p>`, form.Credentials{}, "f1=me&p=secret"},
		{"none that looks like it", `<form method=post action=/x><input name=f1><input name=f2><input type=password name=p>`, form.Credentials{}, "error: no field of the form looks like one for a user name"},
		{"named", `<form method=post action=/x><input name=f1><input name=user><input type=password name=p>`, form.Credentials{UserField: "f1"}, "f1=me&user=&p=secret"},
		{"named, and not there", login, form.Credentials{UserField: "f1"}, `error: the form has no field "f1" to type into`},
		{"a hidden field is not typed into", `<form method=post action=/x><input type=hidden name=user><input type=password name=p>`, form.Credentials{UserField: "user"}, `error: the form has no field "user" to type into`},
		{"out of use", `<form method=post action=/x><input name=user disabled><input name=user2><input type=password name=p>`, form.Credentials{}, "user2=me&p=secret"},

		{"two passwords", `<form method=post action=/x><input name=user><input type=password name=p1><input type=password name=p2>`, form.Credentials{}, "error: the form has 2 password fields, as one for a new account or a new password does"},
		{"two passwords, one current", `<form method=post action=/x><input name=user><input type=password name=p1 autocomplete=new-password><input type=password name=p2 autocomplete=current-password>`, form.Credentials{}, "user=me&p1=&p2=secret"},
		{"two passwords, one named", `<form method=post action=/x><input name=user><input type=password name=p1><input type=password name=p2>`, form.Credentials{PasswordField: "p1"}, "user=me&p1=secret&p2="},
		{"a password that is shown", `<form method=post action=/x><input name=user><input type=text name=code><input type=password name=p>`, form.Credentials{PasswordField: "code"}, "user=me&code=secret&p="},
		{"a password that is not there", login, form.Credentials{PasswordField: "x"}, `error: the form has 0 fields "x" to type into`},
	} {
		c.as.User, c.as.Password = "me", "secret"
		f, err := c.as.Fill(form.Parse([]byte(c.page), at).Forms)
		var got string
		var problem *form.LoginError
		if err == nil {
			s, err := f.Submit("B")
			if err != nil {
				t.Fatal(err)
			}
			got = string(s.Body)
		} else if got = "error: " + err.Error(); !errors.As(err, &problem) || problem.Hint == "" || strings.Contains(problem.Hint+got, "secret") {
			t.Errorf("%s: %#v", c.sentence, err)
		}
		if got != c.want {
			t.Errorf("%s: %s\n got %s\nwant %s", c.sentence, c.page, got, c.want)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", form.Credentials{Password: "secret"}, form.Credentials{Password: "secret"}, &form.Credentials{Password: "secret"}); strings.Contains(text, "secret") {
		t.Error(text)
	}
}
