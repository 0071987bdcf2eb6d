// Package check audits the settings of a Django project by executing them.
//
// A [Check] is a value: what it looks at, what is wrong when it finds something, what to do, and
// how to show the harm. [Audit] runs the lesson's five steps under the settings, asks every check,
// and returns a [Report]: the findings, each with the step of a run that shows what comes of it, and
// the lines to put into settings.py, after which nothing is found any more. The report writes itself
// as text, Markdown, JSON and SARIF.
//
// Checks that Django has too keep its ids and its conditions ("security.W008"), so that "check
// --deploy" and Lockstep agree; what Django does not see has ids of its own ("lockstep.W101").
//
// No secret is kept in a report: values are shown of settings that are known to hold none, and the
// run has a key of its own.
package check
