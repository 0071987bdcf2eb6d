package main

import (
	"cmp"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/internal/oracle"
	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/settings"
)

// made returns the section of a document that has a name.
func made(t *testing.T, name string) string {
	t.Helper()
	sections := map[string]func(*testing.T) string{
		"checks":        checkPages,
		"commands":      commandPages,
		"limits":        limitTables,
		"questions":     questionPages,
		"rules":         ruleTables,
		"scenarios":     scenarioTable,
		"settings":      settingTable,
		"setting-words": settingWords,
	}
	section, ok := sections[name]
	if !ok {
		t.Fatalf("a document has a section %q, which nobody makes", name)
	}
	return section(t)
}

// cells is one line of a table. What would end a cell or begin HTML is escaped.
func cells(texts ...string) string {
	for i, text := range texts {
		texts[i] = strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(text)
	}
	return "| " + strings.Join(texts, " | ") + " |\n"
}

func table(columns ...string) string {
	return cells(columns...) + "|" + strings.Repeat("---|", len(columns)) + "\n"
}

// code is a text as code, which keeps what would be markup.
func code(text string) string { return "`" + text + "`" }

// inDjango says where Django has a setting when not all of the versions that Lockstep knows have it.
var inDjango = map[string]string{
	"TRUSTED_PROXIES":                     "no",
	"INSECURE_TRUST_ANY_PROXY":            "no",
	"INSECURE_CSRF_EXEMPT":                "no",
	"DJANGO_VERSION":                      "no",
	"SECURE_CROSS_ORIGIN_RESOURCE_POLICY": "no",
	"SECURE_PERMISSIONS_POLICY":           "no",
	"SECURE_CSP":                          "6.0 and later",
	"SECURE_CSP_REPORT_ONLY":              "6.0 and later",
	"SECRET_KEY_FALLBACKS":                "4.1 and later",
	"SECURE_CROSS_ORIGIN_OPENER_POLICY":   "4.0 and later",
	"SECURE_BROWSER_XSS_FILTER":           "up to 3.2",
	"SIGNED_COOKIE_LEGACY_SALT_FALLBACK":  "5.2.15, 6.0.6 and later",
}

// settingTable is a table of all settings, and what each does.
func settingTable(*testing.T) string {
	overview := table("setting", "type", "default", "`Recommended`")
	var each strings.Builder
	recommended := map[string]string{}
	for f := range settings.Fields(lockstep.Recommended("")) {
		recommended[f.Name] = f.Default
	}
	for f := range settings.Fields(lockstep.DjangoDefaults("6.1")) {
		link := "[" + f.Name + "](#" + strings.ToLower(f.Name) + ")"
		overview += cells(link, f.Type, defaults(f.Name), inRecommended(f, recommended[f.Name]))
		fmt.Fprintf(&each, "### %s\n\n%s\n\nIn Go: `Settings.%s`. In Django: %s.\n\n", f.Name, plain(f.About), f.GoName, cmp.Or(inDjango[f.Name], "yes"))
	}
	return overview + "\n## What each does\n\n" + each.String()
}

// defaults is the default of a setting, by version where versions differ.
func defaults(name string) string {
	versions := []string{"3.2", "4.2", "5.2", "6.0", "6.1"}
	var values []string
	for _, v := range versions {
		value, _ := settings.Format(lockstep.DjangoDefaults(v), name)
		values = append(values, value)
	}
	if name == "DJANGO_VERSION" {
		return "as given to `DjangoDefaults`"
	}
	if distinct := slices.Compact(slices.Clone(values)); len(distinct) == 1 {
		return code(distinct[0])
	}
	var each []string
	for i, v := range versions {
		if i == 0 || values[i] != values[i-1] {
			each = append(each, code(values[i])+" in "+v)
		} else {
			each[len(each)-1] += ", " + v
		}
	}
	return strings.Join(each, "; ")
}

func inRecommended(f settings.Field, value string) string {
	switch f.Name {
	case "SECRET_KEY", "ALLOWED_HOSTS":
		return "as given"
	}
	if value == f.Default {
		return "the same"
	}
	return code(value)
}

