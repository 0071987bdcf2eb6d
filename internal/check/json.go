package check

import (
	"encoding/json"
	"io"

	"github.com/lockstep-http/lockstep/settings"
)

// Schema names the form of what WriteJSON writes. Its number goes up when a field changes its
// meaning or goes; a new field does not change it.
const Schema = "lockstep.check/1"

type jsonReport struct {
	Schema   string            `json:"schema"`
	Source   string            `json:"source"`
	Django   string            `json:"django"`
	ToldBy   string            `json:"told_by,omitempty"`
	Settings int               `json:"settings"`
	Clean    bool              `json:"clean"`
	URL      string            `json:"url"`
	Proxy    bool              `json:"proxy"`
	Steps    []jsonStep        `json:"steps"`
	Replaced []Replaced        `json:"replaced"`
	Findings []jsonFinding     `json:"findings"`
	Expired  []jsonSuppression `json:"expired"`
	Unused   []jsonSuppression `json:"unused"`
	Unread   []jsonPlace       `json:"unread"`
	Patch    string            `json:"patch"`
}

type jsonStep struct {
	Number    int    `json:"number"`
	Harm      bool   `json:"harm"`
	Action    string `json:"action"`
	Condition string `json:"condition"`
	Result    string `json:"result"`
	Sent      string `json:"cookie_sent"`
}

type jsonFinding struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Severity Severity `json:"severity"`
	Counts   bool     `json:"counts"`
	Excuse   string   `json:"excuse,omitempty"`
	jsonPlace
	Text     string   `json:"text"`
	Evidence Evidence `json:"evidence"`
	Doc      string   `json:"doc"`
	Fix      string   `json:"fix"`
}

type jsonPlace struct {
	Setting string          `json:"setting"`
	Origin  settings.Origin `json:"origin"`
	Line    int             `json:"line,omitempty"`
}

type jsonSuppression struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
	Until  string `json:"until"`
}

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	_, marked := r.rows()
	out := jsonReport{
		Schema: Schema, Source: r.Name, Django: r.Django, ToldBy: r.Because, Settings: r.Settings, Clean: r.Clean(), URL: r.URL, Proxy: r.Proxy,
		Replaced: append([]Replaced{}, r.Replaced...), Findings: []jsonFinding{}, Unread: []jsonPlace{}, Patch: r.Patch,
		Expired: suppressionsOf(r.Expired), Unused: suppressionsOf(r.Unused),
	}
	for _, st := range r.Story.Steps {
		out.Steps = append(out.Steps, jsonStep{st.Number, marked[st.Number], st.Action, st.Condition, st.Result, st.Sent})
	}
	for _, f := range r.Findings {
		out.Findings = append(out.Findings, jsonFinding{
			ID: f.Check.ID, Title: f.Check.Title, Severity: f.Severity, Counts: f.Excuse == "", Excuse: f.Excuse,
			jsonPlace: jsonPlace{f.Setting, f.Origin, f.Line}, Text: f.Text, Evidence: f.Evidence, Doc: f.Check.Doc, Fix: f.Check.Fix,
		})
	}
	for _, v := range r.Unread {
		out.Unread = append(out.Unread, jsonPlace{v.Name, v.Origin, v.Line})
	}
	return encode(w, out)
}

func suppressionsOf(all []Suppression) []jsonSuppression {
	out := []jsonSuppression{}
	for _, x := range all {
		out = append(out, jsonSuppression{x.ID, x.Reason, x.until()})
	}
	return out
}

func encode(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}

// WriteList writes all checks as one JSON array.
func WriteList(w io.Writer) error {
	type entry struct {
		ID       string   `json:"id"`
		Title    string   `json:"title"`
		Severity Severity `json:"severity"`
		Settings []string `json:"settings"`
		Versions string   `json:"versions,omitempty"`
		Source   string   `json:"source"`
		Doc      string   `json:"doc"`
		Fix      string   `json:"fix"`
	}
	var all []entry
	for _, c := range All() {
		all = append(all, entry{c.ID, c.Title, c.Severity, c.Settings, c.Versions, c.Source, c.Doc, c.Fix})
	}
	return encode(w, all)
}
