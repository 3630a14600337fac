package sqlstore

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	"github.com/pressly/goose/v3/database"

	"usher/accounts"
)

// dialect is one of the two databases; its text is the name that goose has for it.
type dialect database.Dialect

const (
	onPostgres = dialect(database.DialectPostgres)
	onSQLite   = dialect(database.DialectSQLite3)
)

// skipLocked makes parallel relays take different rows. SQLite has one writer and does not need it.
func (d dialect) skipLocked() string {
	if d == onPostgres {
		return "for update skip locked"
	}
	return ""
}

// forUpdate locks the rows that a statement reads, in its order. SQLite has one writer and does not need it.
func (d dialect) forUpdate() string {
	if d == onPostgres {
		return "for update"
	}
	return ""
}

// micros is a time in a column as microseconds since 1970, for arithmetic; see [Stamp]. PostgreSQL's date_part is
// exact enough and much faster than extract, which gives a numeric.
func (d dialect) micros(column string) string {
	if d == onPostgres {
		return "(date_part('epoch', " + column + ") * 1000000)::bigint"
	}
	return column
}

// tableExists asks whether a table exists, without an error when it does not.
func (d dialect) tableExists() string {
	if d == onPostgres {
		return "select to_regclass(?) is not null"
	}
	return "select exists (select 1 from sqlite_master where type = 'table' and name = ?)"
}

// sealedBy is the id of the key that has sealed a column's value: the text before the first dot.
func (d dialect) sealedBy(column string) string {
	if d == onPostgres {
		return "split_part(" + column + ", '.', 1)"
	}
	return "substr(" + column + ", 1, instr(" + column + ", '.') - 1)"
}

// takenField returns the field whose unique column has refused a row, or "" for any other error.
func takenField(err error) accounts.Field {
	var pqErr *pq.Error
	if !errors.As(err, &pqErr) {
		return takenOnSQLite(err)
	}
	if pqErr.Code != pqerror.UniqueViolation {
		return ""
	}
	return map[string]accounts.Field{
		"accounts_username":       accounts.FieldUsername,
		"accounts_mobile":         accounts.FieldMobile,
		"accounts_email":          accounts.FieldEmail,
		"accounts_pending_mobile": accounts.FieldMobile,
	}[pqErr.Constraint]
}

// Stamp is a time in a column: timestamptz on PostgreSQL, an integer of microseconds since 1970 on
// SQLite, UTC and whole microseconds on both. The zero time is NULL.
type Stamp struct{ time.Time }

// at truncates t to the precision of a column, so that a written time equals the one that is read back.
func at(t time.Time) Stamp { return Stamp{t.UTC().Truncate(time.Microsecond)} }

// Value implements driver.Valuer. The SQLite driver makes the integer.
func (s Stamp) Value() (driver.Value, error) {
	if s.IsZero() {
		return nil, nil
	}
	return s.Time, nil
}

// Scan implements sql.Scanner.
func (s *Stamp) Scan(column any) error {
	switch value := column.(type) {
	case nil:
		*s = Stamp{}
	case time.Time:
		*s = Stamp{value.UTC()}
	case int64:
		*s = Stamp{time.UnixMicro(value).UTC()}
	default:
		return fmt.Errorf("column of type %T is no time", column)
	}
	return nil
}

// micros returns the time in microseconds since 1970, and 0 for none.
func (s Stamp) micros() int64 {
	if s.IsZero() {
		return 0
	}
	return s.UnixMicro()
}
