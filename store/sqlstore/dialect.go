package sqlstore

import (
	"errors"

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

// skipLocked makes parallel relays take different rows. SQLite has one writer and needs no such thing.
func (d dialect) skipLocked() string {
	if d == onPostgres {
		return "for update skip locked"
	}
	return ""
}

// forUpdate holds the rows that a statement reads, in its order. SQLite has one writer and needs no such thing.
func (d dialect) forUpdate() string {
	if d == onPostgres {
		return "for update"
	}
	return ""
}

// micros is a time in a column as microseconds since 1970, for arithmetic; see [stamp]. PostgreSQL's date_part is
// exact enough and much faster than extract, which gives a numeric.
func (d dialect) micros(column string) string {
	if d == onPostgres {
		return "(date_part('epoch', " + column + ") * 1000000)::bigint"
	}
	return column
}

// tableExists asks whether there is a table of a name, without an error when there is none.
func (d dialect) tableExists() string {
	if d == onPostgres {
		return "select to_regclass(?) is not null"
	}
	return "select exists (select 1 from sqlite_master where type = 'table' and name = ?)"
}

// sealedBy is the id of the key that has sealed a column's value: what stands before the first dot.
func (d dialect) sealedBy(column string) string {
	if d == onPostgres {
		return "split_part(" + column + ", '.', 1)"
	}
	return "substr(" + column + ", 1, instr(" + column + ", '.') - 1)"
}

// takenField returns the field whose unique column refused a row, or "" for every other error.
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
