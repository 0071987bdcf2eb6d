// Package session holds the session of a request, as Django's django.contrib.sessions does.
//
// An [Engine] opens a [Session] for each request from the value of its session cookie. Handlers
// find it with [From], read and change its items, and whoever answers the request calls
// [Session.Commit], which says what to write about the session:
//
//	s := engine.Open(r.Context(), cookie, sent)
//	ctx := session.NewContext(r.Context(), s)
//	...
//	session.From(ctx).Set("cart", 7)
//	...
//	outcome, err := s.Commit(ctx, status)
//
// # Lazy
//
// A session is loaded when it is first touched and saved when it was changed. One that nothing
// touches costs two allocations, no store access, no cookie and no Vary.
//
// # Several requests at a time
//
// A [Store] saves by compare-and-swap. When another request has saved the session first, the
// session is read again and the changes of this request are made to it: different items are all
// kept, of the same item the value saved later. Nothing is overwritten that was not read. A session
// that was ended stays ended: who was about to save it gets [ErrInterrupted].
//
// # Shared with Django
//
// What is stored is what Django stores, and both read it. Items that are not changed keep their
// JSON to the letter. Without a [Store], sessions live in their cookies as with Django's engine
// signed_cookies.
//
// # What it does not do
//
// It knows no HTTP and writes no header, draws its clock and its randomness from [Config], and
// opens no database: package session holds one store, [Memory]. It never decodes pickles.
package session
