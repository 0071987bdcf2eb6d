package settings

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"github.com/lockstep-http/lockstep"
)

// dictOf is the dictionary that gives p or, where a directive is there twice, which New refuses and
// no dictionary can be, the text of its header.
func dictOf(p lockstep.CSP) any {
	dict := Dict{}
	for _, d := range p {
		switch {
		case len(d) == 0: // New refuses it
		case slices.ContainsFunc(dict, func(i Item) bool { return i.Key == d[0] }):
			return p.String()
		case len(d) == 1:
			dict = append(dict, Item{d[0], true})
		default:
			dict = append(dict, Item{d[0], anys(d[1:])})
		}
	}
	return dict
}

// readPolicy reads a dictionary, or a policy as its header has it.
func readPolicy(text string) (any, error) {
	if text == "None" {
		return nil, nil
	}
	if !strings.HasPrefix(text, "{") {
		if !utf8.ValidString(text) {
			return nil, errors.New("not UTF-8")
		}
		return text, nil
	}
	value, ok := readRepr(text)
	if !ok {
		return nil, errors.New("not a dictionary as Python writes it")
	}
	return value, nil
}

// convertPolicy turns a dictionary, or the text of a header, into a policy.
func convertPolicy(value any) (p lockstep.CSP, ok bool) {
	if text, isText := value.(string); isText {
		for directive := range strings.SplitSeq(text, ";") {
			if words := strings.Fields(directive); len(words) > 0 {
				p = append(p, words)
			}
		}
		return p, true
	}
	dict, ok := value.(Dict)
	if !ok {
		return nil, false
	}
	for _, item := range dict {
		name, isText := item.Key.(string)
		sources, ok := sourcesOf(item.Value)
		switch {
		case !ok || !isText:
			return nil, false
		case sources != nil:
			p = append(p, append([]string{name}, sources...))
		}
	}
	return p, true
}

// sourcesOf reads what a directive is given: a list, one string, True for a directive without
// sources, which is an empty list, or False, None or [] for none at all, which is nil.
func sourcesOf(value any) (sources []string, ok bool) {
	switch value := value.(type) {
	case nil:
		return nil, true
	case bool:
		if value {
			return []string{}, true
		}
		return nil, true
	case string:
		return append([]string{}, strings.Fields(value)...), true
	case []any:
		if len(value) == 0 {
			return nil, true
		}
	}
	return stringsOf(value)
}

// memberOf returns the string of a member of Django's CSP, which prints as <CSP.SELF: "'self'">.
func memberOf(text string) (value string, ok bool) {
	_, literal, found := strings.Cut(text, ": ")
	if !found || !strings.HasPrefix(text, "<CSP.") {
		return "", false
	}
	p := &parser{text: strings.TrimSuffix(literal, ">")}
	if !startsString(p.text) {
		return "", false
	}
	value, err := p.str()
	return value, err == nil && p.at == len(p.text)
}

// tableOf is a table of TOML with its keys in the order in which the file has them: that in which the
// directives of a policy are sent.
func tableOf(md *toml.MetaData, name string, value any) any {
	table, isTable := value.(map[string]any)
	if !isTable {
		return value
	}
	dict := Dict{}
	for _, key := range md.Keys() {
		if len(key) == 2 && key[0] == name {
			dict = append(dict, Item{key[1], table[key[1]]})
		}
	}
	return dict
}
