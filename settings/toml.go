package settings

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/lockstep-http/lockstep"
)

// TOMLOptions are what [WriteTOML] writes. The zero value is ready.
type TOMLOptions struct {
	Secrets bool     // write secrets too, which are left to the environment otherwise
	Leave   []string // settings to be left out, since what the project gave them could not be taken
}

// WriteTOML writes s as a file that [TOML] reads back to the same settings, whatever it is laid
// over. What differs from Django's defaults in the version of s comes first. What is left out stands
// there as a comment.
func WriteTOML(w io.Writer, s lockstep.Settings, o TOMLOptions) error {
	defaults := lockstep.DjangoDefaults(s.DjangoVersion)
	var changed, rest strings.Builder
	for _, f := range fields {
		value, _ := Python(s, f.name)
		if slices.Contains(o.Leave, f.name) {
			fmt.Fprintf(&changed, "# %s could not be taken as it is: write %s.\n", f.name, f.accepts())
			continue
		}
		if f.secret && !o.Secrets {
			if given := writeValue(value); given != "''" && given != "[]" {
				fmt.Fprintf(&changed, "# %s is a secret: set %s%s in the environment.\n", f.name, environmentPrefix, f.name)
			}
			continue
		}
		line := fmt.Sprintf("%s = %s\n", f.name, tomlValue(value))
		if usual, _ := Python(defaults, f.name); writeValue(usual) == writeValue(value) && f.name != "DJANGO_VERSION" {
			rest.WriteString(line)
		} else {
			changed.WriteString(line)
		}
	}
	_, err := fmt.Fprintf(w, "%s\n# As Django %s has them by default.\n%s", changed.String(), s.DjangoVersion, rest.String())
	return err
}

// tomlValue writes a value of a setting; None, which TOML does not have, is false.
func tomlValue(value any) string {
	switch v := value.(type) {
	case nil:
		return "false"
	case string:
		return tomlString(v)
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = tomlValue(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case Dict:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = tomlString(fmt.Sprint(item.Key)) + " = " + tomlValue(item.Value)
		}
		return "{" + strings.Join(items, ", ") + "}"
	default:
		return fmt.Sprint(v) // a boolean or a number
	}
}

// tomlString writes a basic string, in which what does not print is escaped.
func tomlString(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// Others returns the settings that were changed and that Lockstep does not have, in the order of the
// text.
func (p *Project) Others() []Value {
	var others []Value
	for _, v := range p.values {
		if _, ours := fieldNamed(v.Name); !ours && v.State != Unset {
			others = append(others, v)
		}
	}
	return others
}
