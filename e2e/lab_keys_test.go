package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	course "github.com/lockstep-http/lockstep/internal/lesson"
)

func asItIs(scenario string) course.Setup { return course.Setup{Scenario: scenario} }

// labFocus goes through the page with Tab, forth and back: each control is reached and none holds on to the
// focus, which is always seen, also in a window of 1280 by 1024 at 400 %.
func labFocus(t *testing.T, s *theatre) {
	for _, l := range []labLook{{"wide", 1280, 900, nil}, {"at 400 %", 320, 256, nil}} {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			p := s.sit(t, "")
			p.looksLike(t, l)
			for _, state := range []labState{
				{"a prediction", "#v1;scenario=lesson", "", true, ""},
				{"a run", "#v1;step=3;lane=1;set.SESSION_COOKIE_SECURE=False", `for (const d of test.all("#now details")) d.open = true;`, true, ""},
				{"the quiz", "#v1;view=quiz", `await test.answer(test.all("#quiz form")[0], false)`, true, ""},
				{"an exercise", "#v1;view=practice;exercise=https-only-line", "", true, ""},
				{"one's own", "#v1;view=own", `for (const d of test.all("#own details")) d.open = true;`, true, ""},
				{"help", "#v1;step=2", `await test.click("#help-open")`, true, ""},
			} {
				p.become(t, state)
				p.tour(t, state.name)
				p.faultless(t, state.name, "test.unreachable()")
			}
		})
	}
}

// tour presses Tab until the focus is where it began, and the same back.
func (p *seat) tour(t *testing.T, where string) {
	t.Helper()
	dialog := tells[bool](t, p, `return Boolean(document.querySelector("dialog[open]"))`)
	count := tells[int](t, p, `
		window.stops = test.reachable();
		if (!document.querySelector("dialog[open]")) { document.activeElement.blur(); getSelection().collapse(document.body, 0); }
		return stops.length`)
	forth := p.tabs(t, where, count, dialog)
	p.faultless(t, where+", with Tab", fmt.Sprintf(`stops.filter((_, i) => !%s.includes(i)).map((e) => "not reached: " + test.named(e))`, list(forth)))
	back := p.tabs(t, where, count, dialog, chromedp.KeyModifiers(chromedp.ModifierShift))
	p.faultless(t, where+", with Shift and Tab", fmt.Sprintf(`stops.filter((_, i) => !%s.includes(i)).map((e) => "not reached: " + test.named(e))`, list(append(back, forth[len(forth)-1]))))
}

// tabs presses Tab as often as there are stops, and returns those that it came to.
func (p *seat) tabs(t *testing.T, where string, count int, dialog bool, options ...chromedp.KeyOption) []int {
	t.Helper()
	var seen []int
	for n := range count + 3 {
		p.press(t, kb.Tab, options...)
		at := tells[struct {
			Stop  int    `json:"stop"`
			Fault string `json:"fault"`
		}](t, p, `const at = document.activeElement; return { stop: stops.findIndex((e) => e === at || e.type === "radio" && e.name === at.name), fault: at === document.body ? "" : test.focusFault() }`)
		if at.Fault != "" {
			t.Errorf("%s: %s", where, at.Fault)
		}
		if at.Stop >= 0 {
			seen = append(seen, at.Stop)
		}
		if n >= count-1 && (at.Stop < 0 || len(seen) > 1 && at.Stop == seen[0]) && !dialog {
			break // round the page, or out of it
		}
	}
	return seen
}

func list(all []int) string { return strings.Join(strings.Fields(fmt.Sprint(all)), ",") }

// tabTo presses Tab until the focus is on what is sought, as a person does who sees it; with Shift for what
// is before it.
func (p *seat) tabTo(t *testing.T, selector string) {
	t.Helper()
	var options []chromedp.KeyOption
	if tells[bool](t, p, fmt.Sprintf("return Boolean(document.activeElement.compareDocumentPosition(document.querySelector(%q)) & Node.DOCUMENT_POSITION_PRECEDING)", selector)) {
		options = append(options, chromedp.KeyModifiers(chromedp.ModifierShift))
	}
	for range 150 {
		p.press(t, kb.Tab, options...)
		if tells[bool](t, p, fmt.Sprintf("return document.activeElement.matches(%q)", selector)) {
			return
		}
	}
	t.Fatalf("Tab does not come to %s", selector)
}

// uses goes to a control and presses a key there.
func (p *seat) uses(t *testing.T, selector, key string) {
	t.Helper()
	p.tabTo(t, selector)
	p.press(t, key)
	p.does(t, "")
}

