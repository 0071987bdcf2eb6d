package session

import (
	"bytes"
	"slices"

	"github.com/lockstep-http/lockstep/django"
)

// changes is what a request did to the items of its session since it last read or wrote them.
type changes struct {
	cleared bool     // all were removed first
	keys    []string // set or removed afterwards, in the order of the first change
}

func (c *changes) add(key string) {
	if !slices.Contains(c.keys, key) {
		c.keys = append(c.keys, key)
	}
}

// A merger is what becomes of one session that two requests changed.
type merger struct {
	data      django.Object
	merged    []string // items that only the others changed: theirs are taken over
	conflicts []string // items that both changed: mine are kept
}

// merge does to theirs what was done to base to make it mine. Items that only the others changed
// are theirs, what this request changed is mine. That both changed an item to the same value is a
// conflict, too: two visits that each count one more are two.
func merge(base, mine, theirs django.Object, c changes) merger {
	var m merger
	if !c.cleared {
		m.data = theirs.Clone()
	}
	for _, key := range changedKeys(base, theirs) {
		if c.cleared || slices.Contains(c.keys, key) {
			m.conflicts = append(m.conflicts, key)
		} else {
			m.merged = append(m.merged, key)
		}
	}
	for _, key := range c.keys {
		if raw, ok := mine.Get(key); ok {
			m.data.Set(key, raw)
		} else {
			m.data.Delete(key)
		}
	}
	return m
}

// changedKeys returns the items that were set, changed or removed between a and b.
func changedKeys(a, b django.Object) []string {
	var changed []string
	for _, key := range b.Keys() {
		if !same(a, b, key) {
			changed = append(changed, key)
		}
	}
	for _, key := range a.Keys() {
		if _, ok := b.Get(key); !ok {
			changed = append(changed, key)
		}
	}
	return changed
}

func same(a, b django.Object, key string) bool {
	inA, okA := a.Get(key)
	inB, okB := b.Get(key)
	return okA == okB && bytes.Equal(inA, inB)
}
