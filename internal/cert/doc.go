// Package cert issues certificates for sites that run beside a person: an [Authority] is a
// certificate authority that lives in memory, is known to nobody who is not given its [Authority.Pool],
// and ends with the process. Its private key is never written anywhere.
package cert
