package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/secrets"
	"usher/store"
)

// Seals checks and renews the sealed and hashed columns of the tables when secret keys change. It is safe for concurrent use;
// make it with [NewSeals].
type Seals struct {
	db   *DB
	keys *secrets.Keys
	now  func() time.Time
}

// NewSeals returns the seals in db under the keys.
func NewSeals(db *DB, keys *secrets.Keys, now func() time.Time) *Seals {
	return &Seals{db.slowly(), keys, now}
}

// sealedColumn is a column with sealed values.
type sealedColumn struct {
	table, name    string
	context, owner string // the context of a value's seal ends with the row's column owner
	index, kind    string // the column with a keyed hash of the same value, and its kind; messages have none
	unique         bool   // no two rows may have the same hash
}

var sealedColumns = []sealedColumn{
	{"accounts", "mobile_sealed", sealMobile, "id", "mobile_key", indexMobile, true},
	{"accounts", "email_sealed", sealEmail, "id", "email_key", indexEmail, true},
	{"accounts", "pending_email_sealed", sealEmail, "id", "pending_email_key", indexEmail, false},
	{"accounts", "pending_mobile_sealed", sealMobile, "id", "pending_mobile_key", indexMobile, true},
	{"account_changes", "mobile_sealed", sealMobile, "account_id", "mobile_key", indexMobile, false},
	{"account_changes", "email_sealed", sealEmail, "account_id", "email_key", indexEmail, false},
	{"messages", "to_sealed", sealTo, "id", "", "", false},
	{"endpoints", "secret_sealed", sealEndpoint, "id", "", "", false},
	{"erased_accounts", "remains_sealed", sealErased, "id", "", "", false},
}

// KeyUse counts the records in the tables that are lost without a certain secret key.
type KeyUse struct {
	Contacts   int       // sealed numbers and addresses of accounts
	Mails      int       // sealed addresses of mails that may still be sent
	Links      int       // links of mails that still work, sent or not
	LinksUntil time.Time // when the last of them ends; zero without links
	Endpoints  int       // sealed secrets of endpoints, which sign events
}

// Use returns what each secret key is needed for, by its id, whether it is configured or not. It reads whole tables.
func (s *Seals) Use(ctx context.Context) (map[string]KeyUse, error) {
	var uses []string
	for _, c := range sealedColumns {
		part, end, condition := "contacts", "cast(null as timestamptz)", ""
		switch c.table {
		case "messages":
			part, end, condition = "mails", "not_after", " and not_after > ?"
		case "endpoints":
			part = "endpoints"
		}
		uses = append(uses, "select "+s.db.dialect.sealedBy(c.name)+" as key_id, '"+part+"' as part, "+end+" as until from "+c.table+
			" where "+c.name+" is not null"+condition)
	}
	uses = append(uses, `select key_id, 'links', not_after from messages
		where channel = 'email' and (purpose = 'activation' or details like '%"change":%') and key_id <> '' and not_after > ?`)
	use, now := map[string]KeyUse{}, at(s.now())
	var rows []struct {
		ID    string `db:"key_id"`
		Part  string `db:"part"`
		Count int    `db:"number"`
		Until Stamp  `db:"until"`
	}
	err := s.db.listOnce(ctx, &rows, "select key_id, part, count(*) as number, max(until) as until from ("+
		strings.Join(uses, " union all ")+") as uses group by key_id, part", now, now)
	if err != nil {
		return nil, fmt.Errorf("count uses of keys: %w", err)
	}
	for _, row := range rows {
		u := use[row.ID]
		switch row.Part {
		case "contacts":
			u.Contacts = row.Count
		case "mails":
			u.Mails = row.Count
		case "endpoints":
			u.Endpoints = row.Count
		case "links":
			u.Links, u.LinksUntil = row.Count, row.Until.Time
		}
		use[row.ID] = u
	}
	return use, nil
}

// Errors of [Seals.Check].
var (
	// ErrSealedUnknown means that a key is missing which has sealed numbers or addresses of accounts.
	ErrSealedUnknown = errors.New("accounts are sealed with a key that is not configured")
	// ErrIndexed means that the key that indexes is not the one that did: accounts would not be found by number or address,
	// and both could be registered twice.
	ErrIndexed = errors.New("accounts are indexed with another key than the last one configured")
)

// Check opens the numbers and addresses of a sample of accounts and compares their hashes. The sample is taken in the order of
// the hashes, which is as good as random. It returns ErrSealedUnknown, ErrIndexed or another error.
func (s *Seals) Check(ctx context.Context, sample int) error {
	for _, column := range sealedColumns {
		if column.index == "" {
			continue
		}
		rows, err := s.read(ctx, column, column.index+" is not null", column.index, sample)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := s.check(column, row); err != nil {
				return err
			}
		}
	}
	return nil
}

// check compares one row. It names the kind and the account, never the value.
func (s *Seals) check(column sealedColumn, row sealedRow) error {
	plain, err := s.keys.Open(row.Sealed, column.context+row.Owner)
	switch {
	case errors.Is(err, secrets.ErrUnknownKey):
		return fmt.Errorf("%w: %s", ErrSealedUnknown, secrets.SealedBy(row.Sealed))
	case err != nil:
		return fmt.Errorf("open %s of account %s: %w", column.kind, row.ID, err)
	case s.keys.Index(column.kind, plain) != row.Index:
		return fmt.Errorf("%w (%s)", ErrIndexed, s.keys.IndexID())
	}
	return nil
}

