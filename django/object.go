package django

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// An Object is a JSON object whose members keep their order and whose values stay the tokens they
// were written as. The zero Object is empty and ready. A copied Object shares its members with the
// original; [Object.Clone] gives one of its own.
type Object struct { //nolint:recvcheck // what prints and encodes takes values too
	members []member
	places  map[string]int // of each key, kept for large objects
}

type member struct {
	key   string // a surrogate without its partner is kept as three bytes, so that keys stay apart
	value json.RawMessage
}

// Objects up to this size are searched from the front, which is faster than a map.
const smallObject = 16

// ParseObject reads a JSON object as Python's json module does after Django: NaN, Infinity and
// -Infinity are numbers, and of several members of one name the last value stands at the place of
// the first. Values may be nested [MaxDepth] deep.
//
// Only ASCII is accepted: Django writes nothing else, and reads other bytes as Latin-1, where a
// reader of UTF-8 would see another text.
//
// The Object keeps parts of data, which must not be changed afterwards.
func ParseObject(data []byte) (Object, error) {
	s := scanner{data: data}
	o, err := s.object()
	if err != nil {
		return Object{}, fmt.Errorf("parsing JSON object: %w", err)
	}
	return o, nil
}

// Get returns the value of key as it stands in the object. It must not be changed.
func (o *Object) Get(key string) (json.RawMessage, bool) {
	i := o.find(key)
	if i < 0 {
		return nil, false
	}
	return o.members[i].value, true
}

// Set gives key the value raw, at its place when the object has the key, else at the end. raw is one
// JSON value, as [Marshal] returns it, and belongs to the object from now on. Characters outside
// ASCII are written as escapes.
//
// It panics when raw is not JSON, which could otherwise add members that nobody set.
func (o *Object) Set(key string, raw json.RawMessage) {
	raw, err := asciiJSON(raw)
	if err != nil {
		panic(fmt.Sprintf("django: setting %q: %v", key, err))
	}
	o.set(key, raw)
}

// Delete removes key and reports whether the object had it.
func (o *Object) Delete(key string) bool {
	i := o.find(key)
	if i < 0 {
		return false
	}
	o.members = slices.Delete(o.members, i, i+1)
	o.places = nil
	return true
}

// Len returns the number of members.
func (o *Object) Len() int { return len(o.members) }

// Keys returns the keys in their order.
func (o *Object) Keys() []string {
	keys := make([]string, len(o.members))
	for i, m := range o.members {
		keys[i] = m.key
	}
	return keys
}

// Clone returns a copy that shares only values, which never change.
func (o *Object) Clone() Object {
	return Object{members: slices.Clone(o.members), places: maps.Clone(o.places)}
}

// AppendJSON appends the object as Django writes it: ASCII, no white space between members, keys in
// Python's spelling, each value as it was parsed or set.
func (o *Object) AppendJSON(dst []byte) []byte {
	size := 2
	for _, m := range o.members {
		size += len(m.key) + len(m.value) + len(`"":,`)
	}
	dst = append(slices.Grow(dst, size), '{')
	for i, m := range o.members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, m.key)
		dst = append(dst, ':')
		dst = append(dst, m.value...)
	}
	return append(dst, '}')
}

// MarshalJSON implements [json.Marshaler]. Inside encoding/json the words NaN and Infinity are an
// error; [Object.AppendJSON] and [Marshal] write them.
func (o Object) MarshalJSON() ([]byte, error) { return o.AppendJSON(nil), nil }

// UnmarshalJSON implements [json.Unmarshaler] for UTF-8. It copies data; null changes nothing.
func (o *Object) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	data, err := asciiJSON(slices.Clone(data))
	if err != nil {
		return err
	}
	parsed, err := ParseObject(data)
	if err != nil {
		return err
	}
	*o = parsed
	return nil
}

// String tells the number of members and nothing of what they hold.
func (o Object) String() string { return fmt.Sprintf("Object(%d members)", len(o.members)) }

func (o *Object) find(key string) int {
	if o.places != nil {
		if i, ok := o.places[key]; ok {
			return i
		}
		return -1
	}
	return slices.IndexFunc(o.members, func(m member) bool { return m.key == key })
}

func (o *Object) set(key string, raw json.RawMessage) {
	if i := o.find(key); i >= 0 {
		o.members[i].value = raw
		return
	}
	o.members = append(o.members, member{key: key, value: raw})
	switch {
	case o.places != nil:
		o.places[key] = len(o.members) - 1
	case len(o.members) > smallObject:
		o.places = make(map[string]int, 2*len(o.members))
		for i, m := range o.members {
			o.places[m.key] = i
		}
	}
}
