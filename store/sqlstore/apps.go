package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/apps"
	"usher/store"
)

// Apps keeps the services that call the API with keys of their own. It is safe for concurrent use.
type Apps struct{ db *DB }

var _ apps.Store = (*Apps)(nil)

// NewApps returns the apps in db.
func NewApps(db *DB) *Apps { return &Apps{db} }

// appRow is a row of the table apps.
type appRow struct {
	ID        string  `db:"id"`
	Name      string  `db:"name"`
	Scopes    string  `db:"scopes"`
	Rate      int     `db:"rate_per_minute"`
	Budget    float64 `db:"budget_yuan"`
	Regions   string  `db:"regions"`
	CreatedAt Stamp   `db:"created_at"`
}

func (r appRow) app() apps.App {
	app := apps.App{
		ID: r.ID, Name: r.Name, Limits: apps.Limits{Rate: r.Rate, BudgetYuan: r.Budget}, CreatedAt: r.CreatedAt.Time,
	}
	for scope := range strings.SplitSeq(r.Scopes, ",") {
		app.Scopes = append(app.Scopes, apps.Scope(scope))
	}
	if r.Regions != "" {
		app.Limits.Regions = strings.Split(r.Regions, ",")
	}
	return app
}

// keyRow is a row of the table app_keys.
type keyRow struct {
	ID         string `db:"id"`
	AppID      string `db:"app_id"`
	Hash       string `db:"hash"`
	CreatedAt  Stamp  `db:"created_at"`
	RevokedAt  Stamp  `db:"revoked_at"`
	LastUsedAt Stamp  `db:"last_used_at"`
}

func (r keyRow) key() apps.Key {
	return apps.Key{
		ID: r.ID, AppID: r.AppID, Hash: r.Hash, CreatedAt: r.CreatedAt.Time, RevokedAt: r.RevokedAt.Time, LastUsedAt: r.LastUsedAt.Time,
	}
}

// Create stores a new app with its first key.
func (a *Apps) Create(ctx context.Context, app apps.App, key apps.Key) error {
	scopes := make([]string, len(app.Scopes))
	for i, scope := range app.Scopes {
		scopes[i] = string(scope)
	}
	err := a.db.inTx(ctx, func(tx *sqlx.Tx) error {
		err := execTx(ctx, tx, `insert into apps (id, name, scopes, rate_per_minute, budget_yuan, regions, created_at)
			values (?, ?, ?, ?, ?, ?, ?)`, app.ID, app.Name, strings.Join(scopes, ","), app.Limits.Rate, app.Limits.BudgetYuan,
			strings.Join(app.Limits.Regions, ","), at(app.CreatedAt))
		if err != nil {
			return err
		}
		return insertKey(ctx, tx, key)
	})
	return store.Wrap("store app", err)
}

func insertKey(ctx context.Context, tx *sqlx.Tx, key apps.Key) error {
	return execTx(ctx, tx, "insert into app_keys (id, app_id, hash, created_at) values (?, ?, ?, ?)",
		key.ID, key.AppID, key.Hash, at(key.CreatedAt))
}

// AddKey stores another key of an app. It returns [apps.ErrNotFound] for an unknown app and [apps.ErrTwoKeys] when [apps.MaxKeys] of
// its keys are valid.
func (a *Apps) AddKey(ctx context.Context, key apps.Key) error {
	err := a.db.inTx(ctx, func(tx *sqlx.Tx) error {
		// The change of the row lets two calls for one app follow each other.
		found, err := changedBy(tx.ExecContext(ctx, tx.Rebind("update apps set name = name where id = ?"), key.AppID))
		if err != nil {
			return err
		}
		if found == 0 {
			return apps.ErrNotFound
		}
		var valid int
		err = tx.GetContext(ctx, &valid, tx.Rebind("select count(*) from app_keys where app_id = ? and revoked_at is null"), key.AppID)
		if err != nil {
			return err
		}
		if valid >= apps.MaxKeys {
			return apps.ErrTwoKeys
		}
		return insertKey(ctx, tx, key)
	})
	return store.Wrap("store app key", err)
}

// Revoke revokes the key with this id, or all keys of the app with this id, and returns how many were valid. It returns
// [apps.ErrNotFound] when there is neither.
func (a *Apps) Revoke(ctx context.Context, id string, now time.Time) (revoked int, err error) {
	revoked, err = a.db.exec(ctx, "update app_keys set revoked_at = ? where (id = ? or app_id = ?) and revoked_at is null", at(now), id, id)
	if err != nil || revoked > 0 {
		return revoked, store.Wrap("revoke app key", err)
	}
	var known int
	err = a.db.get(ctx, &known, "select count(*) from app_keys where id = ? or app_id = ?", id, id)
	if err == nil && known == 0 {
		err = apps.ErrNotFound
	}
	return 0, store.Wrap("revoke app key", err)
}

// Find implements [apps.Store].
func (a *Apps) Find(ctx context.Context, keyID string) (apps.App, apps.Key, error) {
	var row struct {
		appRow

		Key keyRow `db:"key"`
	}
	err := a.db.get(ctx, &row, `select apps.*, app_keys.id as "key.id", app_keys.app_id as "key.app_id", app_keys.hash as "key.hash",
			app_keys.created_at as "key.created_at", app_keys.revoked_at as "key.revoked_at", app_keys.last_used_at as "key.last_used_at"
		from app_keys join apps on apps.id = app_keys.app_id where app_keys.id = ?`, keyID)
	if errors.Is(err, sql.ErrNoRows) {
		err = apps.ErrNotFound
	}
	return row.app(), row.Key.key(), store.Wrap("find app key", err)
}

// Used implements [apps.Store].
func (a *Apps) Used(ctx context.Context, keyID string, hour time.Time) error {
	_, err := a.db.exec(ctx, "update app_keys set last_used_at = ? where id = ? and (last_used_at is null or last_used_at < ?)",
		at(hour), keyID, at(hour))
	return store.Wrap("note use of app key", err)
}

// AppKeys is an app with its keys, the oldest first.
type AppKeys struct {
	App  apps.App
	Keys []apps.Key
}

// List returns all apps with their keys, the oldest first.
func (a *Apps) List(ctx context.Context) ([]AppKeys, error) {
	var (
		rows []appRow
		keys []keyRow
	)
	// The keys come first: an app that is made in between is listed without its key.
	err := a.db.list(ctx, &keys, "select * from app_keys order by created_at, id")
	if err == nil {
		err = a.db.list(ctx, &rows, "select * from apps order by created_at, id")
	}
	if err != nil {
		return nil, store.Wrap("list apps", err)
	}
	list := make([]AppKeys, len(rows))
	for i, row := range rows {
		list[i].App = row.app()
		for _, key := range keys {
			if key.AppID == row.ID {
				list[i].Keys = append(list[i].Keys, key.key())
			}
		}
	}
	return list, nil
}
