package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/browser"
)

// A Question is what the comment at the head of a scenario says.
type Question struct {
	Text     string            // the question, in one paragraph
	Answer   string            // one or more paragraphs
	Profiles []browser.Profile // of which the answer holds; nil: the scenario says "profile" itself
}

// profilesMark begins the last paragraph of the comment.
const profilesMark = "Profiles: "

// Question reads the comment at the head: paragraphs, of which the first is the question and those
// that follow are the answer. The last names the profiles of which the answer holds, unless commands
// of the scenario do.
func (s *Scenario) Question() (Question, error) {
	all := s.head()
	if len(all) < 2 {
		return Question{}, errors.New("reading the question of a scenario: want a comment at its head, with the question, an empty line and the answer")
	}
	q := Question{Text: all[0]}
	last := len(all) - 1
	names, found := strings.CutPrefix(all[last], profilesMark)
	if found == s.says("profile") {
		return Question{}, fmt.Errorf("reading the question of a scenario: want either a last line %q with names in its comment or the command profile", profilesMark)
	}
	if found {
		all = all[:last]
		for name := range strings.SplitSeq(names, ", ") {
			p, ok := browser.ProfileNamed(name)
			if !ok {
				return Question{}, fmt.Errorf("reading the question of a scenario: no profile %q: there are %s", name, profileNames())
			}
			q.Profiles = append(q.Profiles, p)
		}
	}
	q.Answer = strings.Join(all[1:], "\n\n")
	if q.Answer == "" {
		return Question{}, errors.New("reading the question of a scenario: there is no answer")
	}
	return q, nil
}

// head returns the paragraphs of the comment with which the text begins, each on one line.
func (s *Scenario) head() []string {
	var lines []string
	for line := range strings.Lines(s.Text) {
		words, found := strings.CutPrefix(strings.TrimSpace(line), "#")
		if !found {
			break
		}
		lines = append(lines, strings.TrimSpace(words))
	}
	var all []string
	for paragraph := range strings.SplitSeq(strings.Join(lines, "\n"), "\n\n") {
		if words := strings.Join(strings.Fields(paragraph), " "); words != "" {
			all = append(all, words)
		}
	}
	return all
}

// says reports whether a command of the scenario begins with word.
func (s *Scenario) says(word string) bool {
	return slices.ContainsFunc(s.commands, func(c command) bool {
		first, _, _ := strings.Cut(c.text, " ")
		return first == word
	})
}

// HasRows reports whether the scenario says what its visits are for, so that they are the rows of a table.
func (s *Scenario) HasRows() bool { return s.says("step") || s.says("lesson") }
