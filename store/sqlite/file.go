package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	lib "modernc.org/sqlite/lib"
)

const (
	// fileMode is that of a new file. SQLite gives -wal and -shm the mode of the file they are beside.
	fileMode = 0o600

	// checkedAtOpen is the size in bytes up to which a file of ours is read whole when it is opened,
	// about 40,000 sessions and a quarter of a second. In larger ones, damage is found as it is met.
	checkedAtOpen = 16 << 20

	// headBytes is how much of a file that SQLite cannot read is searched for a stamp.
	headBytes = 64 << 10
)

// companions are the files that belong to a database, itself among them.
var companions = []string{"", "-wal", "-shm", "-journal"}

// A file is the place of a database on disk.
type file struct {
	path string // absolute
	log  *slog.Logger
	now  func() time.Time
}

// establish makes the file one that can be opened, and says whose it is. A damaged one of ours is
// set aside, and a new one has what could be proved of it. A file in which a running store met
// damage is suspected, and read whole.
//
// One at a time in this process: to make a file is to open and close it beside SQLite, which would let
// go of the locks of a store that another goroutine has opened meanwhile, and lose what it saves.
func (f *file) establish(ctx context.Context, suspected bool) (owner, error) {
	establishing.Lock()
	defer establishing.Unlock()
	whose, damage, err := f.inspect(ctx)
	if err == nil && damage == nil && whose == ours && suspected {
		damage = f.verify(ctx)
	}
	switch {
	case err != nil:
		return whose, err
	case damage != nil:
		return ours, f.renew(ctx, whose, damage)
	case whose == nobody:
		return ours, f.create(ctx)
	}
	return whose, nil
}

var establishing sync.Mutex

// inspect says whose file it is, and what damage it has, if any. An error is a reason for which it
// can be neither used nor replaced.
func (f *file) inspect(ctx context.Context) (whose owner, damage, err error) {
	switch info, err := os.Stat(f.path); {
	case errors.Is(err, fs.ErrNotExist):
		return nobody, f.orphans(), nil
	case err != nil:
		return nobody, nil, err
	case info.IsDir():
		return django, nil, errors.New("it is a folder: name a file in it")
	case !info.Mode().IsRegular():
		return django, nil, errors.New("it is no regular file")
	case info.Size() == 0:
		f.log.LogAttrs(ctx, slog.LevelWarn, "sessions: the file is empty; if it held sessions, they are lost", slog.String("path", f.path))
		return nobody, f.orphans(), nil
	case info.Size() < smallestPage: // SQLite would begin anew over it
		if whose := judgeBytes(f.head()); whose == django {
			return django, nil, errNoDatabase
		}
		return ours, errCut, nil
	}
	if damage := f.checkLog(); damage != nil && !f.elsewhere() && judgeBytes(f.head()) == ours {
		return ours, damage, nil
	}
	return f.ask(ctx)
}

var (
	errNoDatabase = errors.New("it is no database that can be read, and not ours, so it stays where it is: name another file")
	errCut        = errors.New("the file is cut in its first page")
)

// orphans is the damage of having a log and no database.
func (f *file) orphans() error {
	if info, err := os.Stat(f.path + "-wal"); err == nil && info.Size() > 0 {
		return errOrphan
	}
	return nil
}

var errOrphan = errors.New("the database is gone and its write-ahead log is there")

func (f *file) checkLog() error {
	wal, err := os.Open(f.path + "-wal")
	if err != nil {
		return nil // no log, or one that SQLite will complain of
	}
	defer wal.Close()
	return checkLog(bufio.NewReaderSize(wal, headBytes))
}

// head returns the first bytes of the file. It may be called only while nobody has the file open:
// closing a file lets go of all the locks that this process has on it.
func (f *file) head() []byte {
	file, err := os.Open(f.path)
	if err != nil {
		return nil
	}
	defer file.Close()
	head, _ := io.ReadAll(io.LimitReader(file, headBytes))
	return head
}

