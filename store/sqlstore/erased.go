package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/accounts"
	"usher/audit"
	"usher/events"
	"usher/store"
	"usher/verify"
)

const (
	sealErased    = "erased_accounts.remains/"
	indexUsername = "username"
)

// isHeld is the condition that an erased account had a user name until lately. Its argument is the name's keyed hash.
const isHeld = "exists (select 1 from erased_accounts where name_hash = ?)"

// Erase implements accounts.Store.
func (a *Accounts) Erase(ctx context.Context, id string, when time.Time) (accounts.Erased, error) {
	erased, err := a.eraseWhere(ctx, when, "id = ?", id)
	if errors.Is(err, accounts.ErrNotFound) {
		return a.erasedBefore(ctx, id)
	}
	return erased, err
}

// isDue is the condition that an account is to be erased by a time, which is its argument.
const isDue = "delete_at <= ? and blocked_at is null"

// EraseDue implements accounts.Store.
func (a *Accounts) EraseDue(ctx context.Context, id string, when time.Time) (accounts.Erased, error) {
	return a.eraseWhere(ctx, when, "id = ? and "+isDue, id, at(when))
}

// DueDeletions implements accounts.Store.
func (a *Accounts) DueDeletions(ctx context.Context, when time.Time, limit int) ([]string, error) {
	var ids []string
	err := a.db.slowly().list(ctx, &ids, "select id from accounts where "+isDue+" order by delete_at limit ?", at(when), limit)
	return ids, store.Wrap("find accounts to be erased", err)
}

// ScheduleDeletion implements accounts.Store.
func (a *Accounts) ScheduleDeletion(
	ctx context.Context, was accounts.Account, when, due time.Time, mail *accounts.Mail,
) (accounts.Account, error) {
	row, err := a.update(ctx, writing{mails: []*accounts.Mail{mail}, note: noted(audit.DeletionRequested)}, `
		set delete_at = ?, updated_at = ?, `+endSessions+`
		where id = ? and session_generation = ? and activation_generation = ?`,
		at(due), at(when), was.ID, was.SessionGeneration, was.ActivationGeneration)
	if errors.Is(err, sql.ErrNoRows) {
		return accounts.Account{}, accounts.ErrChanged
	}
	return a.found("schedule deletion", row, err)
}

// KeepAccount implements accounts.Store.
func (a *Accounts) KeepAccount(ctx context.Context, id string, when time.Time) (bool, error) {
	_, err := a.update(ctx, writing{note: noted(audit.DeletionTakenBack)}, "set delete_at = null, updated_at = ? where id = ?", at(when), id)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, store.Wrap("keep account", err)
}

// eraseWhere erases the account that meets the condition, or returns accounts.ErrNotFound.
func (a *Accounts) eraseWhere(ctx context.Context, when time.Time, condition string, args ...any) (erased accounts.Erased, err error) {
	err = a.db.slowly().inTx(ctx, func(tx *sqlx.Tx) error {
		var row accountRow
		err := tx.GetContext(ctx, &row, tx.Rebind("select "+withEndpoints+" from accounts where "+condition+" "+a.db.dialect.forUpdate()), args...)
		if err != nil {
			return err
		}
		if err := a.keepsSuperuser(ctx, tx, row); err != nil {
			return err
		}
		erased, err = a.erase(ctx, tx, row, when, true)
		return err
	})
	if err != nil {
		return accounts.Erased{}, accountError("erase account", err)
	}
	return a.withoutHeld(ctx, erased)
}

// withoutHeld removes the contacts that another account has.
func (a *Accounts) withoutHeld(ctx context.Context, erased accounts.Erased) (accounts.Erased, error) {
	var errs []error
	for by, list := range map[accounts.By]*[]string{accounts.ByMobile: &erased.Mobiles, accounts.ByEmail: &erased.Emails} {
		*list = slices.DeleteFunc(*list, func(full string) bool {
			held, err := a.Exists(ctx, accounts.Key{By: by, Value: full})
			errs = append(errs, err)
			return held
		})
	}
	if erased.Unproved != "" {
		held, err := a.Exists(ctx, accounts.Key{By: accounts.ByEmail, Value: erased.Unproved})
		if held {
			erased.Unproved = ""
		}
		errs = append(errs, err)
	}
	return erased, errors.Join(errs...)
}