// labKeys takes a newcomer's way with nothing but keys: a prediction, the run, a question, an exercise, a test.
func labKeys(t *testing.T, s *theatre) {
	p := s.sit(t, "")
	for range tells[int](t, p, `return (await (await fetch("/api/predict", { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"scenario":"lesson"}' })).json()).length`) {
		p.uses(t, "#predict input[type=radio]", " ")
		p.uses(t, "#predict [type=submit]", kb.Enter)
	}
	p.holds(t, `test.all("#run").length && test.all("#predict .compared").length`, "the prediction is compared with the run")
	steps := tells[int](t, p, "return Number(document.getElementById('slider').max)")
	p.tabTo(t, "#next")
	for n := 2; n <= steps; n++ {
		p.press(t, []string{" ", kb.Enter}[n%2])
		p.holds(t, fmt.Sprintf(`document.querySelector("#table [aria-current=step] th").textContent === "%d"`, n), fmt.Sprintf("the key leads to step %d", n))
	}
	p.press(t, kb.Home)
	for n, key := range []string{"j", kb.ArrowRight, "k", kb.ArrowLeft, kb.End} {
		p.press(t, key)
		p.holds(t, fmt.Sprintf("document.querySelector('#table [aria-current=step] th').textContent === '%d'", []int{2, 3, 2, 1, steps}[n]), fmt.Sprintf("the key %q moves the light", key))
	}
	p.uses(t, "#switches input[type=checkbox]", " ")
	p.holds(t, `test.all("#difference tbody tr").length`, "a switch shows what it changed")

	p.uses(t, "[data-view=quiz]", kb.Enter)
	p.tabTo(t, "#quiz input[type=radio]")
	p.press(t, " "+kb.ArrowDown)
	p.uses(t, "#quiz [type=submit]", kb.Enter)
	p.holds(t, `test.all("#quiz .verdict-on").length`, "a question is answered")

	p.uses(t, "[data-view=practice]", kb.Enter)
	line := slices.IndexFunc(s.library.Exercises(), func(e course.Exercise) bool { return e.Kind == "line" })
	exercise := s.library.Exercises()[line]
	tells[any](t, p, fmt.Sprintf(`[...document.querySelectorAll("#practice .exercises button")].find((b) => b.textContent === %q).dataset.sought = 1`, exercise.Title))
	p.uses(t, "[data-sought]", kb.Enter)
	p.tabTo(t, "#line-answer")
	p.press(t, "a", func(k *keyParams) { k.Modifiers, k.Commands = 2, []string{"selectAll"} })
	p.press(t, exercise.Solution.Line+kb.Enter)
	p.does(t, "")
	p.holds(t, `test.all("#practice strong.yes").length`, "an exercise is solved")

	p.uses(t, "[data-view=test]", kb.Enter)
	p.uses(t, "#test [type=submit]", kb.Enter)
	for range 10 {
		p.uses(t, "#test input[type=radio]", " ")
		p.uses(t, "#test [type=submit]", kb.Enter)
	}
	p.holds(t, `test.all("#test .review li").length === 10`, "a test is finished")
	p.clean(t)
}

// labShortcuts switches the keys of one letter off, which stays so.
func labShortcuts(t *testing.T, s *theatre) {
	p := s.sit(t, "#v1;step=1")
	at := func(step int, what string) {
		t.Helper()
		p.holds(t, fmt.Sprintf("document.querySelector('#table [aria-current=step] th').textContent === '%d'", step), what)
	}
	p.press(t, "j")
	at(2, "j goes to step 2")
	p.press(t, "j", chromedp.KeyModifiers(chromedp.ModifierAlt))
	at(2, "j with Alt belongs to the browser")
	p.press(t, "?")
	p.holds(t, `document.getElementById("help").open`, "? opens the help")
	p.press(t, "j")
	at(2, "no key works behind a dialog")
	p.uses(t, "#keys", " ")
	p.press(t, kb.Escape)
	p.holds(t, `!document.getElementById("help").open`, "Escape closes the help")
	for range 2 {
		for _, key := range []string{"j", "k", "?", " ", kb.ArrowRight, kb.Home} {
			p.press(t, key)
			at(2, fmt.Sprintf("%q does nothing when keys are off", key))
			p.holds(t, `!document.querySelector("dialog[open]")`, "no dialog opens when keys are off")
		}
		p.enter(t, "/?again#v1;step=2")
	}
}

