package cookie

import (
	"strings"
	"time"
)

// earliestYear is the first year a cookie date may have.
const earliestYear = 1601

// ParseDate reads a date as browsers read the value of Expires: in any order, with any separators,
// a day of the month, a month of which three letters are enough, a year of two to four digits and
// a time h:m:s. The time zone, if there is one, is not looked at: a date is in UTC. It returns
// false when a part is missing or there is no such date.
//
// RFC 6265bis-22, section 5.1.1.
func ParseDate(s string) (time.Time, bool) { return parseDate(s, earliestYear) }

// parseDate is ParseDate with another first year.
func parseDate(s string, earliest int) (time.Time, bool) {
	var d dateParts
	if d.takeHTTPDate(s) {
		return d.time(earliest)
	}
	d = dateParts{}
	for token := range strings.FieldsFuncSeq(s, isDateDelimiter) {
		d.take(token)
	}
	return d.time(earliest)
}

// takeHTTPDate reads "Sun, 06 Nov 1994 08:49:37 GMT", which is what servers send, in a fraction of
// the time that any order takes. It returns false for every other form.
func (d *dateParts) takeHTTPDate(s string) bool {
	const form = "Sun, 06 Nov 1994 08:49:37 GMT"
	if len(s) != len(form) || s[3:5] != ", " || s[7] != ' ' || s[11] != ' ' || s[16] != ' ' || s[25:] != " GMT" {
		return false
	}
	for _, c := range []byte(s[:3]) {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	if _, isMonth := monthNamed(s[:3]); isMonth {
		return false // and not the name of a day
	}
	d.month, d.foundMonth = monthNamed(s[8:11])
	d.foundTime = d.takeTime(s[17:25])
	d.day, d.foundDay = leadingNumber(s[5:7], 2, 2)
	year, ok := leadingNumber(s[12:16], 4, 4)
	d.year, d.foundYear = fullYear(year), ok
	return d.foundTime && d.foundDay && d.foundMonth && d.foundYear
}

// isDateDelimiter reports whether r separates the parts of a date. A colon does not, and neither
// does any byte above ASCII.
func isDateDelimiter(r rune) bool {
	return r == 0x09 || r >= 0x20 && r <= 0x2F || r >= 0x3B && r <= 0x40 ||
		r >= 0x5B && r <= 0x60 || r >= 0x7B && r <= 0x7E
}

// dateParts is a date of which some parts have been found. A part that was found is not looked
// for again.
type dateParts struct {
	hour, minute, second                       int
	day, year                                  int
	month                                      time.Month
	foundTime, foundDay, foundMonth, foundYear bool
}

// take gives token to the first part that is missing and can read it. The order, time, day, month,
// year, is the draft's.
func (d *dateParts) take(token string) {
	if !d.foundTime && d.takeTime(token) {
		d.foundTime = true
		return
	}
	if n, ok := leadingNumber(token, 1, 2); !d.foundDay && ok {
		d.day, d.foundDay = n, true
		return
	}
	if m, ok := monthNamed(token); !d.foundMonth && ok {
		d.month, d.foundMonth = m, true
		return
	}
	if n, ok := leadingNumber(token, 2, 4); !d.foundYear && ok {
		d.year, d.foundYear = fullYear(n), true
	}
}

// takeTime reads h:m:s, each of one or two digits; after the seconds anything but a digit may
// follow.
func (d *dateParts) takeTime(token string) bool {
	h, rest, ok1 := strings.Cut(token, ":")
	m, s, ok2 := strings.Cut(rest, ":")
	if !ok1 || !ok2 || !isDigits(h) || !isDigits(m) {
		return false
	}
	hour, okH := leadingNumber(h, 1, 2)
	minute, okM := leadingNumber(m, 1, 2)
	second, okS := leadingNumber(s, 1, 2)
	if !okH || !okM || !okS {
		return false
	}
	d.hour, d.minute, d.second = hour, minute, second
	return true
}

// time returns the date, or false when it is not complete, is before the earliest year or does not exist.
func (d *dateParts) time(earliest int) (time.Time, bool) {
	if !d.foundTime || !d.foundDay || !d.foundMonth || !d.foundYear {
		return time.Time{}, false
	}
	if d.year < earliest || d.hour > 23 || d.minute > 59 || d.second > 59 {
		return time.Time{}, false
	}
	t := time.Date(d.year, d.month, d.day, d.hour, d.minute, d.second, 0, time.UTC)
	if t.Day() != d.day { // time.Date makes 2 March of 30 February
		return time.Time{}, false
	}
	return t, true
}

// fullYear gives a year of two digits its century.
func fullYear(year int) int {
	switch {
	case year >= 70 && year <= 99:
		return year + 1900
	case year >= 0 && year <= 69:
		return year + 2000
	}
	return year
}

// leadingNumber reads the digits at the start of s, of which there must be at least low and at
// most high.
func leadingNumber(s string, low, high int) (int, bool) {
	n, digits := 0, 0
	for digits < len(s) && isDigit(s[digits]) {
		if digits == high {
			return 0, false
		}
		n = 10*n + int(s[digits]-'0')
		digits++
	}
	return n, digits >= low
}

const monthNames = "janfebmaraprmayjunjulaugsepoctnovdec"

// monthNamed returns the month whose name begins with the first three letters of token.
func monthNamed(token string) (time.Month, bool) {
	if len(token) < 3 {
		return 0, false
	}
	for i := 0; i < len(monthNames); i += 3 {
		if equalFold(token[:3], monthNames[i:i+3]) {
			return time.Month(i/3 + 1), true
		}
	}
	return 0, false
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// isDigits reports whether s is one digit or more and nothing else.
func isDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}
