package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/BurntSushi/toml"

	"github.com/lockstep-http/lockstep/internal/check"
	"github.com/lockstep-http/lockstep/settings"
)

type checkCommand struct {
	File      string `arg:"" optional:"" placeholder:"FILE" help:"What python manage.py diffsettings --all prints, or Lockstep's TOML; - is standard input."`
	Env       bool   `help:"Read the settings from the environment, as LOCKSTEP_DEBUG=false."`
	Format    string `enum:"text,json,sarif,markdown" default:"text" help:"How to print the report: ${enum}."`
	Django    string `placeholder:"VERSION" help:"The Django that the settings are of: 3.2, 4.2, 5.2, 6.0, 6.1, or a patch such as 5.2.14. Default: the one that the settings tell, else the newest."`
	FailLevel string `enum:"low,medium,high,critical" default:"low" help:"The least severity that counts: ${enum}. Default: ${default}."`
	Suppress  string `placeholder:"FILE" help:"The findings that are known, each with a reason and a last day. Default: lockstep-check.toml, if there is one."`
	List      bool   `help:"List the checks."`
}

// suppressFile is read when --suppress names no other file.
const suppressFile = "lockstep-check.toml"

// Help is shown below the flags.
func (*checkCommand) Help() string {
	return `The settings are run: a browser without a screen makes the five steps of the lesson under them, against a site in this process. Then come the findings: those of Django's "check --deploy" with its ids, and what Django does not see with Lockstep's, each with the step that shows the harm; and the lines to put into settings.py. Secrets are never printed, and the settings go nowhere.

The exit code is 0 when nothing is found, 1 when something is, 2 for wrong usage and 3 when it could not run.

A finding that is known is suppressed in lockstep-check.toml; past its last day it fails:
  [[suppress]]
  id = "security.W008"
  reason = "the load balancer redirects"
  until = 2027-06-30

Examples:
  python manage.py diffsettings --all | lockstep check -
  lockstep check settings.txt --django 5.2 --format sarif > check.sarif
  lockstep check lockstep.toml
  lockstep check --env
  lockstep check --list`
}

// Run audits settings, or lists the checks.
func (c *checkCommand) Run(ctx context.Context, p *program) error {
	if c.List {
		return c.list(p)
	}
	project, name, err := c.project(p)
	if err != nil {
		return err
	}
	known, err := c.suppressions()
	if err != nil {
		return err
	}
	least, err := check.ParseSeverity(c.FailLevel)
	if err != nil {
		return &usageError{err, "lockstep check --help shows the severities"}
	}
	p.progress("running the settings ...")
	report, err := check.Audit(ctx, name, project, check.Options{Django: c.Django, Suppressions: known, Now: time.Now(), Least: least})
	p.progress("")
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, check.ErrDjango):
		return &usageError{err, "of a version in between name the next one, such as --django 4.2 for 4.1; without --django it is read from the settings, where they tell"}
	case err != nil:
		return &failure{err, "no settings near to these can be run; lockstep check --list tells what is looked at"}
	}
	if err := c.print(p, report); err != nil {
		return err
	}
	return checked(report)
}

// project reads the settings, from where the command line says.
func (c *checkCommand) project(p *program) (*settings.Project, string, error) {
	switch {
	case c.Env && c.File != "":
		return nil, "", &usageError{errors.New("--env reads the environment and no file"), "leave one of the two out"}
	case c.Env:
		project := settings.ReadEnvironment(os.Environ())
		if len(project.Values()) == 0 {
			return nil, "", &usageError{errors.New("no variable of the environment is a setting"), "LOCKSTEP_SECURE_SSL_REDIRECT=true lockstep check --env"}
		}
		return project, "environment", nil
	case c.File == "":
		return nil, "", &usageError{errors.New("no settings to check"), "python manage.py diffsettings --all | lockstep check -"}
	}
	return readProject(p, c.File)
}

// maxSettingsText is how many bytes of settings are read: one more than package settings takes is
// enough for it to refuse them.
const maxSettingsText = 4 << 20

// readProject reads a file of settings, "-" being standard input, as TOML or as what diffsettings
// prints.
func readProject(p *program, file string) (*settings.Project, string, error) {
	name, in := file, p.stdin
	if file == "-" {
		name = "stdin"
	} else {
		f, err := os.Open(file)
		if err != nil {
			return nil, "", &failure{err, "python manage.py diffsettings --all > " + file}
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxSettingsText+1))
	if err != nil {
		return nil, "", &failure{fmt.Errorf("reading the settings: %w", err), "python manage.py diffsettings --all | lockstep check -"}
	}
	read := settings.ReadDiffsettings
	if isTOML(file, text) {
		read = settings.ReadTOML
	}
	project, err := read(name, text)
	if err != nil {
		return nil, "", &failure{err, "python manage.py diffsettings --all prints settings; a file of TOML ends in .toml"}
	}
	return project, name, nil
}