// erase deletes an account whose row the transaction has locked, with all that names its id. It keeps what is needed to delete
// the rest, and the user name if it is to be held. The messages are deleted in the order in which workers claim them, so that
// the transactions do not deadlock.
func (a *Accounts) erase(
	ctx context.Context, tx *sqlx.Tx, row accountRow, when time.Time, hold bool,
) (accounts.Erased, error) {
	erased, err := a.remainsOf(ctx, tx, row)
	if err != nil {
		return accounts.Erased{}, err
	}
	if err := tell(ctx, tx, row, at(when), fact{event: events.AccountDeleted}); err != nil {
		return accounts.Erased{}, err
	}
	err = tx.SelectContext(ctx, &erased.Mails, tx.Rebind("delete from messages where id in (select id from messages where account_id = ? order by id "+
		a.db.dialect.forUpdate()+") returning id"), row.ID)
	if err != nil {
		return accounts.Erased{}, err
	}
	for _, table := range []string{"account_changes", "consents"} {
		if err := execTx(ctx, tx, "delete from "+table+" where account_id = ?", row.ID); err != nil {
			return accounts.Erased{}, err
		}
	}
	remains, err := json.Marshal(erased)
	if err != nil {
		return accounts.Erased{}, err
	}
	var name *string
	if hold && row.Username != "" {
		hash := a.keys.Index(indexUsername, row.UsernameKey)
		name = &hash
	}
	erased.ID, erased.At = row.ID, at(when).Time
	return erased, errors.Join(
		record(ctx, tx, at(when), noted(audit.AccountDeleted), row.ID),
		execTx(ctx, tx, "insert into erased_accounts (id, name_hash, remains_sealed, erased_at) values (?, ?, ?, ?)",
			row.ID, name, a.keys.Seal(string(remains), sealErased+row.ID), at(when)),
		execTx(ctx, tx, "delete from accounts where id = ?", row.ID))
}

// remainsOf returns the contacts of an account and of its changes. A value that no configured key opens is left out: a lost
// key must not prevent the erasure.
func (a *Accounts) remainsOf(ctx context.Context, tx *sqlx.Tx, row accountRow) (accounts.Erased, error) {
	erased := accounts.Erased{Username: row.Username, Sessions: row.SessionGeneration}
	var former []contactsRow
	err := tx.SelectContext(ctx, &former, tx.Rebind("select "+contactColumns+" from account_changes where account_id = ?"), row.ID)
	if err != nil {
		return accounts.Erased{}, err
	}
	open := func(list *[]string, sealed *string, context string) {
		if sealed == nil {
			return
		}
		full, err := a.keys.Open(*sealed, context+row.ID)
		if err == nil && !slices.Contains(*list, full) {
			*list = append(*list, full)
		}
	}
	for _, contacts := range append(former, row.contactsRow) {
		open(&erased.Mobiles, contacts.MobileSealed, sealMobile)
		open(&erased.Emails, contacts.EmailSealed, sealEmail)
	}
	open(&erased.Mobiles, row.PendingMobileSealed, sealMobile)
	var unproved []string
	open(&unproved, row.PendingEmailSealed, sealEmail)
	if len(unproved) > 0 && !slices.Contains(erased.Emails, unproved[0]) {
		erased.Unproved = unproved[0]
	}
	return erased, nil
}

// erasedRow is a row of erased_accounts whose rest is not deleted yet.
type erasedRow struct {
	ID       string `db:"id"`
	Sealed   string `db:"remains_sealed"`
	ErasedAt Stamp  `db:"erased_at"`
}

const erasedColumns = "id, remains_sealed, erased_at"

// open returns what is needed to delete the rest.
func (a *Accounts) open(ctx context.Context, row erasedRow) (accounts.Erased, error) {
	erased := accounts.Erased{ID: row.ID, At: row.ErasedAt.Time}
	text, err := a.keys.Open(row.Sealed, sealErased+row.ID)
	if err == nil {
		err = json.Unmarshal([]byte(text), &erased)
	}
	if err != nil {
		return accounts.Erased{}, store.Wrap("open remains of an erased account", err)
	}
	return a.withoutHeld(ctx, erased)
}

// erasedBefore returns an account that is erased already.
func (a *Accounts) erasedBefore(ctx context.Context, id string) (accounts.Erased, error) {
	var row erasedRow
	err := a.db.get(ctx, &row, "select "+erasedColumns+" from erased_accounts where id = ? and remains_sealed is not null", id)
	if err != nil {
		return accounts.Erased{}, accountError("find erased account", err)
	}
	return a.open(ctx, row)
}

// ErasedRemains implements accounts.Store.
func (a *Accounts) ErasedRemains(ctx context.Context, before time.Time, limit int) ([]accounts.Erased, error) {
	var rows []erasedRow
	err := a.db.slowly().list(ctx, &rows, "select "+erasedColumns+` from erased_accounts
		where remains_sealed is not null and (forgotten_at is null or erased_at <= ?) order by erased_at limit ?`, at(before), limit)
	if err != nil {
		return nil, fmt.Errorf("find erased accounts: %w", err)
	}
	list, errs := make([]accounts.Erased, 0, len(rows)), []error(nil)
	for _, row := range rows {
		erased, err := a.open(ctx, row)
		if err != nil { // a secret key is missing; the others need not wait for it
			errs = append(errs, err)
			continue
		}
		list = append(list, erased)
	}
	return list, errors.Join(errs...)
}

// MarkForgotten implements accounts.Store.
func (a *Accounts) MarkForgotten(ctx context.Context, erased []accounts.Erased, when, before time.Time) error {
	ids := make([]string, len(erased))
	for i, e := range erased {
		ids[i] = e.ID
	}
	err := a.db.slowly().inTx(ctx, func(tx *sqlx.Tx) error {
		return execIn(ctx, tx, `update erased_accounts set forgotten_at = coalesce(forgotten_at, ?),
			remains_sealed = case when erased_at <= ? then null else remains_sealed end where id in (?)`, ids, at(when), at(before))
	})
	if err == nil && a.db.dialect == onSQLite {
		err = emptyLog(ctx, a.db)
	}
	return store.Wrap("mark erased accounts", err)
}

