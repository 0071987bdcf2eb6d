package trace_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// names has names mean addresses, as a resolver does, and every address lead to a server of this machine:
// it asks about the address at the moment of the connection, as [trace.Dial] does.
type names struct {
	of     map[string][]string // the addresses of a name, one after the other at each look-up
	server string
	asked  []string
}

func (n *names) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	address := host
	if all := n.of[host]; len(all) > 0 {
		address = all[0]
		n.of[host] = append(all[1:], all[0])
	}
	n.asked = append(n.asked, address)
	a, err := netip.ParseAddr(address)
	if err != nil {
		return nil, err
	}
	if err := trace.CheckAddress(ctx, a); err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, n.server)
	return nowhere{conn}, err
}

// nowhere is a connection whose end is not told, so that what the name means counts.
type nowhere struct{ net.Conn }

func (nowhere) RemoteAddr() net.Addr { return &net.UnixAddr{Name: "nowhere"} }

// TestFence holds which addresses a redirect may lead to, by where the visit began.
func TestFence(t *testing.T) {
	const anywhere = "93.184.215.14"
	for _, c := range []struct {
		from, to string
		follows  bool
	}{
		{anywhere, "1.1.1.1", true},
		{anywhere, "2606:4700::1111", true},
		{anywhere, "127.0.0.1", false},
		{anywhere, "127.1.2.3", false},
		{anywhere, "0.0.0.0", false},
		{anywhere, "10.1.2.3", false},
		{anywhere, "172.16.0.1", false},
		{anywhere, "172.32.0.1", true},
		{anywhere, "192.168.1.1", false},
		{anywhere, "100.64.0.1", false},
		{anywhere, "169.254.169.254", false},
		{anywhere, "224.0.0.1", false},
		{anywhere, "255.255.255.255", false},
		{anywhere, "::1", false},
		{anywhere, "::", false},
		{anywhere, "fd00::1", false},
		{anywhere, "fe80::1", false},
		{anywhere, "ff02::1", false},
		{anywhere, "::ffff:127.0.0.1", false},
		{anywhere, "::ffff:10.0.0.1", false},
		{anywhere, "::ffff:100.64.0.1", false},
		{anywhere, "::ffff:1.1.1.1", true},
		{anywhere, "::127.0.0.1", false},
		{anywhere, "64:ff9b::a9fe:a9fe", false},
		{anywhere, "64:ff9b::101:101", true},
		{anywhere, "2002:7f00:1::", false},
		{anywhere, "2002:a00:1::", false},
		{anywhere, "fd00:ec2::254", false},
		{"10.1.2.3", "192.168.1.1", true},
		{"10.1.2.3", "127.0.0.1", false},
		{"10.1.2.3", "169.254.169.254", false},
		{"10.1.2.3", "1.1.1.1", true},
		{"fd00::1", "fd00:ec2::254", false},
		{"127.0.0.1", "::1", true},
		{"127.0.0.1", "10.1.2.3", true},
		{"127.0.0.1", "169.254.169.254", false},
		{"169.254.1.1", "169.254.1.2", true},
		{"169.254.1.1", "127.0.0.1", false},
	} {
		for _, allowed := range []bool{false, true} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Host == "shop.test" {
					http.Redirect(w, r, "http://inside.test/", http.StatusFound)
				}
			}))
			n := &names{of: map[string][]string{"shop.test": {c.from}, "inside.test": {c.to}}, server: server.Listener.Addr().String()}
			v := visit(t, n, "http://shop.test/", allowed)
			server.Close()
			if v.Last().LedInside() == (c.follows || allowed) || (v.Last().Response != nil) != (c.follows || allowed) {
				t.Errorf("from %s to %s, allowed %t: %+v; follows should be %t", c.from, c.to, allowed, v.Last().Verdicts, c.follows)
			}
		}
	}
}

