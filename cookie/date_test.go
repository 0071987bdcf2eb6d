package cookie_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/cookie"
)

func TestParseDate(t *testing.T) {
	for _, test := range []struct{ date, want string }{
		{"Thu, 01 Jan 2026 00:00:00 GMT", "2026-01-01T00:00:00Z"},
		{"May, 06 Nov 1994 08:49:37 GMT", "1994-05-06T08:49:37Z"},
		{"Sun, 06 Nov 0050 08:49:37 GMT", "2050-11-06T08:49:37Z"},
		{"Sun, 06 Nov 1994 8:49:37  GMT", "1994-11-06T08:49:37Z"},
		{"Sun, 31 Nov 1994 08:49:37 GMT", ""},
		{"Sun, xx Nov 1994 08:49:37 GMT", ""},
		{"2026 jan 1 0:0:0", "2026-01-01T00:00:00Z"},
		{"Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37Z"},
		{"1 Jan 69 0:0:0", "2069-01-01T00:00:00Z"},
		{"1 Jan 70 0:0:0", "1970-01-01T00:00:00Z"},
		{"1 January 2026 0:0:0", "2026-01-01T00:00:00Z"},
		{"1 Jan 2026 0:0:0 PST", "2026-01-01T00:00:00Z"},
		{"29 Feb 2024 0:0:0", "2024-02-29T00:00:00Z"},
		{"1 Jan 1601 0:0:0", "1601-01-01T00:00:00Z"},
		{"1 Jan 1600 0:0:0", ""},
		{"29 Feb 2026 0:0:0", ""},
		{"31 Apr 2026 0:0:0", ""},
		{"0 Jan 2026 0:0:0", ""},
		{"32 Jan 2026 0:0:0", ""},
		{"1 Jan 2026 24:0:0", ""},
		{"1 Jan 2026 0:60:0", ""},
		{"1 Jan 2026 0:0:60", ""},
		{"1 Jan 20260 0:0:0", ""},
		{"1 Jan 2026", ""},
		{"1 2026 0:0:0", ""},
		{"Jan 2026 0:0:0", ""},
		{"", ""},
		{"0", ""},
	} {
		got, ok := cookie.ParseDate(test.date)
		if ok != (test.want != "") || ok && got.Format(time.RFC3339) != test.want {
			t.Errorf("ParseDate(%q) = %v, %t; want %q", test.date, got, ok, test.want)
		}
	}
}

func TestDateSuite(t *testing.T) {
	dir := os.Getenv("LOCKSTEP_SUITES")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "suites")
	}
	data, err := os.ReadFile(filepath.Join(dir, "dates.json"))
	if err != nil {
		if os.Getenv("LOCKSTEP_TEST_REQUIRE") == "all" {
			t.Fatalf("the suites are missing; set LOCKSTEP_SUITES to their folder: %v", err)
		}
		t.Skipf("the suites are missing; set LOCKSTEP_SUITES to their folder: %v", err)
	}
	var cases []struct{ ID, Input, Expected string }
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	right := 0
	for _, c := range cases {
		got := ""
		if at, ok := cookie.ParseDate(c.Input); ok {
			got = at.Format("Mon, 02 Jan 2006 15:04:05 GMT")
		}
		if got != c.Expected {
			t.Errorf("%s: ParseDate(%q) = %q, want %q", c.ID, c.Input, got, c.Expected)
			continue
		}
		right++
	}
	t.Logf("dates.json: %d of %d", right, len(cases))
}
