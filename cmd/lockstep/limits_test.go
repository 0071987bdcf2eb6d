package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/arch"
)

// A limit is a named constant and what it means to a person; the number comes from the source.
type limit struct {
	dir, name, unit string // the unit is "" for durations
	what, beyond    string
}

type limitGroup struct {
	title  string
	limits []limit
}

// limitGroups are the limits, for docs/reference/limits.md.
var limitGroups = []limitGroup{
	{"Forms that a site takes", []limit{
		{".", "maxFormMemory", "bytes", "a form in which the CSRF token is to be, without its files", "400, rule csrf-form-refused"},
		{".", "maxFormFields", "", "fields of such a form", "400, rule csrf-form-refused"},
		{".", "maxFormFiles", "", "files of such a form", "400, rule csrf-form-refused"},
	}},
	{"Redirects that lead back", []limit{
		{".", "loopWindow", "", "after which a redirect that leads back is no longer taken for a loop", "redirected as ever"},
		{".", "maxGiven", "redirects", "remembered by a Guard, to notice one that leads back", "a newer takes the place of an older"},
	}},
	{"Settings", []limit{
		{".", "longestAge", "seconds", "SESSION_COOKIE_AGE and CSRF_COOKIE_AGE", "refused by New"},
		{"settings", "maxFile", "bytes", "a TOML file of settings", "refused"},
		{"settings", "maxLiteral", "bytes", "one value written as in Python", "refused"},
		{"settings", "maxNesting", "", "lists in lists in such a value", "refused"},
	}},
	{"lockstep check and settings", []limit{
		{"cmd/lockstep", "maxSettingsText", "bytes", "a text of settings", "refused"},
		{"settings", "maxProject", "bytes", "a text of diffsettings", "refused"},
		{"settings", "maxSettings", "", "settings in it", "refused"},
		{"settings", "maxRepr", "bytes", "one value in it", "not read, and told"},
		{"settings", "maxReprNesting", "", "lists and dictionaries in each other in it", "not read, and told"},
		{"cmd/lockstep", "maxSuppressions", "", "suppressions", "refused"},
	}},
	{"Sessions", []limit{
		{"django", "MaxPayload", "bytes", "what a session holds, as JSON", "an error when it is saved; a larger stored one is refused"},
		{"django", "MaxDepth", "", "lists and objects in each other in that JSON", "refused"},
		{"session", "keyLength", "characters", "a new session key, of 36 letters and digits", ""},
		{"session", "minKeyLength", "characters", "a session key that is asked for, at least", "never asked for"},
		{"session", "maxKeyLength", "characters", "a session key that is asked for, at most", "never asked for"},
		{"session", "maxAttempts", "", "times that a request saves anew because others saved meanwhile", "503 with Retry-After"},
		{"session", "purgeEvery", "", "sessions made between two batches of purging", ""},
		{"session", "purgeBatch", "sessions", "a batch of purging", "the next batch takes the rest"},
		{".", "lateSave", "", "the store has for the session of a client that has gone", "the session is not saved, which is logged"},
	}},
	{"Sessions in SQLite", []limit{
		{"store/sqlite", "busyTimeout", "", "a call waits for a database that another process has locked", "an error, so 503"},
		{"store/sqlite", "largestBatch", "", "saves that share a transaction", "they share the next"},
		{"store/sqlite", "purgeBatch", "rows", "removed in one transaction when sessions are purged", "the next takes the rest"},
		{"store/sqlite", "mostReaders", "", "connections that read", "a read waits for one"},
		{"store/sqlite", "walLimit", "bytes", "the write-ahead log", "written back and cut"},
		{"store/sqlite", "checkedAtOpen", "bytes", "a file that is read whole when it is opened", "damage is found as it is met"},
		{"store/sqlite", "recoverEvery", "", "between two recoveries of a damaged file", "calls are answered with the error"},
	}},
	{"Sessions in files", []limit{
		{"store/file", "maxFile", "bytes", "a file that is read", "cut, and no signature holds"},
		{"store/file", "maxKey", "characters", "a session key that has a file", "there is no such session"},
		{"store/file", "maxCookieName", "characters", "SESSION_COOKIE_NAME", "refused by Open"},
		{"store/file", "maxCookieAge", "seconds", "SESSION_COOKIE_AGE", "refused by Open"},
		{"store/file", "lanes", "", "sessions that are changed at a time", "some wait for each other"},
		{"store/file", "maxSwaps", "", "times that what a Django saved meanwhile is put back", "the request saves anew"},
		{"store/file", "scanEvery", "", "between two looks for files that have expired", ""},
		{"store/file", "leftBehind", "", "after which a file of a process that was killed is removed", ""},
	}},
	{"Passwords", []limit{
		{"django", "MaxPasswordIterations", "", "iterations of a stored password that are carried out", "an error"},
	}},
	{"Cookies, as browsers have them", []limit{
		{"cookie", "MaxPair", "octets", "name and value together", "refused, rule store-too-big"},
		{"cookie", "MaxAttribute", "octets", "the value of an attribute", "the attribute is ignored, rule note-attr-too-long"},
		{"cookie", "MaxLifetime", "", "the life of a cookie", "shortened, rule note-lifetime-capped"},
		{"cookie", "MaxHost", "octets", "a host name", "no host"},
		{"browser", "maxSiteCookies", "", "cookies of one site", "those used longest ago go, rule note-evicted"},
		{"browser", "maxCookies", "", "cookies of all sites", "the same"},
		{"browser", "MaxFrames", "", "documents around a frame that are looked at", "cross-site, whatever it is"},
		{"browser", "MaxClearSiteData", "octets", "Clear-Site-Data", "not read"},
	}},
	{"HSTS, as browsers have it", []limit{
		{"browser", "MaxHSTSHosts", "", "known HSTS hosts", "the one that expires first is forgotten"},
		{"browser", "MaxHSTSLifetime", "", "the life of an entry", "shortened, rule note-hsts-lifetime-capped"},
		{"browser", "MaxHSTSField", "octets", "a line of the header", "refused, rule hsts-syntax"},
	}},
	{"lockstep trace", []limit{
		{"browser", "MaxRequests", "", "requests of one visit", "the visit ends, rule follow-too-many"},
		{"browser", "MaxLocation", "octets", "a Location that is followed", "not followed, rule follow-bad-location"},
		{"internal/trace", "defaultTimeout", "", "one request, unless `--timeout` says otherwise", "rule connect-timeout"},
		{"internal/trace", "maxVisit", "", "one visit with its redirects, or `--timeout` when that is longer", "rule connect-timeout"},
		{"internal/trace", "maxHeader", "bytes", "the header of an answer", "rule connect-header-too-big"},
		{"internal/trace", "maxLines", "", "lines of that header", "the rest is left"},
		{"internal/trace", "maxCookieLines", "", "Set-Cookie lines of an answer", "the rest is left, rule note-too-many-cookie-lines"},
		{"internal/trace", "maxBody", "bytes", "the body of an answer; one that is compressed is not unpacked, rule note-body-encoded", "the rest is left unread, rule note-body-left"},
		{"internal/trace", "maxInformed", "", "answers of status 1xx before the real one", "rule connect-bad-answer"},
		{"internal/form", "maxInsecure", "", "http URLs of a page over https", "the rest is left"},
		{"internal/trace", "maxPlaces", "hosts", "of which it is remembered in which network they are, for rule connect-private", "each visit begins anew"},
		{"internal/expect", "maxText", "bytes", "a sentence of `--expect`", "refused"},
		{"cmd/lockstep", "maxExplained", "bytes", "a Set-Cookie line that `lockstep explain` takes", "refused"},
		{"cmd/lockstep", "maxPassword", "bytes", "a password for `--login`", "refused"},
		{"browser", "maxReferrer", "octets", "a Referer", "the browser sends the origin alone"},
		{"internal/form", "maxForms", "", "forms of a page", "the rest is left"},
		{"internal/form", "maxControls", "", "fields of the forms of a page", "the rest is left"},
		{"internal/form", "maxOptions", "", "options of the forms of a page", "the rest is left"},
		{"internal/trace", "maxTold", "", "cookies that the table tells of", "the JSON has them all"},
		{"internal/trace", "maxDrawn", "requests", "the sequence diagram of `--format html`", "the table has them all"},
		{"internal/trace", "maxLine", "bytes", "one line of a saved run", "refused by `--replay`"},
	}},
	{"lockstep trace --jar", []limit{
		{"internal/trace", "maxJarLine", "bytes", "a line of the file", "refused"},
		{"internal/trace", "maxJarLines", "", "lines of the file", "refused"},
	}},
	{"lockstep trace --har", []limit{
		{"internal/har", "MaxSize", "bytes", "a recording", "refused"},
		{"internal/har", "MaxEntries", "", "its requests", "refused"},
		{"internal/har", "maxKept", "bytes", "its URLs, and the header lines and cookies that matter, together", "refused"},
		{"internal/har", "maxDepth", "", "values in each other", "refused"},
		{"internal/har", "maxURL", "bytes", "the URL of a request", "refused"},
		{"internal/har", "maxValue", "bytes", "the value of a header line that matters", "refused"},
		{"internal/har", "maxFields", "", "lines of a header, and cookies of a message", "refused"},
		{"internal/trace", "maxCompared", "", "the cookies of its requests, those by the recording and those by the rules together", "refused"},
		{"internal/trace", "maxDocuments", "", "its documents that are remembered, as places from which requests come", "begin anew"},
		{"internal/trace", "maxRedirections", "", "its redirects whose next request did not come yet", "taken for requests of their own"},
		{"internal/har", "maxPages", "", "its pages", "refused"},
		{"internal/har", "maxKey", "bytes", "the name of a field", "refused"},
		{"internal/har", "maxNumber", "bytes", "a number", "refused"},
		{"internal/har", "maxTaken", "", "the time that a request took", "refused"},
		{"internal/trace", "maxLoops", "", "its loops of redirects that are told", "the rest is left"},
		{"internal/trace", "maxLoopVerdicts", "verdicts", "about the cookies of a request in such a loop", "the loop is not told"},
		{"internal/trace", "maxPlayedCookies", "", "names of cookies that it tells of", "counted, not told"},
		{"internal/trace", "maxDifferences", "", "differences that it names", "counted, not named"},
		{"internal/trace", "maxPlayedRows", "", "cookies, and differences, without `-v`", "`-v` has them all"},
		{"cmd/lockstep", "maxShownVisits", "", "requests on a page or in a table", "the JSON has them all"},
	}},
	{"lockstep demo --serve", []limit{
		{"cmd/lockstep", "maxHeader", "bytes", "the header of a request", "431"},
		{"cmd/lockstep", "headerTimeout", "", "for the header of a request to arrive", "the connection is closed"},
		{"cmd/lockstep", "idleTimeout", "", "a connection waits for its next request", "the connection is closed"},
		{"internal/site", "MaxAccounts", "", "accounts", "nobody can sign up"},
		{"internal/site", "maxUsername", "characters", "a name", "the form says so"},
		{"internal/site", "maxPassword", "bytes", "a password", "the form says so"},
		{"internal/site", "maxFailures", "", "failed logins of a name from an address", "it has to wait"},
		{"internal/site", "maxTracked", "", "names with addresses whose failures are counted", "the one that failed longest ago is forgotten"},
		{"internal/site", "maxHashing", "", "passwords hashed at one time", "others wait"},
		{"internal/site", "maxBody", "bytes", "the body of a request", "refused"},
		{"internal/site", "maxFeeds", "", "browsers whose requests are remembered", "the one seen longest ago is forgotten"},
		{"internal/site", "maxEntries", "", "requests remembered of each", "the oldest is forgotten"},
		{"internal/site", "maxStreams", "", "pages of verdicts that are kept up to date for each", "the next is refused"},
		{"internal/listen", "SniffTimeout", "", "for the first byte of a connection", "the connection is closed"},
		{"internal/listen", "MaxPending", "", "connections that wait for their first byte", "the one that waited longest is closed"},
		{"internal/cert", "MaxCached", "", "certificates that are kept for names", "the oldest is made again when asked for"},
		{"internal/cert", "Lifetime", "", "the life of such a certificate", "a new one is made before it ends"},
	}},
	{"lockstep lab", []limit{
		{"internal/lab", "maxRuns", "", "requests that run scenarios at one time", "others wait"},
		{"internal/lab", "maxPastes", "", "pasted texts that are explained at one time", "others wait"},
		{"internal/lab", "maxWaiting", "", "requests of each kind that wait", "503 with Retry-After"},
		{"internal/lab", "runTimeout", "", "a request that runs scenarios waits and runs", "503 with Retry-After"},
		{"internal/lab", "pasteTimeout", "", "the same for what was pasted", "503 with Retry-After"},
		{"internal/lab", "maxAsked", "bytes", "a question: a setup, an answer", "413"},
		{"internal/lab", "maxPasted", "bytes", "what is pasted, as JSON", "413"},
		{"internal/lab", "maxLine", "bytes", "a Set-Cookie line", "refused"},
		{"internal/lab", "maxLineURL", "bytes", "the URL of a Set-Cookie line", "refused"},
		{"internal/lab", "maxItems", "", "items of a list among the pasted settings", "refused"},
		{"internal/lab", "maxPatterns", "", "characters of the pasted patterns of SECURE_REDIRECT_EXEMPT, repetitions written out", "refused"},
		{"internal/lab", "maxSettings", "bytes", "a text of diffsettings", "refused"},
		{"internal/lab", "maxShown", "", "cookies of a recording, and differences, that are told", "counted, not told"},
		{"internal/lab", "maxHeader", "bytes", "the header of a request", "431"},
		{"internal/lab", "headerTimeout", "", "for the header of a request to arrive", "the connection is closed"},
		{"internal/lab", "bodyTimeout", "", "for all of a request to arrive", "the connection is closed"},
		{"internal/lab", "writeTimeout", "", "for an answer to be taken", "the connection is closed"},
		{"internal/lab", "pasteArrival", "", "for what was pasted to arrive when its turn has come", "400"},
		{"internal/lab", "maxConnections", "", "connections at one time", "503 with Retry-After, and the connection is closed"},
		{"internal/lab", "idleTimeout", "", "a connection waits for its next request", "the connection is closed"},
		{"internal/lab", "maxVisits", "", "requests to the site for one's own browser that are remembered", "the oldest is forgotten"},
		{"internal/lab", "maxLookers", "", "pages that look on", "503"},
		{"internal/lab", "maxWeight", "bytes", "the page, its style, its scripts and its texts, not compressed", "a test fails"},
	}},
	{"Scenarios", []limit{
		{"internal/scenario", "maxText", "bytes", "the text of a scenario", "refused"},
		{"internal/scenario", "maxSteps", "", "lines with commands", "refused"},
		{"internal/scenario", "maxForged", "", "addresses at which somebody else answers", "the run ends with an error"},
		{"internal/scenario", "maxTapped", "bytes", "of a connection, in each direction, that somebody on the path takes in", "the rest is not heard"},
	}},
	{"Scenarios of the lab", []limit{
		{"internal/lesson", "maxFiles", "", "scenario files in a folder", "refused"},
		{"internal/lesson", "maxFile", "bytes", "a scenario file", "refused"},
		{"internal/lesson", "runTimeout", "", "for one run", "it ends with an error"},
		{"internal/lesson", "maxRows", "", "steps of a run that are shown", "the others are left out"},
		{"internal/lesson", "maxLine", "bytes", "a Set-Cookie line that is handed in", "refused"},
		{"cmd/lockstep", "maxAnswer", "bytes", "a line that answers a question of lockstep quiz", "the rest is not read"},
		{"internal/lesson", "maxKeptRuns", "runs", "kept to make questions from", "the one asked for longest ago goes"},
	}},
}

