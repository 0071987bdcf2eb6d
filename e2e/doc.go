// Package e2e judges Lockstep by two witnesses that know nothing of it: a real Chromium and a real
// Django. It holds tests only, in a module of its own, so that what they need is nobody's dependency.
//
// # One case, one comparison
//
// A lesson is some settings, perhaps header lines that the app adds, and the visits. Our own browser
// makes them at a site behind the Guard. A witness does the same exchange:
//
//   - Chromium makes the same visits at the same kind of site, so that it takes the place of our
//     browser: which requests leave and which are upgraded before that, which cookies go along, which
//     are kept back or refused and why, what is stored and for how long;
//   - Django serves the same visits of the same browser of ours, so that it takes the place of the
//     Guard: every header line with its spelling, what request.is_secure() and the session are, what
//     the browser made of it, and the execution table.
//
// Each side of the comparison becomes facts, names with a text, and the two must be equal. A
// difference that is meant stands in the list in differences_test.go with its reason; one that stands
// there and is not found fails too.
//
// # Tours that are new each time
//
// A generated tour is four documents of two sites, over http and https, and what they fetch, show and
// frame, frames within frames, scripts that use document.cookie, redirects over both sites and known HSTS
// hosts, with Set-Cookie lines that nobody thought of, and third parties blocked or not. Chromium makes it,
// and its protocol tells which cookies went along, which stayed behind or were refused and why, and what
// is stored: the chromium profile of package browser has to say the same of each, and of Origin, Referer
// and Sec-Fetch. A run judges some 500 requests and 1,000 lines. It prints its seed, by which it is
// repeated, and of which -run takes one tour:
//
//	LOCKSTEP_TEST_SEED=1478169822848080048 go test -run TestGenerated/18 -v .
//
// The kinds of difference that are known have their reasons in testdata/generated.json.
//
// # The 25 questions
//
// Chromium does what the scenarios of examples/questions have our browser do, at the scenario's own site,
// and each step is compared. What it cannot confirm is in testdata/questions.json, by question and cause.
//
// # One site, two halves
//
// A mixed site is half a Django project and half a Guard, behind one origin, with one SECRET_KEY, one
// table of accounts and one place for sessions. Browsers of ours log in on one half and out on the
// other, post forms across, and change one session on both, in turn and at once.
//
// # The lab's page
//
// TestLab opens the lab in Chromium and holds it to WCAG 2.2 AA, by axe-core in every state and by what axe
// cannot see: where the focus goes and whether it is seen, keys alone, what is said at a step, text spacing,
// forced colours, no script; and that it asks nobody else for anything.
//
// # Running it
//
//	cd e2e && go test ./...
//
// wants Debian's packages chromium and python3-django, and axe-core, which scripts/setup-tests.sh
// fetches. A test whose witness is missing is skipped and says so; with LOCKSTEP_TEST_REQUIRE=all it
// fails instead. All traffic stays on loopback, on ports that the system chooses, and whatever is
// started ends with the tests.
//
// # What it does not do
//
// It compares no page with Django's, and it asks no browser but Chromium: what others do differently is told
// by package browser.
package e2e