// ask has SQLite read the file.
func (f *file) ask(ctx context.Context) (whose owner, damage, err error) {
	about, err := f.learn(ctx)
	if err != nil {
		return f.suspect(err)
	}
	whose, err = about.judge()
	switch {
	case errors.Is(err, errStamps), errors.Is(err, errSchema), errors.Is(err, errTrigger):
		return whose, err, nil
	case err == nil && whose == ours && about.size <= checkedAtOpen:
		damage = f.verify(ctx)
	}
	return whose, damage, err
}

// learn asks SQLite about the file, and whether it can be written.
func (f *file) learn(ctx context.Context) (about facts, err error) {
	c, err := connect(ctx, f.path)
	if err != nil {
		return facts{}, err
	}
	defer c.Close()
	err = patiently(ctx, func() (err error) {
		about, err = c.learn()
		return errors.Join(err, c.runAll([]string{"BEGIN IMMEDIATE", "ROLLBACK"}))
	})
	return about, err
}

// suspect says what is the matter with a file that SQLite does not read: it is damaged when it is
// ours, and nothing to be touched when it is not.
func (f *file) suspect(err error) (whose owner, damage, _ error) {
	code := codeOf(err) & 0xff
	switch {
	case !isDamaged(err) && code != lib.SQLITE_ERROR && code != lib.SQLITE_READONLY:
		return django, nil, err
	case f.elsewhere():
		return django, nil, fmt.Errorf("another program has it open: %w", err)
	case code == lib.SQLITE_READONLY && !f.writable():
		return django, nil, err
	}
	if whose = judgeBytes(f.head()); whose == django {
		return django, nil, fmt.Errorf("%w: %w", errNoDatabase, err)
	}
	return whose, err, nil
}

// writable reports whether the file could be written, so that it is not for that when SQLite does
// not write it.
func (f *file) writable() bool {
	file, err := os.OpenFile(f.path, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	return true
}

// verify reads every page and every row, and returns the damage of the file. Rows whose sum does
// not hold are reported and left: each ends when it is asked for.
func (f *file) verify(ctx context.Context) error {
	c, err := connect(ctx, f.path)
	if err != nil {
		return onlyDamage(err)
	}
	defer c.Close()
	findings, err := c.ask("PRAGMA integrity_check(1)")
	switch {
	case err != nil:
		return onlyDamage(err)
	case len(findings) == 1 && findings[0] != "ok":
		return fmt.Errorf("%w: %s", errPages, findings[0])
	}
	bad := 0
	_, err = c.eachRow("", func(r row) error {
		if verdict, _ := r.judge(r.key, nil); verdict == broken {
			bad++
		}
		return ctx.Err()
	})
	if bad > 0 {
		f.log.LogAttrs(ctx, slog.LevelError, "sessions: some are not what was stored; each ends when it is asked for",
			slog.String("path", f.path), slog.Int("count", bad))
	}
	return onlyDamage(err)
}

// errPages is a damage that integrity_check found.
var errPages = errors.New("the pages of the database do not belong together")

// onlyDamage leaves out what is no damage: locked, or out of memory.
func onlyDamage(err error) error {
	if isDamaged(err) {
		return err
	}
	return nil
}

// create makes the file, which must not be there or be empty, ours.
func (f *file) create(ctx context.Context) error {
	made, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return err
	}
	if err := errors.Join(made.Chmod(fileMode), made.Close()); err != nil {
		return err
	}
	c, err := connect(ctx, f.path)
	if err != nil {
		return err
	}
	defer c.Close()
	err = patiently(ctx, func() error { return c.runAll(schema) })
	if err == nil {
		return syncFolder(filepath.Dir(f.path))
	}
	// Another process may have been quicker.
	var about facts
	learning := patiently(ctx, func() (err error) {
		about, err = c.learn()
		return err
	})
	if whose, judged := about.judge(); learning == nil && judged == nil && whose == ours {
		return nil
	}
	return err
}

// runAll executes statements of a transaction.
func (c *conn) runAll(sqls []string) error {
	for _, sql := range sqls {
		if err := c.run(sql); err != nil {
			_ = c.run("ROLLBACK") // an error when there is none
			return err
		}
	}
	return nil
}

// syncFolder has the name of a new file survive a power failure, where folders can be synced.
func syncFolder(dir string) error {
	folder, err := os.Open(dir) //nolint:gosec // where the store is
	if err != nil {
		return err
	}
	_ = folder.Sync()
	return folder.Close()
}

