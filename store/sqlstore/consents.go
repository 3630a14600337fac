package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"usher/accounts"
	"usher/audit"
	"usher/store"
)

// consentColumns are the columns of accounts with the present state of a document.
var consentColumns = map[accounts.Document]string{accounts.Terms: "agreed_terms", accounts.Privacy: "agreed_privacy"}

// insertConsents stores consents of an account.
func insertConsents(ctx context.Context, tx *sqlx.Tx, id string, consents []accounts.Consent) error {
	for _, c := range consents {
		err := execTx(ctx, tx, `insert into consents (id, account_id, document, version, language, request_id, agreed_at)
			values (?, ?, ?, ?, ?, ?, ?)`,
			uuid.Must(uuid.NewV7()).String(), id, c.Document, c.Version, c.Language, c.RequestID, at(c.AgreedAt))
		if err != nil {
			return err
		}
	}
	return nil
}

// earlierConsent selects the consent of an account, by its id, to the terms from before the table of consents. It has no row.
const earlierConsent = `select id || '.terms' as id, id as account_id, 'terms' as document, agreed_terms as version, agreed_at from accounts
	where id = ? and agreed_at is not null and not exists (
		select 1 from consents where consents.account_id = accounts.id and consents.document = 'terms')`

// keepEarlierConsent stores that consent before a change overwrites its columns. Of parallel changes one stores it.
func keepEarlierConsent(ctx context.Context, tx *sqlx.Tx, id string) error {
	if id == "" {
		return nil
	}
	return execTx(ctx, tx, "insert into consents (id, account_id, document, version, agreed_at) "+earlierConsent+" on conflict do nothing", id)
}

// Agree implements accounts.Store.
func (a *Accounts) Agree(ctx context.Context, id string, consents []accounts.Consent) (accounts.Account, error) {
	set, args := "set updated_at = updated_at", []any{}
	for _, c := range consents {
		set += ", " + consentColumns[c.Document] + " = ?"
		args = append(args, c.Version)
		if c.Document == accounts.Terms {
			set += ", agreed_at = ?"
			args = append(args, at(c.AgreedAt))
		}
	}
	w := writing{consents: consents, consentsOf: id, note: noted(audit.ConsentGiven, fieldsOf(consents)...)}
	row, err := a.update(ctx, w, set+" where id = ?", append(args, id)...)
	return a.found("agree", row, err)
}

func fieldsOf(consents []accounts.Consent) []accounts.Field {
	var fields []accounts.Field
	for _, c := range consents {
		fields = append(fields, accounts.Field(c.Document))
	}
	return fields
}

// Withdraw implements accounts.Store.
func (a *Accounts) Withdraw(ctx context.Context, id string, document accounts.Document, when time.Time) (accounts.Account, error) {
	column, known := consentColumns[document]
	if !known {
		return accounts.Account{}, fmt.Errorf("withdraw consent: no document %q", document)
	}
	w := writing{withdrawn: document, withdrawnAt: at(when), consentsOf: id, note: noted(audit.ConsentWithdrawn, accounts.Field(document))}
	row, err := a.update(ctx, w, "set "+column+" = '', updated_at = ? where id = ?", at(when), id)
	return a.found("withdraw consent", row, err)
}

// withdraw ends the consents of an account to a document.
func withdraw(ctx context.Context, tx *sqlx.Tx, id string, w writing) error {
	if w.withdrawn == "" {
		return nil
	}
	return execTx(ctx, tx, "update consents set withdrawn_at = ? where account_id = ? and document = ? and withdrawn_at is null",
		w.withdrawnAt, id, w.withdrawn)
}

// consentRow is a row of consents.
type consentRow struct {
	Document    accounts.Document `db:"document"`
	Version     string            `db:"version"`
	Language    string            `db:"language"`
	RequestID   string            `db:"request_id"`
	AgreedAt    Stamp             `db:"agreed_at"`
	WithdrawnAt Stamp             `db:"withdrawn_at"`
}

// Consents implements accounts.Store.
func (a *Accounts) Consents(ctx context.Context, id string, limit int) ([]accounts.Consent, error) {
	var rows, earlier []consentRow
	err := a.db.list(ctx, &rows, `select document, version, language, request_id, agreed_at, withdrawn_at
		from consents where account_id = ? order by agreed_at desc, id desc limit ?`, id, limit)
	if err == nil && len(rows) < limit {
		err = a.db.list(ctx, &earlier, "select document, version, agreed_at from ("+earlierConsent+") as earlier", id)
	}
	if err != nil {
		return nil, store.Wrap("list consents", err)
	}
	rows = append(rows, earlier...) // it is the oldest
	list := make([]accounts.Consent, len(rows))
	for i, c := range rows {
		list[i] = accounts.Consent{
			Document: c.Document, Version: c.Version, Language: c.Language, RequestID: c.RequestID,
			AgreedAt: c.AgreedAt.Time, WithdrawnAt: c.WithdrawnAt.Time,
		}
	}
	return list, nil
}

// Export implements accounts.Store. The messages are those that administrators see: codes from before the account has the
// contact may have been another person's.
func (a *Accounts) Export(ctx context.Context, account accounts.Account, most int) (accounts.Export, error) {
	d := Directory{a, NewAudit(a.db, time.Now)}
	consents, err := a.Consents(ctx, account.ID, most)
	if err != nil {
		return accounts.Export{}, err
	}
	sent, err := d.Messages(ctx, account, "", most)
	if err != nil {
		return accounts.Export{}, err
	}
	records, err := d.audit.List(ctx, audit.Filter{Actor: account.ID, Limit: most})
	if err != nil {
		return accounts.Export{}, err
	}
	export := accounts.Export{
		Consents: consents, Messages: make([]accounts.ExportedMessage, len(sent)), Audit: append([]audit.Record{}, records...),
	}
	for i, m := range sent {
		export.Messages[i] = accounts.ExportedMessage{
			ID: m.ID, Channel: string(m.Channel), Purpose: m.Purpose, To: m.To, State: string(m.State),
			CreatedAt: m.CreatedAt, DeliveredAt: m.DeliveredAt,
		}
	}
	return export, nil
}
