package settings

import (
	"errors"
	"fmt"

	"github.com/lockstep-http/lockstep"
)

// An Origin is where the value of a setting came from, for a person to find it: "lockstep.toml:3",
// "environment LOCKSTEP_DEBUG", "--set", or [Default].
type Origin string

// Default is the origin of values that no source has set.
const Default Origin = "default"

// Origins holds the origin of every setting that a source has set, by Django's name. The nil
// Origins is ready: everything is [Default].
type Origins map[string]Origin

// Of returns the origin of the setting with Django's name.
func (o Origins) Of(name string) Origin {
	if origin, ok := o[name]; ok {
		return origin
	}
	return Default
}

// Locate puts the origin of the setting before every [lockstep.SettingError] that is err or is
// joined in it, as in "lockstep.toml:3: SESSION_COOKIE_SAMESITE ...". It is for the errors of
// [lockstep.New], which does not know of origins; other errors stay as they are, and nil is nil.
func (o Origins) Locate(err error) error {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		var located []error
		for _, one := range several.Unwrap() {
			located = append(located, o.Locate(one))
		}
		return errors.Join(located...)
	}
	var bad *lockstep.SettingError
	if errors.As(err, &bad) && o.Of(bad.Setting) != Default {
		return fmt.Errorf("%s: %w", o.Of(bad.Setting), err)
	}
	return err
}

// Load lays the sources over base, the later ones over the earlier, and returns the result with
// the origin of what they have set.
//
// The error joins every mistake of every source, each as the origin and a
// [lockstep.SettingError], which errors.As finds; what is wrong with a file as a whole is an
// error without one. What could be read is set even then, so that a caller may go on to look for
// further mistakes.
func Load(base lockstep.Settings, sources ...Source) (lockstep.Settings, Origins, error) {
	origins := Origins{}
	var errs []error
	for _, source := range sources {
		for _, g := range source.given {
			if err := g.set(&base); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", g.origin, err))
				continue
			}
			origins[g.name] = g.origin
		}
		if source.err != nil {
			errs = append(errs, source.err)
		}
	}
	return base, origins, errors.Join(errs...)
}

// given is one value as a source gave it, not yet read.
type given struct {
	name   string // Django's, as far as the source knows
	origin Origin
	prefix string // what the source puts before the names
	value  func(field) (any, error)
}

func (g given) set(s *lockstep.Settings) error {
	f, ok := fieldNamed(g.name)
	if !ok {
		return unknownSetting(g.name, g.prefix)
	}
	value, err := g.value(f)
	if err != nil {
		return &lockstep.SettingError{Setting: f.name, Problem: err.Error(), Hint: "write " + f.accepts()}
	}
	return f.assign(s, value)
}
