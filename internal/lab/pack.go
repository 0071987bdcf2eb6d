package lab

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
)

// packed is a text as gzip has it.
func packed(text []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(text) // a buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

// takesPacked reports whether who asks reads gzip, and tells caches that the answer depends on it. Answers
// hold no secret of the lab's beside what was sent, so that their length gives none away.
func takesPacked(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Add("Vary", "Accept-Encoding")
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		if name, weight, _ := strings.Cut(coding, ";"); strings.EqualFold(strings.TrimSpace(name), "gzip") {
			return !strings.HasSuffix(strings.ReplaceAll(weight, " ", ""), "q=0")
		}
	}
	return false
}
