package har

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// The parts of a HAR 1.2 that Write fills in. What is not known has the value that the format gives to
// that: -1 for a size or a time.
type (
	outFile struct {
		Log outLog `json:"log"`
	}
	outLog struct {
		Version string     `json:"version"`
		Creator outProgram `json:"creator"`
		Entries []outEntry `json:"entries"`
	}
	outProgram struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	outEntry struct {
		Started  string      `json:"startedDateTime"`
		Time     float64     `json:"time"`
		Request  outRequest  `json:"request"`
		Response outResponse `json:"response"`
		Cache    struct{}    `json:"cache"`
		Timings  outTimings  `json:"timings"`
	}
	outRequest struct {
		Method      string      `json:"method"`
		URL         string      `json:"url"`
		HTTPVersion string      `json:"httpVersion"`
		Cookies     []outCookie `json:"cookies"`
		Headers     []outField  `json:"headers"`
		QueryString []outField  `json:"queryString"`
		HeadersSize int         `json:"headersSize"`
		BodySize    int         `json:"bodySize"`
	}
	outResponse struct {
		Status      int         `json:"status"`
		StatusText  string      `json:"statusText"`
		HTTPVersion string      `json:"httpVersion"`
		Cookies     []outCookie `json:"cookies"`
		Headers     []outField  `json:"headers"`
		Content     outContent  `json:"content"`
		RedirectURL string      `json:"redirectURL"`
		HeadersSize int         `json:"headersSize"`
		BodySize    int         `json:"bodySize"`
	}
	outCookie struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	outField   outCookie
	outContent struct {
		Size     int    `json:"size"`
		MIMEType string `json:"mimeType"`
	}
	outTimings struct {
		Send    float64 `json:"send"`
		Wait    float64 `json:"wait"`
		Receive float64 `json:"receive"`
	}
)

// Write writes the entries of a recording as a HAR 1.2, made by the named program.
func (l *Log) Write(w io.Writer, program, version string) error {
	out := outFile{outLog{Version: "1.2", Creator: outProgram{program, version}, Entries: make([]outEntry, len(l.Entries))}}
	for i := range l.Entries {
		out.Log.Entries[i] = l.Entries[i].out()
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

func (e *Entry) out() outEntry {
	const http11 = "HTTP/1.1"
	ms := float64(e.Taken) / float64(time.Millisecond)
	o := outEntry{Started: e.Started.UTC().Format("2006-01-02T15:04:05.000000Z"), Time: ms, Timings: outTimings{Wait: ms}}
	o.Request = outRequest{
		Method: e.Method, URL: e.URL, HTTPVersion: http11, Cookies: []outCookie{}, Headers: outHeader(e.Sent),
		QueryString: []outField{}, HeadersSize: -1, BodySize: -1,
	}
	for pair := range strings.SplitSeq(e.Sent.First("Cookie"), ";") {
		if name, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok {
			o.Request.Cookies = append(o.Request.Cookies, outCookie{name, value})
		}
	}
	o.Response = outResponse{
		Status: e.Status, StatusText: http.StatusText(e.Status), HTTPVersion: http11, Cookies: []outCookie{}, Headers: outHeader(e.Received),
		Content: outContent{Size: -1, MIMEType: e.Received.First("Content-Type")}, RedirectURL: e.Received.First("Location"),
		HeadersSize: -1, BodySize: -1,
	}
	for _, line := range e.Received.Values("Set-Cookie") {
		pair, _, _ := strings.Cut(line, ";")
		name, value, _ := strings.Cut(pair, "=")
		o.Response.Cookies = append(o.Response.Cookies, outCookie{strings.TrimSpace(name), strings.TrimSpace(value)})
	}
	return o
}

func outHeader(h Header) []outField {
	all := make([]outField, len(h))
	for i, f := range h {
		all[i] = outField(f)
	}
	return all
}
