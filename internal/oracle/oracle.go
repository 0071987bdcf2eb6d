// Package oracle puts questions to a real Django, and answers the same questions with Lockstep, so that
// the two can be compared.
//
// A question is one JSON object and so is its answer; the docstring of oracle.py, beside this file, is
// the protocol. Debian's package python3-django is Django 3.2.25. Its answers come from [Ask], those of
// Lockstep from an [Answerer], which answers as any Django that is known.
package oracle

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
)

//go:embed oracle.py
var script string

// interpreter is Debian's: another one on the PATH has no Django.
const interpreter = "/usr/bin/python3"

// A process is a running oracle.py. It answers in the order of the questions.
type process struct {
	mu  sync.Mutex
	in  io.Writer
	out *bufio.Reader
}

// start runs one for the whole test program. It ends when the pipe to it does, with the program.
var start = sync.OnceValues(func() (*process, error) {
	if out, err := exec.Command(interpreter, "-I", "-c", "import django.conf").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	cmd := exec.Command(interpreter, "-I", "-c", script) //nolint:gosec // both are constants
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &process{in: in, out: bufio.NewReader(out)}, cmd.Start()
})

// Ask puts the questions to a real Django and returns an answer to each, in their order. Where there
// is no Django it skips the test and says what to install, or fails it when LOCKSTEP_TEST_REQUIRE is
// "all".
func Ask[Answer, Question any](tb testing.TB, questions []Question) []Answer {
	tb.Helper()
	answers := make([]Answer, len(questions))
	for i, line := range AskLines(tb, questions) {
		if err := json.Unmarshal(line, &answers[i]); err != nil {
			tb.Fatalf("asking Django %+v: %v in %q", questions[i], err, line)
		}
	}
	return answers
}

// AskLines is Ask for answers that are Python's JSON and not everybody's, because they hold NaN or
// Infinity: they come as they are.
func AskLines[Question any](tb testing.TB, questions []Question) [][]byte {
	tb.Helper()
	d, err := start()
	if err != nil {
		const missing = "no Django to compare with: apt-get install python3-django"
		if os.Getenv("LOCKSTEP_TEST_REQUIRE") == "all" {
			tb.Fatalf("%s: %v", missing, err)
		}
		tb.Skip(missing)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	asked := make(chan error, 1)
	go func() { asked <- putAll(d.in, questions) }()
	answers := make([][]byte, len(questions))
	for i := range answers {
		if answers[i], err = d.out.ReadBytes('\n'); err != nil {
			tb.Fatalf("asking Django %+v: %v", questions[i], err)
		}
	}
	if err := <-asked; err != nil {
		tb.Fatalf("asking Django: %v", err)
	}
	return answers
}

func putAll[Question any](w io.Writer, questions []Question) error {
	encoder := json.NewEncoder(w)
	for _, q := range questions {
		if err := encoder.Encode(q); err != nil {
			return err
		}
	}
	return nil
}
