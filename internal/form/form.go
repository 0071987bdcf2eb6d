package form

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// A Form is a form element with the controls it owns. What they hold is not printed.
type Form struct {
	ID, Name   string
	NoReferrer bool       // its rel says noreferrer: nothing of the page's URL goes along
	Controls   []*Control // in document order

	node            *html.Node
	target          target
	method, enctype string
	pressed         *Control // the button that Set named
}

// A Control is a field or a button of a form.
type Control struct {
	Kind         string // the type of an input or button; "select", "textarea"
	ID, Name     string
	Autocomplete string
	Disabled     bool

	value           string
	checked         bool
	multiple        bool
	options         []*option
	dirname         string
	target          *target // of a button; nil is the form's
	method, enctype string  // of a button; "" is the form's
}

type option struct {
	value              string
	disabled, selected bool
}

// String names the control.
func (c *Control) String() string { return fmt.Sprintf("%s %q", c.Kind, c.Name) }

// GoString is String, so that no way of printing shows the value.
func (c *Control) GoString() string { return c.String() }

// button reports whether the control submits the form.
func (c *Control) button() bool { return c.Kind == "submit" || c.Kind == "image" }

// chosen returns the option that is selected last, or nil.
func (c *Control) chosen() *option {
	for _, o := range slices.Backward(c.options) {
		if o.selected {
			return o
		}
	}
	return nil
}

// choose selects one option and no other; nil selects none.
func (c *Control) choose(one *option) {
	for _, o := range c.options {
		o.selected = o == one
	}
}

// Action returns the URL to which the form leads, or an error when its action cannot be read.
func (f *Form) Action() (*url.URL, error) { return f.target.url, f.target.err }

// Method returns "GET", "POST" or "DIALOG", which sends nothing.
func (f *Form) Method() string { return strings.ToUpper(orDefault(f.method, "get")) }

// Set fills in a field, as a person does, or a script for one that is hidden: a text gets the value, of
// checkboxes and radio buttons the one with the value is chosen, of a select the option. A button with
// that name and value is the one that is pressed. Other fields of the name keep what they hold.
func (f *Form) Set(name, value string) error {
	named := f.named(name)
	if len(named) == 0 {
		return fmt.Errorf("the form has no field %q: there are %s", name, f.names())
	}
	for _, c := range named {
		if f.take(c, value) {
			return nil
		}
	}
	return fmt.Errorf("field %q, a %s, does not offer that value", name, named[0].Kind)
}

// take gives a control the value, if it can have it.
func (f *Form) take(c *Control, value string) bool {
	switch {
	case c.Disabled:
		return false
	case c.button():
		if c.value != value {
			return false
		}
		f.pressed = c
	case c.Kind == "checkbox", c.Kind == "radio":
		if c.value != value {
			return false
		}
		c.checked = true
		for _, other := range f.named(c.Name) {
			if other != c && c.Kind == "radio" && other.Kind == "radio" {
				other.checked = false
			}
		}
	case c.Kind == "select":
		i := slices.IndexFunc(c.options, func(o *option) bool { return o.value == value && !o.disabled })
		if i < 0 {
			return false
		}
		if !c.multiple {
			c.choose(nil)
		}
		c.options[i].selected = true
	case c.Kind == "file", c.Kind == "button", c.Kind == "reset":
		return false
	default:
		c.value = sanitized(c.Kind, value)
	}
	return true
}

func (f *Form) named(name string) []*Control {
	var all []*Control
	for _, c := range f.Controls {
		if c.Name == name && name != "" {
			all = append(all, c)
		}
	}
	return all
}

func (f *Form) names() string {
	var all []string
	for _, c := range f.Controls {
		if name := fmt.Sprintf("%q", c.Name); c.Name != "" && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	if len(all) == 0 {
		return "none with a name"
	}
	return strings.Join(all, ", ")
}

// HasPassword reports whether the form sends a password.
func (f *Form) HasPassword() bool {
	return slices.ContainsFunc(f.Controls, func(c *Control) bool { return c.Kind == "password" && !c.Disabled && c.Name != "" })
}

// Values returns the values that would be sent under a name, in order: those of hidden fields such as a
// token among them. They are for sending, not for showing.
func (f *Form) Values(name string) []string {
	var all []string
	for _, e := range f.entries(f.submitter()) {
		if e.name == name {
			all = append(all, e.value)
		}
	}
	return all
}

// submitter returns the button that sends the form: the one that was pressed, else the first that can
// be, else none, as when a person presses Enter in a form without a button.
func (f *Form) submitter() *Control {
	if f.pressed != nil {
		return f.pressed
	}
	for _, c := range f.Controls {
		if c.button() && !c.Disabled {
			return c
		}
	}
	return nil
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
