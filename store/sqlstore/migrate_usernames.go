package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pressly/goose/v3"

	"usher/accounts"
)

// goMigrations are the names of the steps that SQL cannot take on both databases, by their versions.
var goMigrations = map[int64]string{7: "0007_usernames.go", 10: "0010_seen.go"}

// usernamesAtOnce is how many accounts the step reads at a time.
const usernamesAtOnce = 1000

// usernames returns the step that gives names outside ASCII the key of this version, which is the same for names
// of one look; see [accounts.CanonicalUsername]. Where two accounts have such names already, the second one keeps
// its old key: its owner signs in by number or address.
func (db *DB) usernames() *goose.Migration {
	up := func(ctx context.Context, tx *sql.Tx) error {
		after := ""
		for {
			names, last, err := db.usernamesAfter(ctx, tx, after)
			if err != nil {
				return err
			}
			if last == "" {
				return nil
			}
			for _, id := range slices.Sorted(maps.Keys(names)) { // of twins the first one gets the key
				key := names[id]
				_, err := tx.ExecContext(ctx, db.sqlx.Rebind(`
					update accounts set username_key = ?
					where id = ? and not exists (select 1 from accounts where username_key = ?)`), key, id, key)
				if err != nil {
					return fmt.Errorf("write key of user name: %w", err)
				}
			}
			after = last
		}
	}
	return goose.NewGoMigration(7, &goose.GoFunc{RunTx: up}, nil)
}

// usernamesAfter returns the new keys of the next accounts, by their ids, and the id to go on after; it is empty
// when there are no more accounts.
func (db *DB) usernamesAfter(ctx context.Context, tx *sql.Tx, after string) (keys map[string]string, last string, err error) {
	rows, err := tx.QueryContext(ctx, db.sqlx.Rebind(`
		select id, username, username_key from accounts where id > ? order by id limit ?`), after, usernamesAtOnce)
	if err != nil {
		return nil, "", fmt.Errorf("read user names: %w", err)
	}
	defer rows.Close()
	keys = map[string]string{}
	for rows.Next() {
		var name, key string
		if err := rows.Scan(&last, &name, &key); err != nil {
			return nil, "", fmt.Errorf("read user names: %w", err)
		}
		if _, canonical, ok := accounts.CanonicalUsername(name); ok && canonical != key {
			keys[last] = canonical
		}
	}
	return keys, last, rows.Err()
}

// seen returns the step that has every account count as seen now. How long the accounts of an older version have not
// been used is unknown, and a code must not stop to open those that are used every day.
func (db *DB) seen() *goose.Migration {
	up := func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, db.sqlx.Rebind("update accounts set seen_at = ? where seen_at is null"), at(time.Now()))
		if err != nil {
			return fmt.Errorf("note accounts as seen: %w", err)
		}
		return nil
	}
	return goose.NewGoMigration(10, &goose.GoFunc{RunTx: up}, nil)
}
