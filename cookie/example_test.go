package cookie_test

import (
	"fmt"
	"time"

	"github.com/lockstep-http/lockstep/cookie"
)

func Example() {
	l := cookie.Parse("sessionid=abc; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=1209600")
	expires, _ := l.Expiry(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	fmt.Println(l.Name, l.Path, l.Secure, l.SameSite)
	fmt.Println("until", expires.Format(time.DateOnly))
	fmt.Println("problems:", len(l.Problems("shop.test")))
	// Output:
	// sessionid / true Lax
	// until 2026-01-15
	// problems: 0
}

func ExampleLine_Problems() {
	l := cookie.Parse("__Host-id=1; SameSite=None; Domain=shop.test")
	for _, problem := range l.Problems("www.shop.test") {
		fmt.Println(problem, l.Explain(problem, "www.shop.test"))
	}
	// Output:
	// store-none-not-secure []
	// store-prefix-host [{lacks Secure, Path=/, no Domain}]
}

func ExampleParse_attributes() {
	l := cookie.Parse("id=1; Path=/a; Path=/; Max-Age=soon; Secure=false")
	for _, a := range l.Attributes {
		fmt.Printf("%s %q: applied %t, note %q\n", a.Name, a.Value, a.Effect == cookie.Applied, a.Note)
	}
	// Output:
	// Path "/a": applied false, note ""
	// Path "/": applied true, note ""
	// Max-Age "soon": applied false, note "note-max-age-invalid"
	// Secure "false": applied true, note "note-secure-with-value"
}

func ExampleFormatHeader() {
	pairs := cookie.ParseHeader("sessionid=abc; theme=dark")
	fmt.Println(cookie.FormatHeader(pairs[1:]))
	// Output: theme=dark
}
