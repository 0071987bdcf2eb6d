package oracle

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/django"
)

// Limits of a line, so that whoever pipes anything into an Answerer gets an answer.
const (
	MaxLine     = 1 << 20 // bytes
	maxRequests = 200
	maxRows     = 1000
)

// Versions are the Djangos whose behaviour an [Answerer] knows.
var Versions = []string{"3.2", "4.2", "5.2", "6.0", "6.1"}

// An Answerer answers the lines of oracle.py's protocol with Lockstep, in the same form. What
// Lockstep does not have it answers with {"error": "NotSupported: ..."}, and settings that Lockstep
// refuses with {"error": "ImproperlyConfigured: ..."}.
type Answerer struct {
	version string
	check   func(settings map[string]json.RawMessage, deploy bool) ([]string, error)
}

// NewAnswerer returns an Answerer that answers as that Django, one of [Versions] or a patch of one,
// such as "5.2.14"; "" is the newest. check answers the verb of that name, which needs more than a
// Guard; nil does not support it.
func NewAnswerer(version string, check func(settings map[string]json.RawMessage, deploy bool) ([]string, error)) (*Answerer, error) {
	if version == "" {
		version = Versions[len(Versions)-1]
	}
	s := lockstep.DjangoDefaults(version)
	s.SecretKey = SecretKey
	if _, err := lockstep.New(s, lockstep.Options{}); err != nil {
		return nil, fmt.Errorf("answering as Django %q: %w", version, err)
	}
	return &Answerer{version: version, check: check}, nil
}

// series is the version without its patch.
func (a *Answerer) series() string {
	return strings.Join(strings.SplitN(a.version, ".", 3)[:2], ".")
}

// Answer returns the answer to a line, as one line of JSON without its end. Every line has one: what
// is no question is answered with an error.
func (a *Answerer) Answer(text []byte) []byte {
	line, err := parseLine(text)
	var answer django.Object
	answer.Set("id", orNull(line.raw("id")))
	answer.Set("django", mustMarshal(a.version))
	if err == nil {
		err = a.answer(&answer, line)
	}
	if err != nil {
		answer.Set("error", mustMarshal(errorText(err)))
	}
	return answer.AppendJSON(nil)
}

func parseLine(text []byte) (object, error) {
	var line object
	switch {
	case len(text) > MaxLine:
		return line, fmt.Errorf("the line has more than %d bytes", MaxLine)
	case !utf8.Valid(text):
		return line, errors.New("the line is not UTF-8")
	}
	text = slices.DeleteFunc(slices.Clone(text), func(b byte) bool { return b == '\r' || b == '\n' })
	if !strings.HasPrefix(strings.TrimSpace(string(text)), "{") {
		return line, errors.New("the line is no JSON object")
	}
	return line, line.UnmarshalJSON(text)
}

func (a *Answerer) answer(answer *django.Object, line object) error {
	w, err := a.newWorld(line)
	if err != nil {
		return err
	}
	if line.has("op") {
		result, err := w.verb(line)
		if err == nil {
			answer.Set("result", result)
		}
		return err
	}
	err = w.run(line)
	responses, merr := django.Marshal(w.answers)
	if err = errors.Join(err, merr); merr == nil {
		answer.Set("responses", responses)
	}
	if err == nil && line.flag("dump_sessions") {
		answer.Set("sessions", w.dump())
	}
	return err
}

// A djangoError is an error that a Django would raise, by its class.
type djangoError struct{ class, text string }

func (e *djangoError) Error() string { return e.class + ": " + e.text }

// unsupported says that Lockstep has no such thing.
func unsupported(format string, args ...any) error {
	return &djangoError{"NotSupported", fmt.Sprintf(format, args...)}
}

func valueError(format string, args ...any) error {
	return &djangoError{"ValueError", fmt.Sprintf(format, args...)}
}

// errorText is err as a Django prints it: its class, a colon, the text.
func errorText(err error) string {
	var named *djangoError
	var refused *lockstep.SettingError
	switch {
	case errors.As(err, &named):
		return named.Error()
	case errors.As(err, &refused):
		return "ImproperlyConfigured: " + err.Error()
	case errors.Is(err, django.ErrSignatureExpired):
		return "SignatureExpired: " + err.Error()
	case errors.Is(err, django.ErrBadSignature):
		return "BadSignature: " + err.Error()
	}
	return "ValueError: " + err.Error()
}
