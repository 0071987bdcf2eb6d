package lockstep

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
)

// Django's limits on what a form may hold, at their defaults.
const (
	maxFormMemory = 2_621_440 // bytes without files: DATA_UPLOAD_MAX_MEMORY_SIZE
	maxFormFields = 1000      // DATA_UPLOAD_MAX_NUMBER_FIELDS
	maxFormFiles  = 100       // DATA_UPLOAD_MAX_NUMBER_FILES
)

// Why a form is refused, in Django's words.
const (
	formTooBig    = "Request body exceeded settings.DATA_UPLOAD_MAX_MEMORY_SIZE."
	formFields    = "The number of GET/POST parameters exceeded settings.DATA_UPLOAD_MAX_NUMBER_FIELDS."
	formFiles     = "The number of files exceeded settings.DATA_UPLOAD_MAX_NUMBER_FILES."
	formMultipart = "Invalid multipart form."
)

// formToken returns the token in the form that is the body of r, the last one as Django takes it, or
// "" when the body is no form, has none or breaks off; or why the form is refused. What was read can
// be read again: of a body of fields the bytes, of a multipart body r.MultipartForm.
func formToken(r *http.Request) (token, problem string) {
	if r.PostForm != nil { // somebody in front of the Guard has read it
		return last(r.PostForm[tokenField]), ""
	}
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";") // as Django does, whatever follows
	kind = strings.ToLower(strings.TrimSpace(kind))
	switch {
	case r.Body == nil:
		return "", ""
	case kind == "application/x-www-form-urlencoded":
		return fieldsToken(r)
	case kind == "multipart/form-data":
		return multipartToken(r)
	}
	return "", ""
}

func fieldsToken(r *http.Request) (token, problem string) {
	if r.ContentLength > maxFormMemory {
		return "", formTooBig
	}
	body, err := readAll(io.LimitReader(r.Body, maxFormMemory+1), r.ContentLength)
	r.Body = &readAgain{ReadCloser: r.Body, read: body}
	switch {
	case err != nil:
		return "", "" // Django: a body that breaks off has no token
	case len(body) > maxFormMemory:
		return "", formTooBig
	case bytes.Count(body, []byte("&")) >= maxFormFields:
		return "", formFields
	}
	return lastField(body, tokenField), ""
}

// announcedForm is for how many bytes there is room before they come, if the client says that they
// will. Most forms are smaller.
const announcedForm = 4096

// readAll is [io.ReadAll] that begins with room for what was announced.
func readAll(src io.Reader, announced int64) ([]byte, error) {
	body := make([]byte, 0, 1+min(max(announced, 0), announcedForm)) // one more, to see the end
	for {
		n, err := src.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return body, err
		case len(body) == cap(body):
			body = append(body, 0)[:len(body)]
		}
	}
}

// A readAgain is a body whose beginning was read.
type readAgain struct {
	io.ReadCloser        // what follows
	read          []byte // what was read
}

// Read implements [io.Reader].
func (b *readAgain) Read(p []byte) (int, error) {
	if len(b.read) == 0 {
		return b.ReadCloser.Read(p)
	}
	n := copy(p, b.read)
	b.read = b.read[n:]
	return n, nil
}

// lastField returns the last value of a field of a form body.
func lastField(body []byte, name string) string {
	for len(body) > 0 {
		start := bytes.LastIndexByte(body, '&') + 1
		if field, value, _ := bytes.Cut(body[start:], []byte("=")); unquotePlus(string(field)) == name {
			return unquotePlus(string(value))
		}
		body = body[:max(start-1, 0)]
	}
	return ""
}

// multipartToken reads the whole form; files beyond maxFormMemory go to disk, as in Django.
func multipartToken(r *http.Request) (token, problem string) {
	body := &noticed{ReadCloser: r.Body}
	r.Body = body
	err := r.ParseMultipartForm(maxFormMemory)
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(body.err, &tooBig):
		return "", formTooBig
	case err != nil && body.err != nil:
		return "", "" // a body that breaks off has no token
	case r.MultipartForm == nil: // err may also be about the query, which does not matter here
		return "", formMultipart
	}
	files, fields, size := 0, 0, 0
	for _, group := range r.MultipartForm.File {
		files += len(group)
	}
	for name, values := range r.MultipartForm.Value {
		for _, value := range values {
			fields++
			size += len(name) + len(value)
		}
	}
	switch {
	case files > maxFormFiles:
		return "", formFiles
	case fields > maxFormFields:
		return "", formFields
	case size > maxFormMemory:
		return "", formTooBig
	}
	return last(r.MultipartForm.Value[tokenField]), ""
}

func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// A noticed body remembers the error that ended it, if it was not its end.
type noticed struct {
	io.ReadCloser
	err error
}

// Read implements [io.Reader].
func (n *noticed) Read(p []byte) (int, error) {
	got, err := n.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		n.err = err
	}
	return got, err
}