// untold are constants called max… that no person meets, each with the reason.
var untold = map[string]string{
	". maxShown":                    "how much of a text a fact shows",
	". maxWarnings":                 "names that are logged once",
	"browser maxFactLength":         "how much of a text a fact shows",
	"cookie MaxAttributes":          "attributes that are listed; all are understood",
	"cookie maxHostRead":            "a host too long to be converted is too long anyway",
	"django maxBase62Digits":        "digits of a date that no date has",
	"django maxPooledBuffer":        "memory that is kept",
	"internal/lesson maxMoments":    "how many questions are asked about a run",
	"internal/lesson maxOptions":    "how many answers a question has to choose from",
	"internal/lesson maxPerStep":    "how many of the questions about a run are about one step",
	"internal/lesson maxPredict":    "how many questions are asked before a run",
	"internal/lesson maxTelling":    "at how many steps a template asks about one thing",
	"internal/lesson maxVariants":   "how many runs wrong answers come from",
	"internal/har maxWord":          "a program's name and the like, which is cut",
	"internal/cert maxLabel":        "of DNS",
	"internal/cert maxNameLength":   "of DNS",
	"internal/cert maxNames":        "nobody asks for so many",
	"internal/check maxRounds":      "how often a patch is tried",
	"settings maxMisspelt":          "how far a name may be from the one that was meant",
	"settings maxMisspeltShort":     "the same for a short one",
	"internal/oracle MaxLine":       "a program for those who work on Lockstep",
	"internal/oracle maxForm":       "the same",
	"internal/oracle maxIterations": "the same",
	"internal/oracle maxRequests":   "the same",
	"internal/oracle maxRows":       "the same",
	"internal/site maxCookies":      "how much of a request is remembered",
	"internal/site maxFacts":        "how much of a verdict is remembered",
	"internal/site maxKept":         "how much of a request is remembered",
	"internal/site maxNext":         "a longer address to go on to is left out",
	"internal/site maxText":         "how much of a text is remembered",
	"internal/site maxVerdicts":     "how many verdicts of a request are remembered",
	"internal/site maxEcho":         "an app of scenarios",
	"internal/trace maxLoopShown":   "how many requests of a loop are named",
	"internal/trace maxMixedShown":  "how many URLs a verdict names",
	"internal/trace maxURLShown":    "how much of a URL is shown",
	"internal/trace maxText":        "how much of a text is shown",
	"session maxCookieAge":          "the same as longestAge",
	"session maxFactKeys":           "how many items a fact names",
	"settings maxName":              "how much of a name is shown",
	"settings maxShown":             "how much of a value is shown",
	"browser maxHosts":              "hosts that are read once only; others are read again",
	"browser maxKeptHeader":         "memory that is kept",
}

