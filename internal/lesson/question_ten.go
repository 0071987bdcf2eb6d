package lesson

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// testGrades are the grades of the questions of a test, in the order in which they are asked.
var testGrades = []string{Easy, Easy, Easy, Easy, Medium, Medium, Medium, Hard, Hard, Hard}

// Test returns ten questions drawn by a seed: four easy ones, three of medium grade and three hard ones,
// each about another scenario as long as there are so many. The same seed draws the same.
func (l *Library) Test(ctx context.Context, seed uint64) ([]Question, error) {
	names := l.drawn(seed)
	used := map[string]int{} // by template
	var all []Question
	for i, grade := range testGrades {
		for k := range names {
			q, ok, err := l.draw(ctx, names[(i+k)%len(names)], grade, seed, used, all)
			if err != nil {
				return nil, err
			}
			if ok {
				all = append(all, q)
				break
			}
		}
	}
	return all, nil
}

// drawn are the names of the scenarios in an order drawn by a seed.
func (l *Library) drawn(seed uint64) []string {
	var names []string
	for _, s := range l.Scenarios() {
		names = append(names, s.Name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(lot(seed, a), lot(seed, b)) })
	return names
}

// draw takes a question of a grade about a scenario, of a template that was used least, and none twice.
func (l *Library) draw(ctx context.Context, scenario, grade string, seed uint64, used map[string]int, have []Question) (Question, bool, error) {
	g, err := l.ground(ctx, Setup{Scenario: scenario})
	if err != nil {
		return Question{}, false, err
	}
	var found []Question
	for _, t := range templates() {
		if t.grade == grade {
			found = append(found, g.make(t.name, kindTest, seed)...)
		}
	}
	found = slices.DeleteFunc(found, func(q Question) bool {
		return slices.ContainsFunc(have, func(h Question) bool { return h.ID == q.ID })
	})
	if len(found) == 0 {
		return Question{}, false, nil
	}
	slices.SortFunc(found, func(a, b Question) int {
		return cmp.Or(cmp.Compare(used[a.template()], used[b.template()]), cmp.Compare(lot(seed, a.ID), lot(seed, b.ID)))
	})
	used[found[0].template()]++
	return found[0], true, nil
}

// template is the name of that by which a question was made.
func (q Question) template() string {
	_, rest, _ := strings.Cut(q.ID, "/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// fewest is how many questions of a grade have to be asked before anybody is strong in it.
const fewest = 3

// Strong says for each grade that was asked whether somebody is strong in it: at least three questions were
// asked, and none was answered wrongly, or one of four or more. answers are the numbers of the options
// chosen, counted from 0; one that is missing or no option is wrong.
func Strong(questions []Question, answers []int) map[string]bool {
	asked, wrong := map[string]int{}, map[string]int{}
	for i, q := range questions {
		asked[q.Grade]++
		if i >= len(answers) || answers[i] < 0 || answers[i] >= len(q.Options) || !q.Options[answers[i]].Right {
			wrong[q.Grade]++
		}
	}
	strong := map[string]bool{}
	for grade, n := range asked {
		strong[grade] = n >= fewest && (wrong[grade] == 0 || n > fewest && wrong[grade] == 1)
	}
	return strong
}
