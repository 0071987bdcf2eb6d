package trace

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"syscall"

	"github.com/lockstep-http/lockstep/rule"
)

var connectPrivate = rules.Add(rule.Rule{
	ID:       "connect-private",
	Source:   "Lockstep, package trace; Local Network Access, section 2 (address spaces)",
	Sentence: "A redirect leads into a network in which the visit did not begin: that of this machine itself, a private one, or the one where a cloud has its metadata. It was not followed, since a foreign site may not have this machine ask its own services.",
	Fix:      "If it is meant to lead there, trace that URL itself, or give --allow-private. The name was looked up once, for the connection, so that it cannot mean another address by then.",
	Scenario: `
address shop.test 203.0.113.10
on /a app plain
on /a status 302
on /a send Location: http://127.0.0.1/admin
visit https://shop.test/a
`,
})

// A space is how far an address reaches.
type space int

const (
	anywhere space = iota // not known, as of a connection within this process
	public
	local // of a network that this machine is in: private, unique local, shared by a provider
	link  // of the next cable only, where the metadata of clouds is, too
	host  // of this machine
)

var spaceNames = map[space]string{
	anywhere: "not known", public: "public", local: "of a private network", link: "link-local", host: "of this machine",
}

// Ranges beyond those that package netip knows.
var (
	ranges = []struct {
		prefix netip.Prefix
		space  space
	}{
		{netip.MustParsePrefix("0.0.0.0/8"), host},          // "this network": reaches this machine
		{netip.MustParsePrefix("100.64.0.0/10"), local},     // RFC 6598, shared by a provider
		{netip.MustParsePrefix("192.0.0.0/24"), local},      // RFC 6890, of protocols
		{netip.MustParsePrefix("198.18.0.0/15"), local},     // RFC 2544, of benchmarks
		{netip.MustParsePrefix("240.0.0.0/4"), local},       // reserved, broadcast among it
		{netip.MustParsePrefix("fec0::/10"), local},         // site-local, as it once was
		{netip.MustParsePrefix("64:ff9b:1::/48"), local},    // RFC 8215, local translation
		{netip.MustParsePrefix("fd00:ec2::254/128"), link},  // metadata of a cloud
		{netip.MustParsePrefix("168.63.129.16/32"), link},   // the same of another
		{netip.MustParsePrefix("100.100.100.200/32"), link}, // and another
	}

	// Addresses that hold one of IPv4: the prefix, and the octet at which that begins.
	embedding = []struct {
		prefix netip.Prefix
		at     int
	}{
		{netip.MustParsePrefix("64:ff9b::/96"), 12}, // RFC 6052
		{netip.MustParsePrefix("2002::/16"), 2},     // RFC 3056
		{netip.MustParsePrefix("::/96"), 12},        // RFC 4291, section 2.5.5.1
	}
)

// spaceOf is how far an address reaches. One of IPv6 that holds one of IPv4 reaches as far as that.
func spaceOf(a netip.Addr) space {
	a = a.Unmap().WithZone("")
	switch {
	case a.IsLoopback(), a.IsUnspecified():
		return host
	case a.IsLinkLocalUnicast(), a.IsMulticast():
		return link
	}
	widest := public
	for _, r := range ranges {
		if r.prefix.Contains(a) {
			widest = max(widest, r.space)
		}
	}
	if widest > public || a.IsPrivate() {
		return max(widest, local)
	}
	for _, e := range embedding {
		if e.prefix.Contains(a) {
			held := a.As16()
			return spaceOf(netip.AddrFrom4([4]byte(held[e.at : e.at+4])))
		}
	}
	return public
}

// mayLead reports whether a visit that began in one space may be led to an address of another. From
// this machine it may go into its network: whoever develops there runs both.
func mayLead(from, to space) bool {
	return from == anywhere || to <= public || from == to || from == host && to == local
}

// A fence keeps a visit from being led into a private network. It is asked at the moment at which a
// connection is made, about the very address, so that a name cannot have changed its meaning since.
type fence struct {
	mu   sync.Mutex
	from space // where the visit began; anywhere until it has
	last space // the address that was asked about last
}

type fenceKey struct{}

// CheckAddress says whether a connection to an address may be made: an error is that the visit was led
// into a private network. It is for a function that dials for a [Client].
func CheckAddress(ctx context.Context, a netip.Addr) error {
	f, _ := ctx.Value(fenceKey{}).(*fence)
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = spaceOf(a)
	if !mayLead(f.from, f.last) {
		return &privateError{from: f.from, to: f.last}
	}
	return nil
}

// A privateError is that a connection was not made, since a redirect led to it.
type privateError struct{ from, to space }

// Error implements error. The address is not in it: a foreign name may mean one that is nobody's affair.
func (e *privateError) Error() string {
	return "the address is " + spaceNames[e.to] + ", and the visit began at one that is " + spaceNames[e.from]
}

// Dial is the operating system's dialing, which asks about every address before it connects.
func Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{ControlContext: func(ctx context.Context, _, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return CheckAddress(ctx, to.Addr())
	}}
	return d.DialContext(ctx, network, addr)
}

// maxPlaces is of how many hosts a Client remembers where they were first reached.
const maxPlaces = 1000

// LedInside reports whether a hop was not made since a redirect led it into a private network.
func (h *Hop) LedInside() bool {
	v, ok := h.Verdict(rule.Connect, "")
	return ok && v.Rule == connectPrivate
}

// whyPrivate names the rule, when the address is why a connection was not made.
func whyPrivate(err error) (id rule.ID, cause string, ok bool) {
	if inside, ok := errors.AsType[*privateError](err); ok {
		return connectPrivate, inside.Error(), true
	}
	return "", "", false
}

// enclose returns the context under which a visit to u makes its connections. It begins where the page
// is that leads there, or else where the host that is asked for was first reached: a name that means
// another address at the next visit gains nothing by it.
func (c *Client) enclose(ctx context.Context, n *Navigation, u *url.URL) context.Context {
	if c.AllowPrivate {
		return ctx
	}
	f := &fence{from: c.places[u.Host]}
	if n.Initiator != nil && c.places[n.Initiator.URL.Host] != anywhere {
		f.from = c.places[n.Initiator.URL.Host]
	}
	return context.WithValue(ctx, fenceKey{}, f)
}

// unfenced is for an address that the person named who runs this.
func unfenced(ctx context.Context) context.Context {
	return context.WithValue(ctx, fenceKey{}, (*fence)(nil))
}

// reached remembers where a host was, once a connection to it has been made. The first of a visit is
// where that begins.
func (c *Client) reached(ctx context.Context, name string, at net.Addr) {
	f, _ := ctx.Value(fenceKey{}).(*fence)
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	place := f.last
	if tcp, ok := at.(*net.TCPAddr); ok {
		place = spaceOf(tcp.AddrPort().Addr())
	}
	if f.from == anywhere {
		f.from = place
	}
	if c.places == nil {
		c.places = map[string]space{}
	}
	if _, known := c.places[name]; !known && place != anywhere && len(c.places) < maxPlaces {
		c.places[name] = place
	}
}
