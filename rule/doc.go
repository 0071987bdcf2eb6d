// Package rule is the vocabulary in which Lockstep says what was decided and why.
//
// Every decision of a site and of a browser is a [Verdict]: which side decided, what the
// question was, what it was asked about, the answer, and the [Rule] that decided. Rules have a
// stable [ID], a source, one sentence, a way to fix what they refuse, and a scenario that gives
// exactly that verdict when it is run.
//
// # Deciding
//
// Deciding functions are pure. They take a [*Recorder], which is nil when nobody watches, and
// build facts only when somebody does:
//
//	v := rule.Verdict{Side: rule.Browser, Question: rule.SendCookie, Subject: name, Rule: sendOK, Yes: true}
//	if rec.Watching() {
//		v.Facts = []rule.Fact{{Name: "path", Value: path}}
//		rec.Record(v)
//	}
//
// # Watching
//
// Only the shells around them know a context. [WithWatch] puts a watcher there, and
// [FromContext] gives the Recorder to pass down:
//
//	ctx = rule.WithWatch(ctx, func(v rule.Verdict) { verdicts = append(verdicts, v) })
//
// # What it does not do
//
// A verdict is not an error: a refused cookie is the healthy outcome of a system that works. The
// package decides nothing, reads no clock, does no input or output, and does not know HTTP.
package rule
