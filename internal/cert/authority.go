package cert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Lifetimes. Clocks of two programs differ, so certificates begin an hour ago.
const (
	backdating = time.Hour

	// authorityLifetime is long, because the clock of a scenario may be moved on by years while
	// the process that holds the authority runs for a second.
	authorityLifetime = 10 * 365 * 24 * time.Hour

	// Lifetime is how long a certificate made by [Authority.Issue] is valid. Browsers refuse
	// certificates of 398 days and more.
	Lifetime = 90 * 24 * time.Hour
)

// Limits of the names in a certificate.
const (
	maxNames      = 100
	maxNameLength = 253 // RFC 1035, section 3.1, without the length bytes at both ends
	maxLabel      = 63  // RFC 1035, section 2.3.4
)

// commonName is what a person sees who looks at the certificate in a browser.
const commonName = "Lockstep local CA (temporary)"

// An Authority is a certificate authority in memory. It is safe for concurrent use.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority makes an authority with a new key (ECDSA, P-256), valid from an hour before now for
// ten years. It signs certificates of sites only, and no further authorities.
func NewAuthority(now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key of the local CA: %w", err)
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"Lockstep"}, CommonName: commonName},
		NotBefore:             now.Add(-backdating),
		NotAfter:              now.Add(authorityLifetime),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making the certificate of the local CA: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate of the local CA: %w", err)
	}
	return &Authority{certificate: certificate, key: key}, nil
}

// Pool returns a new pool that holds the authority's certificate only: the RootCAs of a client
// that trusts this authority and no other.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// PEM returns the authority's certificate, without its key, as PEM.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// Issue makes a certificate for names, with a key of its own, valid from an hour before now for
// [Lifetime]. A name is a DNS name, which may begin with "*.", or an IP address; there must be at
// least one. A name that is neither is an error, and nothing is issued.
func (a *Authority) Issue(now time.Time, names ...string) (tls.Certificate, error) {
	return a.IssueBetween(now.Add(-backdating), now.Add(Lifetime-backdating), names...)
}

// IssueBetween is [Authority.Issue] with a validity of the caller's choice, which may be over
// already: for showing what a browser does then.
func (a *Authority) IssueBetween(notBefore, notAfter time.Time, names ...string) (tls.Certificate, error) {
	template := &x509.Certificate{
		Subject:     pkix.Name{Organization: []string{"Lockstep"}},
		NotBefore:   notBefore,
		NotAfter:    notAfter,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if err := addNames(template, names); err != nil {
		return tls.Certificate{}, fmt.Errorf("issuing a certificate: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making the key of a certificate: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("signing a certificate for %q: %w", names, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading a certificate for %q: %w", names, err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

func addNames(template *x509.Certificate, names []string) error {
	if len(names) == 0 || len(names) > maxNames {
		return fmt.Errorf("%d names, where 1 to %d are possible", len(names), maxNames)
	}
	for _, name := range names {
		if address, err := netip.ParseAddr(name); err == nil && address.Zone() == "" {
			template.IPAddresses = append(template.IPAddresses, net.IP(address.AsSlice()))
			continue
		}
		if err := checkDNSName(strings.TrimPrefix(name, "*.")); err != nil {
			return fmt.Errorf("name %q: %w", name, err)
		}
		template.DNSNames = append(template.DNSNames, strings.ToLower(name))
	}
	return nil
}

// checkDNSName accepts letters, digits, hyphens and underscores in labels of 1 to 63. The
// underscore is no part of a host name (RFC 1123, section 2.1), but people have it and x509 accepts it. A
// last label of digits only belongs to an IP address.
func checkDNSName(name string) error {
	if len(name) > maxNameLength {
		return fmt.Errorf("%d characters, where %d are possible", len(name), maxNameLength)
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if label == "" || len(label) > maxLabel {
			return fmt.Errorf("a label has %d characters, where 1 to %d are possible", len(label), maxLabel)
		}
		if strings.ContainsFunc(label, notInLabel) {
			return errors.New("only letters, digits, hyphens and underscores are possible in a label")
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return errors.New("the last label is a number")
	}
	return nil
}

func notInLabel(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
		return false
	}
	return true
}
