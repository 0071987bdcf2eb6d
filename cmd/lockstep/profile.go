package main

import "github.com/lockstep-http/lockstep/browser"

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

// whose says whose the decisions are, for a sentence.
func (f profileFlag) whose() string {
	if f.Profile == bis {
		return "RFC 6265bis"
	}
	return "the profile " + f.Profile
}
