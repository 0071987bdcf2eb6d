package cert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// The types of the PEM blocks of a bundle.
const (
	pemCertificate = "CERTIFICATE"
	pemKey         = "PRIVATE KEY" // PKCS #8
)

// Bundle returns the authority's certificate and private key as PEM, for [ParseAuthority]. Who has
// it can pass for any site with those who trust the authority: it belongs into a file that only its
// owner can read.
func (a *Authority) Bundle() ([]byte, error) { return bundle(a.certificate.Raw, a.key) }

// ParseAuthority reads what [Authority.Bundle] returned. The error says what is wrong with it: not
// such a bundle, a key that is not the certificate's, no authority, or one that is not valid now or
// will not be for as long as a certificate that it issues.
func ParseAuthority(bundle []byte, now time.Time) (*Authority, error) {
	c, err := parseBundle(bundle)
	if err != nil {
		return nil, fmt.Errorf("reading the local CA: %w", err)
	}
	key, ok := c.PrivateKey.(*ecdsa.PrivateKey)
	switch {
	case !ok || !c.Leaf.IsCA || c.Leaf.KeyUsage&x509.KeyUsageCertSign == 0:
		return nil, errors.New("reading the local CA: the certificate is not one of an authority made here")
	case now.Before(c.Leaf.NotBefore) || now.Add(Lifetime).After(c.Leaf.NotAfter):
		return nil, fmt.Errorf("reading the local CA: it is good from %s to %s only",
			c.Leaf.NotBefore.Format(time.DateOnly), c.Leaf.NotAfter.Format(time.DateOnly))
	}
	return &Authority{certificate: c.Leaf, key: key}, nil
}

// Bundle returns c, which [Authority.Issue] made, and its private key as PEM.
func Bundle(c tls.Certificate) ([]byte, error) {
	if len(c.Certificate) == 0 {
		return nil, errors.New("writing a certificate: there is none")
	}
	return bundle(c.Certificate[0], c.PrivateKey)
}

// ParseIssued reads what [Bundle] returned, if it is a certificate that a issued and that need not
// be replaced yet at the time now.
func (a *Authority) ParseIssued(bundle []byte, now time.Time) (tls.Certificate, error) {
	c, err := parseBundle(bundle)
	if err == nil {
		err = c.Leaf.CheckSignatureFrom(a.certificate)
	}
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading a certificate of the local CA: %w", err)
	}
	if now.Before(c.Leaf.NotBefore) || !now.Before(replaceAt(c.Leaf)) {
		return tls.Certificate{}, errors.New("reading a certificate of the local CA: it is time for a new one")
	}
	return c, nil
}

func bundle(certificate []byte, key crypto.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("writing a private key: %w", err)
	}
	return append(
		pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: certificate}),
		pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der})...), nil
}

// parseBundle reads one certificate and its key. Its errors do not repeat what they read.
func parseBundle(bundle []byte) (tls.Certificate, error) {
	c, err := tls.X509KeyPair(bundle, bundle)
	if err != nil {
		return tls.Certificate{}, err
	}
	if c.Leaf == nil { // with GODEBUG x509keypairleaf=0
		c.Leaf, err = x509.ParseCertificate(c.Certificate[0])
	}
	return c, err
}

// replaceAt is when a certificate is replaced by a new one.
func replaceAt(leaf *x509.Certificate) time.Time { return leaf.NotAfter.Add(-renewWithin) }
