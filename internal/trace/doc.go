// Package trace performs requests for a browser without a screen and keeps what happened.
//
// A [Client] asks package browser before every request and after every answer, performs the
// request on a real connection, and gathers the verdicts of both sides in the order in which they
// fell: the browser's own, and the site's when the site runs in this process and a [Watch] stands
// in front of it. What another process decided cannot be known from outside; it is recorded under
// rules of its own, whose IDs begin with "observed-".
//
// The result is a [Run]: data without rendering. [Tell] recognises the moments of the lesson in it
// (the execution table, the variable tracker, the key moments), and the writers put a Run or a
// [Story] into text, Markdown, prose or JSON.
//
// Cookie values are shortened while they are recorded, so that no writer can print one whole; but for
// [Run.WriteCurl], when a Client is told to keep them for it.
package trace
