package browser_test

import (
	"testing"

	"github.com/lockstep-http/lockstep/browser"
)

// TestOverlayInPartitions sets a cookie over http beside a Secure one of the same name.
func TestOverlayInPartitions(t *testing.T) {
	for _, c := range []struct {
		secure string
		stores bool
	}{
		{"a=1; Secure; Path=/", false},
		{"a=1; Secure; Path=/; Partitioned", true},
	} {
		b := browser.Browser{Profile: browser.Chromium()}
		b.StoreCookie(visit(t, "https://shop.test/"), c.secure, start, nil)
		if v := b.StoreCookie(visit(t, "http://shop.test/"), "a=2; Path=/", start, nil); v.Yes != c.stores {
			t.Errorf("beside %q: %t by %s", c.secure, v.Yes, v.Rule)
		}
	}
}
