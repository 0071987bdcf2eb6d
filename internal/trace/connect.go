package trace

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/lockstep-http/lockstep/rule"
)

var rules rule.Set

// Rules returns the rules of what is seen from outside: how a connection went, and what a site did.
func Rules() []rule.Rule { return rules.All() }

const fetch = "WHATWG Fetch, section 4.6 (HTTP-network fetch)"

var (
	connectOK = rules.Add(rule.Rule{
		ID:       "connect-ok",
		Source:   fetch,
		Sentence: "The host was reached, and over https its certificate is valid for this name.",
		Fix:      "Nothing is to be mended.",
		Scenario: `
on /a app plain
visit https://shop.test/a
`,
	})
	connectHostUnknown = rules.Add(rule.Rule{
		ID:       "connect-host-unknown",
		Source:   fetch,
		Sentence: "The name does not resolve to an address.",
		Fix:      "Check the spelling, or say where the host is with --connect-to HOST:PORT:ADDRESS:PORT.",
		Scenario: `
network unresolvable
visit http://shop.test/
`,
	})
	connectRefused = rules.Add(rule.Rule{
		ID:       "connect-refused",
		Source:   fetch,
		Sentence: "The address was reached, and nothing listens on that port.",
		Fix:      "Start the site, check the port, or say where it listens with --connect-to HOST:PORT:ADDRESS:PORT.",
		Scenario: `
network refused
visit http://shop.test/
`,
	})
	connectTimeout = rules.Add(rule.Rule{
		ID:       "connect-timeout",
		Source:   fetch,
		Sentence: "No answer came within the time that was given.",
		Fix:      "Check that the site answers at all and that no firewall drops the connection, or give it longer with --timeout. A visit with all its redirects has a minute.",
		Scenario: `
network silent
visit http://shop.test/
`,
	})
	connectCertificate = rules.Add(rule.Rule{
		ID:       "connect-certificate",
		Source:   "RFC 9110, section 4.3.4; RFC 6797, section 8.4",
		Sentence: "The certificate is not valid for this name at this time, so nothing was sent.",
		Fix:      "Renew the certificate or serve the one for this name with its intermediates; for a CA of your own give --cacert FILE, and to look regardless --insecure.",
		Scenario: `
network certificate-expired
visit https://shop.test/
`,
	})
	connectNotTLS = rules.Add(rule.Rule{
		ID:       "connect-not-tls",
		Source:   "RFC 9110, section 4.2.2",
		Sentence: "The port was asked for https and does not speak TLS.",
		Fix:      "Check the port: plain HTTP may listen there; put TLS in front of it or ask with http://.",
		Scenario: `
network not-tls
visit https://shop.test/
`,
	})
	connectClosed = rules.Add(rule.Rule{
		ID:       "connect-closed",
		Source:   "RFC 9112, section 9.5",
		Sentence: "The connection was closed before an answer came.",
		Fix:      "Look into the log of the site or of the proxy before it at this time; a port that expects TLS closes plain requests like this.",
		Scenario: `
network closed
visit http://shop.test/
`,
	})
	connectHeaderTooBig = rules.Add(rule.Rule{
		ID:       "connect-header-too-big",
		Source:   "RFC 9110, section 5.4",
		Sentence: "The header of the answer is larger than the 256 KB that are read.",
		Fix:      "Find what fills the header, most often cookies or a policy that grows; browsers give up at about the same size.",
		Scenario: `
network header-too-big
visit http://shop.test/
`,
	})
	connectBadAnswer = rules.Add(rule.Rule{
		ID:       "connect-bad-answer",
		Source:   "RFC 9112, section 4",
		Sentence: "What came back is not an HTTP answer.",
		Fix:      "Check that the port speaks HTTP, and what the fact \"cause\" says.",
		Scenario: `
network bad-answer
visit http://shop.test/
`,
	})
)

var noteTooManyCookieLines = rules.Add(rule.Rule{
	ID:       "note-too-many-cookie-lines",
	Source:   "Lockstep, package trace, constant maxCookieLines",
	Sentence: "The answer has more than 200 Set-Cookie lines, and the others were not looked at; a browser keeps 180 cookies of a site.",
	Fix:      "Find what sets so many cookies, and put what they hold into a session.",
	Scenario: manyCookieLines(),
})

// manyCookieLines is the scenario of a page that sets one cookie more than are looked at.
func manyCookieLines() string {
	var text strings.Builder
	text.WriteString("on /a app plain\n")
	for i := range maxCookieLines + 1 {
		fmt.Fprintf(&text, "on /a send Set-Cookie: a%d=1\n", i)
	}
	return text.String() + "visit https://shop.test/a\n"
}

