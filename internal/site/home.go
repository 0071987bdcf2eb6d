package site

import (
	"bytes"
	"html/template"
	"net/http"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/session"
)

// homePage is the page of the lesson for a person's browser.
var homePage = template.Must(template.New("home").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Lockstep: visit {{.Visits}}</title>
<style>
  :root { color-scheme: light dark; font: 1.1rem/1.5 system-ui, sans-serif }
  main { max-width: 40rem; margin: 3rem auto; padding: 0 1rem }
  code { font-size: .95em }
  dt { font-weight: 600; margin-top: .7rem }
  dd { margin: 0 }
</style>
<main>
  <h1>Visit {{.Visits}}</h1>
  <dl>
    <dt>request.is_secure()</dt><dd><code>{{if .Secure}}True{{else}}False{{end}}</code></dd>
    <dt>request.get_host()</dt><dd><code>{{.Host}}</code></dd>
    <dt>Your browser sent the session cookie</dt><dd>{{if .Sent}}yes, so this is not its first visit{{else}}no: this is its first visit, or it does not keep the cookie{{end}}</dd>
  </dl>
  <p>Reload, and the number goes up: your browser sends <code>{{.Cookie}}</code> and the site reads the session.
  Then ask for <a href="http://{{.Host}}/">http://{{.Host}}/</a>: the site redirects you back here.</p>
  <p>On localhost a browser counts plain HTTP as secure enough and sends the Secure cookie there, too. Under a
  name of its own, such as shop.test, it keeps the cookie back, which is what <code>lockstep demo</code> shows.</p>
</main>
</html>
`))

// Home counts the visits of a session on a page for a person; cookie is the name of the session
// cookie.
func Home(cookie string) Doing {
	return func(w http.ResponseWriter, r *http.Request) (string, error) {
		s := session.From(r.Context())
		visits, _ := session.Value[int](s, "visits")
		visits++
		if err := s.Set("visits", visits); err != nil {
			return "", err
		}
		_, sent := lockstep.ReadCookie(r, cookie)
		var page bytes.Buffer
		err := homePage.Execute(&page, struct {
			Visits       int
			Secure, Sent bool
			Host, Cookie string
		}{visits, lockstep.IsSecure(r), sent, lockstep.Host(r), cookie})
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		return page.String(), err
	}
}
