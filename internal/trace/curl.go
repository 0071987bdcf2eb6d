package trace

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lockstep-http/lockstep/cookie"
)

// WriteCurl writes, for each request that left, the curl command that sends it again, alone and without
// following where it leads. more are arguments for every command, such as --cacert. The value of a cookie
// is "<value of NAME>", unless the Client kept the values. A body is not known any more; the line above the
// command says so.
func (r *Run) WriteCurl(w io.Writer, more ...string) {
	for i := range r.Visits {
		for j := range r.Visits[i].Hops {
			h := &r.Visits[i].Hops[j]
			fmt.Fprintf(w, "# visit %d, request %d: %s\n", i+1, j+1, clean(h.told()))
			if !h.Left {
				fmt.Fprint(w, "# nothing left the browser\n\n")
				continue
			}
			fmt.Fprintf(w, "%s\n\n", shellLine(h.curl(more)))
		}
	}
}

// told is what the line above a command says.
func (h *Hop) told() string {
	text := h.Method + " " + h.URL
	if h.Response != nil {
		text += fmt.Sprintf(" -> %d %s", h.Response.Status, http.StatusText(h.Response.Status))
	}
	switch h.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return text
	}
	return text + "; its body is not kept: add --data"
}

// curl are the words of the command.
func (h *Hop) curl(more []string) []string {
	words := append([]string{"curl", "--include", "--http1.1", "--globoff", "--path-as-is"}, more...)
	switch h.Method {
	case http.MethodGet:
	case http.MethodHead:
		words = append(words, "--head")
	default:
		words = append(words, "--request", h.Method)
	}
	words = append(words, "--user-agent", userAgent, "--header", "Accept: "+accept)
	for _, f := range h.Sent {
		if strings.HasPrefix(f.Name, "@") || f.Name == "" { // a saved run may have anything, and curl would read a file
			continue
		}
		words = append(words, "--header", f.Name+": "+f.Value)
	}
	if field := h.cookieField(); field != "" {
		words = append(words, "--header", "Cookie: "+field)
	}
	return append(words, "--url", h.URL)
}

// cookieField is the Cookie field with the values that were kept, or with something in their places.
func (h *Hop) cookieField() string {
	if h.whole != "" {
		return h.whole
	}
	pairs := cookie.ParseHeader(h.Cookie)
	for i := range pairs {
		pairs[i].Value = "<value of " + called(pairs[i].Name) + ">"
	}
	return cookie.FormatHeader(pairs)
}

// shellLine quotes the words of a command for a POSIX shell.
func shellLine(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = shellWord(word)
	}
	return strings.Join(quoted, " ")
}

// shellWord quotes a word so that the shell takes it for itself, and a terminal obeys none of it: what
// cannot be printed is made by printf. NUL, which no argument holds, and line feeds, which no header holds,
// are left out.
func shellWord(word string) string {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/:=@%+,") == "" {
		return word
	}
	var b strings.Builder
	b.WriteByte('\'')
	for len(word) > 0 {
		r, n := utf8.DecodeRuneInString(word)
		part := word[:n]
		word = word[n:]
		switch {
		case r == 0, r == '\n':
		case r == '\'':
			b.WriteString(`'\''`)
		case r == utf8.RuneError && n == 1, !strconv.IsPrint(r):
			b.WriteString(`'"$(printf '`)
			for _, c := range []byte(part) {
				fmt.Fprintf(&b, `\%03o`, c)
			}
			b.WriteString(`')"'`)
		default:
			b.WriteString(part)
		}
	}
	return b.String() + "'"
}
