package file_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/store/file"
)

// The test program is also the other process of some tests: with this variable it counts up the
// number in one session, or makes and changes sessions of its own, until it is killed.
const partVariable = "FILE_TEST_PART"

func TestMain(m *testing.M) {
	part := os.Getenv(partVariable)
	if part == "" {
		os.Exit(m.Run())
	}
	s, err := file.Open(os.Args[1], file.Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if part == "count" {
		err = count(s, rounds)
	} else {
		err = makeSessions(s, part)
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func play(t *testing.T, dir, part string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], dir)
	cmd.Env = append(os.Environ(), partVariable+"="+part)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

const rounds = 300

// count adds one to the number in a session n times, by compare-and-swap.
func count(s *file.Store, n int) error {
	for done := 0; done < n; {
		r, err := s.Load(context.Background(), aKey)
		if err != nil {
			return err
		}
		var have int
		if _, err := fmt.Sscan(string(r.Data), &have); err != nil {
			return err
		}
		next := session.Record{Data: fmt.Append(nil, have+1), Expires: r.Expires}
		switch err := s.Save(context.Background(), aKey, r, next); {
		case err == nil:
			done++
		case !errors.Is(err, session.ErrConflict):
			return err
		}
	}
	return nil
}

// TestProcesses has four processes count up one number: each of their steps counts.
func TestProcesses(t *testing.T) {
	dir := newFolder(t)
	s := open(t, dir, file.Options{})
	if err := s.Save(t.Context(), aKey, session.Record{}, record("0")); err != nil {
		t.Fatal(err)
	}
	var processes []*exec.Cmd
	for range 3 {
		cmd, _ := play(t, dir, "count")
		processes = append(processes, cmd)
	}
	if err := count(s, rounds); err != nil {
		t.Error(err)
	}
	for _, cmd := range processes {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	if r, _ := s.Load(t.Context(), aKey); string(r.Data) != fmt.Sprint(4*rounds) {
		t.Errorf("it is %s, want %d", r.Data, 4*rounds)
	}
}

// makeSessions makes and changes sessions, ends every tenth, and says each that was acknowledged.
func makeSessions(s *file.Store, part string) error {
	for n := 0; ; n++ {
		key := fmt.Sprintf("%s%026d", part, n)
		first, second := record("first of "+key), record("second of "+key)
		err := errors.Join(s.Save(context.Background(), key, session.Record{}, first), s.Save(context.Background(), key, first, second))
		if err == nil && ended(key) {
			err = s.Delete(context.Background(), key)
		}
		if err != nil {
			return err
		}
		fmt.Println(key)
	}
}

func ended(key string) bool { return strings.HasSuffix(key, "3") }

// TestKilled kills processes at random moments while they save: what they said was saved is, what they
// ended is not, no file is half of one, and what they left behind is cleared away.
func TestKilled(t *testing.T) {
	dir := newFolder(t)
	said := 0
	s := open(t, dir, file.Options{})
	for round := range 20 {
		cmd, out := play(t, dir, fmt.Sprintf("r%05d", round))
		time.AfterFunc(time.Duration(20+rand.IntN(60))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		for out.Scan() {
			key := out.Text()
			if len(key) != 32 {
				t.Fatal(key)
			}
			said++
			r, err := s.Load(t.Context(), key)
			if ended(key) != errors.Is(err, fs.ErrNotExist) || !ended(key) && string(r.Data) != "second of "+key {
				t.Fatalf("%s: %q, error %v", key, r.Data, err)
			}
		}
		_ = cmd.Wait()
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		key, ok := strings.CutPrefix(e.Name(), "sessionid")
		if !ok {
			continue
		}
		if r, err := s.Load(t.Context(), key); err != nil || string(r.Data) != "first of "+key && string(r.Data) != "second of "+key {
			t.Errorf("%s: %q, error %v", key, r.Data, err)
		}
	}
	if _, err := s.Purge(t.Context(), time.Now().Add(2*time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	entries, _ = os.ReadDir(dir)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "sessionid") {
			t.Errorf("%s is left behind", e.Name())
		}
	}
	t.Logf("%d sessions in 20 processes that were killed", said)
	if said < 20 {
		t.Error("too few to tell anything")
	}
}
