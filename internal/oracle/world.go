package oracle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/session"
)

// A world is what the requests of one line share: settings, clock, randomness, the table of sessions.
type world struct {
	answerer *Answerer
	settings lockstep.Settings
	clock    *float64 // seconds since 1970; nil is the real one
	random   *stream
	table    *table
	log      *records
	guards   map[bool]*lockstep.Guard // by whether they are without CSRF protection
	jar      map[string]string
	answers  []json.RawMessage
}

const (
	defaultClock = 1700000000
	defaultSeed  = "lockstep"
	twoWeeks     = 1209600
)

func (a *Answerer) newWorld(line object) (*world, error) {
	clock := float64(defaultClock)
	w := &world{
		answerer: a, clock: &clock, random: &stream{seed: defaultSeed}, table: newTable(), log: new(records),
		guards: map[bool]*lockstep.Guard{}, answers: []json.RawMessage{},
	}
	if line.has("now") {
		w.setClock(line.raw("now"))
	}
	if line.given("seed") {
		w.random.seed = line.text("seed")
	}
	if line.flag("jar") {
		w.jar = map[string]string{}
	}
	if line.text("op") == "check" {
		return w, nil // of settings that need not be good
	}
	var err error
	w.settings, err = settingsFor(a.version, line.object("settings"))
	return w, err
}

func (w *world) setClock(raw json.RawMessage) {
	if w.clock = nil; !isNull(raw) {
		n, _ := numberOf(raw)
		w.clock = &n
	}
}

func (w *world) now() time.Time {
	if w.clock == nil {
		return time.Now()
	}
	return moment(*w.clock)
}

// guard returns the Guard of the line, without CSRF protection for a view that is exempt.
func (w *world) guard(exempt bool) (*lockstep.Guard, error) {
	if g := w.guards[exempt]; g != nil {
		return g, nil
	}
	s := w.settings
	if exempt {
		s.InsecureCSRFExempt = append(slices.Clone(s.InsecureCSRFExempt), "/")
	}
	o := lockstep.Options{
		Logger: slog.New(w.log), Now: w.now, Rand: w.random,
		CSRFFailure: func(out http.ResponseWriter, _ *http.Request, _ rule.Verdict) {
			writeJSON(out, http.StatusForbidden, objectFrom("csrf_failure", w.log.reason()))
		},
	}
	if !w.keepsInCookie() {
		o.Sessions = w.table
	}
	g, err := lockstep.New(s, o)
	w.guards[exempt] = g
	return g, err
}

func (w *world) keepsInCookie() bool {
	return strings.HasSuffix(w.settings.SessionEngine, ".signed_cookies")
}

// run answers the requests of a line one after the other.
func (w *world) run(line object) error {
	requests, rows := line.list("requests"), line.list("session_rows")
	switch {
	case len(requests) > maxRequests:
		return valueError("a line has at most %d requests", maxRequests)
	case len(rows) > maxRows:
		return valueError("a line has at most %d session_rows", maxRows)
	}
	if _, err := w.guard(false); err != nil {
		return err
	}
	for _, row := range rows {
		if err := w.insert(objectOf(row)); err != nil {
			return err
		}
	}
	for _, raw := range requests {
		filled, err := w.fill(raw)
		if err != nil {
			return err
		}
		if err := w.request(objectOf(filled), line.text("view")); err != nil {
			return err
		}
	}
	return nil
}

var template = regexp.MustCompile(`\{\{([^{}"]+)\}\}`)

// fill puts values of the answers so far where a request has {{N.path.to.value}}. In JSON two braces
// follow one another in strings only.
func (w *world) fill(request json.RawMessage) (json.RawMessage, error) {
	var failed error
	filled := template.ReplaceAllFunc(request, func(match []byte) []byte {
		steps := strings.Split(string(match[2:len(match)-2]), ".")
		value, err := w.look(steps)
		failed = errors.Join(failed, err)
		quoted := mustMarshal(value)
		return quoted[1 : len(quoted)-1]
	})
	return filled, failed
}

func (w *world) look(steps []string) (string, error) {
	value := mustMarshal(w.answers)
	for _, step := range steps {
		if list := listOf(value); list != nil {
			n, err := strconv.Atoi(step)
			if err != nil || n < 0 || n >= len(list) {
				return "", &djangoError{"IndexError", strconv.Quote(step)}
			}
			value = list[n]
			continue
		}
		o := objectOf(value)
		if !o.has(step) {
			return "", &djangoError{"KeyError", strconv.Quote(step)}
		}
		value = o.raw(step)
	}
	return pythonText(value), nil
}

// request answers one request.
func (w *world) request(question object, view string) error {
	if question.has("now") {
		w.setClock(question.raw("now"))
	}
	if name := question.text("view"); name != "" {
		view = name
	}
	if view == "" {
		view = "plain"
	}
	show, ok := views[view]
	if !ok {
		return unsupported("there is no view %q", view)
	}
	g, err := w.guard(view == "csrf_exempt")
	if err != nil {
		return err
	}
	*w.log = nil
	r, err := w.incoming(question)
	if refused := new(serverError); errors.As(err, &refused) {
		w.answers = append(w.answers, objectFrom("status", http.StatusBadRequest, "exception", refused.Error()))
		return nil
	}
	if err != nil {
		return err
	}
	secure, host := g.Secure(r), g.Host(r)
	out := &response{header: http.Header{}}
	var failed error
	g.Wrap(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if err := show(&call{w, out, r, question.object("args")}); err != nil {
			failed = err
			writeText(out, http.StatusInternalServerError, "error 500")
		}
	})).ServeHTTP(out, r)
	if refused := new(djangoError); errors.As(failed, &refused) && refused.class == "NotSupported" {
		return failed
	}
	out.WriteHeader(http.StatusOK) // if nobody did
	cookies := out.cookies()
	answer := out.answer(cookies)
	answer.Set("is_secure", mustMarshal(secure.Yes))
	answer.Set("get_host", mustMarshal(hostText(host, w.log)))
	answer.Set("logs", mustMarshal(w.log.lines()))
	w.keep(cookies)
	w.answers = append(w.answers, answer.AppendJSON(nil))
	return nil
}

