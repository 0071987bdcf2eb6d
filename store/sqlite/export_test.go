package sqlite

import (
	"context"
	"database/sql/driver"
)

// Raw opens a connection to the database at path, beside any Store.
func Raw(path string) (driver.Conn, error) { return connect(context.Background(), path) }

// Exec executes SQL on what Raw opened, waiting for locks.
func Exec(c driver.Conn, sql string) error {
	return patiently(context.Background(), func() error { return c.(*conn).run(sql) })
}

// Ask returns the rows of a query of one column.
func Ask(c driver.Conn, sql string) (rows []string, err error) {
	err = patiently(context.Background(), func() (err error) { rows, err = c.(*conn).ask(sql); return err })
	return rows, err
}

// DateText and ReadDate are the two ways of a moment.
var (
	DateText = dateText
	ReadDate = readDate
)

// LogCheckEvery is how many transactions lie between two looks at the size of the log.
const LogCheckEvery = logCheckEvery
