module github.com/lockstep-http/lockstep/bench

go 1.26.0

replace github.com/lockstep-http/lockstep => ../

require (
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/gorilla/csrf v1.7.3
	github.com/gorilla/sessions v1.4.0
	github.com/justinas/nosurf v1.2.0
	github.com/lockstep-http/lockstep v0.0.0-00010101000000-000000000000
	github.com/unrolled/secure v1.18.0
)

require (
	github.com/gorilla/securecookie v1.1.2 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
