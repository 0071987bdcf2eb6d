package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/internal/lesson"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// maxAnswer is how many bytes a line may have that answers a question.
const maxAnswer = 4096

type quizCommand struct {
	Lesson    bool   `xor:"what" help:"The lesson's own questions: three about its table, five to practise. This is what is asked without a flag."`
	Practice  bool   `xor:"what" help:"The five to practise alone."`
	Test      bool   `xor:"what" help:"Ten questions about different scenarios, drawn by the seed. The exit code is 1 unless you are strong in every grade."`
	Scenario  string `xor:"what" placeholder:"NAME" help:"Questions about one scenario, drawn by the seed."`
	Grade     string `enum:"easy,medium,hard,all" default:"all" help:"Only questions of this grade: ${enum}."`
	Number    int    `placeholder:"N" default:"10" help:"At most so many questions about a scenario. Default: ${default}."`
	Seed      uint64 `placeholder:"N" help:"The same seed draws the same questions. Without it one is drawn, and told."`
	Scenarios string `placeholder:"DIR" type:"path" help:"A folder with scenario files of your own, beside those that come with the lab."`
	Format    string `enum:"text,json" default:"text" help:"json prints the questions with their answers and asks nothing: ${enum}."`
}

// Help is shown below the flags.
func (*quizCommand) Help() string {
	return `Right and wrong answers come from runs that are made now. Answer with a letter; ? shows a hint, t the table of the run, s skips a question, q ends. Answers may also come through a pipe, one a line.

Examples:
  lockstep quiz
  lockstep quiz --test --seed 7
  lockstep quiz --scenario sslstrip --grade hard
  lockstep quiz --practice --format json`
}

// Run asks, and tells how it went.
func (c *quizCommand) Run(ctx context.Context, p *program) error {
	if c.Number < 1 {
		return &usageError{fmt.Errorf("--number %d asks nothing", c.Number), "lockstep quiz --scenario lesson --number 5"}
	}
	library, err := lesson.New(lesson.Options{Dir: c.Scenarios})
	if err != nil {
		return scenariosMistake(c.Scenarios, err)
	}
	if c.Seed == 0 && (c.Test || c.Scenario != "") {
		c.Seed = drawSeed()
	}
	p.progress("running the scenarios")
	questions, err := c.questions(ctx, library)
	p.progress("")
	if err != nil {
		return err
	}
	if c.Format == "json" {
		return json.NewEncoder(p.stdout).Encode(questions)
	}
	if c.Seed != 0 {
		fmt.Fprintf(p.stdout, "Seed %d draws these questions again.\n", c.Seed)
	}
	q := &quiz{program: p, library: library, questions: questions, lines: readLines(p.stdin), echo: !typed(p.stdin)}
	err = q.ask(ctx)
	q.score()
	return cmp.Or(err, c.verdict(q))
}

// drawSeed draws a number that a person can type.
func drawSeed() uint64 {
	const typed = 1_000_000
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return 1 + binary.BigEndian.Uint64(b[:])%typed
}

// questions are those that the flags ask for.
func (c *quizCommand) questions(ctx context.Context, l *lesson.Library) ([]lesson.Question, error) {
	all, err := c.all(ctx, l)
	if wrong, ok := errors.AsType[*lesson.SetupError](err); ok {
		return nil, &usageError{wrong, "lockstep quiz --scenario lesson"}
	}
	if err != nil {
		return nil, err
	}
	if c.Grade != "all" {
		all = slices.DeleteFunc(all, func(q lesson.Question) bool { return q.Grade != c.Grade })
	}
	if len(all) == 0 {
		return nil, &usageError{fmt.Errorf("there is no %s question of that kind", c.Grade), "leave --grade out, or ask about another scenario"}
	}
	return all, nil
}

func (c *quizCommand) all(ctx context.Context, l *lesson.Library) ([]lesson.Question, error) {
	switch {
	case c.Test:
		return l.Test(ctx, c.Seed)
	case c.Scenario != "":
		return l.Draw(ctx, lesson.Setup{Scenario: c.Scenario}, c.Seed, c.grades(), c.Number)
	}
	course, err := l.Lesson(ctx)
	if err != nil {
		return nil, err
	}
	if c.Practice {
		return course.Practice, nil
	}
	return append(course.Visual, course.Practice...), nil
}

// grades are those of --grade.
func (c *quizCommand) grades() []string {
	if c.Grade == "all" {
		return []string{lesson.Easy, lesson.Medium, lesson.Hard}
	}
	return []string{c.Grade}
}

