package site_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/lockstep-http/lockstep/internal/site"
)

// quick is a number of iterations for tests.
const quick = 10

func database(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func accounts(t testing.TB, path string) *site.Accounts {
	t.Helper()
	a, err := site.OpenAccounts(t.Context(), database(t, path), site.AccountsOptions{Iterations: quick})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func accountsPath(t testing.TB) string { return filepath.Join(t.TempDir(), "accounts.sqlite3") }

func create(t testing.TB, a *site.Accounts, name, password string) site.Account {
	t.Helper()
	account, err := a.Create(t.Context(), name, password)
	if err != nil {
		t.Fatal(err)
	}
	return account
}

func TestAccounts(t *testing.T) {
	a, ctx := accounts(t, accountsPath(t)), t.Context()
	if empty, err := a.Empty(ctx); err != nil || !empty {
		t.Errorf("empty %t, %v", empty, err)
	}
	ann := create(t, a, "ann", "correct horse")
	if ann.ID != "1" || ann.Username != "ann" || !ann.LastLogin.IsZero() || time.Since(ann.Joined) > time.Minute {
		t.Errorf("%+v", ann)
	}
	if empty, err := a.Empty(ctx); err != nil || empty {
		t.Errorf("empty %t, %v", empty, err)
	}
	for _, c := range []struct {
		name, password string
		ok             bool
	}{
		{"ann", "correct horse", true},
		{"ann", "correct horse ", false},
		{"ann", "", false},
		{"Ann", "correct horse", false}, // as in Django
		{"bob", "correct horse", false},
		{"ann' OR '1'='1", "correct horse", false},
		{"", "", false},
		{"ann\x00", "correct horse", false},
		{"\xff", "\xff", false},
	} {
		got, ok, err := a.Authenticate(ctx, c.name, c.password)
		if err != nil || ok != c.ok || ok && got.ID != ann.ID || !ok && got != (site.Account{}) {
			t.Errorf("%q with %q: %v, %t, %v", c.name, c.password, got, ok, err)
		}
	}
	for _, name := range []string{"ann", "ANN", "Ann"} {
		if _, err := a.Create(ctx, name, "another password"); !errors.Is(err, site.ErrTaken) {
			t.Errorf("a second %s: %v", name, err)
		}
	}
	if err := a.LoggedIn(ctx, ann); err != nil {
		t.Error(err)
	}
	changed, err := a.SetPassword(ctx, ann, "other words")
	if err != nil || changed.Password == ann.Password {
		t.Errorf("%v", err)
	}
	again, err := a.Find(ctx, "1")
	if err != nil || again.Password != changed.Password || time.Since(again.LastLogin) > time.Minute {
		t.Errorf("%+v, %v", again, err)
	}
	for _, id := range []string{"2", "", "x", "1 OR 1", "-1", "99999999999999999999"} {
		if got, err := a.Find(ctx, id); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("account %q: %v, %v", id, got, err)
		}
	}
}

func TestDrawnPasswords(t *testing.T) {
	a, ctx := accounts(t, accountsPath(t)), t.Context()
	password, err := a.CreateDrawn(ctx, "demo")
	if err != nil || !regexp.MustCompile(`^[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}$`).MatchString(password) {
		t.Fatalf("%q, %v", password, err)
	}
	if problem := site.CheckPassword(password, "demo"); problem != "" {
		t.Error(problem)
	}
	if _, ok, err := a.Authenticate(ctx, "demo", password); !ok || err != nil {
		t.Errorf("%t, %v", ok, err)
	}
	if other, err := a.CreateDrawn(ctx, "other"); err != nil || other == password {
		t.Errorf("the same again, or %v", err)
	}
}

// Who is not active, and who has no password, cannot log in.
func TestAccountsThatMayNot(t *testing.T) {
	path := accountsPath(t)
	a, db := accounts(t, path), database(t, path)
	create(t, a, "gone", "correct horse")
	create(t, a, "none", "correct horse")
	for _, statement := range []string{`UPDATE auth_user SET is_active = 0 WHERE username = 'gone'`, `UPDATE auth_user SET password = '!' WHERE username = 'none'`} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"gone", "none"} {
		if _, ok, err := a.Authenticate(t.Context(), name, "correct horse"); ok || err != nil {
			t.Errorf("%s: %t, %v", name, ok, err)
		}
	}
	if _, err := a.Find(t.Context(), "1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an account that is not active is found: %v", err)
	}
}

func TestTwoWantOneName(t *testing.T) {
	path := accountsPath(t)
	a, b := accounts(t, path), accounts(t, path)
	var made, taken atomic.Int32
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			on := a
			if i%2 == 0 {
				on = b
			}
			switch _, err := on.Create(t.Context(), "ann", "correct horse"); {
			case err == nil:
				made.Add(1)
			case errors.Is(err, site.ErrTaken):
				taken.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 || taken.Load() != 9 {
		t.Errorf("%d made, %d refused", made.Load(), taken.Load())
	}
}

// A name that nobody has costs the hasher as much as one that somebody has: while the hasher is busy,
// neither is answered.
func TestUnknownNamesCostTheSame(t *testing.T) {
	path := accountsPath(t)
	create(t, accounts(t, path), "ann", "correct horse")
	slow, err := site.OpenAccounts(t.Context(), database(t, path), site.AccountsOptions{Iterations: 500_000})
	if err != nil {
		t.Fatal(err)
	}
	// Who hashes so often is still at it when time is up for who waits.
	ctx, cancel := context.WithCancel(t.Context())
	var hashing sync.WaitGroup
	for range site.MaxHashing {
		hashing.Go(func() { _, _, _ = slow.Authenticate(ctx, "nobody", "x") })
	}
	eventually(t, "an unknown name is answered without the hasher", func() bool { return slow.Hashing() == site.MaxHashing })
	waiting, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	for _, name := range []string{"ann", "nobody"} {
		if _, ok, err := slow.Authenticate(waiting, name, "wrong"); ok || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s is answered without the hasher: %t, %v", name, ok, err)
		}
	}
	cancel()
	hashing.Wait()
}

