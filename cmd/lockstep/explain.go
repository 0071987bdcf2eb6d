package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

type explainCommand struct {
	Rule             string `arg:"" optional:"" name:"rule" help:"The ID of a rule, such as send-secure-over-http, or a line of a header: Set-Cookie, Strict-Transport-Security or Cookie. Without it, all rules are listed."`
	Search           string `placeholder:"WORDS" help:"List the rules that have all of these words in them."`
	At               string `placeholder:"URL" help:"With a line: the URL whose answer has it. The exit code is 1 when the browser refuses the line there."`
	ShowCookieValues bool   `help:"With a line: show the values of its cookies. They may be as secret as a login."`
	Format           string `enum:"text,json" default:"text" help:"How to print it: ${enum}."`
	profileFlag
}

// Help is shown below the flags.
func (*explainCommand) Help() string {
	return `Examples:
  lockstep explain
  lockstep explain send-secure-over-http
  lockstep explain --search 'third party'
  lockstep explain 'Set-Cookie: id=1; Secure; SameSite=None' --at https://shop.test/cart
  lockstep explain 'Set-Cookie: __Http-id=1; Secure' --at https://shop.test/ --profile firefox
  lockstep explain 'Strict-Transport-Security: max-age=300; includeSubDomains' --at https://shop.test/
  lockstep explain 'Cookie: id=1; id=2'`
}

// Run explains one rule or one line, or lists the rules.
func (c *explainCommand) Run(ctx context.Context, p *program) error {
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		return err
	}
	if c.ShowCookieValues && !isLine(c.Rule) {
		return &usageError{errors.New("--show-cookie-values is about the cookies of a line, and there is none"), exampleOfLine}
	}
	if c.Search != "" {
		return c.search(p, catalogue.All())
	}
	if isLine(c.Rule) || c.At != "" {
		return c.line(p, catalogue)
	}
	if c.Rule == "" {
		return c.list(p, catalogue.All())
	}
	r, ok := catalogue.Lookup(rule.ID(c.Rule))
	if !ok {
		return &usageError{fmt.Errorf("no rule %q", c.Rule), suggestion(c.Rule, catalogue.All())}
	}
	shown, err := show(ctx, r, c.Profile)
	if err != nil {
		return err
	}
	if c.Format == "json" {
		return json.NewEncoder(p.stdout).Encode(shown)
	}
	shown.write(p.stdout)
	return nil
}

// search lists the rules that have all words of the text.
func (c *explainCommand) search(p *program, all []rule.Rule) error {
	if c.Rule != "" || c.At != "" {
		return &usageError{errors.New("--search looks through the rules, and goes with nothing else"), "lockstep explain --search 'third party'"}
	}
	words := strings.Fields(strings.ToLower(c.Search))
	found := slices.DeleteFunc(all, func(r rule.Rule) bool {
		text := strings.ToLower(string(r.ID) + "\n" + r.Sentence + "\n" + r.Fix + "\n" + r.Source)
		return slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
	})
	if len(found) == 0 {
		return &finding{fmt.Errorf("no rule has %q in it", c.Search), "fewer words find more; lockstep explain lists all rules"}
	}
	return c.list(p, found)
}

func (c *explainCommand) list(p *program, all []rule.Rule) error {
	if c.Format == "json" {
		return json.NewEncoder(p.stdout).Encode(all)
	}
	width := 0
	for _, r := range all {
		width = max(width, len(r.ID))
	}
	for _, r := range all {
		fmt.Fprintf(p.stdout, "%-*s  %s\n", width, r.ID, r.Sentence)
	}
	fmt.Fprintf(p.stdout, "\nRules: %d. lockstep explain RULE tells one and runs its scenario.\n", len(all))
	return nil
}

// A shownRule is a rule whose scenario was run: by itself, and in a browser of each profile.
type shownRule struct {
	rule.Rule
	Verdict  *rule.Verdict   `json:"verdict"` // nil: nobody asks in a browser of the profile that was chosen
	Alike    bool            `json:"alike"`   // all profiles come to one answer, by the same rules
	Profiles []scenario.Seen `json:"profiles"`

	run     trace.Run // that of Verdict
	profile string    // whose it is; "": the scenario says
}

// show runs the scenario of a rule. What is told in full is the run in a browser of the profile, or, when
// nobody has chosen one, of that which the scenario is about.
func show(ctx context.Context, r rule.Rule, profile string) (*shownRule, error) {
	v, run, err := scenario.Show(ctx, r)
	if err != nil {
		return nil, err
	}
	s := &shownRule{Rule: r, Verdict: &v, Alike: true, run: run}
	if s.Profiles, err = scenario.ShowInAll(ctx, r, run); err != nil {
		return nil, err
	}
	for _, seen := range s.Profiles {
		s.Alike = s.Alike && seen.Like(s.Profiles[0])
		if seen.Profile == profile && profile != bis {
			s.Verdict, s.run, s.profile = seen.Verdict, seen.Run, profile
		}
	}
	return s, nil
}

