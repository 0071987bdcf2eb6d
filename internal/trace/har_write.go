package trace

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// maxPlayedRows is how many cookies and differences are printed when not all are asked for.
const maxPlayedRows = 40

// Summary tells in sentences what was recorded, and what of it was left aside.
func (p *Playback) Summary() []string {
	const layout = "2006-01-02 15:04:05"
	text := fmt.Sprintf("%s to %s", counted(p.Requests, "request"), counted(p.Hosts, "host"))
	if p.Recorder != "" {
		text += ", recorded by " + clean(p.Recorder)
	}
	if p.Requests > 0 {
		text += fmt.Sprintf(", from %s to %s UTC", p.First.UTC().Format(layout), p.Last.UTC().Format(layout))
	}
	all := []string{text + "."}
	for _, note := range []struct {
		times      int
		what, text string
	}{
		{p.Local, "answer", " came from a cache or a service worker: no request left, and no cookie with it."},
		{p.Left, "URL", " of another scheme than http, https, ws and wss left aside."},
		{p.Before, "cookie", " sent that no answer in the recording sets: of those nothing else is known."},
	} {
		if note.times > 0 {
			all = append(all, counted(note.times, note.what)+note.text)
		}
	}
	return all
}

// WriteText writes the summary, what became of each cookie, and each difference; everything says that none
// is to be left out.
func (p *Playback) WriteText(w io.Writer, everything bool) {
	for _, text := range p.Summary() {
		for _, line := range wrap(text, lineWidth) {
			fmt.Fprintln(w, line)
		}
	}
	for _, l := range p.Loops {
		fmt.Fprintln(w)
		for _, line := range wrap(l.Tell(), lineWidth) {
			fmt.Fprintln(w, clean(line))
		}
	}
	p.writeCookies(w, everything)
	p.writeDifferences(w, everything)
}

func (p *Playback) writeCookies(w io.Writer, everything bool) {
	if len(p.Cookies) == 0 {
		return
	}
	fmt.Fprintln(w, "\nCookies")
	g := grid{head: []string{"Site", "Cookie", "Sent", "Set by answers", "Refused", "Kept back"}}
	rows := limited(len(p.Cookies), everything)
	for _, c := range p.Cookies[:rows] {
		g.rows = append(g.rows, []string{c.Site, called(c.Name), strconv.Itoa(c.Sent), c.Stored.String(), c.Refused.String(), c.KeptBack.String()})
	}
	g.text(w, []int{24, 30, 0, 22, 28, 28})
	if more := len(p.Cookies) - rows; more > 0 {
		fmt.Fprintf(w, "and %d more, which -v tells.\n", more)
	}
	if p.MoreCookies > 0 {
		fmt.Fprintf(w, "There are more than %d names; what is beyond is not counted.\n", maxPlayedCookies)
	}
}

func limited(n int, everything bool) int {
	if everything {
		return n
	}
	return min(n, maxPlayedRows)
}

// String lists the rules with how often each decided.
func (t Tally) String() string {
	parts := make([]string, len(t))
	for i, c := range t {
		parts[i] = fmt.Sprintf("%d %s", c.Times, c.Rule)
	}
	return cmp.Or(strings.Join(parts, ", "), none)
}

func (p *Playback) writeDifferences(w io.Writer, everything bool) {
	if p.NoneSent {
		fmt.Fprintln(w, "\nAnswers set cookies, and no request in the recording carries any: either the browser kept none, or they\nwere left out when the recording was saved. What was not sent is therefore not held against it.")
	}
	if len(p.Differences) == 0 {
		fmt.Fprintln(w, "\nThe recording has no cookie otherwise than the rules have it.")
	}
	writeDifferences(w, "Where the recording differs from the rules", p.Differences, everything)
	writeDifferences(w, "What cannot be told", p.Untold, everything)
	if p.MoreDifferences > 0 {
		fmt.Fprintf(w, "  %d more times a cookie differs; %d differences are named at most.\n", p.MoreDifferences, maxDifferences)
	}
}

func writeDifferences(w io.Writer, title string, all []Difference, everything bool) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", title)
	rows := limited(len(all), everything)
	for _, d := range all[:rows] {
		for i, line := range d.lines() {
			fmt.Fprintf(w, "%s%s\n", choose(i == 0, "  ", "    "), clean(line))
		}
	}
	if more := len(all) - rows; more > 0 {
		fmt.Fprintf(w, "  and %d more, which -v tells.\n", more)
	}
}

// head tells a difference, and where how often it is there and where first.
func (d Difference) head() string {
	text := fmt.Sprintf("%s at %s: %s", called(d.Cookie), d.Host, d.Kind)
	if d.Rule != "" {
		text += fmt.Sprintf(" (%s)", d.Rule)
	}
	if d.Doubt != "" {
		text += "; this may be as it should"
	}
	return text
}

func (d Difference) where() string {
	return fmt.Sprintf("%s, first by %s %s at %s", counted(d.Times, "time"), d.Method, d.URL, d.First.UTC().Format("15:04:05.000"))
}

// lines tell a difference for a terminal, with what is most likely behind it.
func (d Difference) lines() []string {
	return slices.Concat([]string{d.head()}, wrap(d.where(), factsWidth), wrap(d.Why(), factsWidth))
}

// Differ tells each loop of redirects and each difference in a few sentences.
func (p *Playback) Differ() []string {
	var all []string
	for _, l := range p.Loops {
		all = append(all, l.Tell())
	}
	for _, d := range slices.Concat(p.Differences, p.Untold) {
		all = append(all, d.head()+", "+d.where()+". "+d.Why())
	}
	return all
}

// WriteVisit writes the requests of a visit, and the verdicts about each.
func WriteVisit(w io.Writer, v *Visit) {
	fmt.Fprintf(w, "\n%s\n", clean(v.Title))
	for i := range v.Hops {
		fmt.Fprintf(w, "  %s\n", clean(requestLine(&v.Hops[i])))
		for _, d := range v.Hops[i].Verdicts {
			fmt.Fprint(w, "  ")
			writeVerdict(w, d, "    ")
		}
	}
}
