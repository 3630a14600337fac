package sqlstore

import (
	"errors"

	"usher/accounts"
	"usher/contact"
	"usher/store"
)

// Kinds under which numbers and addresses are hashed, and contexts in which they are sealed: a sealed value that is moved to
// another account or another kind of column does not open.
const (
	indexMobile = "mobile"
	indexEmail  = "email"
	sealMobile  = "accounts.mobile/"
	sealEmail   = "accounts.email/"
)

// accountColumns are the columns that accounts are read from and written to. They are named, so that a column of a newer
// schema does no harm.
const accountColumns = `id, username, username_key, mobile_key, mobile_sealed, mobile_masked,
	email_key, email_sealed, email_masked,
	pending_email_key, pending_email_sealed, pending_email_masked, pending_email_at,
	password_hash, active, email_active, superuser,
	activation_generation, session_generation, mobile_changed_at, email_changed_at,
	pending_mobile_key, pending_mobile_sealed, pending_mobile_masked, pending_mobile_at,
	seen_at, agreed_at, agreed_terms, agreed_privacy, blocked_at, delete_at, created_at, updated_at`

// accountRow is a row of accounts. Nil pointers are NULL: there is no number or no address.
type accountRow struct {
	contactsRow

	ID                   string  `db:"id"`
	Username             string  `db:"username"`
	UsernameKey          string  `db:"username_key"`
	PendingEmailKey      *string `db:"pending_email_key"`
	PendingEmailSealed   *string `db:"pending_email_sealed"`
	PendingEmailMasked   string  `db:"pending_email_masked"`
	PendingEmailAt       Stamp   `db:"pending_email_at"`
	PasswordHash         string  `db:"password_hash"`
	Active               bool    `db:"active"`
	EmailActive          bool    `db:"email_active"` // there is a proved address
	Superuser            bool    `db:"superuser"`
	ActivationGeneration int     `db:"activation_generation"`
	SessionGeneration    int     `db:"session_generation"`
	PendingMobileKey     *string `db:"pending_mobile_key"`
	PendingMobileSealed  *string `db:"pending_mobile_sealed"`
	PendingMobileMasked  string  `db:"pending_mobile_masked"`
	PendingMobileAt      Stamp   `db:"pending_mobile_at"`
	SeenAt               Stamp   `db:"seen_at"`
	AgreedAt             Stamp   `db:"agreed_at"`
	AgreedTerms          string  `db:"agreed_terms"`
	AgreedPrivacy        string  `db:"agreed_privacy"`
	BlockedAt            Stamp   `db:"blocked_at"`
	DeleteAt             Stamp   `db:"delete_at"`
	CreatedAt            Stamp   `db:"created_at"`
	UpdatedAt            Stamp   `db:"updated_at"`

	HasEndpoints bool `db:"has_endpoints"` // no column of the table: see withEndpoints
}

// row converts an account to the columns of a row.
func (a *Accounts) row(account accounts.Account) (accountRow, error) {
	nameKey, err := usernameKey(account.ID, account.Username)
	if err != nil {
		return accountRow{}, err
	}
	row := accountRow{
		ID:                   account.ID,
		Username:             account.Username,
		UsernameKey:          nameKey,
		contactsRow:          contactsRow{MobileMasked: account.Mobile.String(), EmailMasked: account.Email.String()},
		PendingEmailMasked:   account.PendingEmail.String(),
		PendingEmailAt:       at(account.PendingEmailAt),
		PasswordHash:         account.PasswordHash,
		Active:               account.Active,
		EmailActive:          !account.Email.IsZero(),
		Superuser:            account.Superuser,
		ActivationGeneration: account.ActivationGeneration,
		SessionGeneration:    account.SessionGeneration,
		PendingMobileMasked:  account.PendingMobile.String(),
		PendingMobileAt:      at(account.PendingMobileAt),
		SeenAt:               at(account.SeenAt),
		AgreedAt:             at(account.AgreedAt),
		AgreedTerms:          account.AgreedTerms,
		AgreedPrivacy:        account.AgreedPrivacy,
		BlockedAt:            at(account.BlockedAt),
		DeleteAt:             at(account.DeleteAt),
		CreatedAt:            at(account.CreatedAt),
		UpdatedAt:            at(account.UpdatedAt),
	}
	row.MobileKey, row.MobileSealed = a.hide(indexMobile, account.Mobile.Reveal(), sealMobile+account.ID)
	row.PendingMobileKey, row.PendingMobileSealed = a.hide(indexMobile, account.PendingMobile.Reveal(), sealMobile+account.ID)
	row.EmailKey, row.EmailSealed = a.hide(indexEmail, account.Email.Reveal(), sealEmail+account.ID)
	row.PendingEmailKey, row.PendingEmailSealed = a.hide(indexEmail, account.PendingEmail.Reveal(), sealEmail+account.ID)
	return row, nil
}

