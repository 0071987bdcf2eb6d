package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/settings"
)

type settingsCommand struct {
	FromDjango  string `name:"from-django" required:"" placeholder:"FILE" help:"What python manage.py diffsettings --all prints; - is standard input."`
	Django      string `placeholder:"VERSION" help:"The Django that the settings are of. Default: the one that the settings tell, else the newest."`
	WithSecrets bool   `help:"Write SECRET_KEY and SECRET_KEY_FALLBACKS too."`
}

// Help is shown below the flags.
func (*settingsCommand) Help() string {
	return `The settings of a Django project are written as Lockstep's TOML to standard output. What Lockstep has no counterpart for is named in comments at the end; what it refuses, on standard error. Secrets are left to the environment, as LOCKSTEP_SECRET_KEY, unless --with-secrets is given.

Examples:
  python manage.py diffsettings --all | lockstep settings --from-django - > lockstep.toml
  lockstep settings --from-django settings.txt --django 5.2`
}

// Run converts the settings.
func (c *settingsCommand) Run(p *program) error {
	project, name, err := readProject(p, c.FromDjango)
	if err != nil {
		return err
	}
	version := c.Django
	if version == "" {
		version, _ = project.Version()
	}
	if version == "" {
		version = newestDjango
	}
	s, origins, loadErr := settings.Load(lockstep.DjangoDefaults(version), project.Source())
	fmt.Fprintf(p.stdout, "# The settings of %s, of Django %s.\n\n", printable(name), version)
	if err := settings.WriteTOML(p.stdout, s, settings.TOMLOptions{Secrets: c.WithSecrets, Leave: refused(loadErr)}); err != nil {
		return err
	}
	writeOthers(p, project)
	_, newErr := lockstep.New(s, lockstep.Options{})
	if err := errors.Join(loadErr, origins.Locate(newErr)); err != nil {
		return &finding{err, "the file is written with what could be taken; change it where it says so, or the Guard will not start"}
	}
	return nil
}

// refused are the settings that a joined error is about.
func refused(err error) []string {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		var names []string
		for _, one := range several.Unwrap() {
			names = append(names, refused(one)...)
		}
		return names
	}
	if bad, ok := errors.AsType[*lockstep.SettingError](err); ok {
		return []string{bad.Setting}
	}
	return nil
}

// newestDjango is the version of settings that do not tell theirs.
const newestDjango = "6.1"

// Why some settings have no counterpart.
var noCounterpart = map[string]string{
	"CSRF_FAILURE_VIEW":      "the Guard answers with a page of its own",
	"INSTALLED_APPS":         "Lockstep has no apps",
	"LANGUAGE_COOKIE_SECURE": "the application sets the language cookie",
	"MIDDLEWARE":             "the Guard does what Django's middleware does, in one order; leave out what is not wanted by its setting",
	"SECURE_CSP":             "the application sends Content-Security-Policy",
	"SECURE_CSP_REPORT_ONLY": "the application sends Content-Security-Policy",
	"SESSION_SERIALIZER":     "sessions are JSON",
	"SILENCED_SYSTEM_CHECKS": "lockstep check has suppressions with a date",
}

// writeOthers names what was left out, as comments.
func writeOthers(p *program, project *settings.Project) {
	var rest []string
	for i, v := range project.Others() {
		if i == 0 {
			fmt.Fprint(p.stdout, "\n# Without a counterpart in Lockstep:\n")
		}
		if why, known := noCounterpart[v.Name]; known {
			fmt.Fprintf(p.stdout, "# %s: %s.\n", v.Name, why)
		} else {
			rest = append(rest, v.Name)
		}
	}
	line := "#"
	for _, name := range rest {
		if len(line)+1+len(name) > 100 && line != "#" {
			fmt.Fprintln(p.stdout, line)
			line = "#"
		}
		line += " " + name
	}
	if strings.TrimSpace(line) != "#" {
		fmt.Fprintln(p.stdout, line)
	}
}
