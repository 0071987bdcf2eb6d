package site

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The pace of streams.
const (
	streamBeat  = 15 * time.Second // between signs of life, so that who has gone is noticed
	streamWrite = 10 * time.Second // for one write
	streamAgain = 2 * time.Second  // after which a browser connects again
)

// verdicts is the page of the verdicts on this person's requests. It leaves its own requests out, or
// looking on would be most of what is to be seen.
func (s *Site) verdicts(w http.ResponseWriter, r *http.Request) error {
	account, _, err := s.current(r)
	if err == nil {
		err = s.begin(r)
	}
	if err != nil {
		return err
	}
	id := recordOf(r).hide()
	v := view{Title: "What the Guard decided", Account: account, Limit: maxEntries, Refresh: r.URL.Query().Get("refresh") != "no"}
	for _, e := range slices.Backward(s.feeds.entriesOf(id)) {
		v.Entries = append(v.Entries, e)
		v.Last = max(v.Last, e.Number)
	}
	return s.render(w, r, http.StatusOK, "verdicts", v)
}

// stream sends the requests of a session as they end, as server-sent events, from the number that the
// browser has seen. It reads the session and neither saves it nor sets a cookie.
//
// A session without a feed gets 204, which tells the browser not to ask again.
func (s *Site) stream(w http.ResponseWriter, r *http.Request) error {
	id := s.follow(r)
	recordOf(r).hide()
	if id == "" {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	feed, leave, ok := s.feeds.subscribe(id)
	if !ok {
		http.Error(w, "There are enough streams of these verdicts: close another tab.", http.StatusTooManyRequests)
		return nil
	}
	defer leave()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	out := &events{w: w, to: http.NewResponseController(w)}
	out.send(fmt.Sprintf("retry: %d\n\n", streamAgain.Milliseconds()))
	s.send(r, out, feed, seen(r))
	return nil
}

// seen is the number of the newest entry that the browser has.
func seen(r *http.Request) uint64 {
	text := r.Header.Get("Last-Event-ID") // of who connects again
	if text == "" {
		text = r.URL.Query().Get("after")
	}
	number, _ := strconv.ParseUint(text, 10, 64)
	return number
}

// send sends entries until the feed ends, the browser goes, or the site is closed.
func (s *Site) send(r *http.Request, out *events, feed *feed, number uint64) {
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for out.err == nil {
		entries, more := s.feeds.since(feed, number)
		for _, e := range entries {
			out.entry(e)
			number = e.Number
		}
		if more == nil {
			return
		}
		select {
		case <-more:
		case <-beat.C:
			out.send(":\n\n")
		case <-r.Context().Done():
			return
		}
	}
}

// events writes server-sent events. The first error ends it.
type events struct {
	w   http.ResponseWriter
	to  *http.ResponseController
	err error
}

// entry sends a request as the piece of HTML that the page has for it.
func (e *events) entry(sent *entry) {
	var html, event bytes.Buffer
	if e.err = templates.ExecuteTemplate(&html, "entry", sent); e.err != nil {
		return
	}
	fmt.Fprintf(&event, "id: %d\n", sent.Number)
	for line := range strings.Lines(lineEnds.Replace(html.String())) {
		fmt.Fprintf(&event, "data: %s\n", strings.TrimRight(line, "\n"))
	}
	e.send(event.String() + "\n")
}

// lineEnds makes every line end one that starts another line of data. In a stream a carriage return ends a
// line as well, and HTML lets it pass: a path could have said an id there, or ended the event.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

func (e *events) send(text string) {
	if e.err != nil {
		return
	}
	_ = e.to.SetWriteDeadline(time.Now().Add(streamWrite)) // not every writer has one
	if _, e.err = e.w.Write([]byte(text)); e.err == nil {
		e.err = e.to.Flush()
	}
}
