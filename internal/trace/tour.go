package trace

import (
	"cmp"
	"context"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/rule"
)

// A Context is in what circumstances a visit of [Client.Tour], or one to which a page led, was made. Which page asked is the From of the
// visit.
type Context struct {
	As          string `json:"as"`                    // navigate or form, iframe, fetch, image, script
	Top         string `json:"top,omitempty"`         // the page that the window shows, when it is another than From
	Credentials string `json:"credentials,omitempty"` // the mode, where one may be chosen
}

// contextOfVisit describes a navigation for the run.
func contextOfVisit(n *Navigation) *Context {
	x := &Context{As: n.As.String()}
	switch {
	case n.As == browser.AsNavigation && n.Body != nil:
		x.As = "form"
	case n.As == browser.AsFetch:
		x.Credentials = string(cmp.Or(n.Credentials, browser.CredentialsSameOrigin))
	default:
		x.Credentials = string(n.Credentials)
	}
	if n.Initiator != nil && n.Initiator.Parent != nil {
		x.Top = n.Initiator.Parent.URL.Redacted()
	}
	return x
}

// describe tells in words what a visit is: "fetch by https://shop.test/, credentials include".
func (x *Context) describe(from string) string {
	if from == "" {
		return "typed"
	}
	text := map[string]string{
		"navigate": "link on ", "form": "form on ", "iframe": "iframe in ", "fetch": "fetch by ", "image": "image in ", "script": "script in ",
	}[x.As] + from
	if x.Top != "" {
		text += ", which is a frame of " + x.Top
	}
	if x.Credentials != "" {
		text += ", credentials " + x.Credentials
	}
	return text
}

// Tour makes navigations in order, each once, with one browser, and then looks what a script finds in
// document.cookie: one of the document that the last navigation brought, or of the page that asked. A page
// that was visited before is asked from under the Referrer-Policy that it had.
func (c *Client) Tour(ctx context.Context, navigations []Navigation) (Run, error) {
	var run Run
	for i := range navigations {
		if _, err := parseTarget(navigations[i].URL); err != nil {
			return run, err
		}
	}
	for _, n := range navigations {
		n.Initiator = c.asShown(n.Initiator)
		v, err := c.Navigate(ctx, n)
		if len(v.Hops) > 0 {
			v.Context = contextOfVisit(&n)
			v.Title = v.Context.describe(v.From)
			run.Visits = append(run.Visits, v)
		}
		if err != nil {
			return run, err
		}
	}
	if len(navigations) > 0 {
		c.readByScript(run.Visits[len(run.Visits)-1].Last(), &navigations[len(navigations)-1])
	}
	return run, nil
}

// asShown is d with what is known of it when it is the page that the browser shows.
func (c *Client) asShown(d *browser.Document) *browser.Document {
	if d == nil || c.Document == nil || d.ReferrerPolicy != "" || d.URL.String() != c.Document.URL.String() {
		return d
	}
	shown := *d
	shown.ReferrerPolicy = c.Document.ReferrerPolicy
	return &shown
}

// readByScript adds to the last hop of a navigation what its scripts find in document.cookie.
func (c *Client) readByScript(last *Hop, n *Navigation) {
	if !c.Browser.Profile.ShowsPages() || last.Response == nil {
		return
	}
	d := n.Initiator
	switch n.As {
	case browser.AsNavigation:
		if d = nil; c.Document != nil {
			d = &c.Document.Document
		}
	case browser.AsIframe:
		d = &browser.Document{URL: mustParse(last.URL), Parent: cmp.Or(n.Container, n.Initiator)}
	case browser.AsFetch, browser.AsImage, browser.AsScript:
	}
	if d != nil {
		c.Browser.ScriptCookies(d, c.now(), rule.NewRecorder(func(v rule.Verdict) {
			v.Facts = append(v.Facts, rule.Fact{Name: "document", Value: d.URL.Redacted()})
			last.Verdicts = append(last.Verdicts, v)
		}))
	}
}
