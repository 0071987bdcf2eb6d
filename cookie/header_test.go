package cookie_test

import (
	"slices"
	"testing"

	"github.com/lockstep-http/lockstep/cookie"
)

func TestParseHeader(t *testing.T) {
	type pairs []cookie.Pair
	for _, test := range []struct {
		header string
		want   pairs
	}{
		{"", nil},
		{"a=1", pairs{{"a", "1"}}},
		{"a=1; b=2", pairs{{"a", "1"}, {"b", "2"}}},
		{"a=1;b=2 ;; ", pairs{{"a", "1"}, {"b", "2"}}},
		{"a=1; a=2", pairs{{"a", "1"}, {"a", "2"}}},
		{"token", pairs{{"", "token"}}},
		{"=token", pairs{{"", "token"}}},
		{"a=", pairs{{"a", ""}}},
		{"a=b=c", pairs{{"a", "b=c"}}},
		// Neither quotes nor $Version are anything special.
		{`$Version=1; p="x; sessionid=s; q=y"`, pairs{{"$Version", "1"}, {"p", `"x`}, {"sessionid", "s"}, {"q", `y"`}}},
		{"sessionid =2", pairs{{"sessionid ", "2"}}},
		{"\u2000__Host-a=1", pairs{{"\u2000__Host-a", "1"}}},
		{"\u00a0__Host-a=1", pairs{{"\u00a0__Host-a", "1"}}},
		{"sess%69onid=2", pairs{{"sess%69onid", "2"}}},
		{"=__Host-a=1", pairs{{"", "__Host-a=1"}}},
	} {
		if got := cookie.ParseHeader(test.header); !slices.Equal(got, test.want) {
			t.Errorf("ParseHeader(%q)\n got %#v\nwant %#v", test.header, got, test.want)
		}
	}
}

func TestFormatHeader(t *testing.T) {
	for want, pairs := range map[string][]cookie.Pair{
		"":         nil,
		"a=1; b=2": {{"a", "1"}, {"b", "2"}},
		"t; a=":    {{"", "t"}, {"a", ""}},
	} {
		if got := cookie.FormatHeader(pairs); got != want {
			t.Errorf("FormatHeader(%#v) = %q, want %q", pairs, got, want)
		}
	}
}
