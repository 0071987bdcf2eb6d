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
		Pages   []outPage  `json:"pages"`
		Entries []outEntry `json:"entries"`
	}
	outPage struct {
		Started string         `json:"startedDateTime"`
		ID      string         `json:"id"`
		Title   string         `json:"title"`
		Timings outPageTimings `json:"pageTimings"`
	}
	outPageTimings struct {
		Content float64 `json:"onContentLoad"`
		Load    float64 `json:"onLoad"`
	}
	outProgram struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	outEntry struct {
		Page      string        `json:"pageref,omitempty"`
		Started   string        `json:"startedDateTime"`
		Time      float64       `json:"time"`
		Request   outRequest    `json:"request"`
		Response  outResponse   `json:"response"`
		Cache     struct{}      `json:"cache"`
		Timings   outTimings    `json:"timings"`
		Kind      string        `json:"_resourceType,omitempty"` // this and the next are Chromium's
		Initiator *outInitiator `json:"_initiator,omitempty"`
	}
	outInitiator struct {
		Type string `json:"type"`
		URL  string `json:"url"`
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
	out := outFile{outLog{Version: "1.2", Creator: outProgram{program, version}, Pages: []outPage{}, Entries: make([]outEntry, len(l.Entries))}}
	begun := map[string]bool{}
	for i := range l.Entries {
		e := &l.Entries[i]
		out.Log.Entries[i] = e.out()
		if title := l.Pages[e.Page]; title != "" && !begun[e.Page] {
			begun[e.Page] = true
			out.Log.Pages = append(out.Log.Pages, outPage{out.Log.Entries[i].Started, e.Page, title, outPageTimings{-1, -1}})
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

func (e *Entry) out() outEntry {
	const http11 = "HTTP/1.1"
	ms := float64(e.Taken) / float64(time.Millisecond)
	o := outEntry{Started: e.Started.UTC().Format("2006-01-02T15:04:05.000000Z"), Time: ms, Timings: outTimings{Wait: ms}, Page: e.Page, Kind: e.Kind}
	if e.Parser != "" {
		o.Initiator = &outInitiator{"parser", e.Parser}
	}
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
