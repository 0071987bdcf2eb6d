package lesson

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/lockstep-http/lockstep/internal/scenario"
)

// Limits of a library.
const (
	maxFiles = 200      // scenario files of a folder
	maxFile  = 64 << 10 // bytes of one
)

// TheLesson is the name of the scenario that comes first.
const TheLesson = "lesson"

// ending is that of the name of a scenario file.
const ending = ".scenario"

//go:embed scenarios/*.scenario
var shipped embed.FS

// Options say what a Library is made of. The zero value has the scenarios that come with it.
type Options struct {
	Dir       string              // a folder with scenario files of a person's own, "" for none
	Catalogue *scenario.Catalogue // of the rules; nil: that of all packages
}

// A Library holds the scenarios. It does not change, but for the runs that it keeps, and is safe for concurrent
// use.
type Library struct {
	catalogue *scenario.Catalogue
	all       []entry // the lesson first
	words     *words
	kept      keptRuns // that questions were made from

	mu        sync.Mutex
	exercises []Exercise // once all were told
}

// An entry is a scenario, read.
type entry struct {
	Scenario
	parsed  *scenario.Scenario
	asks    string   // the template and subject whose answers the question has; "" for none
	shows   []string // variables of the tracker that are no details here
	opening opening
}

// New reads the scenarios. A file of Options.Dir may take the place of one that is shipped by its name.
func New(o Options) (*Library, error) {
	l := &Library{catalogue: o.Catalogue}
	var err error
	if l.catalogue == nil {
		if l.catalogue, err = scenario.NewCatalogue(); err != nil {
			return nil, err
		}
	}
	if l.words, err = readWords(texts); err != nil {
		return nil, err
	}
	inside, err := fs.Sub(shipped, "scenarios")
	if err == nil {
		err = l.read(inside)
	}
	if err == nil && o.Dir != "" {
		err = l.read(os.DirFS(o.Dir))
	}
	if err != nil {
		return nil, fmt.Errorf("reading the scenarios of the lab: %w", err)
	}
	return l, nil
}

// read adds the scenario files of a folder. It reports every one that cannot be read.
func (l *Library) read(dir fs.FS) error {
	if _, err := fs.Stat(dir, "."); err != nil {
		return err
	}
	names, err := fs.Glob(dir, "*"+ending)
	if err != nil {
		return err
	}
	if len(names) > maxFiles {
		return fmt.Errorf("%d files are more than %d", len(names), maxFiles)
	}
	var wrong []error
	for _, name := range names {
		e, err := readFile(dir, name)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
			continue
		}
		e.Plan = l.words.plan(e.Text)
		l.add(e)
	}
	return errors.Join(wrong...)
}

func (l *Library) add(e entry) {
	if i := l.index(e.Name); i >= 0 {
		l.all[i] = e
		return
	}
	l.all = append(l.all, e)
}

func readFile(dir fs.FS, file string) (entry, error) {
	name, err := nameOf(file)
	if err != nil {
		return entry{}, err
	}
	text, err := contents(dir, file)
	if err != nil {
		return entry{}, err
	}
	return read(name, string(text))
}

// contents are the bytes of a plain file. A pipe may never end, or never begin, and a device have no size.
func contents(dir fs.FS, file string) ([]byte, error) {
	info, err := fs.Stat(dir, file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("this is not a plain file")
	}
	f, err := dir.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	return text, err
}

// A scenario is called as its file is, without the number in front, which puts the files in order, and
// without the ending.
var fileName = regexp.MustCompile(`^(?:\d+-)?([a-z][a-z0-9-]{0,59})\.scenario$`)

func nameOf(file string) (string, error) {
	parts := fileName.FindStringSubmatch(path.Base(file))
	if parts == nil {
		return "", errors.New("a scenario file is called like 14-my-cookie.scenario: a number, small letters, digits and hyphens")
	}
	return parts[1], nil
}

// read parses the text of a scenario file: its head, then its commands.
func read(name, text string) (entry, error) {
	h, err := readHead(text)
	if err != nil {
		return entry{}, err
	}
	parsed, err := scenario.Parse(text)
	if err != nil {
		return entry{}, err
	}
	e := entry{
		Scenario: Scenario{
			Name: name, Title: h.title, Intro: h.intro, Question: h.question, Switches: h.switches, Attacker: h.attacker,
			Text: strings.TrimSpace(text) + "\n",
		},
		parsed: parsed, asks: h.asks, shows: h.shows,
	}
	e.opening, err = openingOf(parsed)
	return e, err
}

// Scenarios returns the scenarios, the lesson first.
func (l *Library) Scenarios() []Scenario {
	all := make([]Scenario, len(l.all))
	for i, e := range l.all {
		all[i] = e.Scenario
	}
	return all
}

// Scenario returns the scenario of a name, of which "" is that of the lesson.
func (l *Library) Scenario(name string) (Scenario, bool) {
	e, err := l.entry(name)
	return e.Scenario, err == nil
}

func (l *Library) index(name string) int {
	return slices.IndexFunc(l.all, func(e entry) bool { return e.Name == name })
}

// entry finds a scenario, or says which there are.
func (l *Library) entry(name string) (entry, error) {
	name = cmp.Or(name, TheLesson)
	if i := l.index(name); i >= 0 {
		return l.all[i], nil
	}
	var names []string
	for _, e := range l.all {
		names = append(names, e.Name)
	}
	return entry{}, &SetupError{Name: "scenario", Value: name, Problem: "there is no such scenario", Values: names}
}
