package sqlstore

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// stamp is a time in a column: timestamptz on PostgreSQL, an integer of microseconds since 1970 on
// SQLite, UTC and whole microseconds on both. The zero time is NULL.
type stamp struct{ time.Time }

// at cuts t to what a column holds, so that a written time equals the one that is read back.
func at(t time.Time) stamp { return stamp{t.UTC().Truncate(time.Microsecond)} }

// Value implements driver.Valuer. The SQLite driver makes the integer.
func (s stamp) Value() (driver.Value, error) {
	if s.IsZero() {
		return nil, nil
	}
	return s.Time, nil
}

// Scan implements sql.Scanner.
func (s *stamp) Scan(column any) error {
	switch value := column.(type) {
	case nil:
		*s = stamp{}
	case time.Time:
		*s = stamp{value.UTC()}
	case int64:
		*s = stamp{time.UnixMicro(value).UTC()}
	default:
		return fmt.Errorf("column of type %T is no time", column)
	}
	return nil
}

// micros is the time in microseconds since 1970; it is 0 for none.
func (s stamp) micros() int64 {
	if s.IsZero() {
		return 0
	}
	return s.UnixMicro()
}
