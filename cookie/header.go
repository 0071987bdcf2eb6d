package cookie

import "strings"

// A Pair is one cookie in a Cookie header: what travels to the site, which is the name and the
// value only. The name is empty for a nameless cookie.
type Pair struct {
	Name, Value string
}

// String returns the pair without its value, which may be a secret.
func (p Pair) String() string { return p.Name + "=…" }

// ParseHeader splits the value of a Cookie header into its pairs, in their order. It cuts at every
// semicolon and at the first equals sign, also inside quotes, and removes the white space around a
// pair but not that beside the equals sign: "id =1" is a cookie named "id ", never "id". A pair
// without an equals sign is nameless. Empty pairs are left out. Several headers are several calls.
//
// RFC 6265bis-22, sections 4.2.1 and 5.8.3.
func ParseHeader(header string) []Pair {
	var pairs []Pair
	for part := range strings.SplitSeq(header, ";") {
		part = trim(part)
		if part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			name, value = "", part
		}
		pairs = append(pairs, Pair{Name: name, Value: value})
	}
	return pairs
}

// FormatHeader writes pairs as the value of a Cookie header: "a=1; b=2". A nameless pair is its
// value alone. Nothing is quoted or escaped.
//
// RFC 6265bis-22, section 5.8.3, step 6.
func FormatHeader(pairs []Pair) string {
	size := 0
	for _, p := range pairs {
		size += len(p.Name) + len(p.Value) + len("=; ")
	}
	header := make([]byte, 0, size)
	for _, p := range pairs {
		header = AppendPair(header, p)
	}
	return string(header)
}

// AppendPair appends a pair to the value of a Cookie header that [FormatHeader] would write.
func AppendPair(header []byte, p Pair) []byte {
	if len(header) > 0 {
		header = append(header, "; "...)
	}
	if p.Name != "" {
		header = append(append(header, p.Name...), '=')
	}
	return append(header, p.Value...)
}
