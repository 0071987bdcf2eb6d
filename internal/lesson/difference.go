package lesson

import (
	"fmt"
	"slices"
)

// Columns of the execution table, as a Change names them.
const (
	columnAction    = "Action"
	columnCondition = "Condition"
	columnResult    = "Result"
	columnSent      = "Cookie sent"
	columnSteps     = "steps" // of the run as a whole
)

// Difference returns in which rows and variables a run differs from another one of the same scenario: of a
// row each cell, of a variable the first step after which it has another value. What differs by chance is
// left out.
func Difference(was, now *Run) []Change {
	changes := []Change{}
	if len(was.Steps) != len(now.Steps) {
		changes = append(changes, Change{Column: columnSteps, Was: fmt.Sprint(len(was.Steps)), Now: fmt.Sprint(len(now.Steps))})
	}
	for i := range max(len(was.Steps), len(now.Steps)) {
		a, b := cells(was, i), cells(now, i)
		for j, column := range []string{columnAction, columnCondition, columnResult, columnSent} {
			if a[j] != b[j] {
				changes = append(changes, Change{Step: i + 1, Column: column, Was: a[j], Now: b[j]})
			}
		}
	}
	return append(changes, variables(was, now)...)
}

// cells are those of a row; each is empty when there is no such row.
func cells(run *Run, i int) [4]string {
	if i >= len(run.Steps) {
		return [4]string{}
	}
	s := &run.Steps[i]
	return [4]string{s.Action, s.Condition, s.Result, s.Sent}
}

func variables(was, now *Run) []Change {
	var changes []Change
	names := []string{}
	for _, v := range slices.Concat(was.Tracker, now.Tracker) {
		if !v.Chance && !slices.Contains(names, v.Name) {
			names = append(names, v.Name)
		}
	}
	for _, name := range names {
		a, b := valuesOf(was, name), valuesOf(now, name)
		for step := range min(len(a), len(b)) {
			if a[step] != b[step] {
				changes = append(changes, Change{Step: step, Column: name, Was: a[step], Now: b[step]})
				break
			}
		}
	}
	return changes
}

// valuesOf are those of a variable; one that a run has not stays at nothing.
func valuesOf(run *Run, name string) []string {
	for _, v := range run.Tracker {
		if v.Name == name {
			return v.Values
		}
	}
	return slices.Repeat([]string{none}, len(run.Steps)+1)
}
