package cert_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/internal/cert"
)

func bundleOf(t testing.TB, a *cert.Authority) []byte {
	t.Helper()
	b, err := a.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// An authority that was kept issues certificates that who trusts the first one trusts.
func TestAuthorityIsKept(t *testing.T) {
	a := authority(t)
	again, err := cert.ParseAuthority(bundleOf(t, a), now.Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if string(again.PEM()) != string(a.PEM()) {
		t.Error("the certificate is another")
	}
	c, err := again.Issue(now, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(a, c, "localhost", now); err != nil {
		t.Error(err)
	}
}

func TestParseAuthorityRefuses(t *testing.T) {
	a, b := authority(t), authority(t)
	mine, other := string(bundleOf(t, a)), string(bundleOf(t, b))
	issued, err := a.Issue(now, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := cert.Bundle(issued)
	if err != nil {
		t.Fatal(err)
	}
	keyOf := func(bundle string) string { return bundle[strings.Index(bundle, "-----BEGIN PRIVATE"):] }
	for name, c := range map[string]struct {
		bundle string
		now    time.Time
	}{
		"empty":                  {"", now},
		"no key":                 {string(a.PEM()), now},
		"only a key":             {keyOf(mine), now},
		"another's key":          {string(a.PEM()) + keyOf(other), now},
		"cut off":                {mine[:len(mine)-40], now},
		"no authority":           {string(leaf), now},
		"from the future":        {mine, now.Add(-48 * time.Hour)},
		"over":                   {mine, now.Add(11 * 365 * 24 * time.Hour)},
		"ends before what it is": {mine, now.Add(10*365*24*time.Hour - 24*time.Hour)},
	} {
		got, err := cert.ParseAuthority([]byte(c.bundle), c.now)
		if err == nil || got != nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), keyOf(mine)[40:80]) {
			t.Errorf("%s: the error shows the key", name)
		}
	}
}

// A certificate that was kept is shown again to who asks for its names, until it is time for another.
func TestCertificateIsKept(t *testing.T) {
	a := authority(t)
	issued, err := a.Issue(now, "localhost", "127.0.0.1", "::1")
	if err != nil {
		t.Fatal(err)
	}
	text, err := cert.Bundle(issued)
	if err != nil {
		t.Fatal(err)
	}
	again, err := cert.ParseAuthority(bundleOf(t, a), now)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := again.ParseIssued(text, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	clock := now
	config := again.ServerConfig(func() time.Time { return clock }, kept)
	if got := ask(t, config, "localhost"); string(got.Certificate[0]) != string(issued.Certificate[0]) {
		t.Error("localhost is shown another certificate")
	}
	if got := ask(t, config, "shop.test"); string(got.Certificate[0]) == string(issued.Certificate[0]) {
		t.Error("another name is shown the kept certificate")
	}
	clock = now.Add(cert.Lifetime)
	if got := ask(t, config, "localhost"); string(got.Certificate[0]) == string(issued.Certificate[0]) {
		t.Error("a certificate that is over is shown")
	}
	for name, when := range map[string]time.Time{
		"from the future": now.Add(-2 * time.Hour), "over": now.Add(cert.Lifetime), "nearly over": now.Add(cert.Lifetime - 24*time.Hour),
	} {
		if _, err := again.ParseIssued(text, when); err == nil {
			t.Errorf("a certificate %s is accepted", name)
		}
	}
	if _, err := authority(t).ParseIssued(text, now); err == nil {
		t.Error("a certificate of another authority is accepted")
	}
	if _, err := again.ParseIssued([]byte("nothing"), now); err == nil {
		t.Error("nothing is accepted")
	}
	if _, err := cert.Bundle(tls.Certificate{}); err == nil {
		t.Error("no certificate is written")
	}
}

func FuzzParseAuthority(f *testing.F) {
	a := authority(f)
	f.Add(bundleOf(f, a))
	f.Add(a.PEM())
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, bundle []byte) {
		got, err := cert.ParseAuthority(bundle, now)
		if (got == nil) == (err == nil) {
			t.Errorf("%v, %v", got, err)
		}
		if c, err := a.ParseIssued(bundle, now); err == nil && c.Leaf == nil {
			t.Error("a certificate without a leaf")
		}
	})
}
