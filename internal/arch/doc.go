// Package arch holds the building: which package stands on which floor, what each may import and
// what it must never touch, and what every comment and document has to keep.
//
// A [Check] is a value: a name, what it holds, and a function over a [Module], which is the
// source of this module as parsed by [Load]. The test of this package runs all of them over the
// files as they are, in its own process: a test that asked another program would be cached and
// stay green after a bad import.
//
// [Blocks] and [Replace] serve the tests that run the commands a document shows, so that output
// in documents is produced and never typed.
//
// The package reads files only. It imports no other package of the module, and nothing but tests
// imports it.
package arch
