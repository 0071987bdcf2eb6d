// Command lockstep runs, explains and checks HTTPS and secure cookies of web applications.
//
//	lockstep demo                 the lesson, executed: table, tracker, key moments
//	lockstep trace URL            the same for any site
//	lockstep forget               what trace --jar has kept
//	lockstep check [-|FILE]       the settings of a Django project, executed and audited
//	lockstep settings             them as Lockstep's TOML
//	lockstep explain [RULE|LINE]  a rule: source, sentence, fix, and its scenario run now; or a Set-Cookie line
//	lockstep lab                  the lesson as a page, to run, change and run again
//	lockstep quiz                 questions about runs, asked in the terminal
//	lockstep version              what the program was built from
//
// Its manners are those of a terminal program: results go to standard output and everything else to
// standard error, an error is followed by a hint line that says what to do, and the exit code is 0
// when all is well, 1 when something was found, 2 for wrong usage and 3 when it could not run.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// The exit codes.
const (
	exitOK       = 0 // all is well
	exitFindings = 1 // findings, or an expectation that does not hold
	exitUsage    = 2 // wrong usage
	exitFailed   = 3 // could not run
)

// A program is what every command is given: the streams, and what the terminal allows.
type program struct {
	stdin    io.Reader
	stdout   io.Writer
	stderr   io.Writer
	terminal bool // stderr is one: progress may be shown
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], &program{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, terminal: isTerminal(os.Stderr),
	})
	stop()
	os.Exit(code)
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// commands is the command line. A command that does not exist yet is not in it.
type commands struct {
	Demo     demoCommand     `cmd:"" help:"Run the lesson for real and print it: execution table, variable tracker, key moments."`
	Trace    traceCommand    `cmd:"" help:"Do the five steps of the lesson with any site, and say of every cookie whether it was stored and sent, and by which rule."`
	Forget   forgetCommand   `cmd:"" help:"Remove the file in which trace --jar keeps what the browser remembers."`
	Check    checkCommand    `cmd:"" help:"Run the settings of a Django project and audit them: Django's own checks and those that it lacks, each with the step that shows the harm, and the patch."`
	Explain  explainCommand  `cmd:"" help:"Explain a rule: where it is written, how to fix what it refuses, and its scenario, run now. Without a rule, list them."`
	Settings settingsCommand `cmd:"" help:"Write the settings of a Django project as Lockstep's TOML."`
	Lab      labCommand      `cmd:"" help:"Serve the lab: a page on which the lesson and other scenarios are run, changed and run again."`
	Quiz     quizCommand     `cmd:"" help:"Ask about what runs show: the lesson's own questions, a test of ten, or any scenario. Wrong answers come from runs too, and are shown."`
	Version  versionCommand  `cmd:"" help:"Print what this program was built from."`
}

// A usageError is a mistake in the command line or the settings; a failure is anything else.
type usageError struct {
	err  error
	hint string
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// A failure is why a command could not run, with what to do next.
type failure struct {
	err  error
	hint string
}

func (e *failure) Error() string { return e.err.Error() }
func (e *failure) Unwrap() error { return e.err }

// A finding is what a command was there to find, with what to do about it.
type finding struct {
	err  error
	hint string
}

func (e *finding) Error() string { return e.err.Error() }
func (e *finding) Unwrap() error { return e.err }

// run is the program: it parses args, runs the command and returns the exit code.
func run(ctx context.Context, args []string, p *program) int {
	var (
		cli    commands
		exited = -1
	)
	parser, err := kong.New(&cli,
		kong.Name("lockstep"),
		kong.Description("HTTPS and secure cookies for web applications: enforced, shown, checked, taught."),
		kong.Writers(p.stdout, p.stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	)
	if err != nil {
		fmt.Fprintf(p.stderr, "lockstep: %v\n", err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if exited >= 0 { // --help has been answered
		return exitOK
	}
	if err != nil {
		return p.report(&usageError{err, "lockstep --help shows the commands, lockstep COMMAND --help their flags"})
	}
	command.BindTo(ctx, (*context.Context)(nil))
	out := &checkedWriter{w: p.stdout}
	p.stdout = out
	code := p.report(command.Run(p))
	if out.err != nil {
		p.complain(fmt.Errorf("writing the output: %w", out.err), "")
		return exitFailed
	}
	return code
}

// A checkedWriter remembers the first error of a writer: output that did not arrive is not a run
// that went well.
type checkedWriter struct {
	w   io.Writer
	err error
}

// Write implements [io.Writer].
func (c *checkedWriter) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	var n int
	n, c.err = c.w.Write(p)
	return n, c.err
}

// report prints how a command ended and returns the exit code.
func (p *program) report(err error) int {
	var (
		usage  *usageError
		failed *failure
		found  *finding
	)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(p.stderr, "lockstep: stopped")
		return exitFailed
	case errors.As(err, &usage):
		p.complain(usage.err, usage.hint)
		return exitUsage
	case errors.As(err, &found):
		p.complain(found.err, found.hint)
		return exitFindings
	case errors.As(err, &failed):
		p.complain(failed.err, failed.hint)
		return exitFailed
	default:
		p.complain(err, "")
		return exitFailed
	}
}

func (p *program) complain(err error, hint string) {
	fmt.Fprintf(p.stderr, "lockstep: %v\n", err)
	if hint != "" {
		fmt.Fprintf(p.stderr, "hint: %s\n", hint)
	}
}

// progress shows one line of what is being done, on a terminal only; an empty text takes it away.
func (p *program) progress(text string) {
	if p.terminal {
		fmt.Fprintf(p.stderr, "\r\x1b[K%s", text)
	}
}