func visit(t *testing.T, n *names, target string, allowed bool) trace.Visit {
	t.Helper()
	c := &trace.Client{Browser: &browser.Browser{}, Dial: n.dial, AllowPrivate: allowed}
	v, err := c.Visit(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestFenceLiterals is about hosts that are addresses, in each way in which one can be written.
func TestFenceLiterals(t *testing.T) {
	for _, to := range []string{"http://127.0.0.1/", "http://[::1]/", "http://[::ffff:7f00:1]/", "http://169.254.169.254/latest/meta-data/", "//10.0.0.1/", `\\10.0.0.1\`, "https://192.168.0.1/", "http://[fe80::1%25eth0]/"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Location"] = []string{to}
			w.WriteHeader(http.StatusFound)
		}))
		n := &names{of: map[string][]string{"shop.test": {"1.1.1.1"}}, server: server.Listener.Addr().String()}
		v := visit(t, n, "http://shop.test/", false)
		server.Close()
		if v.Last().Response != nil && len(v.Hops) > 1 {
			t.Errorf("%q was followed: %+v", to, v.Last())
		}
	}
}

// TestFenceRebinding is about a name that means this machine when it is looked up again: within one visit,
// and at the next visit of the same Client.
func TestFenceRebinding(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/again" {
			http.Redirect(w, r, "/again", http.StatusFound)
		}
	}))
	defer server.Close()
	n := &names{of: map[string][]string{"shop.test": {"1.1.1.1", "127.0.0.1"}}, server: server.Listener.Addr().String()}
	if v := visit(t, n, "http://shop.test/", false); !v.Last().LedInside() {
		t.Errorf("within a visit: %v, %+v", n.asked, v.Last().Verdicts)
	}
	n = &names{of: map[string][]string{"shop.test": {"1.1.1.1", "127.0.0.1"}}, server: server.Listener.Addr().String()}
	c := &trace.Client{Browser: &browser.Browser{}, Dial: n.dial}
	for i, inside := range []bool{false, true} {
		v, err := c.Visit(t.Context(), http.MethodGet, "http://shop.test/again", nil)
		if err != nil || v.Last().LedInside() != inside {
			t.Errorf("visit %d: %v, %+v, %v", i+1, n.asked, v.Last().Verdicts, err)
		}
	}
	// A page of a public site that leads inside, by a link or a form, is held to where it is itself.
	n = &names{of: map[string][]string{"shop.test": {"1.1.1.1"}, "inside.test": {"127.0.0.1"}}, server: server.Listener.Addr().String()}
	c = &trace.Client{Browser: &browser.Browser{}, Dial: n.dial}
	if _, err := c.Visit(t.Context(), http.MethodGet, "http://shop.test/again", nil); err != nil {
		t.Fatal(err)
	}
	from := &browser.Document{URL: &url.URL{Scheme: "http", Host: "shop.test", Path: "/again"}}
	v, err := c.Navigate(t.Context(), trace.Navigation{URL: "http://inside.test/", Initiator: from})
	if err != nil || !v.Last().LedInside() {
		t.Errorf("a link: %+v, %v", v.Last().Verdicts, err)
	}
}

// TestDialAsks holds that the operating system's dialing is stopped before it connects, whatever the name
// was: nothing reaches the server.
func TestDialAsks(t *testing.T) {
	reached := 0
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer inside.Close()
	_, port, _ := net.SplitHostPort(inside.Listener.Addr().String())
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://localhost:"+port+"/", http.StatusFound)
	}))
	defer outside.Close()
	for _, c := range []struct {
		allowed  bool
		explicit bool // the person says where localhost is
		want     int
	}{{want: 0}, {allowed: true, want: 1}, {explicit: true, want: 1}} {
		reached = 0
		n := &names{of: map[string][]string{"shop.test": {"1.1.1.1"}}, server: outside.Listener.Addr().String()}
		system := func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasPrefix(addr, "shop.test:") {
				return n.dial(ctx, network, addr)
			}
			return trace.Dial(ctx, network, addr)
		}
		var to []trace.ConnectTo
		if c.explicit {
			to = []trace.ConnectTo{{Host: "localhost", ToHost: "127.0.0.1"}}
		}
		client := &trace.Client{Browser: &browser.Browser{}, Dial: trace.DialTo(to, system), AllowPrivate: c.allowed}
		v, err := client.Visit(t.Context(), http.MethodGet, "http://shop.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if reached != c.want || v.Last().LedInside() != (c.want == 0) {
			t.Errorf("%+v: %d requests inside; %+v", c, reached, v.Last().Verdicts)
		}
		if why, _ := v.Last().Verdict(rule.Connect, ""); c.want == 0 && why.Rule != "connect-private" {
			t.Errorf("%+v: %+v", c, why)
		}
	}
}
