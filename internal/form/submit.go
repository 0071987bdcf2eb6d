package form

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
)

// The encodings of a form's body.
const (
	urlencoded = "application/x-www-form-urlencoded"
	multipart  = "multipart/form-data"
	plain      = "text/plain"
)

// A Submission is the request that a form makes. Its body, and the query of its URL, may hold a secret.
type Submission struct {
	Method      string
	URL         *url.URL
	ContentType string // "" without a body
	Body        []byte
}

// Submit returns the request of the form as it is filled in. The boundary goes between the parts of a
// multipart body; it is random, so that nothing that is sent holds it. The error says why a browser
// would send nothing.
//
// HTML standard, section 4.10.22.3.
func (f *Form) Submit(boundary string) (Submission, error) {
	button := f.submitter()
	to, method, enctype := f.target, orDefault(f.method, "get"), orDefault(f.enctype, urlencoded)
	if button != nil {
		method, enctype = orDefault(button.method, method), orDefault(button.enctype, enctype)
		if button.target != nil {
			to = *button.target
		}
	}
	if to.err != nil {
		return Submission{}, fmt.Errorf("reading the action of the form: %w", to.err)
	}
	entries := f.entries(button)
	u := *to.url
	switch method {
	case "dialog":
		return Submission{}, fmt.Errorf("the method of the form is dialog, which sends nothing")
	case "get":
		u.RawQuery, u.ForceQuery = encodeURL(entries), len(entries) == 0
		return Submission{Method: "GET", URL: &u}, nil
	}
	s := Submission{Method: "POST", URL: &u, ContentType: enctype}
	switch enctype {
	case multipart:
		s.ContentType += "; boundary=" + boundary
		s.Body = encodeMultipart(entries, boundary)
	case plain:
		s.Body = encodePlain(entries)
	default:
		s.Body = []byte(encodeURL(entries))
	}
	return s, nil
}

// Encode returns pairs of name and value, in order, as the body of a form with POST, and its type.
func Encode(pairs [][2]string) (contentType string, body []byte) {
	entries := make([]entry, len(pairs))
	for i, p := range pairs {
		entries[i] = entry{name: p[0], value: p[1]}
	}
	return urlencoded, []byte(encodeURL(entries))
}

func methodOf(word string) string {
	switch word := strings.ToLower(word); word {
	case "get", "post", "dialog":
		return word
	}
	return ""
}

func enctypeOf(word string) string {
	switch word := strings.ToLower(word); word {
	case urlencoded, multipart, plain:
		return word
	}
	return ""
}

// An entry is one name and value that a form sends.
type entry struct {
	name, value string
	file        bool // of a file that nobody chose
}

// entries returns what the form sends when button, which may be nil, is pressed.
//
// HTML standard, section 4.10.22.4, constructing the entry list.
func (f *Form) entries(button *Control) []entry {
	var all []entry
	for _, c := range f.Controls {
		switch {
		case c.Disabled, c.Kind == "button", c.Kind == "reset", c.button() && c != button:
		case c.Kind == "image":
			prefix := ""
			if c.Name != "" {
				prefix = c.Name + "."
			}
			all = append(all, entry{name: prefix + "x", value: "0"}, entry{name: prefix + "y", value: "0"})
		case c.Name == "":
		case c.Kind == "select":
			for _, o := range c.options {
				if o.selected && !o.disabled {
					all = append(all, entry{name: c.Name, value: o.value})
				}
			}
		case c.Kind == "checkbox", c.Kind == "radio":
			if c.checked && (c.Kind == "checkbox" || c == f.lastChecked(c.Name)) {
				all = append(all, entry{name: c.Name, value: c.value})
			}
		case c.Kind == "file":
			all = append(all, entry{name: c.Name, file: true})
		case c.Kind == "hidden" && strings.EqualFold(c.Name, "_charset_"):
			all = append(all, entry{name: c.Name, value: "UTF-8"})
		default:
			all = append(all, entry{name: c.Name, value: c.value})
			if c.dirname != "" && hasDirection(c.Kind) {
				all = append(all, entry{name: c.dirname, value: "ltr"})
			}
		}
	}
	return all
}

// lastChecked returns the radio button of a group that is on: where a page checks several, the last.
func (f *Form) lastChecked(name string) *Control {
	var last *Control
	for _, c := range f.named(name) {
		if c.Kind == "radio" && c.checked {
			last = c
		}
	}
	return last
}

func hasDirection(kind string) bool {
	switch kind {
	case "hidden", "text", "search", "tel", "url", "email", "password", "submit", "textarea":
		return true
	}
	return false
}

// newlines writes every line end as CR LF, as all encodings of forms do.
func newlines(s string) string {
	return strings.NewReplacer("\r\n", "\r\n", "\r", "\r\n", "\n", "\r\n").Replace(s)
}

// encodeURL is the serializer of application/x-www-form-urlencoded.
//
// URL standard, section 5.2. It is not [url.QueryEscape], which treats "*" and "~" otherwise.
func encodeURL(entries []entry) string {
	var b strings.Builder
	for i, e := range entries {
		if i > 0 {
			b.WriteByte('&')
		}
		percentEncode(&b, newlines(e.name))
		b.WriteByte('=')
		percentEncode(&b, newlines(e.value))
	}
	return b.String()
}

func percentEncode(b *strings.Builder, s string) {
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			b.WriteByte('+')
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("*-._", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(b, "%%%02X", c)
		}
	}
}

// encodeMultipart is the serializer of multipart/form-data.
//
// HTML standard, section 4.10.22.8; RFC 7578.
func encodeMultipart(entries []entry, boundary string) []byte {
	var b bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=\"%s\"", boundary, quoted.Replace(newlines(e.name)))
		if e.file {
			b.WriteString("; filename=\"\"\r\nContent-Type: application/octet-stream")
		}
		b.WriteString("\r\n\r\n" + newlines(e.value) + "\r\n")
	}
	b.WriteString("--" + boundary + "--\r\n")
	return b.Bytes()
}

var quoted = strings.NewReplacer("\r", "%0D", "\n", "%0A", `"`, "%22")

// encodePlain is the serializer of text/plain, which nobody can read back.
func encodePlain(entries []entry) []byte {
	var b bytes.Buffer
	for _, e := range entries {
		b.WriteString(newlines(e.name) + "=" + newlines(e.value) + "\r\n")
	}
	return b.Bytes()
}
