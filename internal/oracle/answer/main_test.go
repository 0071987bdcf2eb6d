package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/oracle"
)

// answers runs the program with text on standard input.
func answers(t *testing.T, text string, args ...string) (lines []string, errs string, code int) {
	t.Helper()
	var out, diagnostics bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(text), &out, &diagnostics)
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines, diagnostics.String(), code
}

// TestAnswers: a line that is no question has an answer too, and the program goes on.
func TestAnswers(t *testing.T) {
	long := `{"id": "long", "op": "http_date", "pad": "` + strings.Repeat("x", oracle.MaxLine) + `"}`
	got, errs, code := answers(t, strings.Join([]string{
		`{"id": "a", "op": "http_date", "t": 1700000000}`, "", "# a remark", `garbage`, `{"id": "b", "op": `, `{"id": "c", "op": "nothing"}`, `[1]`, long,
		`{"id": 7, "op": "b62", "encode": 62}`,
	}, "\n"))
	want := []string{
		`{"id":"a","django":"6.1","result":"Tue, 14 Nov 2023 22:13:20 GMT"}`,
		`"error":"ValueError: the line is no JSON object"`, `"error":"ValueError`, `"error":"NotSupported: there is no verb \"nothing\""`,
		`"error":"ValueError: the line is no JSON object"`, `"error":"ValueError: the line has more than 1048576 bytes"`,
		`{"id":7,"django":"6.1","result":"10"}`,
	}
	if code != exitOK || errs != "" || len(got) != len(want) {
		t.Fatalf("code %d, %q, answers %q", code, errs, got)
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("answer %d is %s, want %s", i, got[i], want[i])
		}
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args  []string
		code  int
		shown string
	}{
		{[]string{"--help"}, exitOK, "/usr/bin/python3 internal/oracle/oracle.py < LINES"},
		{[]string{"--django", "2.0"}, exitUsage, "hint: take one of 3.2, 4.2"},
		{[]string{"--colour"}, exitUsage, "hint: run with --help"},
		{[]string{"lines.jsonl"}, exitUsage, "hint: lines are read from standard input"},
	} {
		got, errs, code := answers(t, "", c.args...)
		if text := strings.Join(got, "\n") + errs; code != c.code || !strings.Contains(text, c.shown) {
			t.Errorf("%q: code %d, %s", c.args, code, text)
		}
	}
}

func TestVersionsOfAnswers(t *testing.T) {
	for version, want := range map[string]string{"3.2": ":ftGc7-", "5.2.14": ":ftGc7-", "5.2.15": ":l2dIOZ", "6.1": ":l2dIOZ"} {
		got, _, _ := answers(t, `{"op": "cookie_sign", "name": "a", "salt": "bc", "value": "hello"}`, "--django", version)
		if len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%s: %q, want a signature that begins with %s", version, got, want)
		}
	}
}

// TestStops: who stops the program while it waits for a line does not wait.
func TestStops(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	in, _ := io.Pipe()
	done := make(chan int)
	go func() { done <- run(ctx, nil, in, io.Discard, io.Discard) }()
	stop()
	if code := <-done; code != exitOK {
		t.Errorf("code %d", code)
	}
}

// A checkCase is a line that asks the checks; later has what later Djangos answer, where it is not
// what 3.2 does.
type checkCase struct {
	ID    string              `json:"id"`
	Later map[string][]string `json:"later"`
	line  json.RawMessage
}

func (c checkCase) MarshalJSON() ([]byte, error) { return c.line, nil }

func checkCases(t *testing.T) (all []checkCase) {
	t.Helper()
	text, err := os.ReadFile("testdata/checks.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		c := checkCase{line: line}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

func idsOf(t *testing.T, line string) []string {
	t.Helper()
	var a struct {
		Error  string
		Result []string
	}
	if err := json.Unmarshal([]byte(line), &a); err != nil || a.Error != "" {
		t.Fatalf("%v: %s", err, line)
	}
	return a.Result
}

// TestChecksAgainstDjango asks a real Django what its checks find, and the program. Between the first
// and the last version only what changes is asked.
func TestChecksAgainstDjango(t *testing.T) {
	cases := checkCases(t)
	theirs := map[string][]string{}
	for i, line := range oracle.AskLines(t, cases) {
		theirs[cases[i].ID] = idsOf(t, string(line))
	}
	for i, version := range oracle.Versions {
		asked := cases
		if i > 0 && i < len(oracle.Versions)-1 {
			asked = slices.DeleteFunc(slices.Clone(cases), func(c checkCase) bool { return c.Later == nil })
		}
		var text bytes.Buffer
		for _, c := range asked {
			text.Write(c.line)
		}
		mine, _, _ := answers(t, text.String(), "--django", version)
		for i, c := range asked {
			want := theirs[c.ID]
			if later, ok := c.Later[version]; ok {
				if want = later; slices.Equal(later, theirs[c.ID]) {
					t.Errorf("%s: %s is said to change, and does not", c.ID, version)
				}
			}
			if got := idsOf(t, mine[i]); !slices.Equal(got, want) {
				t.Errorf("%s: as %s %v, want %v", c.ID, version, got, want)
			}
		}
	}
}
