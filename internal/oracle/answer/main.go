// Command answer reads lines of the protocol of oracle.py on standard input and prints what Lockstep
// answers, in the same form, so that anybody can put any case to Lockstep and to a real Django.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/lockstep-http/lockstep/internal/oracle"
)

// The exit codes.
const (
	exitOK     = 0
	exitUsage  = 2
	exitFailed = 3
)

const usage = `Usage: go run ./internal/oracle/answer [--django VERSION] < LINES

Reads one JSON object a line, and prints Lockstep's answer to each as one line. The forms of a line are
told at the head of internal/oracle/oracle.py; internal/oracle/testdata has examples. Empty lines and
lines that begin with # are passed over. A line that cannot be read, or has more than 1 MiB, 200
requests or 1,000 session_rows, is answered with an error.

What Lockstep does not have is answered with {"error": "NotSupported: ..."}: the verbs safe_url,
split_domain_port and csrf_constants; signatures other than SHA-256 with ":"; objects signed without
their time; Vary by anything but Cookie; middleware taken out, but for X-Frame-Options; APPEND_SLASH;
environ but for REMOTE_ADDR; cookies without a Path, with Max-Age 0, or with a text for a date; and the
session operations save and modified. Settings that Lockstep refuses are an ImproperlyConfigured.

  --django VERSION  the Django to answer as: 3.2, 4.2, 5.2, 6.0, 6.1, or a patch such as 5.2.14
                    (default: 6.1)

The same lines to a real Django (apt-get install python3-django gives 3.2.25):

  /usr/bin/python3 internal/oracle/oracle.py < LINES
  go run ./internal/oracle/answer --django 3.2 < LINES

Example:

  echo '{"id": "a", "requests": [{"url": "http://shop.test/", "host": "my_host"}]}' |
      go run ./internal/oracle/answer

The exit code is 0 when every line had an answer, 2 for wrong usage and 3 when it could not run.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	flags := flag.NewFlagSet("answer", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	version := flags.String("django", oracle.Versions[len(oracle.Versions)-1], "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, usage)
		return exitOK
	case err != nil:
		return fail(errs, exitUsage, err.Error(), "run with --help for what there is")
	case flags.NArg() > 0:
		return fail(errs, exitUsage, fmt.Sprintf("an argument too many: %q", flags.Arg(0)), "lines are read from standard input: answer < LINES")
	}
	a, err := oracle.NewAnswerer(*version, runChecks(*version))
	if err != nil {
		return fail(errs, exitUsage, err.Error(), "take one of "+strings.Join(oracle.Versions, ", "))
	}
	switch err := answerAll(ctx, a, in, out); {
	case errors.Is(err, context.Canceled):
		return exitOK // whoever stopped it knows
	case err != nil:
		return fail(errs, exitFailed, err.Error(), "")
	}
	return exitOK
}

func fail(w io.Writer, code int, problem, hint string) int {
	fmt.Fprintln(w, "answer: "+problem)
	if hint != "" {
		fmt.Fprintln(w, "hint: "+hint)
	}
	return code
}

// answerAll answers lines until they end or ctx is done, which also leaves a read that waits.
func answerAll(ctx context.Context, a *oracle.Answerer, in io.Reader, out io.Writer) error {
	done := make(chan error, 1)
	go func() { done <- answerLines(ctx, a, bufio.NewReader(in), out) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func answerLines(ctx context.Context, a *oracle.Answerer, in *bufio.Reader, out io.Writer) error {
	for ctx.Err() == nil {
		line, err := readLine(in)
		if text := bytes.TrimSpace(line); len(text) > 0 && text[0] != '#' {
			if _, err := out.Write(append(a.Answer(text), '\n')); err != nil {
				return fmt.Errorf("writing answers: %w", err)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading lines: %w", err)
		}
	}
	return ctx.Err()
}

// readLine reads a line, of which it keeps one byte more than an Answerer takes.
func readLine(in *bufio.Reader) (line []byte, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if room := oracle.MaxLine + 1 - len(line); len(part) > room {
			part = part[:room]
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}
