package main

import (
	"context"
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
	Set []string `sep:"none" placeholder:"SETTING=VALUE" help:"Run it under another setting, such as SESSION_COOKIE_SECURE=False; may be repeated. Rows that change against the lesson are marked."`

	Serve  bool   `help:"Keep the site of the lesson up for your own browser, on one port that speaks HTTP and TLS."`
	Listen string `default:"localhost:8443" placeholder:"HOST:PORT" help:"Where --serve listens, on loopback; when the port is busy another one is taken. Default: ${default}."`
	CAOut  string `name:"ca-out" placeholder:"FILE" help:"With --serve: write the certificate of the temporary CA to FILE."`
}

// Help is shown below the flags.
func (*demoCommand) Help() string {
	return `A site behind the Guard and a browser without a screen meet over real sockets and real TLS. The browser visits http://` + lessonHost + `/ and dials loopback for it. The settings are Django's defaults and SECURE_SSL_REDIRECT, SESSION_COOKIE_SECURE and CSRF_COOKIE_SECURE.

Examples:
  lockstep demo
  lockstep demo --set SESSION_COOKIE_SECURE=False
  lockstep demo --set SECURE_HSTS_SECONDS=3600 -v
  lockstep demo --serve`
}

// Run executes the lesson.
func (c *demoCommand) Run(ctx context.Context, p *program) error {
	if c.Serve {
		return c.serve(ctx, p)
	}
	if c.CAOut != "" {
		return &usageError{fmt.Errorf("--ca-out goes with --serve"), "without --serve nothing listens that would need the CA"}
	}
	lesson := scenario.LessonSettings(lessonHost)
	changed, err := c.settings(lesson)
	if err != nil {
		return err
	}
	story, err := lessonStory(ctx, changed)
	if err != nil {
		return err
	}
	if len(c.Set) > 0 {
		was, err := lessonStory(ctx, lesson)
		if err != nil {
			return err
		}
		story.Compare(was, strings.Join(c.Set, ", "))
	}
	return c.print(p, story)
}

// settings are those of the lesson, with the changes of the command line.
func (c *demoCommand) settings(base lockstep.Settings) (lockstep.Settings, error) {
	s, _, err := settings.Load(base, settings.Assignments(c.Set, "--set"))
	if err != nil {
		return s, settingsMistake(err)
	}
	if _, err := lockstep.New(s, lockstep.Options{}); err != nil {
		return s, settingsMistake(err)
	}
	return s, nil
}

// settingsMistake makes one error of all mistakes in settings.
func settingsMistake(err error) error {
	return &usageError{err, "settings are written as in Django, such as --set SESSION_COOKIE_SECURE=False"}
}

func lessonStory(ctx context.Context, s lockstep.Settings) (*trace.Story, error) {
	run, err := scenario.LessonRun(ctx, s)
	if err != nil {
		return nil, err
	}
	return tell(run, s.SessionCookieName)
}

// print writes the story between a line that says what ran and one that says what to try next. A
// format for programs gets neither.
func (c *demoCommand) print(p *program, s *trace.Story) error {
	talk := c.Format == "table" || c.Format == "transcript"
	if talk {
		fmt.Fprintf(p.stdout, "The lesson, executed: http://%s/ behind the Guard%s.\n\n", lessonHost, c.under())
	}
	if err := c.output.print(p, s); err != nil {
		return err
	}
	if talk {
		fmt.Fprintf(p.stdout, "\nExecuted just now over real sockets and real TLS; nothing above was typed in. Try next:\n%s", c.next())
	}
	return nil
}

func (c *demoCommand) under() string {
	if len(c.Set) == 0 {
		return ""
	}
	return " under " + strings.Join(c.Set, ", ")
}

// next suggests what was not asked for yet.
func (c *demoCommand) next() string {
	var text strings.Builder
	for _, s := range []struct {
		apt           bool
		command, what string
	}{
		{len(c.Set) == 0, "lockstep demo --set SESSION_COOKIE_SECURE=False", "see what the setting was for"},
		{len(c.Set) > 0, "lockstep demo", "the lesson itself, to compare"},
		{!c.Verbose, "lockstep demo -v", "every request and verdict of each step"},
		{true, "lockstep explain send-secure-over-http", "a rule, its source, and its scenario run"},
		{true, "lockstep demo --serve", "the same site for your own browser"},
	} {
		if s.apt {
			fmt.Fprintf(&text, "  bin/%-52s %s\n", s.command, s.what)
		}
	}
	return text.String()
}
