package form

import (
	"net/url"
	"strings"

	"golang.org/x/net/html"

	"github.com/lockstep-http/lockstep/browser"
)

// maxInsecure is of how many http URLs a page over https is told.
const maxInsecure = 200

// An Insecure is an http URL in a page: what an element has the browser load, or where a form leads.
type Insecure struct {
	Element string // "img"
	Kind    string // what it is loaded as, in the words of the Fetch standard; "imageset" and "form" beside those
	URL     *url.URL
}

// insecure notes the http URLs of an element. What scripts, styles and SVG load is not seen.
func (r *reader) insecure(n *html.Node) {
	if r.at.Scheme != "https" {
		return
	}
	switch n.Data {
	case "script":
		r.note(n, "script", attribute(n, "src"))
	case "img":
		r.note(n, "image", attribute(n, "src"))
		r.noteSet(n, attribute(n, "srcset"))
	case "source":
		r.source(n)
	case "audio", "video":
		r.note(n, n.Data, attribute(n, "src"))
		r.note(n, "image", attribute(n, "poster"))
	case "track", "embed":
		r.note(n, n.Data, attribute(n, "src"))
	case "iframe", "frame":
		r.note(n, n.Data, attribute(n, "src"))
	case "object":
		r.note(n, "object", attribute(n, "data"))
	case "input":
		if kindOf(n) == "image" {
			r.note(n, "image", attribute(n, "src"))
		}
		r.note(n, "form", attribute(n, "formaction"))
	case "button":
		r.note(n, "form", attribute(n, "formaction"))
	case "form":
		r.note(n, "form", attribute(n, "action"))
	case "link":
		r.note(n, linked(n), attribute(n, "href"))
	case "meta":
		if strings.EqualFold(attribute(n, "http-equiv"), "Content-Security-Policy") && within(n, "head") {
			r.page.Upgrades = r.page.Upgrades || Upgrades(attribute(n, "content"))
		}
	}
}

// source is an element of a picture, whose candidates are a set, or of something that plays.
func (r *reader) source(n *html.Node) {
	switch {
	case within(n, "audio"):
		r.note(n, "audio", attribute(n, "src"))
	case within(n, "video"):
		r.note(n, "video", attribute(n, "src"))
	case within(n, "picture"):
		r.noteSet(n, attribute(n, "srcset"))
	}
}

// linked is as what a link element loads, or "" when it loads nothing.
func linked(n *html.Node) string {
	for word := range strings.FieldsSeq(strings.ToLower(attribute(n, "rel"))) {
		switch word {
		case "stylesheet":
			return "style"
		case "icon", "apple-touch-icon":
			return "image"
		case "manifest":
			return "manifest"
		case "modulepreload":
			return "script"
		case "preload":
			return strings.ToLower(attribute(n, "as"))
		}
	}
	return ""
}

// note keeps a reference that leads to http, loaded as kind; "" is nothing that is loaded.
func (r *reader) note(n *html.Node, kind, reference string) {
	reference = strings.Trim(reference, whitespace)
	if kind == "" || reference == "" || len(r.page.Insecure) == maxInsecure {
		return
	}
	if u, err := browser.ResolveURL(r.base, reference); err == nil && u.Scheme == "http" {
		r.page.Insecure = append(r.page.Insecure, Insecure{n.Data, kind, u})
	}
}

// noteSet does it for each candidate of a srcset.
//
// HTML standard, section 4.8.4.3.10, parsing a srcset attribute.
func (r *reader) noteSet(n *html.Node, set string) {
	for set != "" && len(r.page.Insecure) < maxInsecure {
		set = strings.TrimLeft(set, whitespace+",")
		end := strings.IndexAny(set, whitespace)
		if end < 0 {
			end = len(set)
		}
		candidate := set[:end]
		set = set[end:]
		if bare := strings.TrimRight(candidate, ","); bare != candidate {
			candidate = bare
		} else if comma := strings.IndexByte(set, ','); comma >= 0 {
			set = set[comma:]
		} else {
			set = ""
		}
		r.note(n, "imageset", candidate)
	}
}

// Upgrades reports whether a Content-Security-Policy has the directive upgrade-insecure-requests. The
// text may hold several policies.
//
// Upgrade Insecure Requests, section 3.1.
func Upgrades(policies string) bool {
	for directive := range strings.FieldsFuncSeq(policies, func(c rune) bool { return c == ';' || c == ',' }) {
		name, _, _ := strings.Cut(strings.Trim(directive, whitespace), " ")
		if strings.EqualFold(name, "upgrade-insecure-requests") {
			return true
		}
	}
	return false
}
