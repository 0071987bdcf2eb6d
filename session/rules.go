package session

import "github.com/lockstep-http/lockstep/rule"

// rules is filled where the deciding code is.
var rules rule.Set

// Rules returns the rules by which this package decides, ordered by ID.
func Rules() []rule.Rule { return rules.All() }

const middleware = "Django, django/contrib/sessions/middleware.py, process_response"
