package session_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/session/sessiontest"
)

func TestMemory(t *testing.T) {
	sessiontest.Run(t, func(*testing.T) session.Store { return new(session.Memory) })
}

// The heap by which a Memory finds what has expired follows every way of changing it.
func TestMemoryPurgesInOrder(t *testing.T) {
	ctx, m := context.Background(), new(session.Memory)
	start := time.Unix(1e9, 0)
	at := func(i int) session.Record {
		return session.Record{Data: fmt.Append(nil, i), Expires: start.Add(time.Duration(i*7919%100) * time.Second)}
	}
	key := func(i int) string { return fmt.Sprintf("key%029d", i) }
	for i := range 100 {
		if err := m.Save(ctx, key(i), session.Record{}, at(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < 100; i += 3 {
		next := session.Record{Data: []byte("later"), Expires: start.Add(200 * time.Second)}
		if err := m.Save(ctx, key(i), at(i), next); err != nil {
			t.Fatal(err)
		}
	}
	for i := 1; i < 100; i += 3 {
		if err := m.Delete(ctx, key(i)); err != nil {
			t.Fatal(err)
		}
	}
	purged := 0
	for {
		n, err := m.Purge(ctx, start.Add(100*time.Second), 5)
		if err != nil {
			t.Fatal(err)
		}
		if purged += n; n == 0 {
			break
		}
	}
	if want := 33; purged != want || m.Len() != 34 {
		t.Errorf("%d purged, %d left; want %d and 34", purged, m.Len(), want)
	}
}