// write tells the rule to a person.
func (s *shownRule) write(w io.Writer) {
	fmt.Fprintf(w, "%s\n  %s\n\nSource\n  %s\n\nWhat to do\n  %s\n\n", s.ID, s.Sentence, s.Source, s.Fix)
	s.writeProfiles(w)
	fmt.Fprint(w, "\nScenario\n")
	for line := range strings.Lines(strings.Trim(s.Scenario, "\n")) {
		fmt.Fprintf(w, "  %s\n", strings.TrimRight(line, "\n"))
	}
	if s.profile == "" {
		fmt.Fprintln(w, "\nRun just now")
	} else {
		fmt.Fprintf(w, "\nRun just now, with the profile %s\n", s.profile)
	}
	s.run.WriteHops(w)
	fmt.Fprintln(w, "\nThe verdict")
	if s.Verdict == nil {
		fmt.Fprintln(w, "  Nobody asks.")
		return
	}
	trace.WriteVerdict(w, *s.Verdict)
}

// writeProfiles tells what each profile makes of the scenario, those that agree on one line.
func (s *shownRule) writeProfiles(w io.Writer) {
	groups := grouped(s.Profiles)
	if len(groups) == 1 {
		fmt.Fprintf(w, "In each profile\n  The same in all, as run just now: %s.\n", groups[0].names)
		return
	}
	width := 0
	for _, g := range groups {
		width = max(width, len(g.names))
	}
	fmt.Fprintln(w, "In each profile")
	for _, g := range groups {
		fmt.Fprintf(w, "  %-*s  %s\n", width, g.names, g.answer)
	}
}

// A profileGroup is profiles that come to one answer.
type profileGroup struct {
	first         scenario.Seen
	names, answer string
}

func grouped(all []scenario.Seen) (groups []profileGroup) {
	for _, seen := range all {
		i := slices.IndexFunc(groups, func(g profileGroup) bool { return g.first.Like(seen) })
		if i >= 0 {
			groups[i].names += ", " + seen.Profile
			continue
		}
		answer := "nobody asks"
		if seen.Verdict != nil {
			answer = trace.Answered(*seen.Verdict)
		}
		groups = append(groups, profileGroup{seen, seen.Profile, answer})
	}
	return groups
}

// suggestion names the rules that somebody may have meant, the likeliest first.
func suggestion(given string, all []rule.Rule) string {
	const lists = "lockstep explain lists the rules, and --search finds those with some words"
	near := slices.DeleteFunc(slices.Clone(all), func(r rule.Rule) bool { return likeness(given, string(r.ID)) == 0 })
	if len(near) == 0 {
		return lists
	}
	slices.SortStableFunc(near, func(a, b rule.Rule) int { return likeness(given, string(b.ID)) - likeness(given, string(a.ID)) })
	var names []string
	for _, r := range near[:min(len(near), 3)] {
		names = append(names, string(r.ID))
	}
	return "did you mean " + strings.Join(names, ", ") + "? " + lists
}

// likeness is how near an ID is to what somebody typed, and 0 when he meant another: a few wrong letters
// are nearest, then a part of it, then words in common.
func likeness(given, id string) int {
	const (
		typos  = 2 // letters that may be wrong
		enough = 2 // words in common
		most   = 1000
	)
	given = strings.ToLower(given)
	if d := distance(given, id, typos); d <= typos && d < len(id)/2 {
		return most - d
	}
	words := shared(given, id)
	switch {
	case len(given) > typos && strings.Contains(id, given):
		return most/2 - len(id)
	case words >= enough:
		return words
	}
	return 0
}

// distance is how many letters have to be put in, taken out or changed to make b of a; where that is more
// than enough, it is some number above that.
func distance(a, b string, enough int) int {
	if len(a)-len(b) > enough || len(b)-len(a) > enough {
		return enough + 1
	}
	row := make([]int, len(b)+1) // from what of a was read, to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// shared counts the words that two IDs have in common.
func shared(a, b string) int {
	n := 0
	for word := range strings.SplitSeq(a, "-") {
		if slices.Contains(strings.Split(b, "-"), word) {
			n++
		}
	}
	return n
}

// fixOf is what a rule says to do, and sentenceOf what it says; "" for one that is not known.
func fixOf(id rule.ID) string { return ruleOf(id).Fix }

func sentenceOf(id rule.ID) string { return strings.TrimSuffix(ruleOf(id).Sentence, ".") }

func ruleOf(id rule.ID) rule.Rule {
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		return rule.Rule{}
	}
	r, _ := catalogue.Lookup(id)
	return r
}
