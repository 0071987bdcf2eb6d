package lab_test

import (
	"html"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/lab"
	"github.com/lockstep-http/lockstep/internal/lesson"
)

// TestWeight holds the page, its style, its scripts and its texts to what they may weigh together, not
// compressed.
func TestWeight(t *testing.T) {
	files, _, err := lab.Files()
	if err != nil {
		t.Fatal(err)
	}
	delete(files, "lab.html") // it is sent with the run
	all := len(question{name: "the page", method: "GET", path: "/", status: 200}.ask(t).Body.Bytes())
	for _, text := range files {
		all += len(text)
	}
	t.Logf("%d bytes in %d files", all, len(files)+1)
	if all > lab.MaxWeight {
		t.Errorf("the page weighs %d bytes, and may %d", all, lab.MaxWeight)
	}
}

// TestNothingFromElsewhere looks for addresses of others in what the page is made of: it asks nobody but
// the lab.
func TestNothingFromElsewhere(t *testing.T) {
	files, _, err := lab.Files()
	if err != nil {
		t.Fatal(err)
	}
	address := regexp.MustCompile(`(?:https?:)?//[a-z0-9][a-z0-9.-]*\.[a-z]{2,}`)
	own := []string{"http://www.w3.org", "https://shop.test"} // the name of a space of XML; what is to be typed
	for name, text := range files {
		if name == "texts.json" {
			continue
		}
		for _, found := range address.FindAllString(text, -1) {
			if !slices.Contains(own, found) {
				t.Errorf("%s names %s", name, found)
			}
		}
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", `setAttribute("style`, " style=", "javascript:"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s has %s", name, bad)
			}
		}
	}
	if !strings.Contains(files["dom.js"], "createElementNS") {
		t.Error("the scripts were not looked at")
	}
}

var (
	inTemplate = regexp.MustCompile(`\{\{t "([^"]+)"\}\}`)
	inScript   = regexp.MustCompile(`\bt\("([a-z0-9-]+)"`)
	pieced     = regexp.MustCompile("\\bt\\(`([a-z-]+)\\$\\{")
	chosen     = regexp.MustCompile(`\bt\([^()]*\?\s*"([a-z-]+)"\s*:\s*"([a-z-]+)"`)
	named      = regexp.MustCompile(`"([a-z]+-[a-z-]+|action|condition|result|sent|rule|step|help|first|prev|next|last|play)"`)
)

// TestTexts holds the texts to their use: every key that is used is there, and every key that is there is
// used.
func TestTexts(t *testing.T) {
	files, texts, err := lab.Files()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	need := func(key, where string) {
		used[key] = true
		if texts[key] == "" {
			t.Errorf("%s uses the text %q, which is not there", where, key)
		}
	}
	var prefixes []string
	for name, text := range files {
		for _, found := range inTemplate.FindAllStringSubmatch(text, -1) {
			need(found[1], name)
		}
		if !strings.HasSuffix(name, ".js") {
			continue
		}
		for _, found := range inScript.FindAllStringSubmatch(text, -1) {
			need(found[1], name)
		}
		for _, found := range chosen.FindAllStringSubmatch(text, -1) {
			need(found[1], name)
			need(found[2], name)
		}
		for _, found := range pieced.FindAllStringSubmatch(text, -1) {
			prefixes = append(prefixes, found[1])
		}
		for _, found := range named.FindAllStringSubmatch(text, -1) { // keys in lists
			if texts[found[1]] != "" {
				used[found[1]] = true
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		pieced := slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
		if !used[key] && !pieced {
			t.Errorf("nothing uses the text %q", key)
		}
	}
}

// TestDecisionsInWords holds the texts to what is decided in the runs: each decision is a question in words.
func TestDecisionsInWords(t *testing.T) {
	_, texts, err := lab.Files()
	if err != nil {
		t.Fatal(err)
	}
	library, err := lesson.New(lesson.Options{})
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{}
	for _, s := range library.Scenarios() {
		run, err := library.Run(t.Context(), lesson.Setup{Scenario: s.Name})
		if err != nil {
			t.Fatal(err)
		}
		for i := range run.Steps {
			for _, v := range run.Steps[i].Verdicts {
				if texts["decides-"+v.Question] == "" && !missing[v.Question] {
					missing[v.Question] = true
					t.Errorf("%s: no text says what %q decides", s.Name, v.Question)
				}
			}
		}
	}
}

// TestWithoutScript holds the page of each scenario to its run: it is a whole transcript before any script
// has run.
func TestWithoutScript(t *testing.T) {
	library, err := lesson.New(lesson.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range library.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			run, err := library.Run(t.Context(), lesson.Setup{Scenario: s.Name})
			if err != nil {
				t.Fatal(err)
			}
			page := html.UnescapeString(question{name: s.Name, method: "GET", path: "/scenario/" + s.Name, status: 200}.ask(t).Body.String())
			want := append([]string{s.Title, "<h1"}, s.Intro...)
			want = append(want, run.Text...)
			for i := range run.Steps {
				want = append(want, run.Steps[i].Action, run.Steps[i].Condition, run.Steps[i].Result, run.Steps[i].Sent, string(run.Steps[i].Rule))
			}
			for _, m := range run.Moments {
				want = append(want, m.Question, m.Answer)
			}
			for _, text := range want {
				if !strings.Contains(page, text) {
					t.Errorf("the page does not say %q", text)
				}
			}
			for _, other := range library.Scenarios() {
				if !strings.Contains(page, `href="/scenario/`+other.Name+`"`) {
					t.Errorf("the page does not lead to %s", other.Name)
				}
			}
		})
	}
}