// hostText is what oracle.py has for request.get_host().
func hostText(v rule.Verdict, log *records) string {
	if v.Yes {
		return v.Subject
	}
	for _, r := range *log {
		if r["logger"] == "django.security.DisallowedHost" {
			return "!DisallowedHost: " + r["reason"]
		}
	}
	return "!DisallowedHost"
}

// keep puts cookies into the jar, by name alone.
func (w *world) keep(cookies []setCookie) {
	if w.jar == nil {
		return
	}
	for _, c := range cookies {
		if age, err := strconv.Atoi(c.attribute("Max-Age")); err == nil && age <= 0 {
			delete(w.jar, c.name)
		} else {
			w.jar[c.name] = c.coded
		}
	}
}

// A table is a store that can tell what it holds.
type table struct {
	session.Memory
	mu   sync.Mutex
	keys map[string]bool
}

func newTable() *table { return &table{keys: map[string]bool{}} }

// Save implements [session.Store].
func (t *table) Save(ctx context.Context, key string, old, next session.Record) error {
	t.mu.Lock()
	t.keys[key] = true
	t.mu.Unlock()
	return t.Memory.Save(ctx, key, old, next)
}

func (w *world) insert(row object) error {
	if err := row.needs("key"); err != nil {
		return err
	}
	data := row.text("raw")
	if !row.given("raw") {
		raw, err := python(orEmpty(row.raw("data")))
		if err != nil {
			return err
		}
		data = w.sessionSigner().Dumps(raw, true, w.now())
	}
	in, given := row.number("expire_in")
	if !given {
		in = twoWeeks
	}
	return w.table.Save(context.Background(), row.text("key"), session.Record{},
		session.Record{Data: []byte(data), Expires: w.now().Add(duration(in))})
}

func orEmpty(raw json.RawMessage) json.RawMessage {
	if isNull(raw) {
		return json.RawMessage("{}")
	}
	return raw
}

func (w *world) keys() []string {
	return append([]string{w.settings.SecretKey}, w.settings.SecretKeyFallbacks...)
}

func (w *world) sessionSigner() *django.Signer {
	return django.NewSigner(django.SessionSalt, w.keys()...)
}

// dump is the table of the engines that have one.
func (w *world) dump() json.RawMessage {
	rows := []json.RawMessage{}
	if engine := w.settings.SessionEngine; !strings.HasSuffix(engine, "db") { // db and cached_db
		return mustMarshal(rows)
	}
	for _, key := range slices.Sorted(maps.Keys(w.table.keys)) {
		record, err := w.table.Load(context.Background(), key)
		if err != nil {
			continue // deleted since
		}
		rows = append(rows, objectFrom(
			"key", key, "raw", string(record.Data), "decoded", w.decode(string(record.Data)),
			"expires_in", math.Round(record.Expires.Sub(w.now()).Seconds()*1e3)/1e3))
	}
	return mustMarshal(rows)
}

// decode is what a payload holds, {} when it cannot be read.
func (w *world) decode(payload string) json.RawMessage {
	raw, err := w.sessionSigner().Loads(payload, -1, w.now())
	if err == nil {
		if _, err = django.ParseObject(raw); err == nil {
			return raw
		}
	}
	return json.RawMessage("{}")
}

// records collects what is logged, each line as its attributes.
type records []map[string]string

// Enabled implements [slog.Handler].
func (l *records) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements [slog.Handler].
func (l *records) Handle(_ context.Context, r slog.Record) error {
	line := map[string]string{"level": pythonLevel(r.Level), "message": r.Message}
	r.Attrs(func(a slog.Attr) bool {
		line[a.Key] = a.Value.String()
		return true
	})
	*l = append(*l, line)
	return nil
}

// WithAttrs implements [slog.Handler]; a Guard asks for none.
func (l *records) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements [slog.Handler] likewise.
func (l *records) WithGroup(string) slog.Handler { return l }

func pythonLevel(level slog.Level) string {
	if level == slog.LevelWarn {
		return "WARNING"
	}
	return level.String()
}

// reason is the last one that was logged.
func (l *records) reason() string {
	if len(*l) == 0 {
		return ""
	}
	return (*l)[len(*l)-1]["reason"]
}

// lines are the records as oracle.py has them: logger, level, message.
func (l *records) lines() [][]string {
	lines := [][]string{}
	for _, r := range *l {
		logger, message := r["logger"], r["reason"]
		switch logger {
		case "":
			logger, message = "lockstep", r["message"]
		case "django.security.csrf":
			message = fmt.Sprintf("Forbidden (%s): %s", unicodeEscape(message), unicodeEscape(r["path"]))
		}
		lines = append(lines, []string{logger, r["level"], message})
	}
	return lines
}

// unicodeEscape is Python's encoding of that name, in which Django logs what it was sent.
func unicodeEscape(text string) string {
	var b strings.Builder
	for _, c := range text {
		switch short := strings.IndexRune("\n\r\t\\", c); {
		case short >= 0:
			b.WriteString([]string{`\n`, `\r`, `\t`, `\\`}[short])
		case c < ' ' || 0x7f <= c && c <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, c)
		case c > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, c)
		case c > 0xff:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}
