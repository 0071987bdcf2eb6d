package check

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/settings"
)

// Options are how an audit is done. The zero value is ready.
type Options struct {
	Django       string        // the version the settings are of; "": the one they tell, else [Newest]
	Suppressions []Suppression // findings that are known and do not count
	Now          time.Time     // when suppressions are judged
	Least        Severity      // findings below do not count; Info is as Low
}

// A Suppression says that a finding is known, why, and until when that holds.
type Suppression struct {
	ID     string
	Reason string
	Until  time.Time // the last day, in UTC; the time of day does not count
}

// Expired reports whether the last day is over.
func (s Suppression) Expired(now time.Time) bool {
	return now.UTC().Format(time.DateOnly) > s.Until.UTC().Format(time.DateOnly)
}

func (s Suppression) until() string { return s.Until.UTC().Format(time.DateOnly) }

// A Report is what an audit found. It holds no secret.
type Report struct {
	Name     string // of the text
	Django   string
	Because  string // what tells the version: a setting, "" when it was asked for, or "nothing"
	Settings int    // how many were read
	Printed  bool   // by diffsettings, and not in TOML or an environment
	URL      string // where the lesson began
	Proxy    bool   // behind a proxy, as SECURE_PROXY_SSL_HEADER says
	Story    trace.Story
	Replaced []Replaced
	Findings []Finding // those that count first, each kind by severity
	Unread   []settings.Value
	Expired  []Suppression
	Unused   []Suppression
	Patch    string // lines of Python; "" when there is nothing to mend
	Least    Severity
}

// A Finding is a fault with everything there is to say of it.
type Finding struct {
	Check    Check
	Setting  string
	Origin   settings.Origin
	Line     int // 0: none
	Text     string
	Severity Severity
	Evidence Evidence
	Excuse   string       // why it does not count; "" when it does
	By       *Suppression // the suppression that excuses it
}

// Counting returns the findings that count.
func (r *Report) Counting() []Finding {
	i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Excuse != "" })
	if i < 0 {
		return r.Findings
	}
	return r.Findings[:i]
}

// Clean reports whether nothing counts: neither a finding nor a suppression that has expired.
func (r *Report) Clean() bool { return len(r.Counting()) == 0 && len(r.Expired) == 0 }

