package form

import (
	"bytes"
	"net/url"
	"strings"

	"golang.org/x/net/html"

	"github.com/lockstep-http/lockstep/browser"
)

// What a page may make this package keep. Beyond it forms, controls and options are left out.
const (
	maxForms    = 100
	maxControls = 2000 // of a page
	maxOptions  = 5000 // of a page
)

// A Page is what a page says about requests that come from it.
type Page struct {
	Forms          []*Form                // in document order
	ReferrerPolicy browser.ReferrerPolicy // of its meta elements; "" is none
	Insecure       []Insecure             // http URLs of a page that came over https, in document order
	Upgrades       bool                   // its meta elements have upgrade-insecure-requests
}

// Parse reads the page at url. Whatever the bytes are, it returns a page: what cannot be read as HTML
// has no forms.
func Parse(page []byte, at *url.URL) Page {
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		return Page{} // elements nested deeper than the parser goes along with
	}
	r := &reader{at: at, base: at, forms: map[*html.Node]*Form{}, ids: map[string]*html.Node{}}
	r.walk(root, r.outline)
	r.walk(root, r.control)
	return r.page
}

// A reader gathers a Page, in two passes: first what controls refer to, then the controls.
type reader struct {
	page  Page
	at    *url.URL // of the document
	base  *url.URL // of its references
	based bool     // a base element was there

	forms    map[*html.Node]*Form
	ids      map[string]*html.Node // the first element with an ID
	controls int
	options  int

	// hoisted is the last form that the parser took out of its place in a table, see [reader.owner].
	hoisted *html.Node
}

// walk visits the elements below n in document order. What is in a template is not of the document.
func (r *reader) walk(n *html.Node, visit func(*html.Node)) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.ElementNode && c.Namespace == "" {
			visit(c)
		}
		if c.Data != "template" {
			r.walk(c, visit)
		}
	}
}

func (r *reader) outline(n *html.Node) {
	if id := attribute(n, "id"); id != "" && r.ids[id] == nil {
		r.ids[id] = n
	}
	switch n.Data {
	case "base":
		if href, ok := lookup(n, "href"); ok && !r.based {
			r.based = true
			if u, err := browser.ResolveURL(r.at, href); err == nil {
				r.base = u
			}
		}
	case "meta":
		if strings.EqualFold(attribute(n, "name"), "referrer") {
			if p := metaPolicy(attribute(n, "content")); p != "" {
				r.page.ReferrerPolicy = p
			}
		}
	case "form":
		if len(r.page.Forms) < maxForms {
			f := &Form{ID: attribute(n, "id"), Name: attribute(n, "name"), node: n}
			r.forms[n], r.page.Forms = f, append(r.page.Forms, f)
		}
	}
}

// metaPolicy reads the content of a meta element, which may hold an old word for a policy.
//
// HTML standard, section 4.2.5.1, standard metadata names, referrer.
func metaPolicy(content string) browser.ReferrerPolicy {
	word := strings.ToLower(strings.Trim(content, whitespace))
	switch word {
	case "never":
		word = "no-referrer"
	case "default":
		word = "strict-origin-when-cross-origin"
	case "always":
		word = "unsafe-url"
	case "origin-when-crossorigin":
		word = "origin-when-cross-origin"
	}
	return browser.ParseReferrerPolicy([]string{word})
}

func (r *reader) control(n *html.Node) {
	r.insecure(n)
	if n.Data == "form" {
		r.form(n)
		return
	}
	kind := kindOf(n)
	if kind == "" || r.controls == maxControls || within(n, "datalist") {
		return
	}
	f := r.forms[r.owner(n)]
	if f == nil {
		return
	}
	r.controls++
	c := &Control{
		Kind: kind, ID: attribute(n, "id"), Name: attribute(n, "name"), Autocomplete: attribute(n, "autocomplete"),
		Disabled: disabled(n), dirname: attribute(n, "dirname"),
	}
	r.fill(c, n)
	f.Controls = append(f.Controls, c)
}

// form completes a form now that the base URL of the page is known.
func (r *reader) form(n *html.Node) {
	r.hoisted = nil
	if n.FirstChild == nil && n.Parent != nil && inTable(n.Parent.Data) {
		r.hoisted = n
	}
	f := r.forms[n]
	if f == nil {
		return
	}
	f.target = r.target(attribute(n, "action"))
	f.method = methodOf(attribute(n, "method"))
	f.enctype = enctypeOf(attribute(n, "enctype"))
	for word := range strings.FieldsSeq(strings.ToLower(attribute(n, "rel"))) {
		f.NoReferrer = f.NoReferrer || word == "noreferrer"
	}
}

// A target is where a form leads, or why it leads nowhere.
type target struct {
	url *url.URL
	err error
}

// target reads an action. An empty one is the URL of the document, whatever the base is.
func (r *reader) target(action string) target {
	action = strings.Trim(action, whitespace)
	if action == "" {
		u := *r.at
		return target{url: &u}
	}
	u, err := browser.ResolveURL(r.base, action)
	return target{u, err}
}

// owner returns the form of a control: the one that it names, else the one around it, else the one that
// was open when the parser met it. The parser takes a form that stands between the rows of a table out
// of its place, and leaves it empty; the controls in the cells are its own all the same.
//
// HTML standard, sections 4.10.18.3 and 13.2.6.4.9.
func (r *reader) owner(n *html.Node) *html.Node {
	if id, ok := lookup(n, "form"); ok {
		return r.ids[id]
	}
	for p := n.Parent; p != nil; p = p.Parent {
		if p.Data == "form" {
			return p
		}
		if r.hoisted != nil && p.Data == "table" && p == tableOf(r.hoisted) {
			return r.hoisted
		}
	}
	return nil
}