// TestReferenceInDjango holds the column "in Django" against a real one.
func TestReferenceInDjango(t *testing.T) {
	type question struct {
		ID    string   `json:"id"`
		Op    string   `json:"op"`
		Names []string `json:"names"`
	}
	type answer struct {
		Django string         `json:"django"`
		Result map[string]any `json:"result"`
	}
	var names []string
	for f := range settings.Fields(lockstep.DjangoDefaults("6.1")) {
		names = append(names, f.Name)
	}
	got := oracle.Ask[answer](t, []question{{ID: "0", Op: "default", Names: names}})[0]
	if !strings.HasPrefix(got.Django, "3.2") {
		t.Skipf("Django %s is here; what 3.2 has is compared", got.Django)
	}
	for _, name := range names {
		where, special := inDjango[name]
		want := !special || where == "up to 3.2"
		if has := got.Result[name] != "<absent>"; has != want {
			t.Errorf("Django 3.2 has %s: %t, and the reference says %t", name, has, want)
		}
	}
	for name := range inDjango {
		if !slices.Contains(names, name) {
			t.Errorf("%s is no setting", name)
		}
	}
}

// settingWords is the part of the table of terms that is about settings.
func settingWords(*testing.T) string {
	text := table("Django", "Lockstep")
	for f := range settings.Fields(lockstep.Settings{}) {
		text += cells(code(f.Name), code("lockstep.Settings."+f.GoName))
	}
	return text
}

// A group of rules is those whose IDs begin with one of the words.
type ruleGroup struct {
	title, about string
	words        []string
}

// ruleGroups are in the order in which a request meets them.
var ruleGroups = []ruleGroup{
	{"Going to https before anything is sent", "The browser knows from HSTS that the host is to be visited over https only.", []string{"upgrade"}},
	{"Sending cookies", "The browser decides for each cookie that it holds whether the request carries it.", []string{"send"}},
	{"Cookies and scripts", "The browser decides for each cookie whether a script finds it in document.cookie.", []string{"read"}},
	{"Where a request comes from", "The browser tells the site in Origin and Referer which page caused the request.", []string{"origin", "referer"}},
	{"Asking before a fetch", "By other methods than GET, HEAD and POST a script asks another origin only after the browser has asked it with OPTIONS.", []string{"preflight"}},
	{"Connecting", "Whether an answer came, and over a connection that can be trusted.", []string{"connect"}},
	{"Is the request secure?", "Django's `request.is_secure()`, decided once for a request.", []string{"secure"}},
	{"Is the host allowed?", "Django's `request.get_host()` and ALLOWED_HOSTS.", []string{"host"}},
	{"Redirecting to https", "SECURE_SSL_REDIRECT.", []string{"redirect"}},
	{"Forged requests", "Django's CsrfViewMiddleware, and Sec-Fetch-Site before it.", []string{"csrf"}},
	{"Sessions", "Loading a session when it is touched first, and saving it before the first byte of the answer.", []string{"session"}},
	{"Who is logged in", "Django's `request.user.is_authenticated`.", []string{"authenticated"}},
	{"Setting cookies", "The site looks at a cookie before it is sent: one that no browser would keep is an error.", []string{"set"}},
	{"Sending headers", "The headers of SecurityMiddleware and XFrameOptionsMiddleware.", []string{"header"}},
	{"Remembering HSTS", "The browser reads Strict-Transport-Security.", []string{"hsts"}},
	{"Storing cookies", "The browser reads each Set-Cookie line.", []string{"store"}},
	{"Clearing a site's data", "The browser reads Clear-Site-Data.", []string{"clear"}},
	{"Following redirects", "The browser goes where Location leads, or does not.", []string{"follow"}},
	{"Redirects that do not end", "The cause, read from the requests of a visit. Each names the request that comes again.", []string{"loop"}},
	{"Coming to https", "Whether a visitor who begins at http is brought to https, as it is seen from outside.", []string{"offer"}},
	{"http in a page over https", "What the browser does with the http URLs of a page that came over https, without asking for any.", []string{"mixed"}},
	{"What is seen from outside", "What a site did that this program does not serve: told as observed, never as known.", []string{"observed"}},
	{"Somebody on the path", "What somebody does who is between the browser and the site. Scenarios have such a person, and only they tell.", []string{"path"}},
	{"Recordings", "`trace --har` holds what a recording has against what the rules have.", []string{"recording"}},
	{"Notes", "A note decides nothing. It stands beside a verdict and tells what else a person should know.", []string{"note"}},
}

