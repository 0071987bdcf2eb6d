package main

import (
	"strings"
	"testing"
	"time"
)

func FuzzSuppressions(f *testing.F) {
	f.Add("[[suppress]]\nid = \"security.W008\"\nreason = \"x\"\nuntil = 2999-12-31\n")
	f.Add("[[suppress]]\nid = \"security.W008\"\nreason = \"\u202e\\u0007\"\nuntil = 2999-12-31T23:00:00-05:00\n")
	f.Add("suppress = [{}]")
	f.Fuzz(func(t *testing.T, text string) {
		known, err := parseSuppressions([]byte(text))
		if err != nil {
			return
		}
		for _, s := range known {
			if s.Reason == "" || strings.ContainsAny(s.Reason, "\x1b\n\r\u202e") || s.Until.IsZero() {
				t.Errorf("%q is taken as %+v", text, s)
			}
		}
	})
}

// TestLastDay holds that a suppression is good on its last day, wherever the file was written.
func TestLastDay(t *testing.T) {
	known, err := parseSuppressions([]byte("[[suppress]]\nid = \"security.W008\"\nreason = \"x\"\nuntil = 2027-06-30\n"))
	if err != nil || len(known) != 1 {
		t.Fatalf("got %v, %v", known, err)
	}
	for at, want := range map[string]bool{
		"2027-06-29T12:00:00Z": false, "2027-06-30T23:59:59Z": false, "2027-07-01T00:00:00Z": true, "2027-06-30T20:00:00-05:00": true,
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := known[0].Expired(now); got != want {
			t.Errorf("at %s: expired %v, want %v", at, got, want)
		}
	}
}