// usernameKey returns the unique form of a user name. That of an account without a name is the key of no name, because names
// have no hyphens. It is not null: the version before, which may run beside this one, reads a text.
func usernameKey(id, name string) (string, error) {
	if name == "" {
		return "-" + id, nil
	}
	_, canonical, ok := accounts.CanonicalUsername(name)
	if !ok {
		return "", errors.New("user name is not valid")
	}
	return canonical, nil
}

// hide returns the two forms in which a number or an address is stored: its keyed hash, and sealed. Both are nil for none.
func (a *Accounts) hide(kind, full, context string) (key, sealed *string) {
	if full == "" {
		return nil, nil
	}
	box, index := a.keys.Seal(full, context), a.keys.Index(kind, full)
	return &index, &box
}

// account converts the columns of a row to an account.
func (a *Accounts) account(row accountRow) (accounts.Account, error) {
	account := accounts.Account{
		ID:                   row.ID,
		Username:             row.Username,
		PasswordHash:         row.PasswordHash,
		Active:               row.Active,
		PendingEmailAt:       row.PendingEmailAt.Time,
		Superuser:            row.Superuser,
		ActivationGeneration: row.ActivationGeneration,
		SessionGeneration:    row.SessionGeneration,
		MobileChangedAt:      row.MobileChangedAt.Time,
		EmailChangedAt:       row.EmailChangedAt.Time,
		PendingMobileAt:      row.PendingMobileAt.Time,
		SeenAt:               row.SeenAt.Time,
		AgreedAt:             row.AgreedAt.Time,
		AgreedTerms:          row.AgreedTerms,
		AgreedPrivacy:        row.AgreedPrivacy,
		BlockedAt:            row.BlockedAt.Time,
		DeleteAt:             row.DeleteAt.Time,
		CreatedAt:            row.CreatedAt.Time,
		UpdatedAt:            row.UpdatedAt.Time,
	}
	var errs [4]error
	account.Mobile, errs[0] = unseal(a, row.MobileSealed, sealMobile+row.ID, contact.ParseMobile)
	if row.EmailActive { // otherwise an older version wrote it, which kept unproved addresses in this column too
		account.Email, errs[1] = unseal(a, row.EmailSealed, sealEmail+row.ID, contact.ParseEmail)
	}
	account.PendingMobile, errs[2] = unseal(a, row.PendingMobileSealed, sealMobile+row.ID, contact.ParseMobile)
	account.PendingEmail, errs[3] = unseal(a, row.PendingEmailSealed, sealEmail+row.ID, contact.ParseEmail)
	return account, errors.Join(errs[:]...)
}

// unseal opens the value of a sealed column; NULL is the zero value. Its error names the context.
func unseal[T any](a *Accounts, sealed *string, context string, parse func(string) (T, error)) (T, error) {
	var none T
	if sealed == nil {
		return none, nil
	}
	full, err := a.keys.Open(*sealed, context)
	if err != nil {
		return none, store.Wrap("open "+context, err)
	}
	return parse(full)
}
