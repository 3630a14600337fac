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
	"usher/verify"
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
	w := writing{consents: consents, note: noted(audit.ConsentGiven, fieldsOf(consents)...)}
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
	w := writing{withdrawn: document, withdrawnAt: at(when), note: noted(audit.ConsentWithdrawn, accounts.Field(document))}
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

// Export implements accounts.Store.
func (a *Accounts) Export(ctx context.Context, account accounts.Account, most int) (accounts.Export, error) {
	export := accounts.Export{Consents: []accounts.Consent{}, Messages: []accounts.ExportedMessage{}, Audit: []audit.Record{}}
	slow := a.db.slowly()
	var consents []struct {
		Document    accounts.Document `db:"document"`
		Version     string            `db:"version"`
		Language    string            `db:"language"`
		RequestID   string            `db:"request_id"`
		AgreedAt    Stamp             `db:"agreed_at"`
		WithdrawnAt Stamp             `db:"withdrawn_at"`
	}
	err := slow.list(ctx, &consents, `select document, version, language, request_id, agreed_at, withdrawn_at
		from consents where account_id = ? order by agreed_at desc, id desc limit ?`, account.ID, most)
	if err != nil {
		return accounts.Export{}, store.Wrap("export consents", err)
	}
	for _, c := range consents {
		export.Consents = append(export.Consents, accounts.Consent{
			Document: c.Document, Version: c.Version, Language: c.Language, RequestID: c.RequestID,
			AgreedAt: c.AgreedAt.Time, WithdrawnAt: c.WithdrawnAt.Time,
		})
	}
	if export.Messages, err = a.exportMessages(ctx, account, most); err != nil {
		return accounts.Export{}, err
	}
	records, err := NewAudit(a.db, time.Now).List(ctx, audit.Filter{Actor: account.ID, Limit: most})
	export.Audit = append(export.Audit, records...)
	return export, err
}

// exportMessages returns the newest mails of an account and codes to its number and address.
func (a *Accounts) exportMessages(ctx context.Context, account accounts.Account, most int) ([]accounts.ExportedMessage, error) {
	condition, args := "account_id = ?", []any{account.ID}
	for _, to := range []verify.Recipient{account.Mobile, account.Email} {
		if !to.IsZero() {
			subject := verify.SubjectFor(a.keys, to)
			condition += fmt.Sprintf(" or to_masked = ? and "+ofCode+" and substr(id, 1, %d) = ?", len(subject))
			args = append(args, to.String(), subject)
		}
	}
	var rows []Message
	err := a.db.slowly().list(ctx, &rows, "select "+messageColumns+" from messages where "+condition+
		" order by created_at desc, id desc limit ?", append(args, most)...)
	if err != nil {
		return nil, store.Wrap("export messages", err)
	}
	list := make([]accounts.ExportedMessage, len(rows))
	for i, m := range rows {
		list[i] = accounts.ExportedMessage{
			ID: m.ID, Channel: string(m.Channel), Purpose: m.Purpose, To: m.To, State: string(m.State),
			CreatedAt: m.CreatedAt.Time, DeliveredAt: m.DeliveredAt.Time,
		}
	}
	return list, nil
}
