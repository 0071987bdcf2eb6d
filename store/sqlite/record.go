package sqlite

import (
	"bytes"
	"crypto/sha256"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/session"
)

// The moments that Django's column can hold; what is outside is stored as the nearest.
var (
	firstDate = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	lastDate  = time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
)

// dateText writes a moment as Django's backend for SQLite does: UTC, a space, no zone, and the
// microseconds only when there are some. Texts of this form sort as their moments do.
func dateText(t time.Time) string {
	t = t.UTC()
	switch {
	case t.Before(firstDate):
		t = firstDate
	case t.After(lastDate):
		t = lastDate
	}
	if t.Nanosecond() < int(time.Microsecond) {
		return t.Format("2006-01-02 15:04:05")
	}
	return t.Format("2006-01-02 15:04:05.000000")
}

// djangoDate is datetime_re of django/utils/dateparse.py, as Django 3.2 has it. Later ones read a
// little more, which none of them writes.
var djangoDate = regexp.MustCompile(`^(\d{4}-\d{1,2}-\d{1,2})[T ](\d{1,2}:\d{1,2})(?::(\d{1,2})(?:[.,](\d{1,6})\d{0,6})?)?(Z|[+-]\d{2}(?::?\d{2})?)?$`)

// readDate reads what Django would read in the column expire_date, a moment without a zone as UTC.
// What it would not read is no date: ok is false.
func readDate(text string) (t time.Time, ok bool) {
	if t, err := time.Parse("2006-01-02 15:04:05", text); err == nil && written(text) && readable(t) {
		return t, true
	}
	m := djangoDate.FindStringSubmatch(text)
	if m == nil {
		return time.Time{}, false
	}
	second, fraction := m[3], m[4]
	if second == "" {
		second = "0"
	}
	t, err := time.Parse("2006-1-2 15:4:5", m[1]+" "+m[2]+":"+second)
	if err != nil || !readable(t) {
		return time.Time{}, false
	}
	micros, _ := strconv.Atoi((fraction + "000000")[:6])
	t = t.Add(time.Duration(micros)*time.Microsecond - zone(m[5]))
	return t, true
}

// written reports whether a text that time.Parse read is one that Django writes: time.Parse also
// takes more spaces, hours of one digit and more than microseconds.
func written(text string) bool {
	const seconds, micros, hour = len("2006-01-02 15:04:05"), len("2006-01-02 15:04:05.000000"), len("2006-01-02 ")
	return (len(text) == seconds || len(text) == micros) && text[hour] != ' ' && text[hour+1] != ':'
}

// readable reports whether Python has a datetime of t.
func readable(t time.Time) bool { return !t.Before(firstDate) && !t.After(lastDate) }

// zone reads the offset of a date from UTC: nothing, Z, +hh, +hhmm or +hh:mm.
func zone(text string) time.Duration {
	if text == "" || text == "Z" {
		return 0
	}
	digits := strings.ReplaceAll(text[1:], ":", "") + "00"
	hours, _ := strconv.Atoi(digits[:2])
	minutes, _ := strconv.Atoi(digits[2:4])
	offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if text[0] == '-' {
		return -offset
	}
	return offset
}

// A row is a session as the table has it.
type row struct {
	id   int64  // the rowid
	key  string // as the table has it; the index is not asked
	data []byte
	date string
	sum  any // a []byte, nil when there is none, or what damage made of it
}

// A condition is what becomes of a row that was looked up.
type condition int

const (
	whole    condition = iota // it is what was stored
	unproven                  // it carries no sum: a Django wrote it
	broken                    // it is not what was stored
	another                   // it belongs to another key: the file is damaged, and not the row alone
)

// judge says what becomes of the row that was found under key. sum is where the row's sum may be
// computed, and is returned for the next.
func (r *row) judge(key string, scratch []byte) (condition, []byte) {
	if r.key != key {
		return another, scratch
	}
	if r.sum == nil {
		return unproven, scratch
	}
	have, ok := r.sum.([]byte)
	want, scratch := sumOf(r.key, r.date, r.data, scratch)
	if !ok || !bytes.Equal(have, want[:]) {
		return broken, scratch
	}
	return whole, scratch
}

// record is the row as a session has it. A date that nobody can read is one that has passed, so
// that damage ends a session and never prolongs it.
func (r *row) record() session.Record {
	expires, ok := readDate(r.date)
	if !ok {
		expires = firstDate
	}
	return session.Record{Data: r.data, Expires: expires}
}

// sumLength is how much of a SHA-256 a row carries.
const sumLength = 16

// sumOf is the checksum of a row, over its key, too, so that a row that came under another key is
// not taken for that key's. It is not keyed: it is there against disks, not against people, since
// who can write to the file can also leave the sum out. Against people there is the signature of
// the session.
func sumOf[B string | []byte](key, date string, data B, scratch []byte) (sum [sumLength]byte, _ []byte) {
	scratch = append(scratch[:0], key...)
	scratch = append(scratch, 0)
	scratch = append(scratch, date...)
	scratch = append(scratch, 0)
	scratch = append(scratch, data...)
	full := sha256.Sum256(scratch)
	return [sumLength]byte(full[:]), scratch
}
