package lesson

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// messages are the arrows of a step, and what happens in a lane between them.
func (t *teller) messages(st *trace.Step) []Message {
	var all []Message
	hops := st.Hops()
	for i, h := range hops {
		x := exchange{teller: t, who: whose(st), hop: h}
		last := i == len(hops)-1
		if st.Half() != trace.TellsAnswer {
			all = append(all, x.asks()...)
		}
		if st.Half() != trace.TellsAnswer && !last || st.Half() == trace.TellsAll || st.Half() == trace.TellsAnswer && last {
			all = append(all, x.answers()...)
		}
	}
	return all
}

// An exchange is a hop that is being told.
type exchange struct {
	*teller
	who string // the lane of the browser
	hop *trace.Hop
}

func (x *exchange) text(key string, pairs ...string) string {
	whose := "browser.person"
	if x.who == LaneAttacker {
		whose = "browser.attacker"
	}
	return x.words.run(key, append(pairs, "browser", x.words.run(whose))...)
}

// asks tells how a request comes about and how far it gets.
func (x *exchange) asks() []Message {
	h := x.hop
	var all []Message
	if v, ok := h.Verdict(rule.UpgradeToHTTPS, ""); ok && v.Yes {
		all = append(all, x.within(x.who, "message.upgrade", v, "url", h.URL))
	}
	for _, v := range h.All(rule.ReadCookie) {
		all = append(all, x.within(x.who, choose(v.Yes, "message.reads", "message.reads-not"), v, "cookie", called(v.Subject)))
	}
	for _, v := range h.All(rule.SendCookie) {
		if !v.Yes {
			all = append(all, x.within(x.who, "message.keeps-back", v, "cookie", called(v.Subject)))
		}
	}
	if h.Method == scriptMethod {
		return all
	}
	if from := sentBy(h); x.attacked && isForeignForm(h) {
		lure := Message{From: LaneAttacker, To: x.who, Secure: strings.HasPrefix(from, "https:"), Text: x.text("message.lures", "from", from)}
		all = append([]Message{lure}, all...)
	}
	return append(all, x.request()...)
}

// scriptMethod stands where a hop has its method, when a script did something and nothing was sent.
const scriptMethod = "SCRIPT"

func (x *exchange) request() []Message {
	h := x.hop
	to := LaneGate
	path, onPath := onPath(h)
	if onPath {
		to = LaneAttacker
	}
	ask := Message{From: x.who, To: to, Secure: h.Secure(), Raw: rawRequest(h)}
	ask.Text = x.text("message.request", "method", h.Method, "url", h.URL, "cookies", x.carried())
	v, _ := h.Verdict(rule.Connect, "")
	if !v.Yes {
		ask.Stop, ask.Rule = true, v.Rule
		ask.Text += x.text("message.lost")
	}
	all := []Message{ask}
	switch {
	case !h.Left || !h.Known || path.Rule == ruleForged:
		return all
	case path.Rule == ruleStripped:
		all = append(all, Message{From: LaneAttacker, To: LaneGate, Secure: true, Rule: path.Rule, Text: x.text("message.strips")})
	}
	return append(all, x.gate()...)
}

// carried names the cookies of a request.
func (x *exchange) carried() string {
	names := cookieNames(x.hop.Cookie)
	if len(names) == 0 {
		return x.text("message.no-cookie")
	}
	return x.text("message.with", "cookies", strings.Join(names, ", "))
}

func cookieNames(field string) []string {
	var names []string
	for _, p := range cookie.ParseHeader(field) {
		names = append(names, called(p.Name))
	}
	return names
}

// gate tells what the Guard decides: to answer by itself, or to hand the request on.
func (x *exchange) gate() []Message {
	h := x.hop
	var all []Message
	if v, ok := h.Verdict(rule.IsSecure, ""); ok {
		key := choose(v.Yes, "message.secure", "message.not-secure")
		if _, ok := onPath(h); !ok && v.Yes != h.Secure() {
			key = choose(v.Yes, "message.secure-by-proxy", "message.not-secure-behind-proxy")
		}
		all = append(all, x.within(LaneGate, key, v))
	}
	if v, ok := stopped(h); ok {
		key := "message.gate-" + strings.ReplaceAll(string(v.Question), " ", "-")
		if v.Question == rule.RedirectToHTTPS && !v.Yes {
			key = "message.gate-no-redirect"
		}
		return append(all, x.within(LaneGate, key, v))
	}
	on := Message{From: LaneGate, To: LaneApp, Secure: h.Secure(), Text: x.text("message.hands-on", "method", h.Method, "path", pathOf(h.URL))}
	all = append(all, on)
	for _, q := range []rule.Question{rule.LoadSession, rule.IsAuthenticated} {
		if v, ok := h.Verdict(q, ""); ok {
			key := "message." + strings.ReplaceAll(string(q), " ", "-") + choose(v.Yes, "", "-not")
			user, _ := v.Fact("request.user")
			stop := !v.Yes && (v.Rule != ruleNoSession && q == rule.LoadSession || h.Location() != "")
			all = append(all, Message{From: LaneApp, To: LaneApp, Secure: h.Secure(), Stop: stop, Rule: v.Rule, Text: x.text(key, "user", user)})
		}
	}
	return all
}

