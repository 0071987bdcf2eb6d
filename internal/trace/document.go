package trace

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/form"
	"github.com/lockstep-http/lockstep/rule"
)

// A Document is the page at which a navigation ended. It may hold secrets: it is for the next steps, and
// no Run has it.
type Document struct {
	browser.Document
	Forms []*form.Form // what is filled in stays filled in

	insecure []form.Insecure // http URLs, when it came over https
	upgrades bool            // by its policy, those are asked for over https
}

// show makes the answer to a request for u the page that the browser shows. An answer without content
// leaves the page as it is.
func (c *Client) show(u *url.URL, a *answer, rec *rule.Recorder) {
	if a.status == http.StatusNoContent || a.status == http.StatusResetContent {
		return
	}
	d := &Document{Document: browser.Document{
		URL: u, ReferrerPolicy: browser.ParseReferrerPolicy(a.values("Referrer-Policy")),
	}}
	if a.html {
		page := form.Parse(a.body, u)
		d.Forms, d.insecure = page.Forms, page.Insecure
		d.upgrades = page.Upgrades || slices.ContainsFunc(a.values("Content-Security-Policy"), form.Upgrades)
		if page.ReferrerPolicy != "" {
			d.ReferrerPolicy = page.ReferrerPolicy
		}
	}
	c.Document = d
	for _, v := range mixed(u, d.insecure, d.upgrades) {
		rec.Record(v)
	}
}

func isHTML(contentType string) bool {
	kind, _, _ := mime.ParseMediaType(contentType)
	return kind == "text/html" || kind == "application/xhtml+xml"
}

// Submit sends a form of the page that the browser shows, as a person does who presses its button. The
// header is added to every request, as by Navigate. A form that would put a password into a URL, where
// logs and the Run have it, is not sent.
func (c *Client) Submit(ctx context.Context, f *form.Form, header http.Header) (Visit, error) {
	return c.submit(ctx, f, Navigation{Header: header})
}

// submit completes a navigation by what a form sends.
func (c *Client) submit(ctx context.Context, f *form.Form, n Navigation) (Visit, error) {
	if c.Document == nil {
		return Visit{}, errors.New("submitting a form: the browser shows no page")
	}
	s, err := f.Submit("----Lockstep" + rand.Text())
	if err != nil {
		return Visit{}, fmt.Errorf("submitting a form: %w", err)
	}
	if s.Method == http.MethodGet && f.HasPassword() {
		return Visit{}, errors.New("submitting a form: its method is GET, which would put the password into the URL; it needs method=post")
	}
	from := c.Document.Document
	if f.NoReferrer {
		from.ReferrerPolicy = "no-referrer"
	}
	n.Method, n.URL, n.Initiator, n.ContentType, n.Body = s.Method, s.URL.String(), &from, s.ContentType, s.Body
	if c.Document.upgrades && s.URL.Scheme == "http" {
		n.URL = withScheme(s.URL, "https")
	}
	return c.Navigate(ctx, n)
}
