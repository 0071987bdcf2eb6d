package lab

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/internal/lesson"
)

// Limits of what is sent to the lab.
const (
	maxAsked  = 64 << 10 // bytes of a question: a setup, an answer
	maxPasted = 16 << 20 // bytes of what is pasted, as JSON
)

// A trouble is why a request is not answered as it was meant, and what a person can do.
type trouble struct {
	status int
	text   string
	hint   string
}

func (t *trouble) Error() string { return t.text }

// retryAfter is how many seconds a page waits before it asks again.
const retryAfter = "2"

func (t *trouble) write(w http.ResponseWriter) {
	t.later(w)
	writeJSON(w, t.status, struct {
		Error string `json:"error"`
		Hint  string `json:"hint"`
	}{t.text, t.hint})
}

// writeText is for who asked for a page.
func (t *trouble) writeText(w http.ResponseWriter) {
	t.later(w)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(t.status)
	fmt.Fprintf(w, "%s\nhint: %s\n", t.text, t.hint) //nolint:gosec // it is plain text, which nosniff keeps it
}

// later says when to come again, if that helps.
func (t *trouble) later(w http.ResponseWriter) {
	if t.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	sendJSON(w, status, value, func(text []byte) []byte { return text })
}

func sendJSON(w http.ResponseWriter, status int, value any, pack func([]byte) []byte) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	if err := enc.Encode(value); err != nil { // no value that is sent from here does this
		http.Error(w, `{"error":"the answer could not be written","hint":""}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(pack(body.Bytes())) // a page that has gone needs no answer
}

// A body is that of a request. Who holds up others may say by when it has to be here.
type body struct {
	io.ReadCloser
	connection *http.ResponseController
}

func (b *body) within(d time.Duration) {
	_ = b.connection.SetReadDeadline(time.Now().Add(d)) // a recorder of a test has none
}

// answer makes a handler of what answers with a value, or with an error.
func (s *Server) answer(get func(r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = &body{http.MaxBytesReader(w, r.Body, maxPasted), http.NewResponseController(w)}
		value, err := get(r)
		if err != nil {
			troubleOf(err).write(w)
			return
		}
		if takesPacked(w, r) {
			w.Header().Set("Content-Encoding", "gzip")
			sendJSON(w, http.StatusOK, value, packed)
			return
		}
		writeJSON(w, http.StatusOK, value)
	}
}

// troubleOf tells an error to a person.
func troubleOf(err error) *trouble {
	var (
		known *trouble
		setup *lesson.SetupError
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &setup):
		return setupTrouble(setup)
	case errors.Is(err, errBusy):
		return &trouble{http.StatusServiceUnavailable, errBusy.Error(), "wait a moment, then try again; closing other pages of the lab helps"}
	case errors.Is(err, context.DeadlineExceeded):
		return &trouble{http.StatusServiceUnavailable, "the run took too long", "wait a moment, then try again; if it stays so on a machine with nothing else to do, the scenario asks for too much"}
	case errors.Is(err, context.Canceled):
		return &trouble{http.StatusServiceUnavailable, "the page has gone", "ask again"}
	}
	return &trouble{http.StatusInternalServerError, err.Error(), "reload the page; if it stays so, the scenario's file may be at fault"}
}

// setupTrouble says what in a setup is wrong. The value is shortened, for anything may have been asked for.
func setupTrouble(e *lesson.SetupError) *trouble {
	told := *e
	told.Value = shorten(told.Value)
	told.Hint = ""
	return &trouble{http.StatusUnprocessableEntity, told.Error(), cmp.Or(e.Hint, "take one of the values that the page offers")}
}

// read reads the body as JSON of one value without unknown fields, of so many bytes at most.
func read(r *http.Request, most int64, into any) error {
	text, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	var large *http.MaxBytesError
	if errors.As(err, &large) || int64(len(text)) > most {
		return &trouble{http.StatusRequestEntityTooLarge, fmt.Sprintf("that is more than the lab takes here, which is %s", size(most)), "send less; a recording is smaller without the bodies of answers"}
	}
	if err != nil {
		return &trouble{http.StatusBadRequest, "what was sent did not arrive whole", "send it again"}
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return notUnderstood(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return notUnderstood(errors.New("something follows the value"))
	}
	return nil
}

// notUnderstood repeats nothing of what was sent, which may be a secret.
func notUnderstood(err error) *trouble {
	text := "what was sent is not the JSON that is expected"
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) && kind.Field != "" {
		text += ": field " + shorten(kind.Field)
	}
	return &trouble{http.StatusBadRequest, text, "reload the page, which may be older than the program"}
}

// methods are those by which a path can be asked, as Allow has them; "" when there is nothing at it.
func (s *Server) methods(r *http.Request) string {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := s.mux.Handler(other); method != r.Method && strings.HasPrefix(pattern, method+" ") {
			return map[string]string{http.MethodGet: "GET, HEAD", http.MethodPost: "POST"}[method]
		}
	}
	return ""
}

func size(bytes int64) string {
	if bytes >= 1<<20 {
		return fmt.Sprintf("%d MB", bytes>>20)
	}
	return fmt.Sprintf("%d KB", bytes>>10)
}

// nothing answers for what is not there, or not with this method.
func (s *Server) nothing(w http.ResponseWriter, r *http.Request) {
	t := &trouble{http.StatusNotFound, fmt.Sprintf("there is nothing at %q", shorten(r.URL.Path)), "open " + s.origins[0] + "/"}
	if methods := s.methods(r); methods != "" {
		w.Header().Set("Allow", methods)
		t.status, t.text = http.StatusMethodNotAllowed, "this cannot be asked with "+shorten(r.Method)
	}
	if strings.HasPrefix(r.URL.Path, "/api/") {
		t.write(w)
		return
	}
	t.writeText(w)
}
