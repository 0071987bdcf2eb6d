package file_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/store/file"
)

func Example() {
	dir, err := os.MkdirTemp("", "sessions-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := file.Open(dir, file.Options{CookieName: "sessionid", CookieAge: 1209600})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	// lockstep.New makes this of its Settings and Options.
	engine, err := session.NewEngine(session.Config{
		Keys: []string{"the SECRET_KEY"}, Store: store, CookieAge: 1209600, Now: time.Now, Rand: rand.Reader,
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	s := engine.Open(ctx, "", false)
	if err := s.Set("cart", 7); err != nil {
		log.Fatal(err)
	}
	outcome, err := s.Commit(ctx, 200)
	if err != nil {
		log.Fatal(err)
	}
	files, _ := os.ReadDir(dir)
	fmt.Println(len(files), strings.HasPrefix(files[0].Name(), "sessionid"))
	fmt.Println(engine.Open(ctx, outcome.Value, true).Get("cart"))
	// Output:
	// 1 true
	// 7
}
