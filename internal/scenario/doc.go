// Package scenario is where the two sides meet: it runs a browser without a screen against a site
// behind the Guard, and gathers what both decided.
//
// A [Scenario] is a text of one command a line, so that a person can read it, change it and run it:
//
//	# A Secure cookie set over http is refused.
//	set SECURE_SSL_REDIRECT=False
//	on /a app plain
//	on /a send Set-Cookie: id=1; Secure
//	visit http://shop.test/a
//	expect store-secure-over-http id
//
// The commands are those of [Commands]. Any host name leads to the site, which speaks http and https
// on every port; its certificate is made on the fly. The lesson is a scenario ([Lesson]), and so is
// the text that each rule carries: [Catalogue] assembles the rules of all packages and [Show]
// shows a rule at work.
package scenario
