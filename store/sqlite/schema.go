package sqlite

import (
	"bytes"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What stamps a file of ours: twice, so that damage to one is seen by the other.
const (
	applicationID = 0x4C6B7374 // "Lkst", at a fixed place in the header of the file
	schemaVersion = 1          // user_version in the header, and a column of the marker

	// marker is the text of the table lockstep_store. It is found in a file whose header is gone.
	marker = "sessions of lockstep: store/sqlite may set this file aside"
)

// The tables. Those of Django are Django's to the letter (migration sessions.0001), one column
// added after its own, which Django neither reads nor writes.
const (
	createSessions = `CREATE TABLE "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY, "session_data" text NOT NULL, "expire_date" datetime NOT NULL, "lockstep_sum" blob)`
	createIndex    = `CREATE INDEX "django_session_expire_date_a5c62663" ON "django_session" ("expire_date")`

	// A row that is changed without a new sum was changed by a Django, and loses its sum.
	createTrigger = `CREATE TRIGGER "lockstep_forget" AFTER UPDATE OF "session_key", "session_data", "expire_date" ON "django_session"
WHEN NEW."lockstep_sum" IS OLD."lockstep_sum"
BEGIN UPDATE "django_session" SET "lockstep_sum" = NULL WHERE rowid = NEW.rowid; END`

	createStore = `CREATE TABLE "lockstep_store" ("id" integer PRIMARY KEY CHECK ("id" = 1), "marker" text NOT NULL, "version" integer NOT NULL)`
)

// schema is what makes an empty file ours, in one transaction.
var schema = []string{
	"BEGIN IMMEDIATE",
	"PRAGMA application_id = " + strconv.Itoa(applicationID),
	"PRAGMA user_version = " + strconv.Itoa(schemaVersion),
	createStore,
	"INSERT INTO lockstep_store VALUES (1, '" + marker + "', " + strconv.Itoa(schemaVersion) + ")",
	createSessions, createIndex, createTrigger,
	"COMMIT",
}

// rowColumns are the columns of a row. The driver would make a date of expire_date, and fail on
// what is none; the data is any bytes.
const rowColumns = `rowid, session_key, CAST(session_data AS BLOB), CAST(expire_date AS TEXT), `

// byKey finds a row by its key. What is read or changed is looked at by rowid, so that SQLite reads
// the key in the row and not in the index that led there.
const byKey = ` WHERE rowid = (SELECT rowid FROM django_session WHERE session_key = ?)`

// statements prepares what a connection needs. In a file of a Django there is no column for sums:
// they are read as none, and the parameter for them is compared with nothing.
func (c *conn) statements(sums bool) error {
	c.sums = sums
	sum, set, values := "lockstep_sum", ", lockstep_sum = ?", "(session_key, session_data, expire_date, lockstep_sum) VALUES (?, ?, ?, ?)"
	if !sums {
		sum, set, values = "NULL", "", "(session_key, session_data, expire_date) VALUES (?, ?, ?)"
	}
	extra := strings.Count(set, "?")
	var mistakes []error
	for _, p := range []struct {
		into                **statement
		sql                 string
		parameters, columns int
	}{
		{&c.find, "SELECT " + rowColumns + sum + " FROM django_session" + byKey, 1, 5},
		{&c.insert, "INSERT INTO django_session " + values + " ON CONFLICT (session_key) DO NOTHING", 3 + extra, 0},
		{&c.update, "UPDATE django_session SET session_data = ?, expire_date = ?" + set + byKey + " AND session_key = ? AND session_data = ?", 5 + extra, 0},
		{&c.remove, "DELETE FROM django_session" + byKey + " AND session_key = ? AND session_data = ?", 3, 0},
		{&c.erase, "DELETE FROM django_session" + byKey + " AND session_key = ?", 2, 0},
		{&c.discard, "DELETE FROM django_session WHERE rowid = ?", 1, 0},
		{&c.purge, `DELETE FROM django_session WHERE rowid IN (SELECT rowid FROM django_session WHERE expire_date <= ? ORDER BY expire_date LIMIT ?) AND expire_date <= ?`, 3, 0},
		{&c.begin, "BEGIN IMMEDIATE", 0, 0},
		{&c.commit, "COMMIT", 0, 0},
		{&c.rollback, "ROLLBACK", 0, 0},
	} {
		s, err := c.prepare(p.sql, p.parameters, p.columns)
		if err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		*p.into = s
		c.prepared = append(c.prepared, s.stmt)
	}
	return errors.Join(mistakes...)
}

// facts is what a file says about itself.
type facts struct {
	application int
	version     int
	encoding    string
	size        int      // in bytes
	columns     []string // of django_session; nil when there is no such table
	tables      []string // of whoever, without those of SQLite itself
	made        []string // the statements that made tables, indexes and triggers
	triggers    []string // those of django_session
	marker      string   // of the table lockstep_store; "" when there is none
	marked      int      // the version beside it
}

// learn asks a database about itself.
func (c *conn) learn() (f facts, err error) {
	numbers := func(sql string) int {
		values, e := c.ask(sql)
		err = errors.Join(err, e)
		n, _ := strconv.Atoi(strings.Join(values, ""))
		return n
	}
	texts := func(sql string) []string {
		values, e := c.ask(sql)
		err = errors.Join(err, e)
		return values
	}
	f.application = numbers("PRAGMA application_id")
	f.version = numbers("PRAGMA user_version")
	f.encoding = strings.Join(texts("PRAGMA encoding"), "")
	f.size = numbers("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
	f.made = texts("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")
	f.triggers = texts("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'django_session' COLLATE NOCASE")
	f.tables = texts(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`)
	f.columns = texts(`SELECT name FROM pragma_table_info('django_session')`)
	if slices.Contains(f.tables, "lockstep_store") && err == nil {
		f.marker = strings.Join(texts("SELECT marker FROM lockstep_store"), "")
		f.marked = numbers("SELECT version FROM lockstep_store")
	}
	return f, err
}

// An owner is whose file it is, and with that what may be done to it.
type owner int

const (
	nobody owner = iota // empty: it becomes ours
	django              // used as it is: not stamped, not moved, its journal mode kept
	shared              // ours, with tables of others in it: never moved
	ours                // made here, for sessions alone: set aside when it is damaged
)

// The damages that the stamps and the schema of a file show.
var (
	errStamps = errors.New("the two stamps of the file differ")
	errSchema = errors.New("the tables are not those that were made")

	// A trigger of somebody else's could bring back a session that was ended, or copy one under a key
	// that it chose: who could write to the file once would have sessions for ever.
	errTrigger = errors.New("its table django_session has a trigger that was not made here")
)

// judge says whose file it is, or why it cannot be used.
func (f facts) judge() (owner, error) {
	stamped, marked := f.application == applicationID, f.marker == marker
	switch {
	case !stamped && !marked:
		return f.judgeOther()
	case !stamped || !marked || f.version != f.marked:
		return f.orShared(), errStamps
	case f.version > schemaVersion:
		return f.orShared(), fmt.Errorf("it has schema %d and this program knows schemas up to %d: it was made by a later Lockstep, use that or another file", f.version, schemaVersion)
	}
	for _, sql := range []string{createStore, createSessions, createIndex, createTrigger} {
		if !slices.Contains(f.made, sql) {
			return f.orShared(), errSchema
		}
	}
	if len(f.triggers) > 1 {
		return f.orShared(), errTrigger
	}
	return f.orShared(), nil
}

// judgeOther judges a file without a stamp of ours.
func (f facts) judgeOther() (owner, error) {
	switch {
	case len(f.tables) == 0 && f.application == 0:
		return nobody, nil
	case f.columns == nil:
		return django, errors.New("it is somebody's database and has no table django_session: if it is a Django project's, run `python manage.py migrate`; if not, name another file")
	case f.encoding != "UTF-8":
		return django, fmt.Errorf("its texts are in %s, and sessions need UTF-8", f.encoding)
	}
	for _, column := range []string{"session_key", "session_data", "expire_date"} {
		if !slices.Contains(f.columns, column) {
			return django, fmt.Errorf("its table django_session has no column %s: run `python manage.py migrate`", column)
		}
	}
	return django, nil
}

// orShared is ours, unless there are tables of others.
func (f facts) orShared() owner {
	for _, name := range f.tables {
		if name != "django_session" && name != "lockstep_store" {
			return shared
		}
	}
	return ours
}

// The header of a file, see https://www.sqlite.org/fileformat2.html.
const (
	magic             = "SQLite format 3\x00"
	headerSize        = 100
	applicationOffset = 68
	smallestPage      = 512
	largestPage       = 65536
)

// judgeBytes says whose file it is by its first bytes, for a file that SQLite cannot read. One without
// a trace of ours is taken for somebody's, and is not touched.
func judgeBytes(head []byte) owner {
	stamped := len(head) >= headerSize && binary.BigEndian.Uint32(head[applicationOffset:]) == applicationID
	cut := len(head) < headerSize && len(head) > 0 && strings.HasPrefix(magic, string(head[:min(len(head), len(magic))]))
	switch {
	case !stamped && !cut && !bytes.Contains(head, []byte(marker)):
		return django
	case bytes.Contains(head, []byte("django_migrations")):
		return shared
	}
	return ours
}

// rowReader passes on the rows of a statement over rowColumns.
func rowReader(f func(row) error) func([]driver.Value) error {
	return func(values []driver.Value) error { return f(rowOf(values)) }
}
