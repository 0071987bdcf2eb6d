package lab

import "context"

// For tests.
const (
	MaxAsked   = maxAsked
	MaxPasted  = maxPasted
	MaxLine    = maxLine
	MaxLineURL = maxLineURL
	MaxLookers = maxLookers
	MaxWeight  = maxWeight
)

// ErrBusy is what a full queue says.
var ErrBusy = errBusy

// Limited is limited.
var Limited = limited

// NewQueue makes a queue.
var NewQueue = newQueue

// Do is do.
func (q *queue) Do(ctx context.Context, work func(context.Context) error) error {
	return q.do(ctx, work)
}

// Files are the files that the page is made of, by name, and Texts its texts.
func Files() (map[string]string, map[string]string, error) {
	f, err := readFiles()
	if err != nil {
		return nil, nil, err
	}
	all := map[string]string{}
	for name, one := range f.served {
		all[name] = string(one.data)
	}
	page, err := assets.ReadFile("assets/lab.html")
	all["lab.html"] = string(page)
	return all, f.texts, err
}