// verdict is what a test finds: the grades in which somebody is not strong yet.
func (c *quizCommand) verdict(q *quiz) error {
	if !c.Test {
		return nil
	}
	var weak []string
	strong := lesson.Strong(q.questions, q.answers)
	for _, grade := range c.grades() {
		if is, asked := strong[grade]; asked && !is {
			weak = append(weak, grade)
		}
	}
	if len(weak) == 0 {
		return nil
	}
	return &finding{fmt.Errorf("not yet strong in %s", strings.Join(weak, ", ")), "lockstep quiz --scenario NAME asks about one scenario; strong is who answers all questions of a grade, or all but one of four"}
}

// A line is what somebody typed, or why there is no more.
type line struct {
	text string
	err  error
}

// readLines reads lines in the background, so that an interrupt need not wait for one. What is typed too
// long is cut.
func readLines(r io.Reader) <-chan line {
	lines := make(chan line)
	go func() {
		defer close(lines)
		in := bufio.NewReaderSize(r, maxAnswer)
		for {
			text, more, err := in.ReadLine()
			l := line{string(text), err}
			for more && err == nil {
				_, more, err = in.ReadLine()
			}
			lines <- l
			if l.err != nil {
				return
			}
		}
	}()
	return lines
}

// A quiz is being asked.
type quiz struct {
	*program
	library   *lesson.Library
	questions []lesson.Question
	answers   []int // the number of the option; -1 for none
	lines     <-chan line
	echo      bool // what is answered is not seen, for nobody types it
}

// typed reports whether answers come from a terminal, which shows them.
func typed(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && isTerminal(f)
}

// skipped is the answer to a question that was passed over.
const skipped = -1

var errEnough = errors.New("no more answers")

// ask asks the questions until nobody answers any more.
func (q *quiz) ask(ctx context.Context) error {
	for i := range q.questions {
		q.show(i)
		chosen, err := q.answer(ctx, &q.questions[i])
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
		q.answers = append(q.answers, chosen)
		q.tell(&q.questions[i], chosen)
	}
	return nil
}

func (q *quiz) show(i int) {
	question := &q.questions[i]
	fmt.Fprintf(q.stdout, "\n%d of %d, %s, %s\n", i+1, len(q.questions), question.Grade, setupOf(question.Setup))
	if i == 0 || q.questions[i-1].Setup.Scenario != question.Setup.Scenario {
		q.plan(question.Setup)
	}
	q.write("", question.Text)
	for k, o := range question.Options {
		q.write("  "+letters[k:k+1]+"  ", o.Text)
	}
}

// plan tells what a scenario does, row by row, and nothing of what comes of it.
func (q *quiz) plan(s lesson.Setup) {
	scenario, _ := q.library.Scenario(cmp.Or(s.Scenario, lesson.TheLesson))
	q.write("", scenario.Title)
	for _, paragraph := range scenario.Intro {
		q.write("  ", paragraph)
	}
	for i, row := range scenario.Plan {
		q.write(fmt.Sprintf("  %d. ", i+1), row)
	}
}

// setupOf names a run by its scenario and what was turned.
func setupOf(s lesson.Setup) string {
	var turned []string
	for _, name := range slices.Sorted(maps.Keys(s.Switches)) {
		turned = append(turned, name+"="+s.Switches[name])
	}
	text := "scenario " + cmp.Or(s.Scenario, lesson.TheLesson)
	if len(turned) > 0 {
		text += " with " + strings.Join(turned, ", ")
	}
	return text
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// letters are those of the options.
const letters = "abcd"

// answer reads until a letter names an option.
func (q *quiz) answer(ctx context.Context, question *lesson.Question) (int, error) {
	last := letters[len(question.Options)-1 : len(question.Options)]
	hints := question.Hints
	for {
		fmt.Fprintf(q.stdout, "a to %s, ? for a hint, t for the table, s to skip, q to end: ", last)
		text, err := q.next(ctx)
		if err != nil {
			fmt.Fprintln(q.stdout)
			return skipped, err
		}
		if q.echo {
			fmt.Fprintln(q.stdout, trace.Printable(text))
		}
		switch text = strings.ToLower(strings.TrimSpace(text)); {
		case text == "q":
			return skipped, errEnough
		case text == "s":
			return skipped, nil
		case text == "t":
			err := q.table(ctx, question.Setup)
			if err != nil {
				return skipped, err
			}
		case text == "?" && len(hints) > 0:
			q.write("Hint: ", hints[0])
			hints = hints[1:]
		case text == "?":
			fmt.Fprintln(q.stdout, "There is no other hint.")
		case len(text) == 1 && strings.Contains(letters[:len(question.Options)], text):
			return strings.Index(letters, text), nil
		default:
			fmt.Fprintln(q.stdout, "That is none of the letters.")
		}
	}
}

// table tells the rows of the run that a question is about.
func (q *quiz) table(ctx context.Context, s lesson.Setup) error {
	run, err := q.library.Run(ctx, s)
	if err != nil {
		return err
	}
	for _, step := range run.Steps {
		q.write(fmt.Sprintf("  %d. ", step.Number), step.Action)
		q.write("     ", fmt.Sprintf("condition: %s; result: %s; cookie sent: %s", step.Condition, step.Result, step.Sent))
	}
	return nil
}

func (q *quiz) next(ctx context.Context) (string, error) {
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case l, open := <-q.lines:
		if !open || errors.Is(l.err, io.EOF) {
			return "", errEnough
		}
		return l.text, l.err
	}
}

