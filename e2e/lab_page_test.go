package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

type keyParams = input.DispatchKeyEventParams

// clean holds that the page asked no other site, broke no policy and said no error.
func (p *seat) clean(t *testing.T) {
	t.Helper()
	p.quiet(t)
	p.faultless(t, "Content-Security-Policy", "test.broken")
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, crash := range p.crashes {
		t.Errorf("the script says: %s", crash)
	}
	for _, asked := range p.requests {
		if !strings.HasPrefix(asked, p.base+"/") && !strings.HasPrefix(asked, "blob:"+p.base) {
			t.Errorf("the page asks for %.100s", asked)
		}
	}
}

// labSpacing sets text as wide as WCAG 1.4.12 asks for, and finds what is cut off then.
func labSpacing(t *testing.T, s *theatre) {
	p := s.sit(t, "")
	for _, l := range []labLook{labLooks[0], labLooks[2]} {
		p.looksLike(t, l)
		for i, state := range labStates {
			if !state.all || l.width > 400 && i%3 > 0 {
				continue // a wide window has more room, so a part of the states will do
			}
			p.become(t, state)
			tells[any](t, p, `
				const sheet = new CSSStyleSheet();
				sheet.replaceSync("* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important } p { margin-bottom: 2em !important }");
				document.adoptedStyleSheets = [sheet]`)
			p.faultless(t, l.name+", "+state.name, "test.clipped().concat(test.sideways())")
		}
	}
}

