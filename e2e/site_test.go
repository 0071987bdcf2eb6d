package e2e_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
)

// TestSiteInChromium is a person's way through the site of `lockstep demo --serve`: the program as it is
// built, and a Chromium whose warning about the certificate somebody went past.
func TestSiteInChromium(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, err, "chromium")
	}
	t.Parallel()
	base, password := startProgram(t)
	p := startPerson(t, path, base)

	for _, page := range []string{"/", "/counter", "/login", "/signup", "/verdicts", "/logged-out", "/nothing"} {
		p.visit(t, page)
		p.look(t, page)
	}
	p.fill(t, "/signup", map[string]string{"username": "a b", "password": "short", "again": "other"})
	p.waitFor(t, `document.querySelectorAll("[aria-invalid]").length === 3`, "the mistakes of the form are marked")
	p.look(t, "/signup with mistakes")
	p.fill(t, "/login?next=/counter", map[string]string{"username": "demo", "password": "wrong"})
	p.waitFor(t, `document.querySelector("[role=alert]") !== null`, "a wrong password is told of")
	p.look(t, "/login with a mistake")

	// The verdicts come in while the person goes on elsewhere, before a login and after it.
	second := p.another(t)
	second.visit(t, "/verdicts")
	second.waitFor(t, `!document.getElementById("live").hidden`, "the page is live")
	p.visit(t, "/counter?secret=in-the-query")
	second.waitFor(t, first+`.includes("/counter?…")`, "a visit arrives by itself")
	p.fill(t, "/login?next=/counter", map[string]string{"username": "demo", "password": password})
	p.waitFor(t, `location.pathname === "/counter"`, "the login leads to the page that was asked for")
	second.waitFor(t, requests+`.some(r => r.includes("POST /login"))`, "the login arrives, under another key of the session")
	p.visit(t, "/account")
	second.waitFor(t, first+`.includes("/account")`, "and so does what comes after it")
	if text := evaluate[string](t, second, "document.documentElement.outerHTML"); strings.Contains(text, "in-the-query") || strings.Contains(text, password) {
		t.Error("the page of verdicts shows a secret")
	}
	evaluate[any](t, second, `document.querySelectorAll("summary")[2].click()`)
	second.look(t, "/verdicts with one open")

	evaluate[any](t, second, `document.getElementById("live-pause").click()`)
	p.visit(t, "/counter")
	second.waitFor(t, `document.getElementById("live-state").textContent === "Paused: 1 request waiting."`, "a pause holds what arrives")
	evaluate[any](t, second, `document.getElementById("live-pause").click()`)
	second.waitFor(t, first+`.includes("/counter")`, "and shows it after the pause")

	for _, page := range []string{"/", "/account", "/logout"} {
		p.visit(t, page)
		p.look(t, page+" of who is logged in")
	}
	p.visit(t, "/logout")
	evaluate[any](t, p, `document.querySelector("form button").click()`)
	p.waitFor(t, `location.pathname === "/logged-out"`, "the button logs out")
	second.waitFor(t, first+`.includes("POST /logout")`, "the logout is the last that arrives")
	second.waitFor(t, `document.getElementById("live-state").textContent.startsWith("No longer live")`, "and then the page is no longer live")
	p.visit(t, "/account")
	p.waitFor(t, `location.pathname === "/login"`, "the account needs the login again")

	p.quiet(t)
	second.quiet(t, "status of 204") // how a stream is told not to begin again
}

// Without JavaScript the page of verdicts has the same content and loads itself anew.
func TestSiteWithoutJavaScript(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, err, "chromium")
	}
	t.Parallel()
	base, _ := startProgram(t)
	p := startPerson(t, path, base)
	if _, err := chromedp.Call(p.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	p.visit(t, "/counter")
	p.visit(t, "/verdicts")
	p.waitFor(t, first+`.includes("/counter")`, "the visit is there")
	p.waitFor(t, `document.querySelector("noscript meta[http-equiv=refresh]") !== null && document.getElementById("live").hidden`, "the page loads itself anew")
	p.look(t, "/verdicts without JavaScript")
	p.visit(t, "/verdicts?refresh=no")
	p.waitFor(t, `document.querySelector("meta[http-equiv=refresh]") === null`, "and leaves it when asked to")
}

// What the page of verdicts lists, as text, and the newest of it.
const (
	requests = `[...document.querySelectorAll("#requests .line")].map(e => e.textContent.replace(/\s+/g, " "))`
	first    = `(` + requests + `[0] ?? "")`
)

// startProgram builds the program, starts it with nothing kept, and returns its address and the password
// of its account.
func startProgram(t *testing.T) (base, password string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "lockstep")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/lockstep")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "demo", "--serve", "--memory", "--listen", "localhost:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	ended := make(chan struct{})
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGINT)
		<-ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("the program ends with %v", err)
		}
	})
	up := make(chan struct{})
	go func() {
		defer close(ended)
		for lines.Scan() {
			if found := regexp.MustCompile(`^  (https://localhost:\d+)/ `).FindStringSubmatch(lines.Text()); found != nil {
				base = found[1]
			}
			if found := regexp.MustCompile(`with the password (\S+)`).FindStringSubmatch(lines.Text()); found != nil {
				password = found[1]
			}
			if strings.Contains(lines.Text(), "where it holds") {
				close(up)
			}
		}
	}()
	select {
	case <-up:
	case <-ended:
		t.Fatal("the program is not up")
	}
	return base, password
}

// An onlooker is a tab of a person's browser, with what it complained of.
type onlooker struct {
	ctx  context.Context
	base string

	mu         sync.Mutex
	complaints []string
}

