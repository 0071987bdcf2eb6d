package lockstep

import "github.com/lockstep-http/lockstep/rule"

// The rules of the site, each declared beside the code that decides by it.
var rules rule.Set

// Rules returns the rules by which a [Guard] decides, ordered by ID. The slice is the caller's.
func Rules() []rule.Rule { return rules.All() }