// stopped is the verdict by which the Guard answers a request by itself.
func stopped(h *trace.Hop) (rule.Verdict, bool) {
	for _, v := range h.Verdicts {
		switch {
		case v.Question == rule.AllowHost && !v.Yes, v.Question == rule.CheckCSRF && !v.Yes, v.Question == rule.RedirectToHTTPS && v.Yes:
			return v, true
		case slices.Contains([]rule.ID{"redirect-loop-forwarded", "redirect-loop-repeated", "redirect-too-long"}, v.Rule):
			return v, true
		}
	}
	return rule.Verdict{}, false
}

// answers tells the answer and what the browser makes of it.
func (x *exchange) answers() []Message {
	h := x.hop
	var all []Message
	if h.Response != nil {
		path, _ := onPath(h)
		if _, byGate := stopped(h); h.Known && !byGate && path.Rule != ruleForged {
			all = append(all, Message{From: LaneApp, To: LaneGate, Secure: h.Secure(), Text: x.text("message.app-answers", "status", status(h), "text", h.Response.Text)})
		}
		m := x.answer()
		switch path.Rule {
		case ruleForged:
			m.From, m.Rule = LaneAttacker, path.Rule
		case ruleStripped:
			all = append(all, Message{From: LaneGate, To: LaneAttacker, Secure: true, Text: x.text("message.answers-path", "status", status(h))})
			m.From, m.Rule = LaneAttacker, path.Rule
			m.Text += x.text("message.stripped")
		}
		all = append(all, m)
	}
	return append(all, x.takes()...)
}

func (x *exchange) answer() Message {
	h := x.hop
	m := Message{From: LaneGate, To: x.who, Secure: h.Secure(), Stop: h.Response.Status >= 400, Raw: rawResponse(h)}
	sets := ""
	if names := setBy(h); len(names) > 0 {
		sets = x.text("message.sets", "cookies", strings.Join(names, ", "))
	}
	key := "message.answer"
	if h.Location() != "" {
		key = "message.answer-redirect"
	}
	m.Text = x.text(key, "status", status(h), "location", h.Location(), "sets", sets)
	if v, ok := stopped(h); ok {
		m.Rule = v.Rule
	}
	return m
}

// setBy names the cookies that an answer sets.
func setBy(h *trace.Hop) []string {
	var names []string
	for _, f := range h.Response.Fields {
		if strings.EqualFold(f.Name, "Set-Cookie") {
			names = append(names, called(cookie.Parse(f.Value).Name))
		}
	}
	return slices.Compact(names)
}

// takings are the texts about what the browser makes of an answer: when it takes it, and when not.
var takings = map[rule.Question][2]string{
	rule.StoreCookie:    {"message.stores", "message.refuses"},
	rule.StoreHSTS:      {"message.hsts", "message.hsts-not"},
	rule.ClearSiteData:  {"message.clears", "message.clears-not"},
	rule.FollowRedirect: {"", "message.stays"}, // where it goes, the next message shows
}

// takingsOf are those of rules that say more.
var takingsOf = map[rule.ID]string{
	"store-deleted":       "message.deletes",
	"store-delete-missed": "message.deletes-not",
	"follow-not-redirect": "",
}

// takes tells what the browser makes of an answer.
func (x *exchange) takes() []Message {
	var all []Message
	for _, v := range x.hop.Verdicts {
		both := takings[v.Question]
		key := choose(v.Yes, both[0], both[1])
		if own, ok := takingsOf[v.Rule]; ok {
			key = own
		}
		if key != "" {
			all = append(all, x.within(x.who, key, v, "cookie", called(v.Subject)))
		}
	}
	return all
}

// within is a message from a lane to itself. What is refused or kept back stops there; a request that is not
// secure, or not upgraded, goes on.
func (x *exchange) within(lane, key string, v rule.Verdict, pairs ...string) Message {
	m := Message{From: lane, To: lane, Secure: x.hop.Secure(), Rule: v.Rule, Text: x.text(key, pairs...)}
	m.Stop = !v.Yes && v.Question != rule.IsSecure || v.Yes && v.Question == rule.RedirectToHTTPS
	return m
}

func status(h *trace.Hop) string {
	return fmt.Sprintf("%d %s", h.Response.Status, http.StatusText(h.Response.Status))
}

func pathOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.RequestURI()
}

// rawRequest are the lines of a request that say who asks for what; those that are the same every time
// are left out.
func rawRequest(h *trace.Hop) string {
	u, err := url.Parse(h.URL)
	if err != nil {
		return ""
	}
	lines := []string{h.Method + " " + u.RequestURI() + " HTTP/1.1", "Host: " + u.Host}
	for _, f := range h.Sent {
		lines = append(lines, f.Name+": "+f.Value)
	}
	if h.Cookie != "" {
		lines = append(lines, "Cookie: "+h.Cookie)
	}
	return printable(lines)
}

// rawResponse are the status and the header of an answer.
func rawResponse(h *trace.Hop) string {
	lines := []string{"HTTP/1.1 " + status(h)}
	for _, f := range h.Response.Fields {
		lines = append(lines, f.Name+": "+f.Value)
	}
	return printable(lines)
}

func printable(lines []string) string {
	for i, line := range lines {
		lines[i] = trace.Printable(line)
	}
	return strings.Join(lines, "\n")
}

// called is the name of a cookie for a person: one may have none.
func called(name string) string {
	if name == "" {
		return "(nameless)"
	}
	return name
}

func choose(yes bool, whenYes, whenNo string) string {
	if yes {
		return whenYes
	}
	return whenNo
}
