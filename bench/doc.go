// The program bench measures what Lockstep costs a request, beside the libraries that a Go team
// takes today for the same: unrolled/secure for redirect, hosts and headers, scs or gorilla/sessions
// for sessions, CrossOriginProtection, nosurf or gorilla/csrf against forged requests. It is a
// module of its own, so that none of them is a dependency of Lockstep.
//
//	go run .                                   print the tables
//	go run . -update ../docs/performance.md    and write them into the document
//	go test                                    does every stack do what it is measured at?
//
// All stacks run in one process and take turns in short rounds, so that what else the machine does
// hits all alike. Time is CPU time of the whole process, user and system, so that it includes
// garbage collection and what a store does in the background, and no waiting. Figures are medians
// over the rounds; a ratio is the median of the ratios within each round.
//
// Each request runs through the handler alone: a request and a response writer that are used again
// and again, and no network, which costs all stacks the same. The exit code is 1 when Lockstep
// misses a goal.
package main
