package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"usher/accounts"
	"usher/store"
)

var _ accounts.ImportStore = (*Accounts)(nil)

// CreateAll implements [accounts.ImportStore]. It stores all accounts with one statement, which takes as long as a few calls of
// [Accounts.Create].
func (a *Accounts) CreateAll(ctx context.Context, list []accounts.Account, keep bool) (map[string]bool, error) {
	rows := make([]accountRow, 0, len(list))
	for _, account := range list {
		row, err := a.row(account)
		if err != nil {
			return nil, fmt.Errorf("create accounts: %w", err)
		}
		rows = append(rows, row)
	}
	query, args, err := sqlx.Named(insertAccount+" on conflict do nothing returning id", rows)
	if err != nil {
		return nil, fmt.Errorf("create accounts: %w", err)
	}
	var ids []string
	err = a.db.slowly().inTx(ctx, func(tx *sqlx.Tx) error {
		ids = ids[:0]
		if err := tx.SelectContext(ctx, &ids, tx.Rebind(query), args...); err != nil {
			return err
		}
		if !keep {
			return errRollback
		}
		return nil
	})
	if err != nil && !errors.Is(err, errRollback) {
		return nil, fmt.Errorf("create accounts: %w", err)
	}
	created := make(map[string]bool, len(ids))
	for _, id := range ids {
		created[id] = true
	}
	return created, nil
}

// Rehash replaces the hash unless it is no longer the old one. The time of the last change stays, because the password is the
// same.
func (a *Accounts) Rehash(ctx context.Context, id, old, hash string) error {
	_, err := a.db.exec(ctx, "update accounts set password_hash = ? where id = ? and password_hash = ?", hash, id, old)
	return store.Wrap("rehash password", err)
}

// ImportedHashes returns up to n hashes of passwords that were imported from another system. An index of these alone makes it
// fast, also when there are none.
func (a *Accounts) ImportedHashes(ctx context.Context, n int) ([]string, error) {
	var hashes []string
	err := a.db.list(ctx, &hashes, `
		select password_hash from accounts
		where password_hash > '' and substr(password_hash, 1, 1) <> '$'
		order by id limit ?`, n)
	return hashes, store.Wrap("find imported hashes", err)
}