func TestOpenAccountsRefuses(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, path string){
		"no database": func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"another table": func(t *testing.T, path string) {
			if _, err := database(t, path).ExecContext(t.Context(), `CREATE TABLE auth_user (id integer, username text, is_active bool)`); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := accountsPath(t)
			spoil(t, path)
			if _, err := site.OpenAccounts(t.Context(), database(t, path), site.AccountsOptions{}); err == nil {
				t.Error("opened")
			}
		})
	}
}

func TestNamesAndPasswords(t *testing.T) {
	for name, ok := range map[string]bool{
		"ann": true, "a.b+c-d_e@f": true, strings.Repeat("a", 150): true, "0": true,
		"": false, "a b": false, "a\x00": false, "ä": false, strings.Repeat("a", 151): false, "a/b": false, "<b>": false, "\u200bann": false, "аnn": false,
	} {
		if problem := site.CheckUsername(name); (problem == "") != ok {
			t.Errorf("name %q: %q", name, problem)
		}
	}
	for password, ok := range map[string]bool{
		"correct horse": true, "ärgerlich": true, "passw0rd": true, strings.Repeat("a", 4096): true,
		"": false, "short": false, "12345678901": false, "ann.smith": false, "ANN.SMITH": false, strings.Repeat("a", 4097): false, "\xff\xff\xff\xff\xff\xff\xff\xff\xff": false,
	} {
		if problem := site.CheckPassword(password, "ann.smith"); (problem == "") != ok {
			t.Errorf("password %q: %q", password, problem)
		}
	}
}

// djangoScript has a real Django use the table beside us: it lets in who signed up here, and signs up
// somebody who is then let in here.
const djangoScript = `
import json, sys, warnings
warnings.simplefilter("ignore")
import django
from django.conf import settings
settings.configure(SECRET_KEY="x" * 50, USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}})
django.setup()
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.db import connection
ann = User.objects.get(username="ann")
User.objects.create_user("bob", password="bobs own words")
with connection.cursor() as cursor:
    cursor.execute("SELECT sql FROM sqlite_master WHERE name = 'auth_user'")
    ours = cursor.fetchone()[0]
    cursor.execute("ALTER TABLE auth_user RENAME TO ours")
    with connection.schema_editor() as editor:
        editor.create_model(User)
    cursor.execute("SELECT group_concat(name || ' ' || type || ' ' || \"notnull\" || ' ' || pk, ',') FROM (SELECT * FROM pragma_table_info('auth_user') ORDER BY name)")
    theirs = cursor.fetchone()[0]
    cursor.execute("SELECT group_concat(name || ' ' || type || ' ' || \"notnull\" || ' ' || pk, ',') FROM (SELECT * FROM pragma_table_info('ours') ORDER BY name)")
    mine = cursor.fetchone()[0]
    for table in ("auth_user", "auth_user_groups", "auth_user_user_permissions"):
        cursor.execute("DROP TABLE " + table)
    cursor.execute("ALTER TABLE ours RENAME TO auth_user")
print(json.dumps({
    "right": authenticate(username="ann", password="correct horse") == ann,
    "wrong": authenticate(username="ann", password="wrong") is None,
    "joined": ann.date_joined.isoformat(), "login": ann.last_login.isoformat(),
    "mine": mine, "theirs": theirs}))
`

func TestAccountsBesideDjango(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", "import django.contrib.auth").CombinedOutput(); err != nil {
		const missing = "no Django to share a table with: apt-get install python3-django"
		if os.Getenv("LOCKSTEP_TEST_REQUIRE") == "all" {
			t.Fatalf("%s: %v: %s", missing, err, out)
		}
		t.Skip(missing)
	}
	path := accountsPath(t)
	a := accounts(t, path)
	ann := create(t, a, "ann", "correct horse")
	if err := a.LoggedIn(t.Context(), ann); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", djangoScript, path).Output()
	if err != nil {
		var exit *exec.ExitError
		errors.As(err, &exit)
		t.Fatalf("%v: %s", err, exit.Stderr)
	}
	var theirs struct {
		Right, Wrong  bool
		Joined, Login time.Time
		Mine, Theirs  string
	}
	if err := json.Unmarshal(out, &theirs); err != nil {
		t.Fatal(err)
	}
	if !theirs.Right || !theirs.Wrong || !theirs.Joined.Equal(ann.Joined) || theirs.Login.Before(ann.Joined) {
		t.Errorf("Django says %s of %+v", out, ann)
	}
	if theirs.Mine != theirs.Theirs {
		t.Errorf("the tables differ:\nours   %s\nDjango %s", theirs.Mine, theirs.Theirs)
	}
	bob, ok, err := a.Authenticate(t.Context(), "bob", "bobs own words")
	if err != nil || !ok || time.Since(bob.Joined) > time.Minute {
		t.Errorf("who signed up at Django: %+v, %t, %v", bob, ok, err)
	}
}
