package site_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/site"
	"github.com/lockstep-http/lockstep/rule"
)

func numbers(f *site.Feeds, id string) []uint64 {
	var all []uint64
	for _, e := range f.EntriesOf(id) {
		all = append(all, e.Number)
	}
	return all
}

func TestFeedsAreBounded(t *testing.T) {
	var f site.Feeds
	for range site.MaxEntries + 5 {
		f.Add("a", new(site.Entry))
	}
	if got := numbers(&f, "a"); len(got) != site.MaxEntries || got[0] != 6 || got[len(got)-1] != site.MaxEntries+5 {
		t.Errorf("a feed keeps %v", got)
	}
	for i := range site.MaxFeeds - 1 {
		f.Know(strconv.Itoa(i), strconv.Itoa(i))
	}
	f.Know("a", "cookie of a") // used again, so that 0 is the oldest
	f.Add("one too many", new(site.Entry))
	if f.Len() != site.MaxFeeds || f.Of("0") != "" || f.Of("1") != "1" || len(numbers(&f, "a")) == 0 {
		t.Errorf("%d feeds, of the first %q", f.Len(), f.Of("0"))
	}
	for i := range 10_000 {
		f.Know("a", "cookie "+strconv.Itoa(i))
	}
	if f.Cookies() > site.MaxFeeds {
		t.Errorf("%d cookies are remembered", f.Cookies())
	}
}

func TestFeedsMove(t *testing.T) {
	var f site.Feeds
	f.Know("old", "cookie")
	f.Add("old", new(site.Entry))
	f.Move("nothing", "other")
	f.Move("old", "new")
	f.Add("new", new(site.Entry))
	if got := numbers(&f, "new"); !slices.Equal(got, []uint64{1, 2}) {
		t.Errorf("%v", got)
	}
	if f.Of("cookie") != "" || numbers(&f, "old") != nil || f.Len() != 1 {
		t.Errorf("the old one is still there: %q, %d feeds", f.Of("cookie"), f.Len())
	}
	f.Know("new", "next cookie")
	f.Know("new", "")
	if f.Of("next cookie") != "new" || f.Of("") != "" {
		t.Error("no cookie is a cookie")
	}
	f.End("new")
	f.End("new")
	if f.Len() != 0 || f.Of("next cookie") != "" || f.Cookies() != 0 {
		t.Error("an ended feed is still there")
	}
}

// An entry of a request that was made to be large is small.
func TestEntriesAreBounded(t *testing.T) {
	long := strings.Repeat("ä", 10_000)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://localhost/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Method, r.URL.Path = long, "/"+long
	for i := range 5000 {
		r.Header.Add("Cookie", strconv.Itoa(i)+long+"=1")
	}
	e := site.NewEntry(r, start)
	facts := make([]rule.Fact, 100)
	for i := range facts {
		facts[i] = rule.Fact{Name: long, Value: long}
	}
	for range 1000 {
		e.Tell(rule.Verdict{Question: rule.SendHeader, Subject: long, Rule: "unknown-rule", Facts: facts})
	}
	size := len(e.Method) + len(e.Path) + len(strings.Join(e.Cookies, ""))
	for _, v := range e.Verdicts {
		size += len(v.Subject)
		for _, fact := range v.Facts {
			size += len(fact.Name) + len(fact.Value)
		}
	}
	if size > 32<<10 || e.Omitted != 1000-len(e.Verdicts) {
		t.Errorf("an entry holds %d bytes, %d verdicts are left out", size, e.Omitted)
	}
	if string(e.Verdicts[0].Rule.ID) != "unknown-rule" {
		t.Errorf("rule %q", e.Verdicts[0].Rule.ID)
	}
}