// ruleNamed is a rule in what a limit says; that it exists is held by the check "documents".
var ruleNamed = regexp.MustCompile(`rule ([a-z-]+)`)

// limitTables are the limits with their numbers, which are read from the source.
func limitTables(t *testing.T) string {
	t.Helper()
	known := constants(t)
	var text strings.Builder
	for _, g := range limitGroups {
		fmt.Fprintf(&text, "## %s\n\n%s", g.title, table("limit", "of", "beyond it", "named"))
		for _, l := range g.limits {
			c, ok := known[l.dir+" "+l.name]
			if !ok {
				t.Errorf("there is no constant %s in %s any more", l.name, l.dir)
			}
			text.WriteString(cells(strings.TrimSpace(c.String()+" "+l.unit), l.what, ruleNamed.ReplaceAllString(l.beyond, "rule `$1`"), code(l.name)+" in "+packageName(l.dir)))
		}
		text.WriteString("\n")
	}
	return text.String()
}

func packageName(dir string) string {
	if dir == "." {
		return "the root"
	}
	return dir
}

// constants are those of the module, by folder and name.
func constants(t *testing.T) map[string]arch.Constant {
	t.Helper()
	m, err := arch.Load(os.DirFS(root(t)), nil)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]arch.Constant{}
	for _, c := range m.Constants() {
		known[c.Dir+" "+c.Name] = c
	}
	return known
}

// root is the folder of the module, whichever of its folders the test is in.
func root(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{".", "../.."} {
		if _, err := os.Stat(dir + "/go.mod"); err == nil {
			return dir
		}
	}
	t.Fatal("the module's root is not here")
	return ""
}

// TestLimitsAreTold holds that each constant that is called a maximum is in the reference, or has a
// reason not to be there.
func TestLimitsAreTold(t *testing.T) {
	told := func(key string) bool {
		return slices.ContainsFunc(limitGroups, func(g limitGroup) bool {
			return slices.ContainsFunc(g.limits, func(l limit) bool { return l.dir+" "+l.name == key })
		})
	}
	known := constants(t)
	for key, c := range known {
		isLimit := strings.HasPrefix(strings.ToLower(c.Name), "max") && !strings.HasPrefix(c.Dir, "examples/")
		if isLimit && !told(key) && untold[key] == "" {
			t.Errorf("%s in %s is told nowhere: enter it in limitGroups, or in untold with the reason", c.Name, packageName(c.Dir))
		}
	}
	for key := range untold {
		if _, ok := known[key]; !ok || told(key) {
			t.Errorf("untold has %q, which is told or does not exist", key)
		}
	}
}
