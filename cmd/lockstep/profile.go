package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// bis is the profile that nobody has to choose.
const bis = "rfc6265bis"

// profileFlag chooses whose rules the browser has.
type profileFlag struct {
	Profile string `enum:"rfc6265bis,chromium,firefox,curl" default:"rfc6265bis" help:"Whose rules the browser has: ${enum}. Default: ${default}."`
}

// browser is one of the profile that remembers nothing.
func (f profileFlag) browser() *browser.Browser { return f.in(&browser.Browser{}) }

// in gives a browser the profile.
func (f profileFlag) in(b *browser.Browser) *browser.Browser {
	b.Profile, _ = browser.ProfileNamed(f.Profile) // one of the enum
	return b
}

// whoseRules says whose the decisions of the browser of a run are, for a sentence.
func whoseRules(run *trace.Run) string {
	if name := run.Visits[0].Profile; name != "" {
		return "the profile " + trace.Printable(name)
	}
	return "RFC 6265bis"
}

// everyProfile is the word for all there are.
const everyProfile = "all"

// profilesFlag chooses whose rules the browsers have that make a run, one after the other.
type profilesFlag struct {
	Profile string `placeholder:"NAME[,NAME...]" help:"Whose rules the browser has: rfc6265bis, chromium, firefox or curl; several, or all, to make the visits with a browser of each and see side by side where they differ. Default: rfc6265bis, or that of --jar."`
}

// profiles are those that were chosen, or the usual one.
func (f profilesFlag) profiles() ([]browser.Profile, error) {
	switch f.Profile {
	case "":
		return []browser.Profile{{}}, nil
	case everyProfile:
		return browser.Profiles(), nil
	}
	var all []browser.Profile
	for name := range strings.SplitSeq(f.Profile, ",") {
		p, ok := browser.ProfileNamed(name)
		if !ok {
			return nil, &usageError{fmt.Errorf("--profile: there is no profile %q", name), "there are " + profileNames() + ", several with commas, and " + everyProfile}
		}
		if slices.Contains(all, p) {
			return nil, &usageError{fmt.Errorf("--profile names %q twice", name), "name each once"}
		}
		all = append(all, p)
	}
	return all, nil
}

func profileNames() string {
	var names []string
	for _, p := range browser.Profiles() {
		names = append(names, p.Name())
	}
	return strings.Join(names, ", ")
}
