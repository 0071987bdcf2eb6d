package sqlite_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/store/sqlite"
)

// A session is saved, the program ends, and the next one reads it.
func Example() {
	dir, err := os.MkdirTemp("", "shop")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "sessions.db")

	key := visit(path, "", func(s *session.Session) { _ = s.Set("cart", 7) })
	visit(path, key, func(s *session.Session) { fmt.Println("cart:", s.Get("cart")) })
	// Output:
	// cart: 7
}

// visit is a program that answers one request and ends. It returns the value of the session cookie.
func visit(path, cookie string, handle func(*session.Session)) string {
	ctx := context.Background()
	store, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	engine, err := session.NewEngine(session.Config{
		Keys: []string{"the SECRET_KEY"}, Store: store, CookieAge: 1209600, Now: time.Now, Rand: rand.Reader,
	})
	if err != nil {
		log.Fatal(err)
	}
	s := engine.Open(ctx, cookie, cookie != "")
	handle(s)
	outcome, err := s.Commit(ctx, http.StatusOK)
	if err != nil {
		log.Fatal(err)
	}
	return outcome.Value
}
