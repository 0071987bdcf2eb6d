package e2e_test

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/lockstep-http/lockstep/internal/lab"
	course "github.com/lockstep-http/lockstep/internal/lesson"
	"github.com/lockstep-http/lockstep/internal/listen"
	"github.com/lockstep-http/lockstep/internal/scenario"
)

var update = flag.Bool("update", false, "rewrite the golden file of the lab's page")

// beforePage runs in each page before its own script.
//
//go:embed testdata/lab/before.js
var beforePage string

// labTests are what the page of the lab is held to, each in a tab of its own.
var labTests = map[string]func(*testing.T, *theatre){
	"axe":              labAxe,
	"the focus":        labFocus,
	"keys alone":       labKeys,
	"shortcuts":        labShortcuts,
	"what is said":     labSaid,
	"text spacing":     labSpacing,
	"names and roles":  labTree,
	"no script":        labPlain,
	"motion and force": labMedia,
	"print":            labPrint,
	"a tour":           labTour,
	"links":            labLinks,
	"progress":         labProgress,
	"a switch":         labSwitch,
	"a review":         labReview,
	"a deep link":      labDeep,
	"own browser":      labOwnBrowser,
	"pictures":         labPictures,
}

// TestLab opens the lab in Chromium.
func TestLab(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, err, "chromium")
	}
	s := newTheatre(t, path)
	for name, f := range labTests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, s)
		})
	}
}

// A theatre is the lab as the program serves it, and one Chromium to look at it.
type theatre struct {
	base     string
	library  *course.Library
	chromium context.Context
}

func newTheatre(t *testing.T, path string) *theatre {
	t.Helper()
	s := &theatre{}
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	if s.library, err = course.New(course.Options{Catalogue: catalogue}); err != nil {
		t.Fatal(err)
	}
	l, port, err := listen.Local(t.Context(), "localhost", 0)
	if err != nil {
		t.Fatal(err)
	}
	server, err := lab.New(lab.Options{Library: s.library, Catalogue: catalogue, Host: "localhost", Port: port})
	if err != nil {
		t.Fatal(err)
	}
	s.serve(t, l, server)
	s.base = fmt.Sprintf("http://localhost:%d", port)
	s.chromium = startPerson(t, path, s.base).ctx
	return s
}

func (s *theatre) serve(t *testing.T, l net.Listener, handler *lab.Server) {
	t.Helper()
	server := handler.HTTP()
	over := make(chan error, 1)
	go func() { over <- server.Serve(l) }()
	t.Cleanup(func() {
		handler.Close()
		server.Close()
		if err := <-over; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// A seat is a tab with cookies and storage of its own, and what Chromium tells of it.
type seat struct {
	*onlooker

	mu       sync.Mutex
	requests []string // their URLs
	bytes    float64  // that came over the wire
	crashes  []string
}

// sit opens a tab at the lab, wide and light.
func (s *theatre) sit(t *testing.T, fragment string) *seat {
	t.Helper()
	p := &seat{onlooker: &onlooker{base: s.base}}
	ctx, cancel := chromedp.NewContext(s.chromium, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.hear))
	t.Cleanup(cancel)
	p.ctx = ctx
	t.Cleanup(func() { chromedp.Cancel(ctx) })
	if err := errors.Join(
		chromedp.Do(ctx),
		ask(ctx, log.Enable, cdp.Empty{}),
		ask(ctx, runtime.Enable, cdp.Empty{}),
		ask(ctx, network.Enable, network.EnableParams{}),
		ask(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: beforePage}),
		ask(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}),
	); err != nil {
		t.Fatal(err)
	}
	p.looksLike(t, labLooks[0])
	p.enter(t, "/"+fragment)
	return p
}

func ask[P, R any](ctx context.Context, command cdp.Command[P, R], params P) error {
	_, err := chromedp.Call(ctx, command, params)
	return err
}

// hear keeps what went over the wire, and what the browser complains of.
func (p *seat) hear(event any) {
	p.onlooker.hear(event)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, e.Request.URL)
	case *network.EventLoadingFinished:
		p.bytes += e.EncodedDataLength
	case *runtime.EventExceptionThrown:
		p.crashes = append(p.crashes, e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			p.crashes = append(p.crashes, fmt.Sprintf("console.%s", e.Type))
		}
	}
}

// labTimeout is for one thing that a page is asked, which takes a second at most where nothing else runs.
const labTimeout = time.Minute

// tells runs a body of an async function in the page.
func tells[T any](t *testing.T, p *seat, body string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, labTimeout)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T]("(async () => {"+body+"\n})()", chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return got
}

// does has something done in the page, and waits until it is.
func (p *seat) does(t *testing.T, body string) {
	t.Helper()
	tells[bool](t, p, body+"\n;return test.settled();")
}

// holds fails the test unless something is so in the page.
func (p *seat) holds(t *testing.T, expression, what string) {
	t.Helper()
	if !tells[bool](t, p, "return Boolean("+expression+")") {
		t.Errorf("not so: %s", what)
	}
}

// faultless fails the test with each fault that an expression finds in the page.
func (p *seat) faultless(t *testing.T, where, expression string) {
	t.Helper()
	for _, fault := range tells[[]string](t, p, "return "+expression) {
		t.Errorf("%s: %s", where, fault)
	}
}

// enter loads a page of the lab.
func (p *seat) enter(t *testing.T, path string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, labTimeout)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(p.base+path)); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	p.does(t, "")
}

// goes follows a link within the page.
func (p *seat) goes(t *testing.T, fragment string) {
	t.Helper()
	p.does(t, fmt.Sprintf("await test.go(%q)", fragment))
}

// press presses keys, as a person does.
func (p *seat) press(t *testing.T, keys string, options ...chromedp.KeyOption) {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, labTimeout)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.KeyEvent(keys, options...)); err != nil {
		t.Fatal(err)
	}
}

// A labLook is a window and what a person prefers.
type labLook struct {
	name          string
	width, height int64
	media         map[string]string
}

// labLooks are the looks that everything is judged in. Nothing moves, so that no colour is on its way to
// another when it is judged.
var labLooks = []labLook{
	{"wide light", 1280, 900, map[string]string{"prefers-color-scheme": "light", "prefers-reduced-motion": "reduce"}},
	{"wide dark", 1280, 900, map[string]string{"prefers-color-scheme": "dark", "prefers-reduced-motion": "reduce"}},
	{"narrow light", 320, 640, map[string]string{"prefers-color-scheme": "light", "prefers-reduced-motion": "reduce"}},
	{"narrow dark", 320, 640, map[string]string{"prefers-color-scheme": "dark", "prefers-reduced-motion": "reduce"}},
}

func (p *seat) looksLike(t *testing.T, l labLook) {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, labTimeout)
	defer cancel()
	media := emulation.SetEmulatedMediaParams{}
	for name, value := range l.media {
		media.Features = append(media.Features, &emulation.MediaFeature{Name: name, Value: value})
	}
	if err := errors.Join(ask(ctx, emulation.SetEmulatedMedia, media), chromedp.Do(ctx, chromedp.EmulateViewport(l.width, l.height))); err != nil {
		t.Fatal(err)
	}
}
