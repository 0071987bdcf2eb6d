package lesson

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// Variables of the tracker, beside one for each cookie.
const (
	varScheme   = "scheme"
	varSecure   = "request.is_secure()"
	varRedirect = "redirect"
	varStatus   = "status"
	varUser     = "request.user"
	varHSTS     = "HSTS store"
	varJar      = "cookie jar"
	varHeader   = "Cookie header"
	varSession  = "session id"
	varCSRF     = "csrf"
)

// tracked are they, in the order of the tracker.
var tracked = []string{varScheme, varSecure, varRedirect, varStatus, varUser, varHSTS, varJar, varHeader, varSession, varCSRF}

// none is the value of what does not exist yet.
const none = "-"

// track follows the variables of the person's browser through the steps. Some are details: those that
// neither the lesson nor this scenario shows.
func (t *teller) track(shows []string) []Variable {
	var all []Variable
	for _, name := range tracked {
		v := Variable{Name: name, Values: []string{none}, Chance: name == varHeader, Detail: name != varSecure && !slices.Contains(shows, name)}
		for i := range t.story.Steps {
			st, value := &t.story.Steps[i], v.Values[i]
			if st.Reached() && st.As == "" {
				value = t.after(name, st, value)
			}
			v.Values = append(v.Values, value)
		}
		all = append(all, v)
	}
	return slices.Insert(all, 2, t.cookies()...)
}

// cookies are the variables that tell what became of each cookie.
func (t *teller) cookies() []Variable {
	var all []Variable
	for _, name := range t.story.Cookies {
		i := slices.IndexFunc(t.story.Variables, func(v trace.Variable) bool { return v.Name == "cookie "+called(name) })
		if i >= 0 {
			v := t.story.Variables[i]
			all = append(all, Variable{Name: v.Name, Values: v.Values})
		}
	}
	return all
}

// after is the value of a variable after a step that was reached.
func (t *teller) after(name string, st *trace.Step, before string) string {
	first, last := st.Hops()[0], st.Hops()[len(st.Hops())-1]
	if st.Half() != trace.TellsAnswer {
		switch name {
		case varScheme:
			return scheme(first)
		case varSecure:
			return secureValue(first, before)
		case varRedirect:
			return redirectValue(first, before)
		case varStatus:
			return statusValue(last)
		case varUser:
			return userValue(st, before)
		case varHeader:
			return headerValue(st)
		case varCSRF:
			return csrfValue(st, before)
		}
	}
	if st.Half() != trace.TellsRequest {
		switch name {
		case varHSTS:
			return hstsValue(last)
		case varJar:
			return jarValue(last)
		case varSession:
			return sessionValue(st, t.result.Settings.SessionCookieName, before)
		}
	}
	return before
}

func scheme(h *trace.Hop) string { return choose(h.Secure(), "https", "http") }

func pythonBool(b bool) string { return choose(b, "True", "False") }

func secureValue(h *trace.Hop, before string) string {
	if v, ok := h.Verdict(rule.IsSecure, ""); ok {
		return pythonBool(v.Yes)
	}
	return before
}

// redirectValue is whether the first request was redirected, and by which status.
func redirectValue(h *trace.Hop, before string) string {
	if h.Response == nil {
		return before
	}
	if h.Location() != "" && h.Response.Status/100 == 3 {
		return fmt.Sprintf("%d to %s", h.Response.Status, h.Location())
	}
	return "no"
}

func statusValue(h *trace.Hop) string {
	if h.Response == nil {
		return "no answer"
	}
	return fmt.Sprint(h.Response.Status)
}

func userValue(st *trace.Step, before string) string {
	for _, h := range slices.Backward(st.Hops()) {
		if v, ok := h.Verdict(rule.IsAuthenticated, ""); ok {
			user, _ := v.Fact("request.user")
			return user
		}
	}
	return before
}

// headerValue is the Cookie field of the first request, or, over https, of the first that has one.
func headerValue(st *trace.Step) string {
	for _, h := range st.Hops() {
		if h.Cookie != "" {
			return h.Cookie
		}
		if !h.Secure() {
			break
		}
	}
	return none
}

// csrfValue is what became of a request that changes something.
func csrfValue(st *trace.Step, before string) string {
	for _, h := range st.Hops() {
		if v, ok := h.Verdict(rule.CheckCSRF, ""); ok && h.Method != http.MethodGet {
			return choose(v.Yes, "passed", "refused") + " (" + string(v.Rule) + ")"
		}
	}
	return before
}

func hstsValue(h *trace.Hop) string {
	var all []string
	for _, k := range h.HSTS {
		all = append(all, k.Host+choose(k.IncludeSubDomains, " and below", ""))
	}
	return orNone(all)
}

// jarValue names the cookies that the browser holds, each with what protects it.
func jarValue(h *trace.Hop) string {
	var all []string
	for _, c := range h.Cookies {
		flags := []string{}
		if c.Secure {
			flags = append(flags, "Secure")
		}
		if c.HttpOnly {
			flags = append(flags, "HttpOnly")
		}
		if c.SameSite != cookie.SameSiteDefault.String() {
			flags = append(flags, "SameSite="+c.SameSite)
		}
		if !c.HostOnly {
			flags = append(flags, "Domain="+c.Domain)
		}
		all = append(all, strings.Join(append([]string{called(c.Name)}, flags...), "; "))
	}
	return orNone(all)
}

func orNone(all []string) string {
	if len(all) == 0 {
		return none
	}
	return strings.Join(all, ", ")
}

// sessionValue numbers the values of the session cookie that the browser was given: none is shown.
func sessionValue(st *trace.Step, name, before string) string {
	for _, h := range st.Hops() {
		if !slices.ContainsFunc(h.Cookies, func(c trace.StoredCookie) bool { return c.Name == name }) {
			before = none
			continue
		}
		if v, ok := h.Verdict(rule.StoreCookie, name); !ok || !v.Yes || h.Response == nil {
			continue
		}
		for _, f := range h.Response.Fields {
			if strings.EqualFold(f.Name, "Set-Cookie") && cookie.Parse(f.Value).Name == name {
				before = fmt.Sprintf("no. %d", f.Number)
			}
		}
	}
	return before
}