func startPerson(t *testing.T, path, base string) *onlooker {
	t.Helper()
	options := slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.Env("HOME=" + t.TempDir()),
		chromedp.IgnoreCertErrors,
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-proxy-server", true),
	})
	allocator, end := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(end)
	p := &onlooker{base: base}
	p.open(allocator, t)
	return p
}

// another is a second tab of the same browser.
func (p *onlooker) another(t *testing.T) *onlooker {
	t.Helper()
	second := &onlooker{base: p.base}
	second.open(p.ctx, t)
	return second
}

func (p *onlooker) open(in context.Context, t *testing.T) {
	t.Helper()
	ctx, cancel := chromedp.NewContext(in, chromedp.WithListener(p.hear))
	t.Cleanup(cancel)
	p.ctx = ctx
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { chromedp.Cancel(ctx) })
	if _, err := chromedp.Call(ctx, log.Enable, struct{}{}); err != nil {
		t.Fatal(err)
	}
}

// hear keeps what the browser complains of: a policy that was broken, a file that was not found.
func (p *onlooker) hear(event any) {
	if e, ok := event.(*log.EventEntryAdded); ok {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.complaints = append(p.complaints, e.Entry.Text+" "+e.Entry.URL)
	}
}

// quiet holds that the browser had nothing to complain of but what is expected.
func (p *onlooker) quiet(t *testing.T, expected ...string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, complaint := range p.complaints {
		if strings.Contains(complaint, "/nothing") || slices.ContainsFunc(expected, func(e string) bool { return strings.Contains(complaint, e) }) {
			continue
		}
		t.Errorf("the browser says: %s", complaint)
	}
}

func (p *onlooker) visit(t *testing.T, path string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, visitTimeout)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(p.base+path)); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func evaluate[T any](t *testing.T, p *onlooker, expression string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, visitTimeout)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return got
}

// waitFor waits until something holds in the page.
func (p *onlooker) waitFor(t *testing.T, expression, what string) {
	t.Helper()
	for range 200 {
		ctx, cancel := context.WithTimeout(p.ctx, visitTimeout)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression)) // an error is a page that is just being left
		cancel()
		if err == nil && ok {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("not so: %s", what)
}

// fill fills the form of a page in, as a person's keys do, and sends it.
func (p *onlooker) fill(t *testing.T, page string, fields map[string]string) {
	t.Helper()
	p.visit(t, page)
	ctx, cancel := context.WithTimeout(p.ctx, visitTimeout)
	defer cancel()
	for name, text := range fields {
		if err := chromedp.Do(ctx, chromedp.SendKeys(chromedp.CSS("#"+name), text)); err != nil {
			t.Fatalf("%s: %v", page, err)
		}
	}
	// The browser's own checks would hold mistakes back that the site has to find.
	evaluate[any](t, p, `document.querySelector("main form").noValidate = true; document.querySelector("main form").dataset.sent = 1; document.querySelector("main form button").click()`)
	p.waitFor(t, `document.querySelector("[data-sent]") === null && document.readyState === "complete"`, "the form is answered")
}

// The widths and colours in which each page is looked at.
var looks = []struct {
	name   string
	width  int64
	scheme string
}{{"wide light", 1280, "light"}, {"wide dark", 1280, "dark"}, {"narrow light", 320, "light"}, {"narrow dark", 360, "dark"}}

// look holds that a page is legible: nothing is wider than the window, text has the contrast of WCAG AA
// against what is behind it, and what can be clicked is large enough. With `go test -artifacts` a picture of
// each is kept.
func (p *onlooker) look(t *testing.T, name string) {
	t.Helper()
	for _, l := range looks {
		ctx, cancel := context.WithTimeout(p.ctx, visitTimeout)
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}},
		})
		if err == nil {
			err = chromedp.Do(ctx, chromedp.EmulateViewport(l.width, 900))
		}
		var picture []byte
		if err == nil {
			picture, err = chromedp.Run(ctx, chromedp.FullScreenshot(100))
		}
		cancel()
		if err != nil {
			t.Fatalf("%s, %s: %v", name, l.name, err)
		}
		for _, fault := range evaluate[[]string](t, p, legible) {
			t.Errorf("%s, %s: %s", name, l.name, fault)
		}
		file := strings.NewReplacer("/", "_", " ", "-").Replace(name + " " + l.name)
		if err := os.WriteFile(filepath.Join(t.ArtifactDir(), file+".png"), picture, 0o600); err != nil {
			t.Error(err)
		}
	}
}

// legible returns the faults of a page.
const legible = `(() => {
  const faults = [];
  if (document.documentElement.scrollWidth > innerWidth) faults.push("wider than the window: " + document.documentElement.scrollWidth);
  const channel = c => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const parse = text => (text.match(/[\d.]+/g) ?? []).map(Number);
  const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n; n = walk.nextNode();) {
    const e = n.parentElement;
    if (!n.textContent.trim() || !e.checkVisibility()) continue;
    const a = light(parse(getComputedStyle(e).color)), b = light(behind(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faults.push("contrast " + ratio.toFixed(2) + " of " + n.textContent.trim().slice(0, 40));
  }
  for (const e of document.querySelectorAll("button, input, nav a, summary")) {
    if (!e.checkVisibility() || e.type === "hidden") continue;
    const box = e.getBoundingClientRect();
    if (box.height < 24 || box.width < 24) faults.push("too small: " + e.outerHTML.slice(0, 60));
  }
  return [...new Set(faults)];
})()`
