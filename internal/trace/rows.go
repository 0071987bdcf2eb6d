package trace

// A Half says what of its requests a [Step] tells: the lesson tells the first exchange over https in two
// steps.
type Half int

// The halves of an exchange.
const (
	TellsAll     Half = iota
	TellsRequest      // the request, and what the site made of it
	TellsAnswer       // what its answer sets
)

// Half returns what of its requests the step tells.
func (st *Step) Half() Half {
	switch {
	case st.split:
		return TellsRequest
	case st.sets:
		return TellsAnswer
	}
	return TellsAll
}

// Hops returns the requests of the step, none when it was not reached. They are those of the Run.
func (st *Step) Hops() []*Hop { return st.hops }

// Reached reports whether anything was done for the step.
func (st *Step) Reached() bool { return st.reached }
