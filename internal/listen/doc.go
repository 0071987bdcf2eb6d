// Package listen makes the listeners that a site needs when it runs beside a person: [Both] speaks
// HTTP and TLS on one port, [Local] finds a loopback port that is free, and [Pipe] listens inside
// this process, without a network.
//
// All of them are ordinary [net.Listener] values for [net/http.Server]. Closing one is idempotent,
// ends every goroutine it started and waits for them.
package listen
