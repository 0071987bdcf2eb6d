package cert

import (
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// MaxCached is how many certificates a configuration keeps for names it was asked for. When one
// more is needed, the one that was issued first is forgotten; it is made again when asked for.
const MaxCached = 1024

// renewWithin is how long before its end a certificate is replaced.
const renewWithin = Lifetime / 3

// expiredSince is how long ago the certificates of [Authority.ExpiredConfig] ended.
const expiredSince = 24 * time.Hour

// ServerConfig returns a configuration that has a certificate for whatever name a client asks for,
// made when it is first asked for and kept; see [MaxCached]. A client that sends no name, as
// browsers do when the URL holds an address, gets one for localhost, 127.0.0.1, ::1 and the
// address it reached. A name that is malformed is refused with the alert unrecognized_name.
//
// The kept certificates, such as those of an earlier run that a browser has an exception for, are
// used for the names they have until it is time to replace them.
//
// It speaks TLS 1.2 and 1.3, with forward secrecy and authenticated encryption only, and resumes
// nothing, so that each connection shows the certificate that holds at that time. The time is
// asked of now; nil is [time.Now].
func (a *Authority) ServerConfig(now func() time.Time, kept ...tls.Certificate) *tls.Config {
	return a.config(now, a.Issue, kept...)
}

// ExpiredConfig is [Authority.ServerConfig] with certificates that ended a day before now.
func (a *Authority) ExpiredConfig(now func() time.Time) *tls.Config {
	return a.config(now, func(now time.Time, names ...string) (tls.Certificate, error) {
		return a.IssueBetween(now.Add(-expiredSince-Lifetime), now.Add(-expiredSince), names...)
	})
}

type issueFunc func(now time.Time, names ...string) (tls.Certificate, error)

func (a *Authority) config(now func() time.Time, issue issueFunc, kept ...tls.Certificate) *tls.Config {
	if now == nil {
		now = time.Now
	}
	cache := &cache{now: now, issue: issue, entries: make(map[string]entry)}
	for i := range kept {
		cache.keep(&kept[i])
	}
	return &tls.Config{
		GetCertificate: cache.certificate,
		Time:           now,
		MinVersion:     tls.VersionTLS12,
		// For TLS 1.2; those of 1.3 are all of this kind. The keys here are ECDSA keys, so suites
		// for RSA would never be chosen.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		SessionTicketsDisabled: true,
	}
}

// cache holds the certificates of one configuration by the name they were asked for.
type cache struct {
	now   func() time.Time
	issue issueFunc

	mu      sync.Mutex
	entries map[string]entry
	order   []string // names in the order in which they were issued first
}

type entry struct {
	certificate *tls.Certificate
	from, until time.Time // when the certificate is good enough to be used again
}

// certificate is a [tls.Config.GetCertificate].
func (c *cache) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	names := []string{name}
	switch {
	case hello.ServerName == "":
		reached := localAddress(hello.Conn)
		name, names = reached, withLoopback(reached)
	case checkDNSName(name) != nil:
		// Neither a certificate nor an error is how crypto/tls is told to send unrecognized_name;
		// an error becomes internal_error. An address is malformed as a name too (RFC 6066,
		// section 3).
		return nil, nil //nolint:nilerr // see above
	}
	return c.get(name, names)
}

// get returns the certificate kept under key, or issues one for names and keeps it. The lock is
// held while one is issued, which takes a fraction of a millisecond.
func (c *cache) get(key string, names []string) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	kept, ok := c.entries[key]
	if ok && !now.Before(kept.from) && now.Before(kept.until) {
		return kept.certificate, nil
	}
	certificate, err := c.issue(now, names...)
	if err != nil {
		return nil, err
	}
	if !ok {
		c.makeRoom()
		c.order = append(c.order, key)
	}
	c.entries[key] = entry{certificate: &certificate, from: now.Add(-backdating), until: now.Add(Lifetime - renewWithin)}
	return &certificate, nil
}

// keep enters a certificate of an earlier run under each of its names.
func (c *cache) keep(certificate *tls.Certificate) {
	leaf := certificate.Leaf
	names := slices.Clone(leaf.DNSNames)
	for _, address := range leaf.IPAddresses {
		names = append(names, address.String())
	}
	for _, name := range names {
		c.makeRoom()
		c.order = append(c.order, name)
		c.entries[name] = entry{certificate: certificate, from: leaf.NotBefore, until: replaceAt(leaf)}
	}
}

func (c *cache) makeRoom() {
	if len(c.order) < MaxCached {
		return
	}
	delete(c.entries, c.order[0])
	c.order = c.order[1:]
}

// localAddress returns the IP address at this end of conn, or "" when it has none.
func localAddress(conn net.Conn) string {
	if conn == nil {
		return ""
	}
	address, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return ""
	}
	return address.Addr().Unmap().WithZone("").String()
}

// withLoopback returns the names of a certificate for clients that send none.
func withLoopback(reached string) []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	if reached != "" && reached != "127.0.0.1" && reached != "::1" {
		names = append(names, reached)
	}
	return names
}