// renew sets a damaged file of ours aside and makes a new one, into which the rows are carried over
// whose sum holds. Nothing is carried over when the log is damaged: what the file then has is what
// was true earlier, and sessions that were ended since would come back.
func (f *file) renew(ctx context.Context, whose owner, damage error) error {
	switch {
	case whose == shared:
		return fmt.Errorf("%w; it also holds tables of others, so it stays where it is: restore it from a backup", damage)
	case f.elsewhere():
		return fmt.Errorf("%w; another program has it open, so it stays where it is: end that, and start again", damage)
	}
	aside, err := f.setAside()
	if err != nil {
		return fmt.Errorf("%w; setting it aside: %w", damage, err)
	}
	if err := f.create(ctx); err != nil {
		return err
	}
	kept := 0
	if !errors.Is(damage, errLog) && !errors.Is(damage, errOrphan) {
		kept = f.salvage(ctx, aside)
	}
	f.log.LogAttrs(ctx, slog.LevelError, "sessions: the file is damaged; it was set aside and a new one made, with the sessions that are whole",
		slog.String("path", f.path), slog.String("set_aside", aside), slog.String("damage", damage.Error()), slog.Int("kept", kept))
	return nil
}

// setAside renames the file and what belongs to it, and returns its new name. Nothing is deleted.
func (f *file) setAside() (aside string, err error) {
	aside = f.path + ".damaged-" + f.now().UTC().Format("20060102T150405.000000000Z")
	for _, c := range companions {
		if _, err := os.Lstat(aside + c); err == nil {
			return "", fmt.Errorf("%q is there: %w", aside+c, fs.ErrExist)
		}
	}
	for _, c := range companions {
		if err := os.Rename(f.path+c, aside+c); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return aside, nil
}

// salvage copies the rows of the file at aside whose sum holds, and returns how many there were.
// That a row is whole it proves itself; it was not ended meanwhile, because what is deleted is
// overwritten, with its sum.
func (f *file) salvage(ctx context.Context, aside string) (kept int) {
	from, err := connectDamaged(ctx, aside)
	if err != nil {
		return 0
	}
	defer from.Close()
	to, err := connect(ctx, f.path)
	if err != nil {
		return 0
	}
	defer to.Close()
	if to.statements(true) != nil || to.run("BEGIN IMMEDIATE") != nil {
		return 0
	}
	keep := func(r row) error {
		if verdict, _ := r.judge(r.key, nil); verdict != whole {
			return nil
		}
		n, err := to.insert.exec(r.key, string(r.data), r.date, r.sum)
		kept += int(n)
		return err
	}
	// Up to the first page that cannot be read, and then back from the end to the last.
	if last, err := from.eachRow("", keep); isDamaged(err) {
		_, _ = from.eachRow(fmt.Sprintf(" WHERE rowid > %d ORDER BY rowid DESC", last), keep)
	}
	if to.run("COMMIT") != nil {
		return 0
	}
	return kept
}

// eachRow reads the table and not its indexes, and returns the last rowid it came to.
func (c *conn) eachRow(where string, f func(row) error) (last int64, err error) {
	s, err := c.prepare("SELECT "+rowColumns+"lockstep_sum FROM django_session NOT INDEXED"+where, 0, 5)
	if err != nil {
		return 0, err
	}
	defer s.stmt.Close()
	err = s.each(rowReader(func(r row) error {
		last = r.id
		return f(r)
	}))
	return last, err
}

// opened counts the stores of this process by path. Locks belong to the process: opening and
// closing a file beside SQLite would let go of the locks of all of them.
var opened = struct {
	sync.Mutex
	count map[string]int
}{count: map[string]int{}}

// register notes that this process has the file open, or no longer.
func (f *file) register(change int) {
	opened.Lock()
	defer opened.Unlock()
	if opened.count[f.path] += change; opened.count[f.path] == 0 {
		delete(opened.count, f.path)
	}
}

// elsewhere reports whether somebody else has the file open: another store of this process, or
// another process.
func (f *file) elsewhere() bool {
	opened.Lock()
	defer opened.Unlock()
	return opened.count[f.path] > 1 || isLocked(f.path)
}
