package settings_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/internal/oracle"
	"github.com/lockstep-http/lockstep/settings"
)

// python is the interpreter for which Debian installs Django.
const python = "/usr/bin/python3"

// askPython runs a program in the Python that has Django, with input, and returns its output.
// The test is skipped where there is none.
func askPython(t *testing.T, input []byte, args ...string) []byte {
	t.Helper()
	if err := exec.CommandContext(t.Context(), python, "-I", "-c", "import django.conf").Run(); err != nil {
		if os.Getenv("LOCKSTEP_TEST_REQUIRE") == "all" {
			t.Fatalf("a real Django is not here: apt-get install python3-django: %v", err)
		}
		t.Skip("a real Django is not here: apt-get install python3-django")
	}
	cmd := exec.CommandContext(t.Context(), python, args...)
	cmd.Stdin = bytes.NewReader(input)
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("asking Python: %v", err)
	}
	return output
}

type object = map[string]any

// askDjango puts the questions to a real Django and returns its answers.
func askDjango(t *testing.T, questions ...object) []object {
	t.Helper()
	for i, question := range questions {
		question["id"] = strconv.Itoa(i)
	}
	return oracle.Ask[object](t, questions)
}

func decodeLines(t *testing.T, text []byte) []object {
	t.Helper()
	var lines []object
	for line := range bytes.Lines(text) {
		var decoded object
		if err := json.Unmarshal(line, &decoded); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		lines = append(lines, decoded)
	}
	return lines
}