// Every text of diffsettings has a line of the module that was read.
var moduleLine = regexp.MustCompile(`(?m)^(\+ )?SETTINGS_MODULE = `)

// isTOML tells TOML by the name of the file, or else by whether it can be read as such. What
// diffsettings prints seldom can, as Python writes True and None.
func isTOML(file string, text []byte) bool {
	if strings.EqualFold(filepath.Ext(file), ".toml") {
		return true
	}
	var keys map[string]any
	return !moduleLine.Match(text) && toml.Unmarshal(text, &keys) == nil && len(keys) > 0
}

// suppressions reads the file of known findings.
func (c *checkCommand) suppressions() ([]check.Suppression, error) {
	file := c.Suppress
	if file == "" {
		file = suppressFile
	}
	text, err := os.ReadFile(file)
	if c.Suppress == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &usageError{fmt.Errorf("reading the suppressions: %w", err), "give a file with [[suppress]] tables of id, reason and until"}
	}
	known, err := parseSuppressions(text)
	if err != nil {
		return nil, &usageError{fmt.Errorf("%s: %w", file, err), "each [[suppress]] has an id, a reason and a last day, as until = 2027-06-30"}
	}
	return known, nil
}

// maxSuppressions is how many findings a file suppresses at most.
const maxSuppressions = 1000

// parseSuppressions reads TOML of an array of tables, "suppress". All three keys are needed, and no others are
// taken.
func parseSuppressions(text []byte) ([]check.Suppression, error) {
	var file struct {
		Suppress []struct {
			ID     string    `toml:"id"`
			Reason string    `toml:"reason"`
			Until  time.Time `toml:"until"`
		} `toml:"suppress"`
	}
	md, err := toml.Decode(string(text), &file)
	switch {
	case err != nil:
		return nil, err
	case len(md.Undecoded()) > 0:
		return nil, fmt.Errorf("there is no key %q", md.Undecoded()[0].String())
	case len(file.Suppress) > maxSuppressions:
		return nil, fmt.Errorf("more than %d suppressions", maxSuppressions)
	}
	var known []check.Suppression
	seen := map[string]bool{}
	for i, s := range file.Suppress {
		_, exists := check.Lookup(s.ID)
		reason := printable(s.Reason)
		switch {
		case !exists:
			return nil, fmt.Errorf("suppression %d: there is no check %q; lockstep check --list lists them", i+1, s.ID)
		case strings.TrimSpace(reason) == "":
			return nil, fmt.Errorf("suppression %d, of %s, has no reason", i+1, s.ID)
		case s.Until.IsZero():
			return nil, fmt.Errorf("suppression %d, of %s, has no last day", i+1, s.ID)
		case seen[s.ID]:
			return nil, fmt.Errorf("%s is suppressed twice", s.ID)
		}
		seen[s.ID] = true
		day := time.Date(s.Until.Year(), s.Until.Month(), s.Until.Day(), 0, 0, 0, 0, time.UTC)
		known = append(known, check.Suppression{ID: s.ID, Reason: reason, Until: day})
	}
	return known, nil
}

// printable is text of a file on one line, without what a terminal would obey.
func printable(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }), " ")
}

func (c *checkCommand) print(p *program, r *check.Report) error {
	switch c.Format {
	case "json":
		return r.WriteJSON(p.stdout)
	case "sarif":
		return r.WriteSARIF(p.stdout, version)
	case "markdown":
		r.WriteMarkdown(p.stdout)
	default:
		r.WriteText(p.stdout)
	}
	return nil
}

// checked says how an audit ended.
func checked(r *check.Report) error {
	found, expired := len(r.Counting()), len(r.Expired)
	switch {
	case found > 0:
		return &finding{fmt.Errorf("%s: %s", r.Name, r.Summary()), "the patch at the end mends what can be mended; what is known is suppressed in " + suppressFile}
	case expired > 0:
		return &finding{fmt.Errorf("%s: expired suppressions: %d", r.Name, expired), "mend what they are about, or give them a new date"}
	}
	return nil
}

// list prints every check: its id, severity and title.
func (c *checkCommand) list(p *program) error {
	all := check.All()
	if c.Format == "json" {
		return check.WriteList(p.stdout)
	}
	width := 0
	for i := range all {
		width = max(width, len(all[i].ID))
	}
	for i := range all {
		fmt.Fprintf(p.stdout, "%-*s  %-8s  %s\n", width, all[i].ID, all[i].Severity, all[i].Title)
	}
	fmt.Fprintf(p.stdout, "\n%d checks. Those of severity info tell what a person should know and do not count.\n", len(all))
	return nil
}
