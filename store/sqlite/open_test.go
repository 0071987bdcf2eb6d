package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/store/sqlite"
)

// make makes a database with SQL, beside any store.
func makeFile(t testing.TB, path string, sqls ...string) {
	t.Helper()
	if f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err == nil {
		f.Close()
	}
	raw, err := sqlite.Raw(path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for _, sql := range sqls {
		if err := sqlite.Exec(raw, sql); err != nil {
			t.Fatal(err)
		}
	}
}

const djangoTable = `CREATE TABLE "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY, "session_data" text NOT NULL, "expire_date" datetime NOT NULL)`

// TestRefused are files in which no sessions can be kept, with what the error says.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		file func(t *testing.T, path string)
		want string
	}{
		{"a database from the future", func(t *testing.T, path string) {
			store, _ := open(t, path)
			insert(t, store, 1)
			store.Close()
			makeFile(t, path, "PRAGMA user_version = 2", "UPDATE lockstep_store SET version = 2")
		}, "later Lockstep"},
		{"a folder", func(t *testing.T, path string) { os.Mkdir(path, 0o700) }, "it is a folder"},
		{"in no folder", func(t *testing.T, path string) { os.Remove(filepath.Dir(path)) }, "no such file or directory"},
		{"in a file", func(t *testing.T, path string) {
			os.Remove(filepath.Dir(path))
			write(t, filepath.Dir(path), []byte("x"))
		}, "not a directory"},
		{"a Django's, before it has migrated", func(t *testing.T, path string) { makeFile(t, path, "CREATE TABLE auth_user (id integer)") }, "python manage.py migrate"},
		{"a Django's with another table", func(t *testing.T, path string) {
			makeFile(t, path, `CREATE TABLE "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY, "session_data" text NOT NULL)`)
		}, "no column expire_date"},
		{"in UTF-16", func(t *testing.T, path string) { makeFile(t, path, "PRAGMA encoding = 'UTF-16'", djangoTable) }, "UTF-16"},
		{"another program's", func(t *testing.T, path string) { makeFile(t, path, "PRAGMA application_id = 252006674") }, "no table django_session"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := newPath(t)
			c.file(t, path)
			before, _ := os.ReadFile(path)
			for range 2 {
				store, err := sqlite.Open(t.Context(), path, sqlite.Options{})
				if err == nil {
					store.Close()
					t.Fatal("opened")
				}
				if !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "opening sessions in ") {
					t.Errorf("error %v, want one of %q", err, c.want)
				}
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) || len(setAside(t, path)) > 0 {
				t.Error("the file was changed or moved")
			}
		})
	}
	if _, err := sqlite.Open(t.Context(), "", sqlite.Options{}); err == nil {
		t.Error("opened without a path")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	path := newPath(t)
	makeFile(t, path)
	unlock := lock(t, path)
	if _, err := sqlite.Open(ctx, path, sqlite.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("opened with a context that is done: %v", err)
	}
	unlock()
}

// TestUsedAsItIs has a Django's file used and not made ours.
func TestUsedAsItIs(t *testing.T) {
	path := newPath(t)
	makeFile(t, path, djangoTable, "CREATE TABLE auth_user (id integer)", "PRAGMA user_version = 7")
	store, _ := open(t, path)
	stored := insert(t, store, 50)
	holds(t, store, stored)
	if n, err := store.Purge(t.Context(), later, 20); n != 20 || err != nil {
		t.Errorf("%d purged, error %v", n, err)
	}
	store.Close()
	raw, err := sqlite.Raw(path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for sql, want := range map[string][]string{
		"PRAGMA application_id":               {"0"},
		"PRAGMA user_version":                 {"7"},
		"PRAGMA journal_mode":                 {"delete"},
		"SELECT count(*) FROM django_session": {"30"},
		"SELECT name FROM sqlite_schema WHERE rootpage > 0 AND name NOT LIKE 'sqlite%' ORDER BY name": {"auth_user", "django_session"},
	} {
		if got, err := sqlite.Ask(raw, sql); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, error %v, want %q", sql, got, err, want)
		}
	}
}

// TestBecomesOurs are files that Open makes its own.
func TestBecomesOurs(t *testing.T) {
	for name, file := range map[string]func(t *testing.T, path string){
		"none":              func(*testing.T, string) {},
		"an empty one":      func(t *testing.T, path string) { write(t, path, nil) },
		"an empty database": func(t *testing.T, path string) { makeFile(t, path, "VACUUM", "PRAGMA user_version = 0") },
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			file(t, path)
			store, _ := open(t, path)
			insert(t, store, 1)
			store.Close()
			raw, err := sqlite.Raw(path)
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			for sql, want := range map[string]string{
				"PRAGMA application_id": "1282110324", "PRAGMA user_version": "1", "PRAGMA journal_mode": "wal",
				"SELECT count(*) FROM lockstep_store": "1",
			} {
				if got, err := sqlite.Ask(raw, sql); err != nil || !slices.Equal(got, []string{want}) {
					t.Errorf("%s: %q, error %v, want %q", sql, got, err, want)
				}
			}
		})
	}
}