// pythonLiteral writes a value that came as JSON.
func pythonLiteral(value any) string {
	switch v := value.(type) {
	case nil:
		return "None"
	case bool:
		return map[bool]string{true: "True", false: "False"}[v]
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = pythonLiteral(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case object:
		items := []string{}
		for name, item := range v {
			items = append(items, strconv.QuoteToASCII(name)+": "+pythonLiteral(item))
		}
		return "{" + strings.Join(items, ", ") + "}"
	case string:
		return strconv.QuoteToASCII(v) // ASCII text is the same in Go and Python
	default:
		return fmt.Sprint(v)
	}
}

// The defaults of Django 3.2 are those of the real one, and what it does not have is off.
func TestDefaultsAreDjangos(t *testing.T) {
	answer := askDjango(t, object{"op": "default", "names": djangos})[0]
	if version := answer["django"].(string); !strings.HasPrefix(version, "3.2") {
		t.Skipf("Django %s is here; the defaults of 3.2 are compared", version)
	}
	want := lockstep.Settings{}
	var assignments []string
	for name, value := range answer["result"].(object) {
		if n, isNumber := value.(float64); isNumber {
			value = strconv.Itoa(int(n))
			assignments = append(assignments, name+"="+value.(string))
		} else if value != "<absent>" {
			assignments = append(assignments, name+"="+pythonLiteral(value))
		}
	}
	want, _, err := settings.Load(want, settings.Assignments(assignments, "Django"))
	if err != nil {
		t.Fatal(err)
	}
	got := lockstep.DjangoDefaults("3.2")
	for _, name := range djangos {
		ours, _ := settings.Format(got, name)
		djangos, _ := settings.Format(want, name)
		if ours != djangos {
			t.Errorf("%s is %s, in Django %s", name, ours, djangos)
		}
	}
}

// What is refused because it never works does not work in a real Django either.
func TestRefusedDoesNotWorkInDjango(t *testing.T) {
	tests := []struct {
		setting string
		value   any
		asks    object // questions, with the setting still to be added
		refused func(object) bool
	}{
		{"ALLOWED_HOSTS", []string{"shop.test:8000"}, hostQuestion("shop.test:8000"), statusIs(400)},
		{"ALLOWED_HOSTS", []string{"*.shop.test"}, hostQuestion("a.shop.test"), statusIs(400)},
		{"ALLOWED_HOSTS", []string{"https://shop.test"}, hostQuestion("shop.test"), statusIs(400)},
		{"ALLOWED_HOSTS", []string{"::1"}, hostQuestion("[::1]"), statusIs(400)},
		{"ALLOWED_HOSTS", []string{"shop.test."}, hostQuestion("shop.test."), statusIs(400)},
		{"ALLOWED_HOSTS", []string{""}, hostQuestion("shop.test"), statusIs(400)},
		{"ALLOWED_HOSTS", []string{" shop.test"}, hostQuestion("shop.test"), statusIs(400)},
		{"ALLOWED_HOSTS", []string{"my_host"}, hostQuestion("my_host"), statusIs(400)},
		{"ALLOWED_HOSTS", []string{"bücher.test"}, hostQuestion("bücher.test"), statusIs(400)},
		{"SECURE_REDIRECT_EXEMPT", []string{"^/health"}, redirectQuestion(), statusIs(301)},
		{"SECURE_REDIRECT_EXEMPT", []string{`\A/health`}, redirectQuestion(), statusIs(301)},
		{"SECURE_PROXY_SSL_HEADER", []string{"X-Forwarded-Proto", "https"}, proxyQuestion(), insecure},
		{"SECURE_PROXY_SSL_HEADER", []string{"HTTP_X-Forwarded-Proto", "https"}, proxyQuestion(), insecure},
		{"SESSION_COOKIE_NAME", "a b", sessionQuestion(), statusIs(500)},
		{"SESSION_COOKIE_NAME", "é", sessionQuestion(), statusIs(500)},
		{"SESSION_COOKIE_NAME", "Path", sessionQuestion(), statusIs(500)},
		{"SESSION_COOKIE_NAME", "", sessionQuestion(), statusIs(500)},
		{"SESSION_COOKIE_SAMESITE", "Lux", sessionQuestion(), statusIs(500)},
	}
	questions := make([]object, len(tests))
	for i, test := range tests {
		questions[i] = maps.Clone(test.asks)
		changes := maps.Clone(test.asks["settings"].(object))
		changes[test.setting] = test.value
		questions[i]["settings"] = changes
	}
	for i, answer := range askDjango(t, questions...) {
		test := tests[i]
		if !test.refused(firstResponse(answer)) {
			t.Errorf("%s = %v works in Django: %v", test.setting, test.value, answer)
		}
		s, _, err := settings.Load(lockstep.Recommended("k", "shop.test"),
			settings.Assignments([]string{"TRUSTED_PROXIES=10.0.0.1", test.setting + "=" + literalOf(test.value)}, "--set"))
		if err == nil {
			_, err = lockstep.New(s, lockstep.Options{})
		}
		if err == nil || !strings.Contains(err.Error(), test.setting) {
			t.Errorf("%s = %v: got %v, want it refused", test.setting, test.value, err)
		}
	}
}

func literalOf(value any) string {
	if items, isList := value.([]string); isList {
		quoted := make([]string, len(items))
		for i, item := range items {
			quoted[i] = "'" + item + "'"
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	return fmt.Sprintf("'%s'", value)
}

func hostQuestion(host string) object {
	return object{"settings": object{}, "view": "plain", "requests": []object{{"url": "http://shop.test/", "host": host}}}
}

func redirectQuestion() object {
	return object{"settings": object{"SECURE_SSL_REDIRECT": true}, "view": "plain", "requests": []object{{"url": "http://shop.test/health"}}}
}

func proxyQuestion() object {
	return object{"settings": object{}, "view": "plain", "requests": []object{
		{"url": "http://shop.test/", "headers": object{"X-Forwarded-Proto": "https"}},
	}}
}

func sessionQuestion() object {
	return object{"settings": object{}, "view": "session", "requests": []object{
		{"url": "https://shop.test/", "args": object{"ops": [][]any{{"set", "a", 1}}}},
	}}
}

func firstResponse(answer object) object {
	if responses, ok := answer["responses"].([]any); ok {
		return responses[0].(object)
	}
	return object{"status": 500.0} // the settings alone broke it
}

func statusIs(status int) func(object) bool {
	return func(response object) bool { return response["status"] == float64(status) }
}

func insecure(response object) bool { return response["json"].(object)["is_secure"] == false }

// The exemption that only looks as if it could not match.
func TestSlashInTheMiddleOfAPath(t *testing.T) {
	answer := askDjango(t, object{
		"settings": object{"SECURE_SSL_REDIRECT": true, "SECURE_REDIRECT_EXEMPT": []string{"/health"}},
		"view":     "plain",
		"requests": []object{{"url": "http://shop.test/health"}, {"url": "http://shop.test/app/health"}},
	})[0]
	var statuses []any
	for _, response := range answer["responses"].([]any) {
		statuses = append(statuses, response.(object)["status"])
	}
	if !slices.Equal(statuses, []any{301.0, 200.0}) {
		t.Errorf("got %v, want 301 and 200", statuses)
	}
}

// What Lockstep refuses of the settings with which a real Django was asked, and why.
var refusedExamples = map[string]string{
	"SECURE_HSTS_SECONDS = -1":                                    "Django sends the negative max-age, which browsers ignore",
	"SECURE_CROSS_ORIGIN_OPENER_POLICY = 'noopener-allow-popups'": "Django sends it, though its own check says E024",
	"SECURE_REDIRECT_EXEMPT = ['^/health/$']":                     "never matches, in Django too",
}

func TestExamplesAreTaken(t *testing.T) {
	text, err := os.ReadFile("../internal/oracle/examples.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]bool{}
	for _, example := range decodeLines(t, text) {
		changes, _ := example["settings"].(object)
		for name, value := range changes {
			if !slices.Contains(djangos, name) {
				continue
			}
			s, _, err := settings.Load(lockstep.Recommended("k", "*"), settings.Assignments([]string{name + "=" + pythonLiteral(value)}, "example"))
			if err != nil {
				t.Errorf("%s: %v", example["id"], err)
				continue
			}
			s.TrustedProxies = []string{"10.0.0.1"}
			s.SessionCookieName, s.CSRFCookieName = "sessionid", "csrftoken"
			if _, err := lockstep.New(s, lockstep.Options{}); err != nil {
				literal, _ := settings.Format(s, name)
				refused[name+" = "+literal] = true
				if refusedExamples[name+" = "+literal] == "" {
					t.Errorf("%s: %v", example["id"], err)
				}
			}
		}
	}
	for example := range refusedExamples {
		if !refused[example] {
			t.Errorf("%s is not refused any more", example)
		}
	}
}

// Literals are what Python says they are; nothing is read that Python does not read.
func TestLiteralsArePythons(t *testing.T) {
	const program = `
import ast, json, sys, warnings
warnings.simplefilter("ignore")
for line in sys.stdin:
    try:
        print(json.dumps({"value": ast.literal_eval(json.loads(line))}))
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        print(json.dumps({"error": True}))
`
	texts := slices.Clone(extraLiterals)
	for _, test := range literalTests {
		texts = append(texts, test.literal)
	}
	var input bytes.Buffer
	texts = slices.DeleteFunc(texts, func(text string) bool { return len(text) > 1<<10 || strings.ContainsRune(text, '\uFFFD') })
	for _, text := range texts {
		if err := json.NewEncoder(&input).Encode(text); err != nil {
			t.Fatal(err)
		}
	}
	for i, answer := range decodeLines(t, askPython(t, input.Bytes(), "-c", program)) {
		got, _, err := settings.Load(lockstep.Settings{}, set("SECURE_REDIRECT_EXEMPT="+texts[i])...)
		if err != nil {
			continue // Python reads more
		}
		want, isList := answer["value"].([]any)
		var items []string
		for _, item := range want {
			items = append(items, item.(string))
		}
		if !isList || !slices.Equal(got.SecureRedirectExempt, items) {
			t.Errorf("%s: got %q, Python %v", texts[i], got.SecureRedirectExempt, answer)
		}
	}
}

var extraLiterals = []string{
	`('a', 'b')`, `['\8']`, `['\18']`, `['\x41\x410']`, `[r"\"\""]`, `[('a',)]`, `['a'+'b']`, `['a';]`, `[u'a']`, `[f'a']`, `(['a'])`, `['\400']`,
	`['\
a']`, "['a'\f]", "[\u00a0'a']", "['\u2028']", "['\x00']", `["\'"]`, `['\ ']`, `['a'#comment
]`,
}
