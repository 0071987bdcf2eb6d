package lockstep

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/lockstep-http/lockstep/session"
)

// The response writer of the handler. Whichever way the first byte leaves (WriteHeader, Write,
// WriteString, ReadFrom, Flush, Hijack, or the handler's return), begin runs before it.

var (
	errReplaced      = errors.New("lockstep: the session could not be saved, and an error page was sent in place of this response")
	errUnsentCookies = errors.New("lockstep: the connection cannot be taken over: cookies are waiting to be sent with the response")
)

// begin puts session, cookies and headers into the response's header, once, before anything is
// sent. It reports whether the handler's response goes out: if the session cannot be saved, an
// error page goes out in its place.
func (x *exchange) begin(status int) bool {
	if x.begun.Load() {
		return !x.replaced
	}
	x.commitCSRF()
	x.begun.Store(true)
	outcome, err := x.commit(status)
	if err != nil {
		x.replace(err)
		return false
	}
	h := x.out.Header()
	if outcome.Vary {
		varyOnCookie(h)
	}
	known := x.setSessionCookie(outcome)
	x.checkCookies(h["Set-Cookie"], known)
	x.writeHeaders(h)
	return true
}

// lateSave is how long a store has for the session of a client that has gone.
const lateSave = 5 * time.Second

// commit saves the session. That the client has gone meanwhile is no reason to lose what the
// application did for it.
func (x *exchange) commit(status int) (session.Outcome, error) {
	ctx := x.in.Context()
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), lateSave)
		defer cancel()
	}
	return x.session.Commit(ctx, status)
}

// Seconds after which a client may ask again when the session store did not answer.
const retryAfter = "5"

// replace answers with an error page: 400 when the session was ended by another request
// (SessionInterrupted), 503 when the store failed.
func (x *exchange) replace(err error) {
	x.replaced, x.reached = true, inPolicies
	h := x.out.Header()
	for _, name := range contentHeaders {
		delete(h, name)
	}
	status := http.StatusServiceUnavailable
	if errors.Is(err, session.ErrInterrupted) {
		status = http.StatusBadRequest
	} else {
		h.Set("Retry-After", retryAfter)
	}
	x.guard.logSessionError(x.in, status, err)
	x.writeHeaders(h)
	x.sent = true
	x.guard.writePage(x.out, status, "", err.Error())
}

// contentHeaders describe a response that does not go out.
var contentHeaders = []string{
	"Accept-Ranges", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length",
	"Content-Location", "Content-Range", "Content-Type", "Etag", "Expires", "Last-Modified", "Location", "Set-Cookie",
}

// Header implements [http.ResponseWriter].
func (x *exchange) Header() http.Header { return x.out.Header() }

// WriteHeader implements [http.ResponseWriter]. Informational responses pass and begin nothing.
func (x *exchange) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		// Cookies wait for the response itself, where they are checked.
		h := x.out.Header()
		cookies, waiting := h["Set-Cookie"]
		delete(h, "Set-Cookie")
		x.out.WriteHeader(status)
		if waiting {
			h["Set-Cookie"] = cookies
		}
		return
	}
	if x.begin(status) {
		x.sent = true
		x.out.WriteHeader(status)
	}
}

// Write implements [http.ResponseWriter].
func (x *exchange) Write(p []byte) (int, error) {
	if !x.start() {
		return 0, errReplaced
	}
	return x.out.Write(p)
}

// WriteString implements [io.StringWriter].
func (x *exchange) WriteString(s string) (int, error) {
	if !x.start() {
		return 0, errReplaced
	}
	return io.WriteString(x.out, s)
}

// ReadFrom implements [io.ReaderFrom], by which files are sent without being copied.
func (x *exchange) ReadFrom(src io.Reader) (int64, error) {
	if !x.start() {
		return 0, errReplaced
	}
	if to, ok := x.out.(io.ReaderFrom); ok {
		return to.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{x.out}, src)
}

// Flush implements [http.Flusher].
func (x *exchange) Flush() { _ = x.FlushError() }

// FlushError is what [http.ResponseController] calls to flush.
func (x *exchange) FlushError() error {
	x.start()
	return http.NewResponseController(x.out).Flush()
}

// Hijack implements [http.Hijacker]. It returns an error, and the handler can still answer, when
// there are cookies that the handler would have to write itself.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !x.begin(http.StatusSwitchingProtocols) {
		return nil, nil, errReplaced
	}
	if !x.sent && len(x.out.Header()["Set-Cookie"]) > 0 {
		return nil, nil, errUnsentCookies
	}
	conn, rw, err := http.NewResponseController(x.out).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("taking over the connection: %w", err)
	}
	return conn, rw, nil
}

// Unwrap lets [http.ResponseController] find the deadlines and the like of the server's writer.
func (x *exchange) Unwrap() http.ResponseWriter { return x.out }

// start begins a response whose status is 200 because nobody wrote another.
func (x *exchange) start() bool {
	ok := x.begin(http.StatusOK)
	x.sent = true
	return ok
}