func inTable(name string) bool {
	switch name {
	case "table", "tbody", "thead", "tfoot", "tr":
		return true
	}
	return false
}

func tableOf(n *html.Node) *html.Node {
	for p := n.Parent; p != nil; p = p.Parent {
		if p.Data == "table" {
			return p
		}
	}
	return nil
}

// kindOf returns what kind of control an element is, or "" for what is none that sends anything.
func kindOf(n *html.Node) string {
	switch n.Data {
	case "input":
		kind := strings.ToLower(attribute(n, "type"))
		if !inputKinds[kind] {
			kind = "text"
		}
		return kind
	case "button":
		switch kind := strings.ToLower(attribute(n, "type")); kind {
		case "button", "reset":
			return kind
		}
		return "submit"
	case "select":
		return "select"
	case "textarea":
		return "textarea"
	}
	return ""
}

// inputKinds are the types of an input element; any other is a text.
var inputKinds = map[string]bool{
	"button": true, "checkbox": true, "color": true, "date": true, "datetime-local": true, "email": true, "file": true,
	"hidden": true, "image": true, "month": true, "number": true, "password": true, "radio": true, "range": true,
	"reset": true, "search": true, "submit": true, "tel": true, "time": true, "url": true, "week": true,
}

// fill reads the value of a control, and what else its kind has.
func (r *reader) fill(c *Control, n *html.Node) {
	value, given := lookup(n, "value")
	switch c.Kind {
	case "textarea":
		c.value = text(n)
	case "select":
		_, c.multiple = lookup(n, "multiple")
		r.choices(c, n)
		return
	case "checkbox", "radio":
		if !given {
			value = "on"
		}
		c.value = value
		_, c.checked = lookup(n, "checked")
	default:
		c.value = sanitized(c.Kind, value)
	}
	if c.button() {
		c.method, c.enctype = methodOf(attribute(n, "formmethod")), enctypeOf(attribute(n, "formenctype"))
		if action, ok := lookup(n, "formaction"); ok {
			t := r.target(action)
			c.target = &t
		}
	}
}

// choices reads the options of a select. Without a choice in the page, a select that shows one line has
// the first option that can be chosen.
//
// HTML standard, section 4.10.7, selectedness setting algorithm.
func (r *reader) choices(c *Control, n *html.Node) {
	r.walk(n, func(o *html.Node) {
		if o.Data != "option" || r.options == maxOptions {
			return
		}
		r.options++
		value, given := lookup(o, "value")
		if !given {
			value = strings.Join(strings.FieldsFunc(text(o), isWhitespace), " ")
		}
		_, off := lookup(o, "disabled")
		_, chosen := lookup(o, "selected")
		if g := o.Parent; g != nil && g.Data == "optgroup" {
			_, group := lookup(g, "disabled")
			off = off || group
		}
		if chosen && !c.multiple {
			c.choose(nil)
		}
		c.options = append(c.options, &option{value: value, disabled: off, selected: chosen})
	})
	if size := attribute(n, "size"); c.multiple || strings.Trim(size, "0123456789") == "" && size != "" && size != "1" {
		return
	}
	if c.chosen() == nil {
		for _, o := range c.options {
			if !o.disabled {
				o.selected = true
				return
			}
		}
	}
}

// sanitized is what a browser makes of a value that the page gives an input.
//
// HTML standard, section 4.10.5.1, value sanitization algorithms.
func sanitized(kind, value string) string {
	switch kind {
	case "text", "search", "tel", "password", "url", "email":
		value = strings.NewReplacer("\r", "", "\n", "").Replace(value)
		if kind == "url" || kind == "email" {
			value = strings.Trim(value, whitespace)
		}
	case "color":
		if len(value) != len("#rrggbb") || value[0] != '#' || strings.Trim(value[1:], "0123456789abcdefABCDEF") != "" {
			value = "#000000"
		}
		value = strings.ToLower(value)
	}
	return value
}

// disabled reports whether a control is out of use: by itself, or by a fieldset around it in whose first
// legend it is not.
//
// HTML standard, section 4.10.18.5.
func disabled(n *html.Node) bool {
	if _, off := lookup(n, "disabled"); off {
		return true
	}
	for child, p := n, n.Parent; p != nil; child, p = p, p.Parent {
		if p.Data != "fieldset" {
			continue
		}
		if _, off := lookup(p, "disabled"); off && child != firstLegend(p) {
			return true
		}
	}
	return false
}

func firstLegend(fieldset *html.Node) *html.Node {
	for c := fieldset.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.ElementNode && c.Data == "legend" {
			return c
		}
	}
	return nil
}

func within(n *html.Node, name string) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if p.Data == name {
			return true
		}
	}
	return false
}

// text is all text below n.
func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

// whitespace is that of ASCII, as the HTML standard has it.
const whitespace = " \t\n\f\r"

func isWhitespace(r rune) bool { return strings.ContainsRune(whitespace, r) }

func lookup(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Namespace == "" && a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func attribute(n *html.Node, name string) string {
	value, _ := lookup(n, name)
	return value
}
