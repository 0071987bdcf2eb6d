package arch

import (
	"fmt"
	"slices"
	"strings"
)

// A room is a package with its place in the building.
type room struct {
	dir   string   // relative to the module's root
	floor int      // it imports rooms of lower floors only
	may   []string // when not nil, the only rooms it imports; the documented table has them
}

// The building, floor by floor: the table of the design, as data. A room is listed before it is
// built, so that who builds it finds its place.
var building = []room{
	{dir: "rule", floor: 0, may: []string{}},
	{dir: "internal/listen", floor: 0, may: []string{}},
	{dir: "internal/har", floor: 0, may: []string{}},

	{dir: "cookie", floor: 1, may: []string{"rule"}},
	{dir: "django", floor: 1, may: []string{"rule"}},

	{dir: "browser", floor: 2, may: []string{"rule", "cookie"}},
	{dir: "session", floor: 2, may: []string{"rule", "django"}},

	{dir: ".", floor: 3, may: []string{"rule", "cookie", "django", "session"}},
	{dir: "internal/form", floor: 3, may: []string{"rule", "cookie", "browser"}},
	{dir: "session/sessiontest", floor: 3, may: []string{"rule", "django", "session"}},

	{dir: "store/file", floor: 4, may: []string{"rule", "django", "session"}}, // Django's backend file
	{dir: "store/sqlite", floor: 4, may: []string{"rule", "django", "session"}},
	{dir: "store/postgres", floor: 4, may: []string{"rule", "django", "session"}},
	{dir: "store/redis", floor: 4, may: []string{"rule", "django", "session"}},
	{dir: "settings", floor: 4, may: []string{"."}},
	{dir: "internal/cert", floor: 4, may: []string{}},
	{dir: "internal/trace", floor: 4, may: []string{"rule", "cookie", "browser", "internal/form", "internal/har"}},
	{dir: "internal/oracle", floor: 4},
	{dir: "internal/site", floor: 4},

	{dir: "internal/scenario", floor: 5},
	{dir: "internal/expect", floor: 5, may: []string{"rule", "cookie", "internal/trace"}},
	{dir: "internal/gate", floor: 5},

	{dir: "internal/check", floor: 6},
	{dir: "internal/lesson", floor: 6}, // what the lab and the quiz run, without a page

	{dir: "internal/lab", floor: 7},
	{dir: "internal/oracle/answer", floor: 7}, // it answers with internal/check too

	{dir: "cmd/lockstep", floor: 8},
	{dir: "examples/login", floor: 8},
	{dir: "examples/proxy", floor: 8},

	{dir: "internal/arch", floor: 9, may: []string{}},
}

// The rooms that exist for tests. Tests of any floor may import them, beside whatever stands on
// their own floor or below it.
var forTests = []string{"session/sessiontest", "internal/oracle", "internal/arch"}

func roomAt(dir string) (room, bool) {
	i := slices.IndexFunc(building, func(r room) bool { return r.dir == dir })
	if i < 0 {
		return room{}, false
	}
	return building[i], true
}

// floors holds the list of rooms against the imports. Tests may import sideways and the rooms for
// tests, but nothing else that stands above their own package.
func floors(m *Module) (found []Finding) {
	for _, p := range m.packages {
		r, listed := roomAt(p.dir)
		if !listed {
			found = append(found, Finding{p.dir, 0, "is not in the list of rooms: give it a floor in internal/arch/floors.go and say why it exists in the commit message"})
			continue
		}
		for _, f := range p.files {
			for importPath, spec := range f.imports() {
				dir, own := m.dirOf(importPath)
				if !own {
					continue
				}
				if why := r.refuses(dir, f.test); why != "" {
					found = append(found, m.at(spec.Pos(), "imports %s: %s", importPath, why))
				}
			}
		}
	}
	return found
}

// refuses returns why the room, or its tests, may not import the package at dir, or "" when they
// may.
func (r room) refuses(dir string, test bool) string {
	target, listed := roomAt(dir)
	switch {
	case !listed:
		return "that package is not in the list of rooms of internal/arch/floors.go"
	case test && (slices.Contains(forTests, dir) || target.floor <= r.floor):
		return ""
	case test:
		return fmt.Sprintf("tests of floor %d import nothing of floor %d; move the test up", r.floor, target.floor)
	case target.floor > r.floor:
		return fmt.Sprintf("floor %d imports lower floors only, and that is floor %d", r.floor, target.floor)
	case target.floor == r.floor:
		return fmt.Sprintf("both stand on floor %d, and nothing imports sideways", r.floor)
	case r.may != nil && !slices.Contains(r.may, dir):
		return "of this module the room may import " + orNothing(r.may)
	}
	return ""
}

func orNothing(dirs []string) string {
	if len(dirs) == 0 {
		return "nothing"
	}
	return strings.Join(dirs, ", ") + " only"
}