// Audit executes the settings of p and asks every check. The name is that of the text, for people.
// The error says that there is no such Django, that the settings cannot be run, or that ctx is done.
func Audit(ctx context.Context, name string, p *settings.Project, o Options) (*Report, error) {
	r, s, err := find(p, o)
	if err != nil {
		return nil, err
	}
	r.Name = name
	w, err := r.execute(ctx, s)
	if err != nil {
		return nil, err
	}
	for i := range r.Findings {
		if r.Findings[i].Evidence, err = w.prove(ctx, &r.Findings[i].Check); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// find is the part of Audit that runs nothing.
func find(p *settings.Project, o Options) (*Report, *Subject, error) {
	version, because := version(p, o)
	s, err := newSubject(p, version)
	if err != nil {
		return nil, nil, err
	}
	r := &Report{
		Django: version, Because: because, Settings: len(p.Values()), Printed: p.Printed(), Findings: s.find(p),
		URL: s.url("http", "/"), Proxy: s.proxy() != "", Least: max(o.Least, Low),
	}
	r.excuse(s, o)
	for _, v := range p.Values() {
		if !v.Read && s.looksAt(v.Name) {
			r.Unread = append(r.Unread, v)
		}
	}
	r.Patch = s.mend(r.mends())
	return r, s, nil
}

// version is the Django that the settings are of, and what tells so.
func version(p *settings.Project, o Options) (version, because string) {
	if o.Django != "" {
		return o.Django, ""
	}
	if v, ok := p.Lookup("DJANGO_VERSION"); ok && !p.Printed() {
		return fmt.Sprint(v.Python), v.Name
	}
	if version, because = p.Version(); version == "" {
		return Newest, "nothing"
	}
	return version, because
}

// execute runs the lesson under the settings.
func (r *Report) execute(ctx context.Context, s *Subject) (*witness, error) {
	e, err := s.nearest()
	if err != nil {
		return nil, err
	}
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		return nil, err
	}
	run, err := e.run(ctx, s.proxy()+"lesson "+r.URL+"\n")
	if err != nil {
		return nil, fmt.Errorf("running the lesson under the settings: %w", err)
	}
	r.Story = trace.Tell(run, e.settings.SessionCookieName, catalogue.Lookup)
	r.Replaced = e.replaced
	return &witness{execution: e, story: r.Story, lookup: catalogue.Lookup}, nil
}

// asked are the checks for the Django of s.
func (s *Subject) asked() []Check {
	return slices.DeleteFunc(All(), func(c Check) bool { return c.applies != nil && !c.applies(s) })
}

// find asks every check.
func (s *Subject) find(p *settings.Project) []Finding {
	var all []Finding
	for _, c := range s.asked() {
		for _, fault := range c.Find(s) {
			f := Finding{Check: c, Setting: cmp.Or(fault.Setting, c.Settings[0]), Text: fault.Text, Severity: c.Severity, Origin: settings.Default}
			if fault.Severity != nil {
				f.Severity = *fault.Severity
			}
			if v, ok := p.Lookup(f.Setting); ok {
				f.Origin, f.Line = v.Origin, v.Line
			}
			all = append(all, f)
		}
	}
	return all
}

// looksAt reports whether any check looks at the setting.
func (s *Subject) looksAt(name string) bool {
	return slices.ContainsFunc(s.asked(), func(c Check) bool { return slices.Contains(c.Settings, name) })
}

// excuse says of findings why they do not count, and puts those that do first.
func (r *Report) excuse(s *Subject, o Options) {
	silenced := s.texts("SILENCED_SYSTEM_CHECKS")
	used := map[string]bool{}
	for i := range r.Findings {
		f := &r.Findings[i]
		by := slices.IndexFunc(o.Suppressions, func(x Suppression) bool { return x.ID == f.Check.ID })
		if by >= 0 {
			used[f.Check.ID] = true
		}
		switch {
		case by >= 0 && !o.Suppressions[by].Expired(o.Now):
			f.By = &o.Suppressions[by]
			f.Excuse = fmt.Sprintf("suppressed until %s: %s", f.By.until(), f.By.Reason)
		case f.Severity == Info:
			f.Excuse = "for information"
		case f.Check.DjangosOwn() && slices.Contains(silenced, f.Check.ID):
			f.Excuse = "silenced by SILENCED_SYSTEM_CHECKS, for ever and without a reason"
		case f.Severity < r.Least:
			f.Excuse = "below --fail-level " + r.Least.String()
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		if (a.Excuse == "") != (b.Excuse == "") {
			return cmp.Compare(len(a.Excuse), len(b.Excuse))
		}
		return cmp.Compare(b.Severity, a.Severity)
	})
	for _, x := range o.Suppressions {
		switch {
		case x.Expired(o.Now):
			r.Expired = append(r.Expired, x)
		case !used[x.ID]:
			r.Unused = append(r.Unused, x)
		}
	}
}

// mends reports of a check whether its findings are to be mended: those that count, and those that
// come up as others are mended, but none that is excused.
func (r *Report) mends() func(c *Check, faults []Fault) bool {
	excused := map[string]bool{}
	for _, f := range r.Findings {
		if f.Excuse != "" {
			excused[f.Check.ID] = true
		}
	}
	for _, f := range r.Counting() {
		delete(excused, f.Check.ID)
	}
	return func(c *Check, faults []Fault) bool {
		counts := func(f Fault) bool {
			return f.Severity == nil && c.Severity > Info || f.Severity != nil && *f.Severity > Info
		}
		return c.Mend != nil && !excused[c.ID] && slices.ContainsFunc(faults, counts)
	}
}

// maxRounds is how often mending one thing may bring up another.
const maxRounds = 6

// mend returns the lines after which nothing is found any more.
func (s *Subject) mend(wanted func(*Check, []Fault) bool) string {
	m := s.mended()
	for range maxRounds {
		mended := false
		for _, c := range m.asked() {
			if wanted(&c, c.Find(m)) {
				m.mending = c.ID
				c.Mend(m)
				m.again()
				mended = true
			}
		}
		if !mended {
			break
		}
	}
	return m.lines()
}

// lines writes the patch, ordered by names; lines that need others' names come first.
func (s *Subject) lines() string {
	if len(s.patch) == 0 {
		return ""
	}
	var before, after strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.patch)) {
		l := s.patch[name]
		why := strings.Join(l.checks, ", ")
		if l.comment != "" {
			why += ": " + l.comment
		}
		if l.whole {
			fmt.Fprintf(&before, "# %s\n%s\n", why, l.code)
			continue
		}
		fmt.Fprintf(&after, "%s = %s  # %s\n", name, l.code, why)
	}
	if strings.Contains(after.String(), "os.environ") {
		return "import os\n\n" + before.String() + after.String()
	}
	return before.String() + after.String()
}
