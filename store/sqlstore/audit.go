package sqlstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/accounts"
	"usher/audit"
	"usher/store"
)

// note is what the audit records of a change of one account.
type note struct {
	action audit.Action
	fields []accounts.Field
}

// noted returns the note of an action that changes fields.
func noted(action audit.Action, fields ...accounts.Field) note { return note{action, fields} }

// auditRow is a row of audit.
type auditRow struct {
	ID        string       `db:"id"`
	At        Stamp        `db:"occurred_at"`
	Kind      audit.Kind   `db:"actor_kind"`
	Actor     string       `db:"actor"`
	Action    audit.Action `db:"action"`
	AccountID string       `db:"account_id"`
	Fields    string       `db:"fields"`
	Reason    string       `db:"reason"`
	RequestID string       `db:"request_id"`
	Network   string       `db:"network"`
}

const auditColumns = "id, occurred_at, actor_kind, actor, action, account_id, fields, reason, request_id, network"

var insertAudit = "insert into audit (" + auditColumns + ") values (" + named(auditColumns) + ")"

func newAuditRow(r audit.Record) auditRow {
	return auditRow{
		ID: r.ID, At: at(r.At), Kind: r.Cause.Kind, Actor: r.Cause.Actor, Action: r.Action, AccountID: r.AccountID,
		Fields: strings.Join(r.Fields, ","), Reason: r.Cause.Reason, RequestID: r.Cause.RequestID, Network: r.Cause.Network,
	}
}

func (r auditRow) record() audit.Record {
	var fields []string
	if r.Fields != "" {
		fields = strings.Split(r.Fields, ",")
	}
	return audit.Record{
		ID: r.ID, At: r.At.Time, Action: r.Action, AccountID: r.AccountID, Fields: fields,
		Cause: audit.Cause{Kind: r.Kind, Actor: r.Actor, Reason: r.Reason, RequestID: r.RequestID, Network: r.Network},
	}
}

// record writes to the audit what a transaction has changed of the accounts. The cause is that of the context.
func record(ctx context.Context, tx *sqlx.Tx, when Stamp, n note, accountIDs ...string) error {
	if n.action == "" || len(accountIDs) == 0 {
		return nil
	}
	fields := make([]string, len(n.fields))
	for i, field := range n.fields {
		fields[i] = string(field)
	}
	rows := make([]auditRow, len(accountIDs))
	for i, id := range accountIDs {
		rows[i] = newAuditRow(audit.New(ctx, when.Time, n.action, id, fields...))
	}
	query, args, err := sqlx.Named(insertAudit, rows)
	if err != nil {
		return err
	}
	return execTx(ctx, tx, query, args...)
}

// Audit implements accounts.Store.
func (a *Accounts) Audit(ctx context.Context, r audit.Record) error {
	row := newAuditRow(r)
	_, err := a.db.exec(ctx, "insert into audit ("+auditColumns+") values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		row.ID, row.At, row.Kind, row.Actor, row.Action, row.AccountID, row.Fields, row.Reason, row.RequestID, row.Network)
	return store.Wrap("write audit", err)
}

// Audit reads and prunes the audit. It is safe for concurrent use; make it with [NewAudit].
type Audit struct {
	db  *DB
	now func() time.Time
}

// NewAudit returns the audit in db.
func NewAudit(db *DB, now func() time.Time) *Audit { return &Audit{db.slowly(), now} }

// List returns the newest records that the filter selects, the newest first.
func (a *Audit) List(ctx context.Context, f audit.Filter) ([]audit.Record, error) {
	conditions, args := []string{"true"}, []any{}
	for _, c := range []struct {
		condition string
		value     string
	}{
		{"account_id <> '' and account_id = ?", f.AccountID},
		{"actor <> '' and actor = ?", f.Actor},
		{"id < ?", f.After},
	} {
		if c.value != "" {
			conditions, args = append(conditions, c.condition), append(args, c.value)
		}
	}
	if !f.Since.IsZero() {
		conditions, args = append(conditions, "occurred_at >= ?"), append(args, at(f.Since))
	}
	if f.NoLooks {
		looks := audit.Looks()
		conditions = append(conditions, "action not in (?"+strings.Repeat(", ?", len(looks)-1)+")")
		for _, look := range looks {
			args = append(args, string(look))
		}
	}
	var rows []auditRow
	err := a.db.listOnce(ctx, &rows, "select "+auditColumns+" from audit where "+strings.Join(conditions, " and ")+
		" order by id desc limit ?", append(args, min(max(f.Limit, 1), ListMost))...)
	if err != nil {
		return nil, fmt.Errorf("list audit: %w", err)
	}
	list := make([]audit.Record, len(rows))
	for i, row := range rows {
		list[i] = row.record()
	}
	return list, nil
}

// Prune deletes the records that are older than the retention and returns their number.
func (a *Audit) Prune(ctx context.Context, retention time.Duration) (int, error) {
	deleted, err := a.db.prune(ctx, pruning{"audit", "occurred_at", "true"}, a.now().Add(-retention))
	return deleted, store.Wrap("prune audit", err)
}
