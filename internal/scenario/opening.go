package scenario

import "strings"

// An Opening is how a scenario begins, before anything is visited.
type Opening struct {
	Set   []string // assignments of settings, in order
	Proxy string   // the header of the proxy before the site, or ""
	URL   string   // that of the first visit, or "" when that is a form
}

// Opening reads how the scenario begins.
func (s *Scenario) Opening() Opening {
	var o Opening
	for _, c := range s.commands {
		word, rest, _ := strings.Cut(c.text, " ")
		rest = strings.TrimSpace(rest)
		switch word {
		case "set":
			o.Set = append(o.Set, rest)
		case "proxy":
			o.Proxy, _, _ = strings.Cut(rest, " ")
		case "visit", "lesson", "login", "post", "load":
			for part := range strings.FieldsSeq(rest) {
				if strings.Contains(part, "://") {
					o.URL = part
					break
				}
			}
			return o
		}
	}
	return o
}
