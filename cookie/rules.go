package cookie

import "github.com/lockstep-http/lockstep/rule"

// bis is the document these rules come from. It is approved and has no RFC number yet; when it
// gets one, this is the line to change.
const bis = "draft-ietf-httpbis-rfc6265bis-22"

var rules rule.Set

// Rules returns the rules this package decides by, ordered by ID.
func Rules() []rule.Rule { return rules.All() }
