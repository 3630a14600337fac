package accounts

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"usher/audit"
	"usher/contact"
	"usher/messages"
)

// Directory is what superusers, apps and operators read of accounts. The newest come first, and after is the cursor of the
// last one that the caller has; an empty one begins with the newest.
type Directory interface {
	// Accounts returns up to limit accounts. The cursor is the id.
	Accounts(ctx context.Context, after string, limit int) ([]Account, error)

	// Search returns up to limit accounts that have or claim the value, proved or not.
	Search(ctx context.Context, key Key, limit int) ([]Account, error)

	// Messages returns up to limit messages to the account: its mails, and the codes to its proved number or address since
	// the account has it. The cursor is that of [MessageCursor].
	Messages(ctx context.Context, account Account, after string, limit int) ([]messages.Record, error)

	// Records returns records of the audit.
	Records(ctx context.Context, filter audit.Filter) ([]audit.Record, error)

	// HasOtherSuperuser reports whether another account than this one is a superuser that can sign in and
	// stays: its owner has not asked for its deletion.
	HasOtherSuperuser(ctx context.Context, id string) (bool, error)
}

// MessageCursor returns the cursor of a message in a list of [Directory].Messages.
func MessageCursor(m messages.Record) string {
	return strconv.FormatInt(m.CreatedAt.UnixMicro(), 10) + "_" + m.ID
}

// FieldReason is why an administrator does something.
const FieldReason Field = "reason"

// ErrProtected means that the account is a superuser's, which an app may not change, nor the superuser itself, and that the last
// superuser stays.
var ErrProtected = errors.New("account of a superuser is protected")

// Administration looks accounts up and changes them for superusers, apps and operators. The cause in the context says which; it
// is recorded in the audit, also of a look-up: reading what belongs to a person needs an account of its own. All fields are
// needed; it is safe for concurrent use.
type Administration struct {
	*Service

	Directory Directory
}

const (
	// MaxPage is the most that a page of a list has.
	MaxPage = 100

	// maxFound bounds a search: many accounts may wait for the proof of one address.
	maxFound = 20
)

// List returns a page of accounts.
func (a *Administration) List(ctx context.Context, after string, limit int) ([]Account, error) {
	if err := a.read(ctx, audit.AccountsListed, ""); err != nil {
		return nil, err
	}
	return a.Directory.Accounts(ctx, after, limit)
}

