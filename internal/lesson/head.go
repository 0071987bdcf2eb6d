package lesson

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A head is the comment with which a scenario file begins.
type head struct {
	title    string
	intro    []string
	question string
	asks     string
	switches []string
	shows    []string
	attacker bool
}

// The lines of a head that say something about the scenario, each the beginning of a paragraph.
const (
	markPredict  = "Predict:"
	markAsks     = "Asks:"
	markSwitches = "Switches:"
	markShows    = "Shows:"
	markAttacker = "Attacker:"
)

// readHead reads the comment at the beginning: the title, paragraphs of introduction, and the marked
// lines in any order. The title and the question are needed.
func readHead(text string) (head, error) {
	all := paragraphs(text)
	if len(all) == 0 || isMarked(all[0]) {
		return head{}, errors.New("want a comment at the beginning, and in its first lines the title")
	}
	h := head{title: all[0], intro: []string{}, switches: []string{}}
	for _, p := range all[1:] {
		if err := h.take(p); err != nil {
			return head{}, err
		}
	}
	if h.question == "" {
		return head{}, fmt.Errorf("want a question to predict: a line %q in the comment at the beginning", "# "+markPredict+" Does the cookie go along?")
	}
	return h, nil
}

func (h *head) take(paragraph string) error {
	mark, rest, _ := strings.Cut(paragraph, " ")
	switch mark {
	case markPredict:
		h.question = rest
	case markAsks:
		h.asks = rest
		if name, _, _ := strings.Cut(rest, "/"); !isTemplate(name) {
			return fmt.Errorf("no kind of question %q: there are %s", name, strings.Join(templateNames(), ", "))
		}
	case markSwitches:
		h.switches = list(rest)
		for _, name := range h.switches {
			if _, ok := switchNamed(name); !ok {
				return fmt.Errorf("no switch %q: there are %s", name, strings.Join(switchNames(), ", "))
			}
		}
	case markShows:
		h.shows = list(rest)
		for _, name := range h.shows {
			if !slices.Contains(tracked, name) {
				return fmt.Errorf("no variable %q: there are %s", name, strings.Join(tracked, ", "))
			}
		}
	case markAttacker:
		if rest != "yes" && rest != "no" {
			return fmt.Errorf("want yes or no behind %q", markAttacker)
		}
		h.attacker = rest == "yes"
	default:
		h.intro = append(h.intro, paragraph)
	}
	return nil
}

func isMarked(line string) bool {
	mark, _, _ := strings.Cut(line, " ")
	return slices.Contains([]string{markPredict, markAsks, markSwitches, markShows, markAttacker}, mark)
}

// paragraphs returns those of the comment with which a text begins, each on one line. An empty line of
// the comment ends one, and so does a line with a mark.
func paragraphs(text string) []string {
	var all []string
	open := false
	for line := range strings.Lines(strings.TrimLeft(text, "\r\n")) {
		words, found := strings.CutPrefix(strings.TrimSpace(line), "#")
		if !found {
			break
		}
		words = strings.Join(strings.Fields(words), " ")
		switch {
		case words == "":
			open = false
		case open && !isMarked(words):
			all[len(all)-1] += " " + words
		default:
			all, open = append(all, words), true
		}
	}
	return all
}

// list takes words apart that stand behind commas.
func list(text string) []string {
	all := []string{}
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			all = append(all, word)
		}
	}
	return all
}
