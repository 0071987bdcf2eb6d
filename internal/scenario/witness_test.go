package scenario_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/internal/cert"
	"github.com/lockstep-http/lockstep/internal/scenario"
)

// TestWitness has a witness told of everything that browsers do, at a site which it can reach and whose
// certificate it knows.
func TestWitness(t *testing.T) {
	authority, err := cert.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := authority.Issue(time.Now(), "shop.test")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	w := &scenario.Witness{Authority: authority, Certificate: certificate}
	w.Do = func(d scenario.Deed) error {
		conn, err := d.Dial(t.Context())
		if err != nil {
			return err
		}
		client := tls.Client(conn, &tls.Config{ServerName: "shop.test", RootCAs: authority.Pool()})
		defer client.Close()
		if err := client.HandshakeContext(t.Context()); err != nil {
			return err
		}
		if shown := client.ConnectionState().PeerCertificates[0]; !shown.Equal(certificate.Leaf) {
			t.Errorf("line %d: the site shows another certificate", d.Line)
		}
		what := "something"
		switch {
		case d.Navigation != nil:
			what = "goes to " + d.Navigation.URL
		case d.Script != nil:
			what = "writes " + *d.Script
		case d.Page != nil:
			what = "reads"
		}
		got = append(got, fmt.Sprintf("%d %s %s %s %s, %d hops", d.Line, d.Who, d.Profile, d.Waited, what, len(d.Visit.Hops)))
		return nil
	}
	s, err := scenario.Parse(`visit http://shop.test/
script get
script set a=1
wait 90s
as ada
profile firefox
from https://evil.test/
load image https://shop.test/
`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Do(t.Context(), scenario.Options{Sockets: true, Witness: w}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"1  rfc6265bis 0s goes to http://shop.test/, 2 hops", "2  rfc6265bis 0s reads, 1 hops", "3  rfc6265bis 0s writes a=1, 1 hops",
		"8 ada firefox 1m30s goes to https://shop.test/, 1 hops",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the witness was told\n%q\nwant\n%q", got, want)
	}
	refusal := errors.New("no")
	w.Do = func(scenario.Deed) error { return refusal }
	if _, err := s.Do(t.Context(), scenario.Options{Sockets: true, Witness: w}); !errors.Is(err, refusal) {
		t.Errorf("the run ends with %v", err)
	}
}
