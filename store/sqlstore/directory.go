package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher/accounts"
	"usher/audit"
	"usher/messages"
	"usher/secrets"
	"usher/store"
)

// Directory implements accounts.Directory. It is safe for concurrent use; make it with [NewDirectory].
type Directory struct {
	accounts *Accounts
	audit    *Audit
}

var _ accounts.Directory = (*Directory)(nil)

// NewDirectory returns the directory of the accounts in db. The keys are those of [NewAccounts].
func NewDirectory(db *DB, keys *secrets.Keys) *Directory {
	return &Directory{NewAccounts(db, keys), NewAudit(db, time.Now)}
}

// Accounts implements accounts.Directory.
func (d *Directory) Accounts(ctx context.Context, after string, limit int) ([]accounts.Account, error) {
	if after == "" {
		return d.list(ctx, "select "+accountColumns+" from accounts order by id desc limit ?", limit)
	}
	return d.list(ctx, "select "+accountColumns+" from accounts where id < ? order by id desc limit ?", after, limit)
}

// Search implements accounts.Directory. Each part of the condition has an index of its own.
func (d *Directory) Search(ctx context.Context, key accounts.Key, limit int) ([]accounts.Account, error) {
	condition, value, err := d.accounts.where(key)
	if err != nil {
		return nil, err
	}
	parts, args := []string{condition}, []any{value}
	switch key.By { //nolint:exhaustive // the others have one column
	case accounts.ByMobile:
		parts, args = append(parts, "pending_mobile_key = ?"), append(args, value)
	case accounts.ByEmail:
		parts, args = append(parts, "pending_email_key = ?"), append(args, value)
	}
	ids := make([]string, len(parts))
	for i, part := range parts {
		ids[i] = "select id from accounts where " + part
	}
	return d.list(ctx, "select "+accountColumns+" from accounts where id in ("+strings.Join(ids, " union ")+") order by id desc limit ?",
		append(args, limit)...)
}

func (d *Directory) list(ctx context.Context, query string, args ...any) ([]accounts.Account, error) {
	var rows []accountRow
	if err := d.accounts.db.list(ctx, &rows, query, args...); err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	list := make([]accounts.Account, len(rows))
	for i, row := range rows {
		var err error
		if list[i], err = d.accounts.account(row); err != nil {
			return nil, fmt.Errorf("list accounts: %w", err)
		}
	}
	return list, nil
}

// otherSuperuser asks for another superuser that can sign in and stays than that with the id.
const otherSuperuser = `
	select exists (select 1 from accounts where superuser and active and blocked_at is null and delete_at is null and id <> ?)`

// HasOtherSuperuser implements accounts.Directory.
func (d *Directory) HasOtherSuperuser(ctx context.Context, id string) (found bool, err error) {
	err = d.accounts.db.get(ctx, &found, otherSuperuser, id)
	return found, store.Wrap("find another superuser", err)
}

// Records implements accounts.Directory.
func (d *Directory) Records(ctx context.Context, filter audit.Filter) ([]audit.Record, error) {
	return d.audit.List(ctx, filter)
}

// Messages implements accounts.Directory. Codes name no account. Their ids begin with the keyed hash of the number or address, and
// their masks have an index. Codes from before the account has the contact may have been another person's.
func (d *Directory) Messages(
	ctx context.Context, account accounts.Account, after string, limit int,
) ([]messages.Record, error) {
	row, err := d.accounts.row(account)
	if err != nil {
		return nil, fmt.Errorf("list messages: %w", err)
	}
	page, args := "", []any{}
	if after != "" {
		createdAt, id, ok := readCursor(after)
		if !ok {
			return nil, nil // no message has such a cursor
		}
		page, args = " and (created_at < ? or created_at = ? and id < ?)", []any{at(createdAt), at(createdAt), id}
	}
	var list []Message
	for _, own := range []messagesOf{
		{"account_id = ?", []any{account.ID}},
		codesTo(row.MobileKey, row.MobileMasked, later(account.CreatedAt, account.MobileChangedAt)),
		codesTo(row.EmailKey, row.EmailMasked, later(account.CreatedAt, account.EmailChangedAt)),
	} {
		if own.condition == "" {
			continue
		}
		var some []Message
		err := d.accounts.db.slowly().listOnce(ctx, &some, "select "+messageColumns+" from messages where "+own.condition+page+
			" order by created_at desc, id desc limit ?", slices.Concat(own.args, args, []any{limit})...)
		if err != nil {
			return nil, fmt.Errorf("list messages: %w", err)
		}
		list = append(list, some...)
	}
	return newestRecords(list, limit), nil
}

// messagesOf is a condition of messages. An empty one selects none.
type messagesOf struct {
	condition string
	args      []any
}

// codesTo is the condition of the codes to a contact since a time.
func codesTo(key *string, masked string, since time.Time) messagesOf {
	if key == nil {
		return messagesOf{}
	}
	return messagesOf{
		fmt.Sprintf("to_masked = ? and created_at >= ? and "+ofCode+" and substr(id, 1, %d) = ?", len(*key)),
		[]any{masked, at(since.Add(-codeBefore)), *key},
	}
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// codeBefore is how long before an account has a contact the code was sent that proved it.
const codeBefore = time.Hour

// newestRecords returns the newest messages of the list.
func newestRecords(list []Message, limit int) []messages.Record {
	slices.SortFunc(list, func(a, b Message) int {
		if order := b.CreatedAt.Compare(a.CreatedAt.Time); order != 0 {
			return order
		}
		return strings.Compare(b.ID, a.ID)
	})
	records := make([]messages.Record, 0, min(len(list), limit))
	for _, m := range list[:min(len(list), limit)] {
		records = append(records, messages.Record{
			ID: m.ID, Channel: m.Channel, Purpose: m.Purpose, To: m.To, RequestID: m.RequestID, State: m.State, Reason: m.Reason,
			Attempt: m.Attempt, Provider: m.Provider, ProviderID: m.ProviderID, ProviderCode: m.ProviderCode,
			CreatedAt: m.CreatedAt.Time, NotAfter: m.NotAfter.Time, UpdatedAt: m.UpdatedAt.Time, AcceptedAt: m.AcceptedAt.Time,
			DeliveredAt: m.DeliveredAt.Time, UsedAt: m.UsedAt.Time,
		})
	}
	return records
}

// readCursor reads what [accounts.MessageCursor] writes.
func readCursor(text string) (createdAt time.Time, id string, ok bool) {
	micro, id, ok := strings.Cut(text, "_")
	n, err := strconv.ParseInt(micro, 10, 64)
	return time.UnixMicro(n), id, ok && err == nil
}
