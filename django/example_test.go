package django_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/lockstep-http/lockstep/django"
)

// The clock of the examples.
var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// A row of the table django_session is read, changed and written back. What was not touched is
// what Django wrote.
func Example_session() {
	signer := django.NewSigner(django.SessionSalt, "new-secret-key", "secret-key")
	row := django.NewSigner(django.SessionSalt, "secret-key").Dumps([]byte(`{"price":1.0,"visits":1}`), true, now)

	payload, err := signer.Loads(row, -1, now)
	if err != nil {
		fmt.Println(err)
		return
	}
	session, err := django.ParseObject(payload)
	if err != nil {
		fmt.Println(err)
		return
	}
	var visits int
	if raw, ok := session.Get("visits"); ok {
		if err := django.Unmarshal(raw, &visits); err != nil {
			fmt.Println(err)
			return
		}
	}
	raw, err := django.Marshal(visits + 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	session.Set("visits", raw)
	fmt.Printf("%s\n", session.AppendJSON(nil))
	// Output: {"price":1.0,"visits":2}
}

func ExampleSigner_UnsignAt() {
	signer := django.NewSigner(django.TimestampSignerSalt, "secret-key")
	signed := signer.SignAt("reset:7", now)

	value, _, err := signer.UnsignAt(signed, time.Hour, now.Add(time.Minute))
	fmt.Println(value, err)
	_, _, err = signer.UnsignAt(signed, time.Hour, now.Add(2*time.Hour))
	fmt.Println(err, errors.Is(err, django.ErrSignatureExpired))
	// Output:
	// reset:7 <nil>
	// signature age 7200.0 > 3600 seconds true
}

// After SECRET_KEY has changed, what was signed with the old one is signed anew.
func ExampleSigner_UnsignWithKey() {
	old := django.NewSigner("purpose", "old-key")
	signer := django.NewSigner("purpose", "new-key", "old-key")

	value, key, err := signer.UnsignWithKey(old.Sign("hello"))
	fmt.Println(value, key, err)
	_, key, err = signer.UnsignWithKey(signer.Sign(value))
	fmt.Println(value, key, err)
	// Output:
	// hello 1 <nil>
	// hello 0 <nil>
}

// A salt is a purpose. A signature for one is none for another, which is what a cookie named "ab"
// with salt "c" and a cookie named "a" with salt "bc" have in common up to v1.
func ExampleNewCookieSigner_incorrect() {
	for _, v2 := range []bool{false, true} {
		signed := django.NewCookieSigner("ab", "c", v2, "secret-key").SignAt("admin", now)
		_, _, err := django.NewCookieSigner("a", "bc", v2, "secret-key").UnsignAt(signed, -1, now)
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// signature does not match
}

func ExampleObject() {
	object, err := django.ParseObject([]byte(`{"total":1.0,"id":123456789012345678901234567890,"total":2.50}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	object.Set("name", json.RawMessage(`"Zoé"`))
	fmt.Printf("%s\n", object.AppendJSON(nil))
	// Output: {"total":2.50,"id":123456789012345678901234567890,"name":"Zo\u00e9"}
}

func ExampleMarshal() {
	raw, err := django.Marshal(map[string]any{"price": 1.0, "count": 3, "name": "Zoé", "far": 1e16})
	fmt.Printf("%s %v\n", raw, err)
	// Output: {"count":3,"far":1e+16,"name":"Zo\u00e9","price":1.0} <nil>
}

func ExampleLookupCookie() {
	header := `sessionid=first; theme="dark\073 blue"; sessionid=last`
	fmt.Println(django.LookupCookie(header, "sessionid"))
	fmt.Println(django.LookupCookie(header, "theme"))
	// Output:
	// last true
	// dark; blue true
}

func ExampleSetCookie() {
	fmt.Println(django.SetCookie{
		Name: "theme", Value: "dark; blue", Path: "/", MaxAge: new(3600), Expires: django.HTTPDate(now.Add(time.Hour)),
		SameSite: "Lax", Secure: true, HttpOnly: true,
	})
	fmt.Println(django.DeleteCookie("__Host-theme", "/", "", "Lax"))
	// Output:
	// theme="dark\073 blue"; expires=Thu, 01 Jan 2026 01:00:00 GMT; HttpOnly; Max-Age=3600; Path=/; SameSite=Lax; Secure
	// __Host-theme=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax; Secure
}

func ExampleFullPath() {
	fmt.Println(django.FullPath("/caf%c3%a9/a=b", "x=[1]&y=%41"))
	fmt.Println(django.FullPath("/x%0d%0aSet-Cookie:%20a=b", ""))
	fmt.Println(django.FullPath("/%ff", "é"))
	// Output:
	// /caf%C3%A9/a%3Db?x=[1]&y=%41
	// /x%0D%0ASet-Cookie:%20a%3Db
	// /%25FF?%C3%83%C2%A9
}
