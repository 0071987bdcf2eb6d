package lockstep_test

import (
	"net/http"
	"testing"

	"github.com/lockstep-http/lockstep"
)

// As a real Django answers; internal/oracle asks it about these and more.
func TestAbsoluteURI(t *testing.T) {
	tests := []struct{ target, location, want string }{
		{"/dir/page?x=1", "", "https://shop.test:8000/dir/page?x=1"},
		{"//two/x", "", "https://shop.test:8000//two/x"},
		{"/a%2Fb;c=d", "", "https://shop.test:8000/a/b%3Bc%3Dd"},
		{"/dir/page", "/b?c=ü", "https://shop.test:8000/b?c=%C3%BC"},
		{"/dir/page", "b", "https://shop.test:8000/dir/b"},
		{"/dir/page", "../b", "https://shop.test:8000/b"},
		{"/dir/page", "/a/../b", "https://shop.test:8000/b"},
		{"/dir/page", "?q", "https://shop.test:8000/dir/page?q"},
		{"/dir/page", "//other.test/c", "https://other.test/c"},
		{"/dir/page", "///x", "https://shop.test:8000/x"},
		{"/dir/page", "http://other.test/a b", "http://other.test/a%20b"},
		{"/dir/page", "mailto:a@shop.test", "mailto:a@shop.test"},
	}
	for _, tt := range tests {
		answerOf(newGuard(t, nil).Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if got := lockstep.AbsoluteURI(r, tt.location); got != tt.want {
				t.Errorf("%q from %q: %q, want %q", tt.location, tt.target, got, tt.want)
			}
		})), get(t, "https", tt.target, "shop.test:8000"))
	}
}

func TestAbsoluteURIWithoutGuard(t *testing.T) {
	if got := lockstep.AbsoluteURI(get(t, "http", "/a", "shop.test"), "/b"); got != "http://shop.test/b" {
		t.Errorf("%q", got)
	}
}
