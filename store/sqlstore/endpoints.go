package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/events"
	"usher/secrets"
	"usher/store"
	"usher/webhooks"
)

// Events keeps the endpoints, the events and their deliveries. It is safe for concurrent use; make it with [NewEvents].
type Events struct {
	db   *DB
	keys *secrets.Keys
	now  func() time.Time
}

// NewEvents returns the events in db. The keys seal the secrets of endpoints.
func NewEvents(db *DB, keys *secrets.Keys, now func() time.Time) *Events {
	return &Events{db.slowly(), keys, now}
}

// sealEndpoint is the context in which the secrets of an endpoint are sealed.
const sealEndpoint = "endpoints.secret/"

type endpointRow struct {
	ID             string `db:"id"`
	URL            string `db:"url"`
	Types          string `db:"types"`
	SecretSealed   string `db:"secret_sealed"`
	RotatedAt      Stamp  `db:"rotated_at"`
	Failures       int    `db:"failures"`
	FailingSince   Stamp  `db:"failing_since"`
	PausedUntil    Stamp  `db:"paused_until"`
	DisabledAt     Stamp  `db:"disabled_at"`
	DisabledReason string `db:"disabled_reason"`
	CreatedAt      Stamp  `db:"created_at"`
}

const endpointColumns = `id, url, types, secret_sealed, rotated_at, failures, failing_since, paused_until, disabled_at, disabled_reason,
	created_at`

func (r endpointRow) endpoint() events.Endpoint {
	types, _ := events.ParseTypes(strings.Trim(r.Types, ",")) // a type of a later version is not shown
	return events.Endpoint{
		ID: r.ID, URL: r.URL, Types: types, CreatedAt: r.CreatedAt.Time, Failures: r.Failures, FailingSince: r.FailingSince.Time,
		PausedUntil: r.PausedUntil.Time, DisabledAt: r.DisabledAt.Time, Reason: r.DisabledReason,
	}
}

// AddEndpoint stores an endpoint, which gets the events of everything that begins from now on, and returns its id. The secret is
// one of events.NewSecret, or a private key of webhooks.NewPrivateKey.
func (e *Events) AddEndpoint(ctx context.Context, url string, types []events.Type, secret string) (id string, err error) {
	id = events.NewEndpointID()
	list, now := events.JoinTypes(types), at(e.now())
	if list != "" {
		list = "," + list
	}
	_, err = e.db.exec(ctx, `
		insert into endpoints (id, url, types, secret_sealed, created_at, updated_at) values (?, ?, ?, ?, ?, ?)`,
		id, url, list+",", e.keys.Seal(secret, sealEndpoint+id), now, now)
	return id, store.Wrap("add endpoint", err)
}

// Endpoints returns all endpoints, the oldest first.
func (e *Events) Endpoints(ctx context.Context) ([]events.Endpoint, error) {
	var rows []endpointRow
	if err := e.db.list(ctx, &rows, "select "+endpointColumns+" from endpoints order by created_at, id"); err != nil {
		return nil, fmt.Errorf("list endpoints: %w", err)
	}
	list := make([]events.Endpoint, 0, len(rows))
	for _, row := range rows {
		list = append(list, row.endpoint())
	}
	return list, nil
}

// DisableEndpoint makes an endpoint get no more events. What waits for it stays, and is delivered when it is enabled soon.
func (e *Events) DisableEndpoint(ctx context.Context, id string) error {
	now := at(e.now())
	return e.changeEndpoint(ctx, "disable endpoint", `
		disabled_at = coalesce(disabled_at, ?), disabled_reason = case disabled_reason when '' then 'operator' else disabled_reason end,
		updated_at = ? where id = ?`, now, now, id)
}

// EnableEndpoint lets an endpoint get events again, and forgets its failures.
func (e *Events) EnableEndpoint(ctx context.Context, id string) error {
	return e.changeEndpoint(ctx, "enable endpoint", `
		disabled_at = null, disabled_reason = '', failures = 0, failing_since = null, paused_until = null, updated_at = ?
		where id = ?`, at(e.now()), id)
}

// RemoveEndpoint deletes an endpoint with its secret and its deliveries. What a worker is sending to it at this moment still arrives.
func (e *Events) RemoveEndpoint(ctx context.Context, id string) error {
	err := e.db.inTx(ctx, func(tx *sqlx.Tx) error {
		var found string
		err := tx.GetContext(ctx, &found, tx.Rebind("delete from endpoints where id = ? returning id"), id)
		if errors.Is(err, sql.ErrNoRows) {
			return events.ErrNotFound
		}
		return errors.Join(err, execTx(ctx, tx, "delete from deliveries where endpoint_id = ?", id))
	})
	return store.Wrap("remove endpoint", err)
}

// EndpointSigners returns the address of an endpoint and the keys that sign for it now.
func (e *Events) EndpointSigners(ctx context.Context, id string) (url string, keys webhooks.Keys, err error) {
	var row endpointRow
	err = e.db.get(ctx, &row, "select "+endpointColumns+" from endpoints where id = ?", id)
	if errors.Is(err, sql.ErrNoRows) {
		err = events.ErrNotFound
	}
	if err != nil {
		return "", webhooks.Keys{}, fmt.Errorf("find endpoint: %w", err)
	}
	keys, err = e.signers(id, row.SecretSealed, row.RotatedAt)
	return row.URL, keys, err
}

// changeEndpoint changes one endpoint as the statement after "update endpoints set" says, or returns events.ErrNotFound.
func (e *Events) changeEndpoint(ctx context.Context, operation, statement string, args ...any) error {
	n, err := e.db.exec(ctx, "update endpoints set "+statement, args...)
	if err == nil && n == 0 {
		err = events.ErrNotFound
	}
	return store.Wrap(operation, err)
}

// RotateEndpoint gives an endpoint a new secret of the same kind and returns it. For [events.SecretOverlap] the former secret signs as well.
func (e *Events) RotateEndpoint(ctx context.Context, id string) (string, error) {
	var row endpointRow
	err := e.db.get(ctx, &row, "select "+endpointColumns+" from endpoints where id = ?", id)
	if errors.Is(err, sql.ErrNoRows) {
		err = events.ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("find endpoint: %w", err)
	}
	former, err := e.keys.Open(row.SecretSealed, sealEndpoint+id)
	if err != nil {
		return "", fmt.Errorf("open secret of endpoint %s: %w", id, err)
	}
	newest, _, _ := strings.Cut(former, ",")
	secret, now := events.NextSecret(newest), at(e.now())
	err = e.changeEndpoint(ctx, "rotate endpoint", "secret_sealed = ?, rotated_at = ?, updated_at = ? where id = ? and secret_sealed = ?",
		e.keys.Seal(secret+","+newest, sealEndpoint+id), now, now, id, row.SecretSealed)
	return secret, err
}

// signers opens the secrets that sign at the time, the newest first.
func (e *Events) signers(id, sealed string, rotatedAt Stamp) (webhooks.Keys, error) {
	text, err := e.keys.Open(sealed, sealEndpoint+id)
	if err != nil {
		return webhooks.Keys{}, fmt.Errorf("open secret of endpoint %s: %w", id, err)
	}
	if !rotatedAt.IsZero() && e.now().Sub(rotatedAt.Time) >= events.SecretOverlap {
		text, _, _ = strings.Cut(text, ",")
	}
	return webhooks.ParseSigningKeys(text)
}
