package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// acts runs the acts that --act asks for and prints them, one after the other; as JSON they are one run.
func (c *demoCommand) acts(ctx context.Context, p *program) error {
	var (
		whole trace.Run
		page  trace.Page
	)
	for _, number := range c.numbers() {
		story, title, err := c.act(ctx, p, number)
		if err != nil {
			return err
		}
		if !c.talks() && c.Format != "markdown" { // all of it is one document
			whole.Visits = append(whole.Visits, story.Run.Visits...)
			page.Stories, page.Titles = append(page.Stories, story), append(page.Titles, actTitle(number, title))
			continue
		}
		if len(whole.Visits) > 0 {
			fmt.Fprintln(p.stdout)
		}
		whole.Visits = append(whole.Visits, story.Run.Visits...)
		c.announceAct(p, number, title)
		if err := c.output.print(p, story); err != nil {
			return err
		}
	}
	switch c.Format {
	case "json":
		return whole.WriteJSON(p.stdout)
	case "html":
		page.Title = "The lesson, executed" + c.under()
		page.Intro = []string{fmt.Sprintf("http://%s/ behind the Guard: a site and a browser met over real sockets and real TLS, and this is what they did and decided. Nothing here was typed in.", lessonHost)}
		return page.WriteHTML(p.stdout)
	}
	c.farewell(p)
	return nil
}

// actTitle is the heading of an act on a page.
func actTitle(number int, title string) string {
	if title == "" {
		return ""
	}
	return fmt.Sprintf("Act %d: %s", number, title)
}

func (c *demoCommand) numbers() []int {
	if c.Act == "all" {
		return []int{1, 2, 3}
	}
	n, _ := strconv.Atoi(c.Act) // one of the enum
	return []int{n}
}

// act runs one act and, when settings were changed, the same without the changes to compare with.
func (c *demoCommand) act(ctx context.Context, p *program, number int) (story *trace.Story, title string, err error) {
	p.progress(fmt.Sprintf("act %d ...", number))
	defer p.progress("")
	title, run, err := c.script(ctx, number)
	if err != nil {
		return nil, "", err
	}
	if story, err = run(c.Set); err != nil || len(c.Set) == 0 {
		return story, title, err
	}
	was, err := run(nil)
	if err == nil {
		story.Compare(was, c.changes())
	}
	return story, title, err
}

// script is the title of an act and how it is run under assignments of settings.
func (c *demoCommand) script(ctx context.Context, number int) (title string, run func(set []string) (*trace.Story, error), err error) {
	if number == 1 {
		base := scenario.LessonSettings(lessonHost)
		changed, err := c.settings(base)
		return "", func(set []string) (*trace.Story, error) {
			if set == nil {
				return lessonStory(ctx, base)
			}
			return lessonStory(ctx, changed)
		}, err
	}
	base := scenario.LessonSettings("." + lessonHost)
	if _, err := c.settings(base); err != nil {
		return "", nil, err
	}
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		return "", nil, err
	}
	act := scenario.Acts()[number-2]
	return act.Title, func(set []string) (*trace.Story, error) { return act.Run(ctx, base, set, catalogue.Lookup) }, nil
}

// talks reports whether the format is for a person, who gets sentences around the tables.
func (c *demoCommand) talks() bool { return c.Format == "table" || c.Format == "transcript" }

// announceAct says what ran.
func (c *demoCommand) announceAct(p *program, number int, title string) {
	switch {
	case !c.talks():
	case number == 1:
		fmt.Fprintf(p.stdout, "The lesson, executed: http://%s/ behind the Guard%s.\n\n", lessonHost, c.under())
	default:
		fmt.Fprintf(p.stdout, "Act %d, executed%s.\n%s.\n\n", number, c.under(), title)
	}
}

// farewell says what to try next.
func (c *demoCommand) farewell(p *program) {
	if c.talks() {
		fmt.Fprintf(p.stdout, "\nExecuted just now over real sockets and real TLS; nothing above was typed in. Try next:\n%s", c.next())
	}
}