// ruleTables are the rules, group by group.
func ruleTables(t *testing.T) string {
	t.Helper()
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	told := 0
	for _, g := range ruleGroups {
		rules := slices.DeleteFunc(catalogue.All(), func(r rule.Rule) bool { return !g.has(r.ID) })
		if len(rules) == 0 {
			t.Errorf("no rule is about %q", g.title)
		}
		told += len(rules)
		fmt.Fprintf(&text, "## %s\n\n%s\n\n", g.title, g.about)
		for _, r := range rules {
			fmt.Fprintf(&text, "### %s\n\n%s\n\n- What to do: %s\n- Source: %s\n%s\n", r.ID, plain(r.Sentence), plain(r.Fix), plain(r.Source), profileLines(t, r))
		}
	}
	if all := len(catalogue.All()); told != all {
		for _, r := range catalogue.All() {
			if !slices.ContainsFunc(ruleGroups, func(g ruleGroup) bool { return g.has(r.ID) }) {
				t.Errorf("rule %s is in no group: enter its first word in ruleGroups", r.ID)
			}
		}
		t.Errorf("%d of %d rules are told", told, all)
	}
	return fmt.Sprintf("There are %d rules.\n\n", told) + text.String()
}

// profileLines tell what each profile makes of the rule's scenario, when that is not the same in all.
func profileLines(t *testing.T, r rule.Rule) string {
	t.Helper()
	s, err := show(t.Context(), r, bis)
	if err != nil {
		t.Fatal(err)
	}
	if s.Alike {
		return ""
	}
	var text strings.Builder
	text.WriteString("- Its scenario in each profile:\n")
	for _, g := range grouped(s.Profiles) {
		fmt.Fprintf(&text, "  - %s: %s\n", g.names, plain(g.answer))
	}
	return text.String()
}

func (g ruleGroup) has(id rule.ID) bool {
	word, _, _ := strings.Cut(string(id), "-")
	return slices.Contains(g.words, word)
}

// plain is a text in which markdown and HTML have nothing to read.
func plain(text string) string {
	return strings.NewReplacer("<", "&lt;", "*", `\*`, "`", "\\`").Replace(text)
}

// scenarioTable is the language of scenarios.
func scenarioTable(*testing.T) string {
	text := table("line", "what it does")
	for _, c := range scenario.Commands() {
		text += cells(code(c.Form), plain(c.Meaning))
	}
	return text
}

// commandPages are the help texts of all commands, each to be produced by running it.
func commandPages(*testing.T) string {
	var text strings.Builder
	block := func(title, command string) {
		fmt.Fprintf(&text, "## %s\n\n<!-- run: bin/%s --help -->\n```\n```\n\n", title, command)
	}
	block("lockstep", "lockstep")
	for field := range reflect.TypeFor[commands]().Fields() {
		name := "lockstep " + strings.ToLower(field.Name)
		block(name, name)
	}
	return text.String()
}

var pageName = regexp.MustCompile("`[a-z]+\\.[A-Z]\\w*")

// TestWords holds that each row of the table of terms has a name in Go; that the names exist is held
// by the check "documents" of internal/arch.
func TestWords(t *testing.T) {
	text, err := os.ReadFile("../../docs/reference/words.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		columns := strings.Split(strings.TrimSpace(line), " | ")
		if len(columns) != 2 || strings.HasSuffix(columns[1], "Lockstep |") {
			continue
		}
		rows++
		if !pageName.MatchString(columns[1]) {
			t.Errorf("words.md: %s names nothing of Lockstep", columns[0])
		}
	}
	for f := range settings.Fields(lockstep.Settings{}) {
		if !strings.Contains(string(text), code(f.Name)+" | "+code("lockstep.Settings."+f.GoName)) {
			t.Errorf("words.md has no %s", f.Name)
		}
	}
	if rows < 50 {
		t.Errorf("words.md has %d rows", rows)
	}
}
