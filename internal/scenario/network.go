package scenario

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A condition is what the network between the browser and the site does.
type condition struct {
	name        string
	dial        func(ctx context.Context, addr string) (net.Conn, error) // nil: to the site
	refuses     string                                                   // the port on which nothing listens; "": none
	certificate certificate
	insecure    bool          // the browser goes on regardless
	strips      bool          // somebody on the path asks over https what the browser asks over http
	timeout     time.Duration // of the browser; 0: its own
}

// A certificate is what the site shows over TLS.
type certificate int

const (
	valid   certificate = iota
	unknown             // of an authority that the browser does not know
	expired
)

var conditions = byName(
	condition{name: "ok"},
	condition{name: "unresolvable", dial: func(_ context.Context, addr string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(addr)
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}},
	condition{name: "refused", dial: func(context.Context, string) (net.Conn, error) { return nil, errRefused }},
	condition{name: "http-only", refuses: "443"},
	condition{name: "silent", timeout: 50 * time.Millisecond, dial: answering("")},
	condition{name: "closed", dial: func(context.Context, string) (net.Conn, error) {
		client, server := net.Pipe()
		go readThen(server, "")
		return client, nil
	}},
	condition{name: "not-tls", dial: answering("HTTP/1.1 400 Bad Request\r\n\r\n")},
	condition{name: "bad-answer", dial: answering("220 mail.shop.test ESMTP\r\n")},
	condition{name: "header-too-big", dial: answering("HTTP/1.1 200 OK\r\nX-Filler: " + strings.Repeat("x", 1<<20) + "\r\n\r\n")},
	condition{name: "endless", dial: answering("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + strings.Repeat("<p>on and on", 1<<17))},
	condition{name: "certificate-unknown", certificate: unknown},
	condition{name: "certificate-expired", certificate: expired},
	condition{name: "stripped", strips: true},
	condition{name: "certificate-ignored", certificate: unknown, insecure: true},
)

var errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

func byName(all ...condition) map[string]condition {
	m := make(map[string]condition, len(all))
	for _, c := range all {
		m[c.name] = c
	}
	return m
}

func conditionNames() []string { return slices.Sorted(maps.Keys(conditions)) }

// answering dials somebody who reads a little, says text and closes; with an empty text he keeps
// silent and the connection open.
func answering(text string) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, _ string) (net.Conn, error) {
		client, server := net.Pipe()
		if text != "" {
			go readThen(server, text)
			return client, nil
		}
		go func() {
			defer server.Close()
			stop := context.AfterFunc(ctx, func() { server.Close() })
			defer stop()
			_, _ = io.Copy(io.Discard, server)
		}()
		return client, nil
	}
}

// readThen reads what one Read brings, answers text and closes.
func readThen(conn net.Conn, text string) {
	defer conn.Close()
	buf := make([]byte, 4096)
	if _, err := conn.Read(buf); err == nil {
		fmt.Fprint(conn, text)
	}
}