// labPlain has the whole run of each scenario to read where no script runs.
func labPlain(t *testing.T, s *theatre) {
	p := s.sit(t, "")
	if err := ask(p.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	p.looksLike(t, labLooks[2])
	for _, sc := range s.library.Scenarios() {
		p.visit(t, "/scenario/"+sc.Name)
		run, err := s.library.Run(t.Context(), asItIs(sc.Name))
		if err != nil {
			t.Fatal(err)
		}
		shown := strings.Join(strings.Fields(evaluate[string](t, p.onlooker, "document.body.innerText")), " ")
		for _, text := range slices.Concat([]string{sc.Title}, sc.Intro, run.Text) {
			if !strings.Contains(shown, strings.Join(strings.Fields(text), " ")) {
				t.Errorf("%s: without a script the page lacks: %s", sc.Name, text)
			}
		}
		if evaluate[int](t, p.onlooker, `[...document.querySelectorAll("button, select, input, form")].filter((e) => e.checkVisibility()).length`) > 0 {
			t.Errorf("%s: without a script the page has controls that do nothing", sc.Name)
		}
		if evaluate[bool](t, p.onlooker, "document.documentElement.scrollWidth > innerWidth") {
			t.Errorf("%s: without a script the page is wider than the window", sc.Name)
		}
	}
	p.quiet(t)
}

// labMedia looks at the page with what people ask their systems for.
func labMedia(t *testing.T, s *theatre) {
	p := s.sit(t, "#v1;step=1")
	moving := `await Promise.all(document.getAnimations().map((a) => a.finished)); test.all("#next")[0].click(); return new Promise((r) => setTimeout(() => r(document.getAnimations().length), 20))`
	p.looksLike(t, labLook{"motion", 1280, 900, map[string]string{"prefers-reduced-motion": "no-preference"}})
	if tells[int](t, p, moving) == 0 {
		t.Error("nothing moves, so there is nothing to hold still")
	}
	p.looksLike(t, labLook{"no motion", 1280, 900, map[string]string{"prefers-reduced-motion": "reduce"}})
	if n := tells[int](t, p, moving); n > 0 {
		t.Errorf("%d things move although no motion is wanted", n)
	}
	p.holds(t, `[...document.querySelectorAll("*")].every((e) => getComputedStyle(e).scrollBehavior === "auto")`, "nothing scrolls smoothly by style")

	p.looksLike(t, labLook{"forced colours", 1280, 900, map[string]string{"forced-colors": "active"}})
	p.holds(t, `matchMedia("(forced-colors: active)").matches`, "colours are forced")
	p.goes(t, "#v1;step=2")
	for _, current := range []string{"#table tr[aria-current] > *", "#flow li[aria-current]", "#tracker th.current"} {
		p.holds(t, fmt.Sprintf(`(() => { const s = getComputedStyle(document.querySelector(%q)); return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 })()`, current), current+" has an outline when colours are forced")
	}
	p.faultless(t, "forced colours", `test.all("button:not(.rule, .go, .arrow), select, textarea").filter((e) => ["Top", "Right", "Bottom", "Left"].every((side) => getComputedStyle(e)["border" + side + "Style"] === "none")).map(test.named)`)
	p.faultless(t, "forced colours", `test.all("[aria-pressed=true], .ways [aria-current]").filter((e) => { const s = getComputedStyle(e); return s.outlineStyle === "none" && s.borderBottomStyle === "none" }).map(test.named)`)
	p.faultless(t, "forced colours", `test.all(".line line").filter((e) => getComputedStyle(e).stroke === getComputedStyle(document.body).backgroundColor).map((e) => "an arrow is not seen")`)
}

// labPrint prints what is worth it.
func labPrint(t *testing.T, s *theatre) {
	p := s.sit(t, "#v1;step=2")
	ctx := p.ctx
	for _, state := range []labState{{"a run", "#v1;step=2", "", true, ""}, {"a snapshot", "#v1;view=snapshot", "", true, ""}} {
		p.become(t, state)
		if err := ask(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"}); err != nil {
			t.Fatal(err)
		}
		p.faultless(t, state.name, `test.all(".bar, .ways, .whatif, #transport, .foot, button.main").map((e) => "printed: " + test.named(e))`)
		p.holds(t, `test.all("main h1, main h2").length && test.all("table").length`, state.name+" is printed with a table")
		p.faultless(t, state.name, `test.all(".scroll, .flow").filter((e) => e.scrollHeight > e.clientHeight + 2 && getComputedStyle(e).overflowY !== "visible").map((e) => "cut off: " + test.named(e))`)
		pdf, err := chromedp.Run(ctx, chromedp.PrintToPDF())
		if err != nil || len(pdf) < 5000 {
			t.Errorf("%s: a print of %d bytes: %v", state.name, len(pdf), err)
		}
		if err := ask(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{}); err != nil {
			t.Fatal(err)
		}
	}
}

// maxLabWeight is what the page and its first run may weigh, with the headers of the answers.
const maxLabWeight = 150_000

// labTour goes through all of the page: it asks nobody else, stays light, and keeps what it keeps in one place.
func labTour(t *testing.T, s *theatre) {
	p := s.sit(t, "#v1;step=1")
	p.mu.Lock()
	weight := p.bytes
	p.mu.Unlock()
	t.Logf("the page and its first run weigh %.0f bytes", weight)
	if weight == 0 || weight > maxLabWeight {
		t.Errorf("the page and its first run weigh %.0f bytes", weight)
	}
	for _, state := range labStates {
		p.become(t, state)
	}
	p.does(t, `for (let n = 0; n < 3; n++) await test.click("#theme")`)
	p.clean(t)
	held, err := chromedp.CallBrowser(p.ctx, storage.GetCookies, storage.GetCookiesParams{BrowserContextID: chromedp.FromContext(p.ctx).BrowserContextID})
	if err != nil {
		t.Fatal(err)
	}
	if len(held.Cookies) > 0 {
		t.Errorf("the lab sets a cookie: %s", held.Cookies[0].Name)
	}
	p.holds(t, `JSON.stringify(Object.keys(localStorage)) === '["lockstep-lab"]'`, "localStorage holds progress alone")
	p.holds(t, `sessionStorage.length + (await indexedDB.databases()).length + (await caches.keys()).length + (await navigator.serviceWorker.getRegistrations()).length === 0`, "nothing else is kept")
}

// labLinks follows links: good ones bring everything back, others say what is wrong with them.
func labLinks(t *testing.T, s *theatre) {
	p := s.sit(t, "#v1;scenario=stolen-cookie;step=4;profile=firefox;lane=0;set.SECURE_HSTS_SECONDS=3600")
	restored := `document.getElementById("scenario").value === "stolen-cookie" && document.getElementById("profile").value === "firefox" &&
		document.getElementById("set-SECURE_HSTS_SECONDS").value === "3600" && document.querySelector("#table [aria-current] th").textContent === "4" &&
		document.getElementById("lane").getAttribute("aria-pressed") === "false" && !document.querySelector("#notice > *")`
	p.holds(t, restored, "a link brings scenario, profile, switches, step and lane back")
	link := tells[string](t, p, "return location.href")
	p.does(t, `location.hash = "#v1;scenario=hsts;step=2"; await new Promise((r) => addEventListener("hashchange", r, { once: true }))`)
	p.holds(t, `document.getElementById("scenario").value === "hsts" && document.querySelector("#table [aria-current] th").textContent === "2"`, "another link leads elsewhere")
	p.does(t, `history.back(); await new Promise((r) => addEventListener("hashchange", r, { once: true }))`)
	p.holds(t, restored, "Back leads to where one was")
	p.enter(t, "/?again"+strings.TrimPrefix(link, s.base+"/"))
	p.holds(t, restored, "the link that the page writes leads to where one was")

	for name, fragment := range map[string]string{
		"garbage":           "#%00%ff<script>alert(1)</script>",
		"a megabyte":        "#" + strings.Repeat("a", 1<<20),
		"another version":   "#v2;step=1",
		"unknown scenario":  "#v1;scenario=nowhere;step=2",
		"unknown switch":    "#v1;step=2;set.DEBUG=True",
		"unknown value":     "#v1;step=2;set.SECURE_SSL_REDIRECT=Perhaps",
		"unknown profile":   "#v1;step=2;profile=mosaic",
		"unknown exercise":  "#v1;view=practice;exercise=nothing",
		"unknown part":      "#v1;step=2;colour=red",
		"names of objects":  "#v1;__proto__=1;set.__proto__=1;set.constructor=2;step=2",
		"half an escape":    "#v1;scenario=%e0%a4%a",
		"a thousand values": "#v1" + strings.Repeat(";set.X=1", 400),
	} {
		p.goes(t, fragment)
		p.holds(t, `test.all("#notice p").length === 1`, name+": the page says what is wrong with the link")
		p.holds(t, `test.all("#predict form, #table tbody tr, #practice form").length`, name+": the page works all the same")
	}
	p.enter(t, "/?long#"+strings.Repeat("a", 1<<20))
	p.holds(t, `test.all("#notice p").length === 1`, "a link of a megabyte that the page begins with is answered")
	p.clean(t)
}

// labProgress takes progress from one browser to another in a file.
func labProgress(t *testing.T, s *theatre) {
	p := s.sit(t, "#v1;view=quiz")
	p.does(t, `for (const f of test.all("#quiz form").slice(0, 2)) await test.answer(f, true)`)
	folder := t.TempDir()
	_, err := chromedp.CallBrowser(p.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, BrowserContextID: chromedp.FromContext(p.ctx).BrowserContextID, DownloadPath: folder,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.does(t, `await test.click("#export")`)
	file := filepath.Join(folder, "lockstep-lab.json")
	for range 200 {
		if info, err := os.Stat(file); err == nil && info.Size() > 0 {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	told := tells[string](t, p, `return document.getElementById("progress").textContent`)
	if !strings.Contains(told, "2") {
		t.Errorf("two answers are not counted: %s", told)
	}

	other := s.sit(t, "#v1;step=1")
	bad := filepath.Join(folder, "bad.json")
	if err := os.WriteFile(bad, []byte(`{"version":7,"answered":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	other.upload(t, bad)
	other.holds(t, `test.all("#notice p").length === 1`, "a file that is none is refused")
	other.upload(t, file)
	if got := tells[string](t, other, `return document.getElementById("progress").textContent`); got != told {
		t.Errorf("imported %q, want %q", got, told)
	}
	other.enter(t, "/?again")
	if got := tells[string](t, other, `return document.getElementById("progress").textContent`); got != told {
		t.Errorf("after a reload %q, want %q", got, told)
	}
	other.clean(t)
}

func (p *seat) upload(t *testing.T, file string) {
	t.Helper()
	if err := chromedp.Do(p.ctx, chromedp.SetUploadFiles(chromedp.CSS("#import"), []string{file})); err != nil {
		t.Fatal(err)
	}
	p.does(t, "")
}

// labSwitch measures a switch from the click until its table is there, and turns it back.
func labSwitch(t *testing.T, s *theatre) {
	p := s.sit(t, "#v1;step=3")
	before := tells[string](t, p, `return document.getElementById("table-body").innerText`)
	var took []float64
	for n := range 11 {
		took = append(took, tells[float64](t, p, `
			const table = new Promise((r) => new MutationObserver(() => r(performance.now())).observe(document.getElementById("table-body"), { childList: true }));
			const begun = performance.now();
			document.getElementById("set-SECURE_SSL_REDIRECT").click();
			const took = await table - begun;
			await test.settled();
			return took`))
		p.holds(t, fmt.Sprintf(`document.getElementById("difference").hidden === %t`, n%2 == 1), "what changed is shown while something is changed")
		p.holds(t, `document.querySelector("#table [aria-current] th").textContent === "3"`, "the step stays")
	}
	slices.Sort(took)
	t.Logf("from a click on a switch to the new table: median %.0f ms, least %.0f ms", took[len(took)/2], took[0])
	p.does(t, `await test.click("#reset")`)
	if got := tells[string](t, p, `return document.getElementById("table-body").innerText`); got != before {
		t.Errorf("the table after all is turned back:\n%s\nwant:\n%s", got, before)
	}
	p.clean(t)
}

// labReview goes from the review of a test to a run, and back to where it was left.
func labReview(t *testing.T, s *theatre) {
	p := s.sit(t, "#v1;view=test;seed=7")
	p.does(t, testTaken)
	title := tells[string](t, p, `
		const look = test.all("#test .look")[3];
		window.left = look;
		look.focus();
		look.click();
		await test.settled();
		return look.closest("li").querySelector("summary .of").firstChild.textContent`)
	p.holds(t, fmt.Sprintf(`document.querySelector("h1").textContent === %q && document.title.startsWith(%q)`, title, title), "the run is shown under the name of its scenario")
	p.holds(t, `test.all("#run").length && !test.all("#test").length`, "the run takes the place of the review")
	p.holds(t, `new URL(left.href).hash.endsWith("step=" + document.querySelector("#table [aria-current] th").textContent)`, "it is shown at the step")
	p.holds(t, `document.querySelector(".drawn > ol > li[aria-current]").getBoundingClientRect().top < document.querySelector(".flow").getBoundingClientRect().bottom`, "the drawing is scrolled to the step")
	p.does(t, `await test.click("#back-go")`)
	p.holds(t, `test.all("#test .review > li").length === 10 && !test.all("#run").length && document.querySelector("h1").textContent === "Test"`, "the review is there again")
	p.holds(t, `document.activeElement === left`, "the focus is where it was")
	p.clean(t)
}

// labDeep follows links to each step, which the drawing shows at once.
func labDeep(t *testing.T, s *theatre) {
	p := s.sit(t, "")
	p.looksLike(t, labLook{"in motion", 1280, 900, map[string]string{"prefers-reduced-motion": "no-preference"}})
	for n := 1; n <= 5; n++ {
		p.holds(t, fmt.Sprintf(`await (async () => {
			const area = document.getElementById("flow-body");
			const shown = new Promise((r) => new MutationObserver((_, o) => {
				o.disconnect();
				const [box, item] = [".flow", ".drawn > ol > li[aria-current]"].map((s) => area.querySelector(s).getBoundingClientRect());
				r(item.top >= box.top && item.top < box.bottom - 40);
			}).observe(area, { subtree: true, attributeFilter: ["aria-current"] }));
			await test.go("#v1;step=%d");
			return shown })()`, n), fmt.Sprintf("a link to step %d shows it in the drawing, without a way to it", n))
	}
}

// labOwnBrowser visits the site that the lab starts, and sees the Guard's verdicts arrive in the page.
func labOwnBrowser(t *testing.T, s *theatre) {
	p := s.sit(t, "#v1;view=own")
	p.does(t, `for (const d of test.all("#own details")) d.open = true; await test.click("#own button.main", -1)`)
	links := tells[[]string](t, p, `return test.all("#own a").map((a) => a.href)`)
	if len(links) != 2 {
		t.Fatalf("the lab names %q", links)
	}
	person := s.sit(t, "")
	for _, link := range links {
		if err := chromedp.Do(person.ctx, chromedp.Navigate(link)); err != nil {
			t.Fatalf("%s: %v", link, err)
		}
	}
	p.waitFor(t, `test.all(".visits > li").length >= 2`, "the visits arrive")
	p.does(t, `for (const d of test.all(".visits details")) d.open = true`)
	shown := tells[string](t, p, `return test.all(".visits")[0].innerText`)
	for _, want := range []string{"GET http://", "GET https://", "301", "200", "redirect-to-https"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the verdicts lack %q:\n%s", want, shown)
		}
	}
	p.clean(t)
}

// labShots are the pictures that people look at, and in what windows.
var labShots = []string{"a prediction", "a prediction that did not", "everything of a step", "two runs compared", "the attacker's lane", "the quiz, answered wrongly", "an exercise with settings", "a test that is over", "one's own, explained", "the snapshot"}

// labPictures keeps pictures of the page in .cache/lab for people to look at.
func labPictures(t *testing.T, s *theatre) {
	folder := filepath.Join("..", ".cache", "lab")
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	p := s.sit(t, "")
	for _, l := range labLooks {
		if l.width < 400 {
			l.width = 360
		}
		p.looksLike(t, l)
		for _, state := range labStates {
			if !slices.Contains(labShots, state.name) {
				continue
			}
			p.become(t, state)
			picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
			if err != nil {
				t.Fatal(err)
			}
			name := strings.NewReplacer(" ", "-", ",", "", "'", "").Replace(state.name + " " + l.name)
			if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
