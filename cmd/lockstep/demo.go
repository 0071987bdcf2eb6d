package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/settings"
)

// lessonHost is what the demo's own browser visits. On localhost browsers count plain HTTP as secure
// enough, and the lesson's last step would show the opposite.
const lessonHost = "shop.test"

type demoCommand struct {
	output
	Act string   `enum:"1,2,3,all" default:"1" help:"1: the lesson. 2: a login with a CSRF token, a forged form, a logout. 3: HSTS. One of ${enum}."`
	Set []string `sep:"none" placeholder:"SETTING=VALUE" help:"Run it under another setting, such as SESSION_COOKIE_SECURE=False; may be repeated. Rows that change against the lesson are marked."`

	ListSettings bool `help:"List the settings that --set takes, with their defaults."`

	Serve  bool   `help:"Keep the site of the lesson up for your own browser, on one port that speaks HTTP and TLS."`
	Listen string `placeholder:"HOST:PORT" help:"Where --serve listens, on loopback; when the port is busy another one is taken. Default: localhost:8443."`
	CAOut  string `name:"ca-out" placeholder:"FILE" help:"With --serve: write the certificate of the site's CA to FILE."`
	State  string `placeholder:"DIR" type:"path" help:"With --serve: the folder in which accounts, sessions and keys are kept, so that they are there at the next start. Default: lockstep/demo in the user's folder for state."`
	Memory bool   `help:"With --serve: keep nothing; accounts and sessions end with the program."`
}

// Help is shown below the flags.
func (*demoCommand) Help() string {
	return `A site behind the Guard and a browser without a screen meet over real sockets and real TLS. The browser visits http://` + lessonHost + `/ and dials loopback for it. The settings are Django's defaults and SECURE_SSL_REDIRECT, SESSION_COOKIE_SECURE and CSRF_COOKIE_SECURE; sessions are kept in memory.

Examples:
  lockstep demo
  lockstep demo --set SESSION_COOKIE_SECURE=False
  lockstep demo --set SECURE_HSTS_SECONDS=3600 -v
  lockstep demo --serve`
}

// Run executes the lesson.
func (c *demoCommand) Run(ctx context.Context, p *program) error {
	switch {
	case c.ListSettings:
		return listSettings(p)
	case c.Serve && (c.Format != "table" || c.Verbose):
		return &usageError{errors.New("--format and -v are about the lesson, which --serve does not run"), "leave --serve out, or the other"}
	case c.Serve:
		return c.serve(ctx, p)
	case c.CAOut != "" || c.Listen != "" || c.State != "" || c.Memory:
		return &usageError{errors.New("--ca-out, --listen, --state and --memory go with --serve"), "lockstep demo --serve keeps the site up"}
	}
	return c.acts(ctx, p)
}

// settings are those of the lesson, with the changes of the command line.
func (c *demoCommand) settings(base lockstep.Settings) (lockstep.Settings, error) {
	s, _, err := settings.Load(base, settings.Assignments(c.Set, "--set"))
	_, newErr := lockstep.New(s, lockstep.Options{}) // what could be read may have mistakes of its own
	if err := errors.Join(err, newErr); err != nil {
		return s, settingsMistake(err)
	}
	return s, nil
}

// changes are the assignments of --set, for output: no secret is repeated.
func (c *demoCommand) changes() string {
	secret := map[string]bool{}
	for f := range settings.Fields(lockstep.Settings{}) {
		secret[f.Name] = f.Secret
	}
	var all []string
	for _, text := range c.Set {
		if name, _, _ := strings.Cut(text, "="); secret[strings.TrimSpace(name)] {
			text = name + "=…"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// listSettings prints every setting with its default, for who wants to know what --set takes.
func listSettings(p *program) error {
	for f := range settings.Fields(lockstep.DjangoDefaults("6.1")) {
		fmt.Fprintf(p.stdout, "%s = %s\n    %s\n", f.Name, f.Default, f.About)
	}
	return nil
}

// settingsMistake makes one error of all mistakes in settings.
func settingsMistake(err error) error {
	return &usageError{err, "lockstep demo --list-settings shows the settings; values are written as in Python, such as SESSION_COOKIE_SECURE=False"}
}

func lessonStory(ctx context.Context, s lockstep.Settings) (*trace.Story, error) {
	run, err := scenario.LessonRun(ctx, s)
	if err != nil {
		return nil, err
	}
	return tell(run, s.SessionCookieName)
}

func (c *demoCommand) under() string {
	if len(c.Set) == 0 {
		return ""
	}
	return " under " + c.changes()
}

// again is the command line without its changes.
func (c *demoCommand) again() string {
	if c.Act == "1" {
		return "lockstep demo"
	}
	return "lockstep demo --act " + c.Act
}

// whatIf is a change that shows in an act.
func whatIf(act string) string {
	switch act {
	case "2":
		return "CSRF_USE_SESSIONS=True"
	case "3":
		return "SECURE_HSTS_SECONDS=0"
	}
	return "SESSION_COOKIE_SECURE=False"
}

// next suggests what was not asked for yet.
func (c *demoCommand) next() string {
	var text strings.Builder
	for _, s := range []struct {
		apt           bool
		command, what string
	}{
		{len(c.Set) == 0, c.again() + " --set " + whatIf(c.Act), "see what the setting was for"},
		{len(c.Set) > 0, c.again(), "the same without the change, to compare"},
		{!c.Verbose, c.again() + " -v", "every request and verdict of each step"},
		{c.Act != "2" && c.Act != "all", "lockstep demo --act 2", "a login, a forged form, a logout"},
		{c.Act != "3" && c.Act != "all", "lockstep demo --act 3", "what HSTS does, and what it does not"},
		{true, "lockstep explain send-secure-over-http", "a rule, its source, and its scenario run"},
		{true, "lockstep demo --serve", "the same site for your own browser"},
		{true, "lockstep lab", "the lesson as a page: predict, run, change, run again"},
	} {
		if s.apt {
			fmt.Fprintf(&text, "  bin/%-52s %s\n", s.command, s.what)
		}
	}
	return text.String()
}
