package scenario

import (
	"context"
	"fmt"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// An Act is a scenario that is told as a table: its visits have titles.
type Act struct {
	Number int
	Title  string // a sentence without its full stop
	Text   string // the scenario, under the settings of the lesson

	tell func(s lockstep.Settings) trace.Act
}

// Acts returns the acts after the lesson, which is the first.
func Acts() []Act { return []Act{login, hsts} }

// Run runs the act under s over real sockets and real TLS, and tells it. The settings that set
// assigns, as "SESSION_COOKIE_SECURE=False", hold throughout, whatever the act itself sets; a step that
// they leave nothing for is told as one that was not reached.
func (a Act) Run(ctx context.Context, s lockstep.Settings, set []string, lookup func(rule.ID) (rule.Rule, bool)) (*trace.Story, error) {
	parsed, err := Parse(a.Text)
	if err != nil {
		return nil, err
	}
	result, err := parsed.Do(ctx, Options{Settings: s, Set: set, Sockets: true, PassOver: len(set) > 0})
	if err != nil {
		return nil, err
	}
	if len(result.Missed) > 0 && len(set) == 0 {
		return nil, fmt.Errorf("act %d: line %d: %s did not hold", a.Number, result.Missed[0].Line, result.Missed[0])
	}
	told := a.tell(result.Settings)
	told.Skipped = result.Skipped
	story := trace.TellAct(result.Run, told, lookup)
	return &story, nil
}

// hsts is what Strict-Transport-Security does, and what it does not.
var hsts = Act{
	Number: 3,
	Title:  "HSTS: the first visit still leaves in clear, the second is upgraded before it leaves",
	Text: `
set SECURE_HSTS_SECONDS=3600
on /goodbye app plain
on /goodbye send Strict-Transport-Security: max-age=0
step the first visit leaves in clear
then the answer over https brings HSTS
visit http://shop.test/
expect hsts-stored
on / app read
step the second visit is typed with http
visit http://shop.test/
expect upgrade-hsts
step a subdomain is another host
visit http://www.shop.test/
expect upgrade-no-entry
set SECURE_HSTS_INCLUDE_SUBDOMAINS=True
step the site says includeSubDomains
visit https://shop.test/
step another subdomain is upgraded, unvisited
visit http://img.shop.test/
step the site says max-age=0
visit https://shop.test/goodbye
expect hsts-removed
step the browser has forgotten
visit http://shop.test/
`,
	tell: func(s lockstep.Settings) trace.Act {
		return trace.Act{
			Name: "act 3", Cookies: []string{s.SessionCookieName},
			Variables: []string{"request.is_secure()", "known HSTS hosts", "cookie " + s.SessionCookieName},
			Questions: []trace.Asked{
				{Title: "the first visit leaves in clear", Question: rule.UpgradeToHTTPS, No: "Why does the first visit leave in clear?"},
				{Title: "the second visit is typed with http", Question: rule.UpgradeToHTTPS, Yes: "Why does the second visit not leave in clear?", No: "Why does the second visit leave in clear, too?"},
				{Title: "a subdomain is another host", Question: rule.UpgradeToHTTPS, Yes: "Why is the subdomain upgraded already?", No: "Why is the subdomain not upgraded?"},
				{Title: "another subdomain is upgraded, unvisited", Question: rule.UpgradeToHTTPS, Yes: "What does includeSubDomains do?", No: "Why is the subdomain still not upgraded?"},
				{Title: "the site says max-age=0", Question: rule.StoreHSTS, Yes: "What does max-age=0 do?", No: "What does max-age=0 do?"},
			},
		}
	},
}

// login is a login at the site that demo --serve keeps up: accounts and sessions in SQLite, a token in
// each form.
var login = Act{
	Number: 2,
	Title:  "A login: the session's key and the token change with it, a forged form is refused, and the logout clears what is really there",
	Text: `
site ada correct-horse
step a visitor, not logged in yet
visit https://shop.test/counter
step a page that needs the login
visit https://shop.test/account
expect authenticated-no-login
step the login form is sent with its token
submit /login username=ada password=correct-horse
expect csrf-ok
expect note-session-key-cycled
expect note-csrf-token-rotated
expect authenticated-ok
step the visitor comes again, logged in
visit https://shop.test/account
step a page of evil.test posts a form to this site
from https://evil.test/
post https://shop.test/account/password old=correct-horse new=stolen-horse again=stolen-horse
expect csrf-origin-mismatch
expect send-samesite-lax sessionid
as thief
steal
as
step the page to log out
visit https://shop.test/logout
step the form to log out is sent with its token
submit /logout
expect session-cookie-deleted
step the page that needs the login, once more
visit https://shop.test/account
as thief
step a thief comes with a copy of the cookie
visit https://shop.test/account
expect session-unknown-key
`,
	tell: func(s lockstep.Settings) trace.Act {
		session, token := s.SessionCookieName, s.CSRFCookieName
		return trace.Act{
			Name: "act 2", Cookies: []string{session, token},
			Variables: []string{"request.user", "cookie " + session, "value of " + session, "value of " + token},
			Questions: []trace.Asked{
				{Title: "the login form is sent with its token", Question: rule.CheckCSRF, Yes: "Why is the login form accepted?", No: "Why is the login form refused?"},
				{Title: "the login form is sent with its token", Question: rule.SaveSession, Note: "note-session-key-cycled", Yes: "Why does the session have another key after the login?"},
				{Title: "the login form is sent with its token", Question: rule.SetCookie, Subject: token, Note: "note-csrf-token-rotated", Yes: "Why is the token another one, too?"},
				{Title: "a page of evil.test posts a form to this site", Question: rule.SendCookie, Subject: session, Yes: "Why does the session cookie go along with the forged form?", No: "Why does the session cookie not go along with the forged form?"},
				{Title: "a page of evil.test posts a form to this site", Question: rule.CheckCSRF, Yes: "Why is the forged form accepted?", No: "Why is the forged form refused, whatever cookies it has?"},
				{Title: "the form to log out is sent with its token", Question: rule.SaveSession, Yes: "What does the logout clear?", No: "What does the logout clear?"},
				{Title: "a thief comes with a copy of the cookie", Question: rule.LoadSession, Yes: "Why is the copied cookie still good?", No: "Why is the copied cookie worth nothing?"},
			},
		}
	},
}
