package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/secrets"
)

// Seals looks after what the tables hold sealed and hashed when keys change. It is safe for concurrent use; make
// it with [NewSeals].
type Seals struct {
	db   *DB
	keys *secrets.Keys
	now  func() time.Time
}

// NewSeals returns the seals in db under the keys.
func NewSeals(db *DB, keys *secrets.Keys, now func() time.Time) *Seals {
	return &Seals{db.slowly(), keys, now}
}

// sealedColumn is a column whose values are sealed in a context that ends with what stands in the row's column owner.
// An index is the column beside it that holds a keyed hash of the same value, and its kind; messages have none. No two
// rows may have the same value of a unique one.
type sealedColumn struct {
	table, name, context, owner string
	index, kind                 string
	unique                      bool
}

var sealedColumns = []sealedColumn{
	{"accounts", "mobile_sealed", sealMobile, "id", "mobile_key", indexMobile, true},
	{"accounts", "email_sealed", sealEmail, "id", "email_key", indexEmail, true},
	{"accounts", "pending_email_sealed", sealEmail, "id", "pending_email_key", indexEmail, false},
	{"accounts", "pending_mobile_sealed", sealMobile, "id", "pending_mobile_key", indexMobile, true},
	{"account_changes", "mobile_sealed", sealMobile, "account_id", "mobile_key", indexMobile, false},
	{"account_changes", "email_sealed", sealEmail, "account_id", "email_key", indexEmail, false},
	{"messages", "to_sealed", sealTo, "id", "", "", false},
}

// KeyUse is what the tables hold that is lost without a certain key.
type KeyUse struct {
	Contacts   int       // sealed numbers and addresses of accounts
	Mails      int       // sealed addresses of mails that may still be sent
	Links      int       // links of mails that still work, sent or not
	LinksUntil time.Time // when the last of them ends; zero without links
}

// Use returns what each key is needed for, by its id, whether the key is configured or not. It reads whole tables.
func (s *Seals) Use(ctx context.Context) (map[string]KeyUse, error) {
	now, sealedBy := at(s.now()), s.db.dialect.sealedBy
	use := map[string]KeyUse{}
	var rows []struct {
		ID    string `db:"key_id"`
		Part  string `db:"part"`
		Count int    `db:"number"`
		Until stamp  `db:"until"`
	}
	err := s.db.listOnce(ctx, &rows, `
		select key_id, part, count(*) as number, max(until) as until from (
			select `+sealedBy("mobile_sealed")+` as key_id, 'contacts' as part, created_at as until
			from accounts where mobile_sealed is not null
			union all
			select `+sealedBy("email_sealed")+`, 'contacts', created_at
			from accounts where email_sealed is not null
			union all
			select `+sealedBy("pending_email_sealed")+`, 'contacts', created_at
			from accounts where pending_email_sealed is not null
			union all
			select `+sealedBy("pending_mobile_sealed")+`, 'contacts', created_at
			from accounts where pending_mobile_sealed is not null
			union all
			select `+sealedBy("mobile_sealed")+`, 'contacts', changed_at
			from account_changes where mobile_sealed is not null
			union all
			select `+sealedBy("email_sealed")+`, 'contacts', changed_at
			from account_changes where email_sealed is not null
			union all
			select `+sealedBy("to_sealed")+`, 'mails', not_after
			from messages where to_sealed is not null and not_after > ?
			union all
			select key_id, 'links', not_after
			from messages where channel = 'email' and (purpose = 'activation' or details like '%"change":%') and key_id <> '' and not_after > ?
		) as uses
		group by key_id, part`, now, now)
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
		case "links":
			u.Links, u.LinksUntil = row.Count, row.Until.Time
		}
		use[row.ID] = u
	}
	return use, nil
}

// Errors of [Seals.Check].
var (
	// ErrSealedUnknown means that a key is missing: accounts have numbers or addresses that it has sealed.
	ErrSealedUnknown = errors.New("accounts are sealed with a key that is not configured")
	// ErrIndexed means that another key is to index than the one that did: nobody would be found by number or
	// address, and both could be registered twice.
	ErrIndexed = errors.New("accounts are indexed with another key than the last one configured")
)

// Check opens numbers and addresses of so many accounts and compares their hashes. Which accounts, follows from the
// hashes, which are as good as random. It returns ErrSealedUnknown, ErrIndexed or another error.
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
	if err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", column.name, column.table, err)
	}
	return rows, nil
}