var noteCertificateIgnored = rules.Add(rule.Rule{
	ID:       "note-certificate-ignored",
	Source:   "RFC 6797, section 8.1",
	Sentence: "The certificate is not valid and was accepted because --insecure was given; a browser would have stopped, and stores no HSTS from such a connection.",
	Fix:      "Give the CA with --cacert FILE instead.",
	Scenario: `
network certificate-ignored
visit https://shop.test/
`,
})

var (
	noteBodyLeft = rules.Add(rule.Rule{
		ID:       "note-body-left",
		Source:   "Lockstep, package trace, constant maxBody",
		Sentence: "The body of the answer is longer than the 1 MB that are read, or did not end in time or where it said; the forms and http URLs of the rest are not known. The header is, and with it all cookies.",
		Fix:      "If the page is meant to be so long, trace one that is not; else look why it does not end.",
		Scenario: `
network endless
visit http://shop.test/
`,
	})
	noteBodyEncoded = rules.Add(rule.Rule{
		ID:       "note-body-encoded",
		Source:   "RFC 9110, section 12.5.3; Lockstep, package trace",
		Sentence: "The body came in a content coding, which the request did not ask for; it is not unpacked, as a little of it can become very much, so the forms of the page are not known.",
		Fix:      "Let the site compress only for clients whose Accept-Encoding names the coding.",
		Scenario: `
on /a app plain
on /a send Content-Encoding: gzip
visit https://shop.test/a
`,
	})
)

// whyNot names the rule for a request that got no answer, and the words that describe the cause.
func whyNot(err error) (rule.ID, string) {
	var (
		dns    *net.DNSError
		record tls.RecordHeaderError
		cert   *certificateError
	)
	if id, cause, ok := whyPrivate(err); ok {
		return id, cause
	}
	switch {
	case errors.As(err, &cert):
		return connectCertificate, cert.Error()
	case errors.As(err, &dns):
		return connectHostUnknown, "no address for " + dns.Name
	case errors.Is(err, syscall.ECONNREFUSED):
		return connectRefused, "connection refused"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return connectTimeout, "no answer in time"
	case errors.As(err, &record):
		return connectNotTLS, "the first bytes are not TLS"
	case errors.Is(err, errHeaderTooBig):
		return connectHeaderTooBig, err.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
		return connectClosed, "closed before an answer"
	default:
		return connectBadAnswer, err.Error()
	}
}

// A certificateError is why a certificate was not accepted, in words that repeat no bytes of it.
type certificateError struct{ err error }

func (e *certificateError) Error() string {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(e.err, &unknown):
		return "signed by an authority that is not trusted here"
	case errors.As(e.err, &name):
		return "issued for another name than " + name.Host
	case errors.As(e.err, &invalid) && invalid.Reason == x509.Expired:
		return "expired or not yet valid"
	default:
		return e.err.Error()
	}
}

func (e *certificateError) Unwrap() error { return e.err }

// connected is the verdict about a connection that brought an answer.
func connected(u *url.URL, a *answer) rule.Verdict {
	v := rule.Verdict{Side: rule.Browser, Question: rule.Connect, Subject: u.Host, Yes: true, Rule: connectOK}
	v.Facts = []rule.Fact{{Name: "connection", Value: "plain HTTP"}}
	if a.tls != nil {
		v.Facts[0].Value = tls.VersionName(a.tls.Version)
	}
	if n := len(a.values("Set-Cookie")); n > maxCookieLines {
		v.Notes = append(v.Notes, noteTooManyCookieLines)
		v.Facts = append(v.Facts, rule.Fact{Name: "Set-Cookie lines", Value: strconv.Itoa(n)})
	}
	if a.left {
		v.Notes = append(v.Notes, noteBodyLeft)
		v.Facts = append(v.Facts, rule.Fact{Name: "octets read", Value: strconv.Itoa(len(a.body))})
	}
	if a.encoded != "" {
		v.Notes = append(v.Notes, noteBodyEncoded)
		v.Facts = append(v.Facts, rule.Fact{Name: "Content-Encoding", Value: cutURL(a.encoded)})
	}
	if a.certificate != nil {
		v.Notes = append(v.Notes, noteCertificateIgnored)
		v.Facts = append(v.Facts, rule.Fact{Name: "certificate", Value: a.certificate.Error()})
	}
	return v
}

// unanswered is the verdict about one that did not.
func unanswered(u *url.URL, err error) rule.Verdict {
	id, cause := whyNot(err)
	return rule.Verdict{
		Side: rule.Browser, Question: rule.Connect, Subject: u.Host, Rule: id,
		Facts: []rule.Fact{{Name: "cause", Value: cause}},
	}
}
