// Package lab serves the lab: a page on which the lesson, and every other scenario of package lesson, is
// run, changed and run again.
//
// A [Server] is an [net/http.Handler] for one loopback address. It has no state of a person: what the page
// shows stands in the fragment of its URL, and progress stays in the browser. What is pasted into it is
// explained, and neither kept nor logged.
//
// It refuses what another site could send from a person's browser: a Host that is not its own, and a POST
// that is not from its own page. However many pages are open, so many runs go on at a time, and the others
// wait or are told to come again.
package lab
