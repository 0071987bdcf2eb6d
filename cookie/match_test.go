package cookie_test

import (
	"testing"

	"github.com/lockstep-http/lockstep/cookie"
)

func TestDomainMatch(t *testing.T) {
	for _, test := range []struct {
		host, domain string
		want         bool
	}{
		{"shop.test", "shop.test", true},
		{"www.shop.test", "shop.test", true},
		{"a.b.shop.test", "shop.test", true},
		{"shop.test", "www.shop.test", false},
		{"bishop.test", "shop.test", false},
		{"shop.test", "", false},
		{"shop.test", "test", true},
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "0.0.1", false},
		{"a.127.0.0.1", "127.0.0.1", true}, // a name, however odd
		{"::1", "::1", true},
		{"::ffff:1.2.3.4", "3.4", false},
		{"shop.test.", "shop.test", false},
		{"www.shop.test.", "shop.test.", true},
	} {
		if got := cookie.DomainMatch(test.host, test.domain); got != test.want {
			t.Errorf("DomainMatch(%q, %q) = %t, want %t", test.host, test.domain, got, test.want)
		}
	}
}

func TestPathMatch(t *testing.T) {
	for _, test := range []struct {
		request, cookie string
		want            bool
	}{
		{"/", "/", true},
		{"/a", "/", true},
		{"/a", "/a", true},
		{"/a/", "/a", true},
		{"/a/b", "/a", true},
		{"/a/b", "/a/", true},
		{"/a", "/a/", false},
		{"/ab", "/a", false},
		{"/A", "/a", false},
		{"/%61", "/a", false},
		{"/", "/a", false},
	} {
		if got := cookie.PathMatch(test.request, test.cookie); got != test.want {
			t.Errorf("PathMatch(%q, %q) = %t, want %t", test.request, test.cookie, got, test.want)
		}
	}
}

func TestDefaultPath(t *testing.T) {
	for request, want := range map[string]string{
		"": "/", "/": "/", "/a": "/", "/a/": "/a", "/a/b": "/a", "/a/b/": "/a/b", "a/b": "/", "//": "/",
	} {
		if got := cookie.DefaultPath(request); got != want {
			t.Errorf("DefaultPath(%q) = %q, want %q", request, got, want)
		}
	}
}

func TestCanonicalHost(t *testing.T) {
	for _, test := range []struct{ host, want string }{
		{"shop.test", "shop.test"},
		{"WWW.Shop.Test", "www.shop.test"},
		{"shop.test.", "shop.test."},
		{"my_shop.test", "my_shop.test"},
		{"-shop-.test", "-shop-.test"},
		{"élève.test", "xn--lve-6lad.test"},
		{"ÉLÈVE.test", "xn--lve-6lad.test"},
		{"straße.test", "xn--strae-oqa.test"},
		{"xn--lve-6lad.test", "xn--lve-6lad.test"},
		{"XN--LVE-6LAD.test", "xn--lve-6lad.test"},
		{"shop。test", "shop.test"},
		{"localhost", "localhost"},
		{"127.0.0.1", "127.0.0.1"},
		{"127.0.0.1.", "127.0.0.1"},
		{"[::1]", "::1"},
		{"::1", "::1"},
		{"2001:DB8:0:0::1", "2001:db8::1"},
		{"", ""},
		{".", ""},
		{"shop.test:80", ""},
		{"a b.test", ""},
		{"a/b", ""},
		{"a%2e.test", ""},
		{"a\x00b", ""},
		{"::1%eth0", ""},
		{"[::1", "::1"},
	} {
		got, err := cookie.CanonicalHost(test.host)
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("CanonicalHost(%q) = %q, %v; want %q", test.host, got, err, test.want)
		}
	}
}

func TestRegistrableDomain(t *testing.T) {
	for host, want := range map[string]string{
		"shop.test": "shop.test", "a.b.shop.test": "shop.test", "www.shop.co.uk": "shop.co.uk",
		"co.uk": "co.uk", "uk": "uk", "me.github.io": "me.github.io", "x.me.github.io": "me.github.io",
		"www.shop.test.": "shop.test.", "localhost": "localhost", "app.localhost": "app.localhost",
		"127.0.0.1": "127.0.0.1", "::1": "::1",
	} {
		if got := cookie.RegistrableDomain(host); got != want {
			t.Errorf("RegistrableDomain(%q) = %q, want %q", host, got, want)
		}
	}
}

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost.": true, "app.localhost": true, "a.b.localhost.": true,
		"127.0.0.1": true, "127.9.8.7": true, "::1": true,
		"notlocalhost": false, "localhost.test": false, "192.168.0.1": false, "128.0.0.1": false, "::2": false, "": false,
	} {
		if got := cookie.Loopback(host); got != want {
			t.Errorf("Loopback(%q) = %t, want %t", host, got, want)
		}
	}
}
