package session_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/lockstep-http/lockstep/session"
)

// A visitor puts something into the cart, comes back, and logs out. What the outcomes say becomes
// headers; package lockstep does that.
func Example() {
	engine, err := session.NewEngine(session.Config{
		Keys:      []string{"the SECRET_KEY of the site"},
		CookieAge: 1209600,
		Store:     new(session.Memory),
		Now:       time.Now,
		Rand:      rand.Reader,
	})
	if err != nil {
		panic(err)
	}

	cookie := ""
	request := func(handle func(s *session.Session)) {
		s := engine.Open(context.Background(), cookie, cookie != "")
		handle(s)
		outcome, err := s.Commit(context.Background(), 200)
		if err != nil {
			fmt.Println(err)
			return
		}
		cookie = outcome.Value
		fmt.Printf("%s, Vary %v, Max-Age %d\n", outcome.Action, outcome.Vary, outcome.MaxAge)
	}

	request(func(s *session.Session) { _ = s.Set("cart", []int{7}) })
	request(func(s *session.Session) {
		cart, _ := session.Value[[]int](s, "cart")
		_ = s.Set("cart", append(cart, 8))
	})
	request(func(s *session.Session) {
		fmt.Println("cart:", s.Get("cart"))
		_ = s.Flush()
	})
	// Output:
	// set cookie, Vary true, Max-Age 1209600
	// set cookie, Vary true, Max-Age 1209600
	// cart: [7 8]
	// delete cookie, Vary true, Max-Age 0
}
