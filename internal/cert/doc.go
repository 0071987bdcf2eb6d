// Package cert issues certificates for sites that run beside a person: an [Authority] is a
// certificate authority that is known to nobody who is not given its [Authority.Pool]. It lives in
// memory and ends with the process, unless its owner keeps its [Authority.Bundle]; this package
// writes nothing anywhere.
package cert