// labSaid holds that each step is said once, however one comes to it.
func labSaid(t *testing.T, s *theatre) {
	p := s.sit(t, "#v1;step=1;lane=1")
	for _, c := range []struct{ name, act string }{
		{"forward", `test.all("#next")[0].click()`},
		{"back", `test.all("#prev")[0].click()`},
		{"last", `test.all("#last")[0].click()`},
		{"first", `test.all("#first")[0].click()`},
		{"a key", `document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true }))`},
		{"the slider", `const s = test.all("#slider")[0]; s.value = 4; s.dispatchEvent(new Event("input", { bubbles: true }))`},
		{"a row", `test.all("#table tbody tr")[1].click()`},
		{"the number of a row", `test.all("#table tbody button.go")[2].click()`},
		{"an arrow", `test.all("#flow [data-step='5'] button")[0].click()`},
		{"a moment", `const d = test.all("#moments details").find((d) => d.dataset.step !== "5"); d.open = true; d.querySelector("button.go").click()`},
		{"a switch", `test.all("#switches input")[0].click()`},
	} {
		said := tells[[]string](t, p, "test.watch(); "+c.act+"; await test.settled(); return test.said")
		if len(said) != 1 {
			t.Errorf("%s: %d things are said: %q", c.name, len(said), said)
		}
	}
	p.holds(t, `[...document.querySelectorAll("[role=status], output")].every((e) => (e.getAttribute("aria-live") || "polite") === "polite")`, "what is said is said politely")
}

// labTree compares the landmarks, headings and controls that a screen reader is told of with the golden file.
func labTree(t *testing.T, s *theatre) {
	p := s.sit(t, "")
	var told strings.Builder
	for _, state := range []labState{
		{"a prediction", "#v1;scenario=lesson", "", true, ""},
		{"a run", "#v1;step=2;set.SECURE_SSL_REDIRECT=False", "", true, ""},
		{"a test", "#v1;view=test;seed=7", "", true, ""},
	} {
		p.become(t, state)
		fmt.Fprintf(&told, "= %s\n%s\n", state.name, p.tree(t))
	}
	golden := "testdata/lab/tree.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(told.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := told.String(); got != string(want) {
		t.Errorf("the tree is not that of %s; go test -run TestLab -update rewrites it:\n%s", golden, firstDifference(string(want), got))
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		if one, other := line(w, i), line(g, i); one != other {
			return fmt.Sprintf("line %d is:   %s\nnot: %s", i+1, other, one)
		}
	}
	return ""
}

func line(all []string, i int) string {
	if i < len(all) {
		return all[i]
	}
	return ""
}

// labRoles are the roles that the golden file tells of.
var labRoles = []string{
	"banner", "navigation", "complementary", "main", "contentinfo", "region", "toolbar", "group", "heading", "link", "button", "combobox",
	"checkbox", "radio", "radiogroup", "slider", "textbox", "spinbutton", "table", "columnheader", "rowheader", "status", "alert", "dialog",
	"progressbar", "DisclosureTriangle",
}

// tree is the accessibility tree as a list, without what is only text.
func (p *seat) tree(t *testing.T) string {
	t.Helper()
	found, err := chromedp.Call(p.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		t.Fatal(err)
	}
	byID := map[accessibility.NodeID]*accessibility.Node{}
	for _, n := range found.Nodes {
		byID[n.NodeID] = n
	}
	var b strings.Builder
	writeTree(&b, byID, found.Nodes[0], "")
	return b.String()
}

func writeTree(b *strings.Builder, byID map[accessibility.NodeID]*accessibility.Node, n *accessibility.Node, indent string) {
	role, name := axText(n.Role), axText(n.Name)
	if !n.Ignored && slices.Contains(labRoles, role) && (role != "group" || name != "") {
		fmt.Fprintf(b, "%s%s %q%s\n", indent, role, name, axStates(n))
		indent += "  "
	}
	for _, id := range n.ChildIDs {
		if child, ok := byID[id]; ok {
			writeTree(b, byID, child, indent)
		}
	}
}

func axText(v *accessibility.Value) string {
	if v == nil || len(v.Value) == 0 {
		return ""
	}
	var value any
	if json.Unmarshal(v.Value, &value) != nil {
		return ""
	}
	return fmt.Sprint(value)
}

func axStates(n *accessibility.Node) string {
	var all []string
	for _, p := range n.Properties {
		switch p.Name {
		case accessibility.PropertyNameLevel, accessibility.PropertyNameChecked, accessibility.PropertyNamePressed, accessibility.PropertyNameExpanded, accessibility.PropertyNameDisabled:
			all = append(all, fmt.Sprintf("%s=%s", p.Name, axText(p.Value)))
		default:
		}
	}
	slices.Sort(all)
	return strings.Join(append([]string{""}, all...), " ")
}
