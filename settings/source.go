package settings

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/lockstep-http/lockstep"
)

// A Source gives values to some settings. It is made by [TOML], [Environment] and [Assignments],
// and what is wrong with it shows in [Load].
type Source struct {
	given []given
	err   error // what keeps the source as a whole, or a part of it, from being read
}

// maxFile is how many bytes of TOML are read at most.
const maxFile = 1 << 20

// TOML is the source of a file with the given name and contents. Its keys are Django's names, at
// the top level:
//
//	SECURE_SSL_REDIRECT = true
//	ALLOWED_HOSTS = ["shop.test"]
//	SECURE_PROXY_SSL_HEADER = ["HTTP_X_FORWARDED_PROTO", "https"]
//	SESSION_COOKIE_SAMESITE = false   # no attribute
//
//	[SECURE_CSP]                      # directives, sent in this order
//	default-src = ["'self'"]
//	upgrade-insecure-requests = true
//
// The name is only used in origins, as in "lockstep.toml:3".
func TOML(name string, data []byte) Source {
	if len(data) > maxFile {
		return Source{err: fmt.Errorf("%s: larger than %d bytes", name, maxFile)}
	}
	keys := map[string]toml.Primitive{}
	md, err := toml.Decode(string(data), &keys)
	if err != nil {
		return Source{err: tomlError(name, err)}
	}
	lines := map[string]int{}
	for key, value := range keys {
		lines[key] = lineOf(&md, value)
	}
	inOrder := func(a, b string) int { return cmp.Or(cmp.Compare(lines[a], lines[b]), strings.Compare(a, b)) }
	var source Source
	for _, key := range slices.SortedFunc(maps.Keys(keys), inOrder) {
		origin := Origin(name)
		if lines[key] > 0 {
			origin = Origin(fmt.Sprintf("%s:%d", name, lines[key]))
		}
		var value any
		err := md.PrimitiveDecode(keys[key], &value)
		source.given = append(source.given, given{
			name: key, origin: origin, value: func(f field) (any, error) {
				if f.kind == policy {
					return tableOf(&md, key, value), err
				}
				return value, err
			},
		})
	}
	return source
}

// lineProbe refuses every value, to be told by the decoder in which line it stands.
type lineProbe struct{}

var errProbe = errors.New("where is it")

func (*lineProbe) UnmarshalTOML(any) error { return errProbe }

// lineOf returns the line of a value, 0 where it is not known.
func lineOf(md *toml.MetaData, value toml.Primitive) int {
	if at, ok := errors.AsType[toml.ParseError](md.PrimitiveDecode(value, new(lineProbe))); ok {
		return at.Position.Line
	}
	return 0
}

var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'[^']*'`)

// tomlError places a mistake of syntax. What it quotes may be part of a secret, so only single
// characters and names of settings stay.
func tomlError(name string, err error) error {
	var bad toml.ParseError
	if !errors.As(err, &bad) {
		return fmt.Errorf("%s: not TOML", name)
	}
	message := quoted.ReplaceAllStringFunc(bad.Message, func(q string) string {
		inner := q[1 : len(q)-1]
		if _, known := fieldNamed(inner); known || len([]rune(inner)) == 1 {
			return q
		}
		return q[:1] + secretMark + q[:1]
	})
	return fmt.Errorf("%s:%d: not TOML: %s", name, bad.Position.Line, strings.TrimSuffix(message, "."))
}

// environmentPrefix comes before Django's names in the environment.
const environmentPrefix = "LOCKSTEP_"

// Environment is the source of those elements of environ, which has the form of os.Environ,
// whose names begin with LOCKSTEP_. The names of others are variables that begin so too and are
// no settings; further names are refused, so that a misspelt one is noticed.
//
// Truth values are true and false, in Python's spelling too. A string is taken as it is, without
// quotes. The items of a list are separated by commas, or written as a list in Python; a policy is
// written as its header has it, or as a dictionary. An empty value is the empty string, list or
// policy, or None.
func Environment(environ []string, others ...string) Source {
	var source Source
	for _, variable := range environ {
		key, text, found := strings.Cut(variable, "=")
		name, ours := strings.CutPrefix(key, environmentPrefix)
		if !found || !ours || slices.Contains(others, key) {
			continue
		}
		source.given = append(source.given, given{
			name: name, origin: Origin("environment " + key), prefix: environmentPrefix,
			value: func(f field) (any, error) { return f.readText(text) },
		})
	}
	return source
}

// Assignments is the source of texts such as "SESSION_COOKIE_SECURE=False", all of one origin,
// such as "--set". A value is a Python literal: True, False, None, a number, a string in quotes,
// a list or tuple of them. Where no literal is meant the quotes may be left out: a string is
// taken as it is, and the items of a list are separated by commas, as in ALLOWED_HOSTS=a.test,b.test.
// A policy is a dictionary, or is written as its header has it.
//
// A SameSite setting does not take the bare word None, which is no attribute to Python and
// SameSite=None to everybody else: 'None', with quotes, is SameSite=None, and False is no
// attribute.
func Assignments(assignments []string, origin Origin) Source {
	var source Source
	var errs []error
	for _, assignment := range assignments {
		name, text, found := strings.Cut(assignment, "=")
		name = strings.TrimSpace(name)
		if !found {
			errs = append(errs, fmt.Errorf("%s: %w", origin, noValue(name)))
			continue
		}
		source.given = append(source.given, given{
			name: name, origin: origin,
			value: func(f field) (any, error) { return f.readPython(strings.TrimSpace(text)) },
		})
	}
	source.err = errors.Join(errs...)
	return source
}

func noValue(name string) error {
	f, ok := fieldNamed(name)
	if !ok {
		return unknownSetting(name, "")
	}
	return &lockstep.SettingError{Setting: name, Problem: "has no value", Hint: "write " + name + "=" + f.example()}
}
