package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/pressly/goose/v3"

	"usher/store"
)

// ownedMails is the constraint that a mail has an account, as an older version has written it. A code by mail has none, like a code
// by SMS.
const ownedMails = "constraint messages_owner check (channel <> 'email' or account_id is not null),"

// ownerlessMails returns the migration that drops [ownedMails]. SQLite cannot drop a constraint: there the table is copied into one
// without it.
func (db *DB) ownerlessMails() *goose.Migration {
	up := func(ctx context.Context, tx *sql.Tx) error {
		if db.dialect == onPostgres {
			_, err := tx.ExecContext(ctx, "alter table messages drop constraint if exists messages_owner")
			return store.Wrap("drop constraint", err)
		}
		return copyWithout(ctx, tx, "messages", ownedMails)
	}
	return goose.NewGoMigration(17, &goose.GoFunc{RunTx: up}, nil)
}

// copyWithout replaces a table of SQLite by a copy whose definition lacks a text. The indexes are made again.
func copyWithout(ctx context.Context, tx *sql.Tx, table, text string) error {
	var definition string
	err := tx.QueryRowContext(ctx, "select sql from sqlite_schema where type = 'table' and name = ?", table).Scan(&definition)
	if err != nil {
		return fmt.Errorf("read definition of %s: %w", table, err)
	}
	if !strings.Contains(definition, text) {
		return nil
	}
	indexes, err := indexesOf(ctx, tx, table)
	if err != nil {
		return fmt.Errorf("read indexes of %s: %w", table, err)
	}
	columns, ok := strings.CutPrefix(strings.Replace(definition, text, "", 1), "CREATE TABLE "+table)
	if !ok {
		return errors.New("definition of " + table + " does not begin as expected")
	}
	steps := append([]string{
		"create table " + table + "_copy" + columns,
		"insert into " + table + "_copy select * from " + table,
		"drop table " + table,
		"alter table " + table + "_copy rename to " + table,
	}, indexes...)
	for _, step := range steps {
		if _, err := tx.ExecContext(ctx, step); err != nil {
			return fmt.Errorf("copy %s: %w", table, err)
		}
	}
	return nil
}

// indexesOf returns the statements that make the indexes of a table, without those that SQLite makes itself.
func indexesOf(ctx context.Context, tx *sql.Tx, table string) ([]string, error) {
	rows, err := tx.QueryContext(ctx, "select sql from sqlite_schema where type = 'index' and tbl_name = ? and sql is not null", table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var statements []string
	for rows.Next() {
		var statement string
		if err := rows.Scan(&statement); err != nil {
			return nil, err
		}
		statements = append(statements, statement)
	}
	return statements, rows.Err()
}
