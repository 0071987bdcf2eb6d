package lesson

import (
	recent "container/list" // list is taken
	"encoding/json"
	"sync"
)

// maxKeptRuns is how many runs a Library keeps, so that questions about the same scenarios need not run them
// again.
const maxKeptRuns = 160

// kept holds the runs that were asked for last. The zero kept is empty and ready.
type keptRuns struct {
	mu    sync.Mutex
	order recent.List // of *keptRun, the one asked for last in front
	byKey map[string]*recent.Element
}

type keptRun struct {
	key string
	run *Run
}

// keyOf is the same for Setups that say the same.
func keyOf(s Setup) string {
	text, err := json.Marshal(s) // a map is written in the order of its keys
	if err != nil {
		return ""
	}
	return string(text)
}

func (k *keptRuns) get(key string) *Run {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.byKey[key]
	if e == nil {
		return nil
	}
	k.order.MoveToFront(e)
	return e.Value.(*keptRun).run
}

func (k *keptRuns) put(key string, run *Run) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byKey == nil {
		k.byKey = map[string]*recent.Element{}
	}
	if e := k.byKey[key]; e != nil {
		e.Value.(*keptRun).run = run
		k.order.MoveToFront(e)
		return
	}
	k.byKey[key] = k.order.PushFront(&keptRun{key, run})
	if k.order.Len() > maxKeptRuns {
		last := k.order.Back()
		k.order.Remove(last)
		delete(k.byKey, last.Value.(*keptRun).key)
	}
}
