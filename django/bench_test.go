package django_test

import (
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/django"
)

// A session as a login leaves it.
const loggedIn = `{"_auth_user_id":"1","_auth_user_backend":"django.contrib.auth.backends.ModelBackend",` +
	`"_auth_user_hash":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","visits":7}`

func BenchmarkSign(b *testing.B) {
	signer := django.NewSigner(django.SignerSalt, oracleKey)
	b.ReportAllocs()
	for b.Loop() {
		signer.Sign("hello")
	}
}

func BenchmarkUnsign(b *testing.B) {
	signer := django.NewSigner(django.SignerSalt, oracleKey)
	signed := signer.Sign("hello")
	b.ReportAllocs()
	for b.Loop() {
		_, _ = signer.Unsign(signed)
	}
}

func BenchmarkUnsignForged(b *testing.B) {
	signer := django.NewSigner(django.SignerSalt, oracleKey)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = signer.Unsign("hello:zevzOXRNQGACWl0rYmo43rggP7Z4xF412og39y9w5jX")
	}
}

func BenchmarkCookieSigner(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		django.NewCookieSigner("name", "salt", true, oracleKey)
	}
}

func BenchmarkCookieSignerUsedOnce(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		django.NewCookieSigner("name", "salt", true, oracleKey).SignAt("hello", oracleNow)
	}
}

func BenchmarkDumps(b *testing.B) {
	for name, compress := range map[string]bool{"plain": false, "compressed": true} {
		b.Run(name, func(b *testing.B) {
			signer := django.NewSigner(django.SessionSalt, oracleKey)
			b.ReportAllocs()
			for b.Loop() {
				signer.Dumps([]byte(loggedIn), compress, oracleNow)
			}
		})
	}
}

func BenchmarkLoads(b *testing.B) {
	for name, compress := range map[string]bool{"plain": false, "compressed": true} {
		b.Run(name, func(b *testing.B) {
			signer := django.NewSigner(django.SessionSalt, oracleKey)
			signed := signer.Dumps([]byte(loggedIn), compress, oracleNow)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = signer.Loads(signed, -1, oracleNow)
			}
		})
	}
}

// What a request costs that reads one value of its session.
func BenchmarkReadSession(b *testing.B) {
	signer := django.NewSigner(django.SessionSalt, oracleKey)
	row := signer.Dumps([]byte(loggedIn), false, oracleNow)
	header := "csrftoken=0123456789abcdef0123456789abcdef; sessionid=abcdefghijklmnopqrstuvwxyz012345"
	b.ReportAllocs()
	for b.Loop() {
		_, _ = django.LookupCookie(header, "sessionid")
		payload, _ := signer.Loads(row, -1, oracleNow)
		object, _ := django.ParseObject(payload)
		_, _ = object.Get("visits")
	}
}

func BenchmarkParseObject(b *testing.B) {
	b.SetBytes(int64(len(loggedIn)))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = django.ParseObject([]byte(loggedIn))
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	object := mustParse(b, loggedIn)
	b.ReportAllocs()
	for b.Loop() {
		object.AppendJSON(nil)
	}
}

func BenchmarkMarshalInt(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = django.Marshal(7)
	}
}

func BenchmarkUnmarshalInt(b *testing.B) {
	var n int
	b.ReportAllocs()
	for b.Loop() {
		_ = django.Unmarshal([]byte("7"), &n)
	}
}

func BenchmarkSetCookie(b *testing.B) {
	cookie := django.SetCookie{
		Name: "sessionid", Value: strings.Repeat("a", 32), Path: "/", SameSite: "Lax", MaxAge: new(1209600),
		Expires: django.HTTPDate(oracleNow), Secure: true, HttpOnly: true,
	}
	b.ReportAllocs()
	for b.Loop() {
		_ = cookie.String()
	}
}

func BenchmarkFullPath(b *testing.B) {
	for name, path := range map[string]string{"plain": "/cart/items/7", "escaped": "/caf%c3%a9/a=b"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				django.FullPath(path, "x=1")
			}
		})
	}
}
