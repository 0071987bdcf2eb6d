package trace

import (
	"html"
	"net/url"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/internal/form"
	"github.com/lockstep-http/lockstep/rule"
)

// hide takes a password out of a run: a site that gets one may write it into the address to which it leads,
// or into a header, and a run is saved and shown. What the site said before it got the password is no
// secret: if that holds the word, as shop.test does of somebody whose password is "test", it stays.
func (r *Run) hide(password string) {
	sent := slices.IndexFunc(r.Visits, func(v Visit) bool { return v.Title == titleLogin })
	if sent < 0 || password == "" {
		return
	}
	var before strings.Builder
	if err := (&Run{Visits: r.Visits[:sent]}).WriteJSON(&before); err != nil || strings.Contains(before.String(), password) {
		return
	}
	h := newHider(password)
	for i := range r.Visits[sent:] {
		v := &r.Visits[sent+i]
		v.Typed, v.From = h.Replace(v.Typed), h.Replace(v.From)
		for j := range v.Hops {
			h.hop(&v.Hops[j])
		}
	}
}

// A hider replaces a password, in each form in which a site can be expected to write it.
type hider struct{ *strings.Replacer }

func newHider(password string) hider {
	_, inForm := form.Encode([][2]string{{"", password}})
	var pairs []string
	for _, written := range []string{
		password, url.QueryEscape(password), url.PathEscape(password), string(inForm[1:]), html.EscapeString(password),
	} {
		pairs = append(pairs, written, "…")
	}
	return hider{strings.NewReplacer(pairs...)}
}

func (h hider) hop(p *Hop) {
	p.URL, p.Cookie, p.Sent = h.Replace(p.URL), h.Replace(p.Cookie), h.fields(p.Sent)
	if p.Response != nil {
		p.Response.Fields, p.Response.Text = h.fields(p.Response.Fields), h.Replace(p.Response.Text)
	}
	for i := range p.Cookies {
		c := &p.Cookies[i]
		c.Name, c.Path = h.Replace(c.Name), h.Replace(c.Path)
	}
	for i := range p.Verdicts {
		v := &p.Verdicts[i]
		v.Subject, v.Facts = h.Replace(v.Subject), slices.Clone(v.Facts)
		for j, f := range v.Facts {
			v.Facts[j] = rule.Fact{Name: h.Replace(f.Name), Value: h.Replace(f.Value)}
		}
	}
}

func (h hider) fields(all []Field) []Field {
	for i, f := range all {
		all[i] = Field{Name: h.Replace(f.Name), Value: h.Replace(f.Value)}
	}
	return all
}