// tell says whether an answer is right, and why.
func (q *quiz) tell(question *lesson.Question, chosen int) {
	right := slices.IndexFunc(question.Options, func(o lesson.Option) bool { return o.Right })
	switch chosen {
	case right:
		fmt.Fprintln(q.stdout, "Right.")
	case skipped:
		q.write("", fmt.Sprintf("Skipped. The answer is %c: %s", letters[right], question.Options[right].Text))
	default:
		q.write("", fmt.Sprintf("Wrong. The answer is %c: %s", letters[right], question.Options[right].Text))
		q.write(fmt.Sprintf("Yours, %c: ", letters[chosen]), question.Options[chosen].Why)
	}
	q.write("Because: ", question.Because)
	if question.Rule != "" {
		fmt.Fprintf(q.stdout, "Rule: %s (lockstep explain %s)\n", question.Rule, question.Rule)
	}
	q.write("What the lesson's key says: ", question.Key)
	if chosen != right {
		for i, step := range question.Solution {
			q.write(fmt.Sprintf("  %d. ", i+1), step)
		}
		q.write("Quick check: ", question.Check)
	}
}

// write writes a text in lines of a readable length, all but the first indented; an empty one not at all.
func (q *quiz) write(label, text string) {
	if text == "" {
		return
	}
	const width = 96
	indent := strings.Repeat(" ", min(len(label), 8))
	row := label
	for i, word := range strings.Fields(trace.Printable(text)) {
		if i > 0 && len(row)+1+len(word) > width {
			fmt.Fprintln(q.stdout, row)
			row = indent + word
			continue
		}
		if i > 0 {
			row += " "
		}
		row += word
	}
	fmt.Fprintln(q.stdout, row)
}

// score tells how it went, by grade, and which steps to look at again.
func (q *quiz) score() {
	if len(q.answers) == 0 {
		fmt.Fprintln(q.stdout, "\nNothing was answered.")
		return
	}
	strong := lesson.Strong(q.questions, q.answers)
	fmt.Fprintf(q.stdout, "\n%d of %d right\n", q.right(""), len(q.questions))
	for _, grade := range []string{lesson.Easy, lesson.Medium, lesson.Hard} {
		if is, asked := strong[grade]; asked {
			fmt.Fprintf(q.stdout, "  %-7s %d of %d  %s\n", grade, q.right(grade), q.count(grade), map[bool]string{true: "strong", false: "not yet"}[is])
		}
	}
	q.again()
}

func (q *quiz) count(grade string) int {
	n := 0
	for _, question := range q.questions {
		n += btoi(question.Grade == grade)
	}
	return n
}

// right counts the right answers of a grade, "" for all.
func (q *quiz) right(grade string) int {
	n := 0
	for i, chosen := range q.answers {
		n += btoi(q.isRight(i, chosen) && (grade == "" || q.questions[i].Grade == grade))
	}
	return n
}

func (q *quiz) isRight(i, chosen int) bool {
	return chosen >= 0 && q.questions[i].Options[chosen].Right
}

// again lists the steps that the questions answered wrongly are about.
func (q *quiz) again() {
	var rows []string
	for i, chosen := range q.answers {
		if question := &q.questions[i]; !q.isRight(i, chosen) && question.Step > 0 {
			rows = append(rows, fmt.Sprintf("  step %d of %s", question.Step, setupOf(deciding(question))))
		}
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintln(q.stdout, "Look again at")
	slices.Sort(rows)
	for _, row := range slices.Compact(rows) {
		fmt.Fprintln(q.stdout, row)
	}
}

// deciding is the run that shows the right answer.
func deciding(question *lesson.Question) lesson.Setup {
	for _, o := range question.Options {
		if o.Right && o.Setup != nil {
			return *o.Setup
		}
	}
	return question.Setup
}