type sealedRow struct {
	ID     string `db:"id"`
	Owner  string `db:"owner"`
	Sealed string `db:"sealed"`
	Index  string `db:"hash"`
}

// read returns rows whose column is not null and that meet the condition.
func (s *Seals) read(
	ctx context.Context, column sealedColumn, condition, order string, limit int, args ...any,
) ([]sealedRow, error) {
	index := column.index
	if index == "" {
		index = "''"
	}
	var rows []sealedRow
	err := s.db.listOnce(ctx, &rows,
		"select id, "+column.owner+" as owner, "+column.name+" as sealed, "+index+" as hash from "+column.table+
			" where "+column.name+" is not null and "+condition+" order by "+order+" limit ?", append(args, limit)...)
	return rows, store.Wrap("read "+column.name+" of "+column.table, err)
}

// resealBatch is how many rows one transaction changes: few enough that no other transaction waits long for their locks.
const resealBatch = 200

// maxNamed bounds the rows that are named as left behind.
const maxNamed = 20

// Resealed is the result of a run over the tables.
type Resealed struct {
	Changed int      // rows that were changed
	Left    int      // rows that could not be changed
	Named   []string // the first of the rows left, each with table, id and reason, and nothing private
}

// leave counts a row that cannot be changed, and names it when it is among the first.
func (r *Resealed) leave(column sealedColumn, row sealedRow, reason string) {
	r.Left++
	if len(r.Named) < maxNamed {
		r.Named = append(r.Named, fmt.Sprintf("%s %s: %s", column.table, row.ID, reason))
	}
}

// Reseal seals with the first key every number, address and secret of an endpoint that another key has sealed. It may run beside all other programs,
// may be interrupted and started again, and leaves a row alone that was changed since it was read. Rows that no configured key
// opens are left. It calls progress, unless nil, with the number of rows changed so far.
func (s *Seals) Reseal(ctx context.Context, progress func(changed int)) (Resealed, error) {
	var result Resealed
	prefix := s.keys.SigningID() + "."
	for _, column := range sealedColumns {
		// A value that begins with the first key's id is done. substr compares upper and lower case on both databases.
		condition := "substr(" + column.name + ", 1, ?) <> ? and id > ?"
		err := s.walk(ctx, column, condition, []any{len(prefix), prefix}, &result, progress, func(tx *sqlx.Tx, row sealedRow, plain string) (int, error) {
			return changedBy(tx.ExecContext(ctx, tx.Rebind(
				"update "+column.table+" set "+column.name+" = ? where id = ? and "+column.name+" = ?"),
				s.keys.Seal(plain, column.context+row.Owner), row.ID, row.Sealed))
		})
		if err != nil {
			return result, fmt.Errorf("reseal: %w", err)
		}
	}
	return result, nil
}

// Reindex hashes every number and address with the key that indexes. No other program may write accounts meanwhile: with
// another key it could store a number a second time. Reindex may be interrupted and started again. Rows that no configured key
// opens are left, and so are a number and an address that another account has already.
func (s *Seals) Reindex(ctx context.Context, progress func(changed int)) (Resealed, error) {
	var result Resealed
	for _, column := range sealedColumns {
		if column.index == "" {
			continue
		}
		err := s.walk(ctx, column, "id > ?", nil, &result, progress, func(tx *sqlx.Tx, row sealedRow, plain string) (int, error) {
			hash := s.keys.Index(column.kind, plain)
			if hash == row.Index {
				return 0, nil
			}
			// In a column that is not unique the same hash may be there already.
			n, err := changedBy(tx.ExecContext(ctx, tx.Rebind(
				"update "+column.table+" set "+column.index+" = ? where id = ? and "+column.name+" = ?"+
					" and not exists (select 1 from "+column.table+" where ? and "+column.index+" = ?)"),
				hash, row.ID, row.Sealed, column.unique, hash))
			if err == nil && n == 0 {
				result.leave(column, row, "another account has the same "+column.kind+", or it has just been changed")
			}
			return n, err
		})
		if err != nil {
			return result, fmt.Errorf("reindex: %w", err)
		}
	}
	return result, nil
}

// walk opens each value that meets the condition and calls do with it, in one transaction for each batch. The condition's last
// argument is the id behind which a batch begins. Values that no key opens are left. walk adds to the result the number of rows
// that do has changed, and calls progress, unless nil, after each batch.
func (s *Seals) walk(
	ctx context.Context, column sealedColumn, condition string, args []any, result *Resealed, progress func(changed int),
	do func(tx *sqlx.Tx, row sealedRow, plain string) (changed int, err error),
) error {
	for last := ""; ; {
		rows, err := s.read(ctx, column, condition, "id", resealBatch, append(slices.Clip(args), last)...)
		if err != nil || len(rows) == 0 {
			return err
		}
		last = rows[len(rows)-1].ID
		err = s.db.inTxOnce(ctx, func(tx *sqlx.Tx) error {
			for _, row := range rows {
				plain, err := s.keys.Open(row.Sealed, column.context+row.Owner)
				if errors.Is(err, secrets.ErrUnknownKey) {
					err = fmt.Errorf("sealed with the unknown key %s", secrets.SealedBy(row.Sealed))
				}
				if err != nil {
					result.leave(column, row, err.Error())
					continue
				}
				n, err := do(tx, row, plain)
				if result.Changed += n; err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if progress != nil {
			progress(result.Changed)
		}
	}
}
