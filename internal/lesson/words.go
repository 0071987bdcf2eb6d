package lesson

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// words are the texts of texts.json that a run is told with. Names in braces stand for what the run has.
type words struct {
	Run      map[string]string      `json:"run"`
	Attacker map[string]string      `json:"attacker"`
	Switches map[string]switchWords `json:"switches"`
}

type switchWords struct {
	Label  string            `json:"label"`
	About  string            `json:"about"`
	Values map[string]string `json:"values"`
}

func readWords(file []byte) (*words, error) {
	w := &words{}
	if err := json.Unmarshal(file, w); err != nil {
		return nil, fmt.Errorf("reading the texts of the lab: %w", err)
	}
	return w, nil
}

// run is a text about a run; pairs are names in braces and what stands for them. A text that is not there
// is its key, which a test looks for.
func (w *words) run(key string, pairs ...string) string { return fill(w.Run, key, pairs) }

// brief puts short words in the place of the rules and names by which a trace tells its cells.
func (w *words) brief(cell string) string {
	const mark = "brief."
	for _, key := range slices.Sorted(maps.Keys(w.Run)) {
		if name, ok := strings.CutPrefix(key, mark); ok {
			cell = strings.ReplaceAll(cell, name, w.Run[key])
		}
	}
	return cell
}

// planRows are how many rows the lesson has, which its file makes of one command.
const planRows = 5

// plan is what the rows of a scenario are called before it runs: its titles, or the lesson's own five.
func (w *words) plan(text string) []string {
	all := []string{}
	for line := range strings.Lines(text) {
		command, title, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch command {
		case "step", "then":
			all = append(all, strings.TrimSpace(title))
		case "lesson":
			for i := range planRows {
				all = append(all, w.run(fmt.Sprintf("plan.%d", i+1)))
			}
		}
	}
	return all
}

// attacker is a text of the attacker's lane.
func (w *words) attacker(key string, pairs ...string) string { return fill(w.Attacker, key, pairs) }

func fill(from map[string]string, key string, pairs []string) string {
	text, ok := from[key]
	if !ok {
		return key
	}
	if len(pairs) == 0 {
		return text
	}
	named := make([]string, len(pairs))
	for i, p := range pairs {
		if named[i] = p; i%2 == 0 {
			named[i] = "{" + p + "}"
		}
	}
	return strings.NewReplacer(named...).Replace(text)
}
