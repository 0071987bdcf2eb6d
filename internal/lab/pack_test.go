package lab_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestPacked asks for the same in plain and packed, and again for what is known.
func TestPacked(t *testing.T) {
	for _, path := range []string{"/", "/lab.js", "/lab.css", "/texts.json", "/api/library"} {
		plain := get(t, path, "identity, gzip;q=0", "")
		if got := plain.Header().Get("Content-Encoding"); got != "" {
			t.Errorf("%s: Content-Encoding %q for who does not take it", path, got)
		}
		small := get(t, path, "br, gzip;q=0.8", "")
		if small.Header().Get("Content-Encoding") != "gzip" || small.Header().Get("Vary") != "Accept-Encoding" || small.Body.Len() >= plain.Body.Len() {
			t.Errorf("%s: not packed: %d bytes, %v", path, small.Body.Len(), small.Header())
		}
		tag := small.Header().Get("ETag")
		if tag != "" && tag == plain.Header().Get("ETag") {
			t.Errorf("%s: one tag for two texts", path)
		}
		z, err := gzip.NewReader(small.Body)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if text, err := io.ReadAll(z); err != nil || string(text) != plain.Body.String() {
			t.Errorf("%s: unpacked it is another text, %v", path, err)
		}
		if tag != "" && get(t, path, "gzip", tag).Code != http.StatusNotModified {
			t.Errorf("%s: sent again to who has it", path)
		}
	}
}

func get(t *testing.T, path, takes, has string) *httptest.ResponseRecorder {
	t.Helper()
	r := question{method: http.MethodGet, path: path}.request()
	r.Header.Set("Accept-Encoding", takes)
	r.Header.Set("If-None-Match", has)
	w := httptest.NewRecorder()
	newServer().ServeHTTP(w, r)
	return w
}
