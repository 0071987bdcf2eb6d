package form

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Credentials are what somebody logs in with, and where that goes when a page leaves it open.
type Credentials struct {
	User, Password string

	Form          string // which form: its number on the page, its ID, name or the path of its action; "" is the only one with a password
	UserField     string // the name of the field for User; "" finds it
	PasswordField string // the same for Password
}

// String and GoString tell the user only, so that no way of printing shows the password.
func (c Credentials) String() string { return fmt.Sprintf("credentials of %q", c.User) }

// GoString is String.
func (c Credentials) GoString() string { return c.String() }

// A LoginError is why a page offers no form to log in with, and what to do about it.
type LoginError struct{ Problem, Hint string }

func (e *LoginError) Error() string { return e.Problem }

// Fill finds the form to log in with among those of a page, and fills it in. The error is a [*LoginError].
func (c Credentials) Fill(forms []*Form) (*Form, error) {
	f, err := c.find(forms)
	if err != nil {
		return nil, err
	}
	password, err := c.passwordField(f)
	if err != nil {
		return nil, err
	}
	user, err := c.userField(f, password)
	if err != nil {
		return nil, err
	}
	user.value, password.value = sanitized(user.Kind, c.User), sanitized(password.Kind, c.Password)
	return f, nil
}

// find returns the form that is named; without a name, the only one that has a password.
func (c Credentials) find(forms []*Form) (*Form, error) {
	var found []*Form
	for i, f := range forms {
		if c.Form == "" && f.HasPassword() || c.Form != "" && f.called(c.Form, i+1) {
			found = append(found, f)
		}
	}
	switch {
	case len(found) == 1 && !found[0].HasPassword():
		return nil, &LoginError{fmt.Sprintf("form %q has no password field", c.Form), "the page has " + list(forms)}
	case len(found) == 1:
		return found[0], nil
	case len(forms) == 0:
		return nil, &LoginError{"the page has no form", "give --login the path of the page with the login form; a form that only a script makes cannot be sent"}
	case c.Form != "":
		return nil, &LoginError{fmt.Sprintf("%d forms of the page are called %q", len(found), c.Form), "the page has " + list(forms)}
	case len(found) == 0:
		return nil, &LoginError{"no form of the page has a password field; there is " + list(forms), "give --login the path of the page with the login form; a form that only a script makes cannot be sent"}
	default:
		return nil, &LoginError{fmt.Sprintf("%d forms of the page have a password field: %s", len(found), list(forms)), "choose one with --form, by its number, ID, name or the path of its action"}
	}
}

// IsAgain reports whether other, of a later page, is the login form f again: it has a password field of
// the same name, and goes to the same path or has the same fields to type into. The form that changes a
// password, to which a login may lead, does neither.
func (f *Form) IsAgain(other *Form) bool {
	passwords, fields := f.typedNames()
	again, same := other.typedNames()
	if !slices.ContainsFunc(passwords, func(name string) bool { return slices.Contains(again, name) }) {
		return false
	}
	to, err := f.Action()
	then, otherErr := other.Action()
	return slices.Equal(fields, same) || err == nil && otherErr == nil && to.EscapedPath() == then.EscapedPath()
}

// typedNames are the names of the fields for a password, and of all to type into, in order.
func (f *Form) typedNames() (passwords, all []string) {
	for _, k := range f.Controls {
		if k.Kind == "password" {
			passwords = append(passwords, k.Name)
		}
		if typed(k.Kind) {
			all = append(all, k.Name)
		}
	}
	return passwords, all
}

// called reports whether a form, the number-th of its page, goes by a word.
func (f *Form) called(word string, number int) bool {
	action, err := f.Action()
	return word == strconv.Itoa(number) || word == f.ID || word == f.Name || err == nil && word == action.EscapedPath()
}

// list tells forms by what they can be called.
func list(forms []*Form) string {
	all := make([]string, len(forms))
	for i, f := range forms {
		all[i] = fmt.Sprintf("form %d (%s", i+1, f.Method())
		if action, err := f.Action(); err == nil {
			all[i] += " " + action.EscapedPath()
		}
		if f.ID != "" {
			all[i] += fmt.Sprintf(", id %q", f.ID)
		}
		if f.HasPassword() {
			all[i] += ", with a password"
		}
		all[i] += ")"
	}
	return strings.Join(all, ", ")
}

// passwordField is the one named; else the only one, or the one for a password that is there already.
func (c Credentials) passwordField(f *Form) (*Control, error) {
	var found, current []*Control
	for _, k := range f.Controls {
		switch {
		case k.Disabled || k.Name == "":
		case c.PasswordField != "":
			if k.Name == c.PasswordField && typed(k.Kind) {
				found = append(found, k)
			}
		case k.Kind == "password":
			found = append(found, k)
			if k.completes("current-password") {
				current = append(current, k)
			}
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(current) == 1:
		return current[0], nil
	case c.PasswordField != "":
		return nil, &LoginError{fmt.Sprintf("the form has %d fields %q to type into", len(found), c.PasswordField), "there are " + f.names()}
	}
	return nil, &LoginError{fmt.Sprintf("the form has %d password fields, as one for a new account or a new password does", len(found)), "name one with --password-field, or choose another form with --form; there are " + f.names()}
}

// userField is the one named; else the first of the most telling kind: by its autocomplete, its type, its
// name; else the only one that is left to type into.
func (c Credentials) userField(f *Form, password *Control) (*Control, error) {
	var fields []*Control
	for _, k := range f.Controls {
		if k != password && k.Name != "" && !k.Disabled && typed(k.Kind) && k.Kind != "password" {
			fields = append(fields, k)
		}
	}
	tests := []func(*Control) bool{
		func(k *Control) bool { return k.completes("username") },
		func(k *Control) bool { return k.completes("email") },
		func(k *Control) bool { return k.Kind == "email" },
		func(k *Control) bool { return userName.MatchString(k.Name) || userName.MatchString(k.ID) },
		func(*Control) bool { return len(fields) == 1 },
	}
	if c.UserField != "" {
		tests = []func(*Control) bool{func(k *Control) bool { return k.Name == c.UserField }}
	}
	for _, test := range tests {
		if i := slices.IndexFunc(fields, test); i >= 0 {
			return fields[i], nil
		}
	}
	if c.UserField != "" {
		return nil, &LoginError{fmt.Sprintf("the form has no field %q to type into", c.UserField), "there are " + f.names()}
	}
	return nil, &LoginError{"no field of the form looks like one for a user name", "name one with --user-field; there are " + f.names()}
}

var userName = regexp.MustCompile(`(?i)user|login|e-?mail|account|identifier`)

// completes reports whether autocomplete asks for what has this name.
func (c *Control) completes(what string) bool {
	return slices.Contains(strings.Fields(strings.ToLower(c.Autocomplete)), what)
}

// typed reports whether a person types into controls of a kind.
func typed(kind string) bool {
	switch kind {
	case "text", "search", "tel", "url", "email", "password", "number", "textarea":
		return true
	}
	return false
}