// LookUp returns the accounts with this id, user name, number or address. A number or an address may be one that the account
// claims only.
func (a *Administration) LookUp(ctx context.Context, text string) ([]Account, error) {
	text = strings.TrimSpace(text)
	key := a.loginKey(text)
	if id, err := uuid.Parse(text); err == nil {
		key = Key{ByID, id.String()}
	}
	var found []Account
	if key.Value != "" {
		var err error
		if found, err = a.Directory.Search(ctx, key, maxFound); err != nil {
			return nil, err
		}
	}
	if len(found) == 0 {
		return nil, a.read(ctx, audit.AccountNotFound, "", Field(key.By))
	}
	for _, account := range found {
		if err := a.read(ctx, audit.AccountLookedUp, account.ID, Field(key.By)); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Show returns an account, or ErrNotFound.
func (a *Administration) Show(ctx context.Context, id string) (Account, error) {
	return a.show(ctx, id, audit.AccountLookedUp)
}

// Messages returns a page of the messages to the account, or ErrNotFound.
func (a *Administration) Messages(ctx context.Context, id, after string, limit int) ([]messages.Record, error) {
	account, err := a.show(ctx, id, audit.AccountMessagesRead)
	if err != nil {
		return nil, err
	}
	return a.Directory.Messages(ctx, account, after, limit)
}

// Records returns a page of the audit of the filter's account, which may have been deleted. There is none for what no account
// can have as its id, and the record of the look-up must not keep it: it may be a number or an address.
func (a *Administration) Records(ctx context.Context, filter audit.Filter) ([]audit.Record, error) {
	id := filter.AccountID
	if parsed, err := uuid.Parse(id); err != nil || parsed.String() != id {
		return nil, a.read(ctx, audit.AccountNotFound, "", Field(ByID))
	}
	if err := a.read(ctx, audit.AccountAuditRead, id); err != nil {
		return nil, err
	}
	return a.Directory.Records(ctx, filter)
}

// show returns an account after the record that it was read.
func (a *Administration) show(ctx context.Context, id string, action audit.Action) (Account, error) {
	account, err := a.Store.Find(ctx, Key{ByID, id})
	if errors.Is(err, ErrNotFound) {
		return Account{}, errors.Join(err, a.read(ctx, audit.AccountNotFound, "", Field(ByID)))
	}
	if err == nil {
		err = a.read(ctx, action, account.ID)
	}
	if err != nil {
		return Account{}, err
	}
	return account, nil
}

// read records that something of an account was read. What is not recorded is not shown.
func (a *Administration) read(ctx context.Context, action audit.Action, id string, by ...Field) error {
	fields := make([]string, len(by))
	for i, field := range by {
		fields[i] = string(field)
	}
	return a.Store.Audit(ctx, audit.New(ctx, a.Now(), action, id, fields...))
}

// Block is [Service.Block] within the rules for administrators: the cause has a reason, and superusers are protected.
func (a *Administration) Block(ctx context.Context, id string) (Account, error) {
	if err := a.permit(ctx, id); err != nil {
		return Account{}, err
	}
	return a.Service.Block(ctx, id)
}

// Unblock is [Service.Unblock] likewise.
func (a *Administration) Unblock(ctx context.Context, id string) (Account, error) {
	if err := a.permit(ctx, id); err != nil {
		return Account{}, err
	}
	return a.Service.Unblock(ctx, id)
}

// EndSessions ends all sessions of the account. It returns the account, or ErrNotFound.
func (a *Administration) EndSessions(ctx context.Context, id string) (Account, error) {
	if err := a.permit(ctx, id); err != nil {
		return Account{}, err
	}
	account, err := a.Store.EndAllSessions(ctx, id, a.Now())
	if err == nil {
		a.Logger.InfoContext(ctx, "sessions of account ended", "account_id", id)
	}
	return account, err
}

// Erase is [Service.Erase] likewise.
func (a *Administration) Erase(ctx context.Context, id string) error {
	if err := a.permit(ctx, id); err != nil {
		return err
	}
	return a.Service.Erase(ctx, id)
}

// ErrNothingPending means that the account has no address that waits for its proof.
var ErrNothingPending = errors.New("account has no address that waits for its proof")

// Resend sends the mail with the activation link again, after spend has let one go to the address: who helps, or a program that
// does, must not fill a stranger's mailbox. The errors are those of spend and of [Service.ResendOwnActivation], ErrNotFound,
// ErrBlocked and ErrNothingPending.
func (a *Administration) Resend(ctx context.Context, id string, origin Origin, spend func(contact.Email) error) (Account, error) {
	if err := a.permit(ctx, id); err != nil {
		return Account{}, err
	}
	account, err := a.Store.Find(ctx, Key{ByID, id})
	switch {
	case err != nil:
		return Account{}, err
	case account.Blocked():
		return Account{}, ErrBlocked
	case account.PendingEmail.IsZero():
		return Account{}, ErrNothingPending
	}
	if err := spend(account.PendingEmail); err != nil {
		return Account{}, err
	}
	return account, a.ResendOwnActivation(ctx, account, origin)
}

// permit returns nil when the cause may change the account: FieldErrors without a proper reason, ErrNotFound without an account,
// and ErrProtected.
func (a *Administration) permit(ctx context.Context, id string) error {
	cause := audit.CauseOf(ctx)
	switch {
	case cause.Reason == "":
		return FieldErrors{FieldReason: Missing}
	case !audit.ValidReason(cause.Reason):
		return FieldErrors{FieldReason: Malformed}
	}
	account, err := a.Store.Find(ctx, Key{ByID, id})
	if err != nil || !account.Superuser || cause.Kind == audit.Operator { // an operator can make another one
		return err
	}
	if cause.Kind != audit.Superuser || cause.Actor == id {
		return ErrProtected
	}
	other, err := a.Directory.HasOtherSuperuser(ctx, id)
	if err == nil && !other {
		err = ErrProtected
	}
	return err
}
