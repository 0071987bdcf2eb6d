package scenario

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/cert"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// A Witness is another browser, a real one, that does at the same site what the scenario's browsers do.
type Witness struct {
	// Authority signs what the site shows, and Certificate is what it shows for its names, so that the
	// other browser can be told beforehand what to trust.
	Authority   *cert.Authority
	Certificate tls.Certificate

	// Do is called after each thing that a browser of the scenario did. An error ends the run.
	Do func(d Deed) error
}

// A Deed is what one line of a scenario had a browser do, and what came of it.
type Deed struct {
	Line    int
	Text    string
	Who     string // whose browser it is; "" is the person's
	Profile browser.Profile
	Waited  time.Duration // that the scenario's clock is ahead of the real one

	Navigation *trace.Navigation // nil when a script did it, or when it is more than one request
	Page       *browser.Document // of the script that did it
	Script     *string           // the line that it assigned to document.cookie; nil: it read
	Visit      trace.Visit

	Dial func(ctx context.Context) (net.Conn, error) // to the site, until the run is over
}

// witnessed lets the witness do what the present line had the browser do.
func (w *world) witnessed(v trace.Visit) error {
	d := w.deed
	w.deed = Deed{}
	if w.witness == nil {
		return nil
	}
	var err error
	if d.Dial, err = w.dialer(w.network.certificate); err != nil {
		return err
	}
	d.Line, d.Text, d.Who, d.Profile, d.Waited, d.Visit = w.line, w.text, w.who, w.browser.Profile, w.passed, v
	return w.witness.Do(d)
}