// FreeNames implements accounts.Store.
func (a *Accounts) FreeNames(ctx context.Context, before time.Time) error {
	_, err := a.db.prune(ctx, pruning{"erased_accounts", "erased_at", "remains_sealed is null"}, before)
	if err == nil { // the rest of some is not deleted: only their names are free
		_, err = a.db.slowly().exec(ctx, "update erased_accounts set name_hash = null where erased_at <= ? and name_hash is not null", at(before))
	}
	return store.Wrap("free names of erased accounts", err)
}

// ForgetErased implements accounts.Store. The message of a code has no account: its id begins with the keyed hash of the number
// or address. Its events are found by its id.
func (a *Accounts) ForgetErased(ctx context.Context, erased []accounts.Erased) error {
	if err := a.forgetUses(ctx, erased); err != nil {
		return fmt.Errorf("forget uses of codes of erased accounts: %w", err)
	}
	for _, e := range erased {
		if err := a.db.slowly().inTx(ctx, func(tx *sqlx.Tx) error { return a.forgetOne(ctx, tx, e) }); err != nil {
			return fmt.Errorf("forget erased account: %w", err)
		}
	}
	return nil
}

// forgetUses deletes the uses of the accounts' codes and proofs, whose ids end with that of the code. It reads the whole table, so it
// does so once for all.
func (a *Accounts) forgetUses(ctx context.Context, erased []accounts.Erased) error {
	var subjects []string
	for _, e := range erased {
		for _, to := range e.Recipients() {
			subjects = append(subjects, verify.SubjectFor(a.keys, to))
		}
	}
	size := len(verify.NewID("")) // of the random half, which follows the subject
	return a.db.slowly().inTx(ctx, func(tx *sqlx.Tx) error {
		return execIn(ctx, tx, fmt.Sprintf("delete from spent where substr(id, length(id) - %d, %d) in (?)", 2*size-1, size), subjects)
	})
}

func (a *Accounts) forgetOne(ctx context.Context, tx *sqlx.Tx, e accounts.Erased) error {
	var told []string
	for _, to := range e.Recipients() {
		codes, err := a.forgetCodes(ctx, tx, to, "")
		if err != nil {
			return err
		}
		told = append(told, codes...)
	}
	if unproved := e.UnprovedEmail(); !unproved.IsZero() {
		codes, err := a.forgetCodes(ctx, tx, unproved, " and purpose not like 'app!_%' escape '!'") // those of apps may be about its owner
		if err != nil {
			return err
		}
		told = append(told, codes...)
	}
	var bounced []string
	for _, address := range e.Emails {
		bounced = append(bounced, a.keys.Index(indexEmail, address))
	}
	return errors.Join(
		execIn(ctx, tx, "delete from bounced_emails where email_key in (?)", bounced),
		a.emptyEvents(ctx, tx, "account_id = ? and account_id <> ''", e.ID),
		a.emptyEvents(ctx, tx, "id in (?)", told))
}

// forgetCodes deletes the messages of codes to a recipient that meet a further condition, and returns the ids of their events.
func (a *Accounts) forgetCodes(ctx context.Context, tx *sqlx.Tx, to verify.Recipient, condition string) (told []string, err error) {
	subject := verify.SubjectFor(a.keys, to)
	var codes []string
	err = tx.SelectContext(ctx, &codes, tx.Rebind("delete from messages where id in (select id from messages where to_masked = ? and "+ofCode+
		" and substr(id, 1, "+fmt.Sprint(len(subject))+") = ?"+condition+" order by id "+a.db.dialect.forUpdate()+") returning id"), to.String(), subject)
	for _, id := range codes {
		told = append(told, events.IDOf("undelivered", id), events.IDOf("approved", id))
	}
	return told, err
}

// emptyEvents removes masked numbers and addresses from the bodies of events. An endpoint that gets such an event later still
// learns that it happened.
func (a *Accounts) emptyEvents(ctx context.Context, tx *sqlx.Tx, condition string, arg any) error {
	if list, isList := arg.([]string); isList && len(list) == 0 {
		return nil
	}
	query, args, err := sqlx.In("select id, body from events where "+condition+" order by id "+a.db.dialect.forUpdate(), arg)
	if err != nil {
		return err
	}
	var rows []struct {
		ID   string `db:"id"`
		Body string `db:"body"`
	}
	if err := tx.SelectContext(ctx, &rows, tx.Rebind(query), args...); err != nil {
		return err
	}
	for _, row := range rows {
		body, err := events.WithoutContacts([]byte(row.Body))
		if err != nil {
			return err
		}
		if err := execTx(ctx, tx, "update events set body = ? where id = ?", string(body), row.ID); err != nil {
			return err
		}
	}
	return nil
}
