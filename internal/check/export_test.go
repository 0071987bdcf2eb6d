package check

import "github.com/lockstep-http/lockstep/settings"

// Find is [Audit] without its runs.
func Find(p *settings.Project, o Options) (*Report, error) {
	r, _, err := find(p, o)
	return r, err
}
