package accounts

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"strings"
	"time"

	"usher/contact"
	"usher/input"
	"usher/passwords"
)

// ErrImported is the outcome for a person who has an account already.
var ErrImported = errors.New("account exists already")

// ImportUser is a user of another system, from its export, without any check. The number counts as proved.
type ImportUser struct {
	Username     string // may be empty for a user with a number or a proved address
	PasswordHash string // a hash of Django; empty, or starting with an exclamation mark, when unusable
	Mobile       string
	Email        string
	Active       bool
	Superuser    bool
	EmailActive  bool
	JoinedAt     time.Time // zero when unknown
}

// ImportStore keeps imported accounts.
type ImportStore interface {
	// Find returns an account or ErrNotFound.
	Find(ctx context.Context, key Key) (Account, error)

	// Exists reports whether an account has this value.
	Exists(ctx context.Context, key Key) (bool, error)

	// CreateAll writes, in one transaction, the accounts whose unique values are free: neither an existing account nor
	// an earlier one of the list has them. It returns their ids. Unless keep is true it returns the same and writes
	// nothing. The list may have a thousand accounts.
	CreateAll(ctx context.Context, list []Account, keep bool) (created map[string]bool, err error)
}

// Importer imports the users of another system. It is not safe for concurrent use; several importers may run at once.
type Importer struct {
	Store   ImportStore
	Now     func() time.Time
	Regions contact.Regions
	// DryRun writes nothing. It remembers the accounts that it would have imported, with about a hundred bytes for
	// each, to find duplicates.
	DryRun bool

	seed maphash.Seed
	seen map[uint64]uint64 // fingerprints of accounts by the hashes of their unique values
}

// Import writes accounts and returns the outcome of each user: nil, ErrImported, FieldErrors or an *ExistsError. The
// second result is an error of the store: then no user was imported. There may be a thousand users.
func (i *Importer) Import(ctx context.Context, users []ImportUser) ([]error, error) {
	outcomes := make([]error, len(users))
	list := make([]Account, 0, len(users))
	indexes := make([]int, 0, len(users)) // of the list's accounts among the users
	for n, user := range users {
		account, err := i.account(user)
		if err == nil {
			err = i.remembered(account)
		}
		if outcomes[n] = err; err == nil {
			list, indexes = append(list, account), append(indexes, n)
		}
	}
	if len(list) == 0 {
		return outcomes, nil
	}
	created, err := i.Store.CreateAll(ctx, list, !i.DryRun)
	if err != nil {
		return nil, err
	}
	for _, account := range list {
		if created[account.ID] {
			i.remember(account)
		}
	}
	for n, account := range list {
		if created[account.ID] {
			continue
		}
		if outcomes[indexes[n]], err = i.explain(ctx, account); err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}

// account returns FieldErrors for a user who cannot have an account, or could never sign in.
func (i *Importer) account(user ImportUser) (Account, error) {
	errs := FieldErrors{}
	user.Mobile, user.Email = input.Trim(user.Mobile), input.Trim(user.Email)
	name := importedName(user, errs)
	now := i.Now()
	a := Account{
		Username: name.shown, PasswordHash: user.PasswordHash,
		Active: user.Active, Superuser: user.Superuser,
		ActivationGeneration: 1, SessionGeneration: 1,
		CreatedAt: cmp.Or(user.JoinedAt, now), UpdatedAt: now, SeenAt: now, // an exported account counts as in use
	}
	var err error
	if user.Mobile != "" {
		if a.Mobile, err = i.Regions.Parse(user.Mobile); err != nil {
			errs[FieldMobile] = MobileProblem(i.Regions, err)
		}
	}
	if user.Email != "" {
		if a.Email, err = contact.ParseEmail(user.Email); err != nil {
			errs[FieldEmail] = Malformed
		}
		if !user.EmailActive {
			a.Email, a.PendingEmail = contact.Email{}, a.Email
		}
	}
	if user.PasswordHash == "" || strings.HasPrefix(user.PasswordHash, "!") {
		a.PasswordHash = ""
		if user.Mobile == "" {
			errs[FieldMobile] = Missing // without a number they can never set a password
		}
	} else if !passwords.IsImported(user.PasswordHash) {
		errs[FieldPassword] = Malformed
	}
	if len(errs) > 0 {
		return Account{}, errs
	}
	a.ID = newID()
	return a, nil
}

// importedName returns the user name, which only an account with a contact to sign in with may lack.
func importedName(user ImportUser, errs FieldErrors) username {
	if user.Username == "" && (user.Mobile != "" || user.Email != "" && user.EmailActive) {
		return username{}
	}
	name, problem := parseUsername(user.Username)
	if problem != "" {
		errs[FieldUsername] = problem
	}
	return name
}

// explain returns the reason why an account was not created.
func (i *Importer) explain(ctx context.Context, account Account) (outcome, err error) {
	if outcome := i.remembered(account); outcome != nil { // in a dry run only
		return outcome, nil
	}
	for n, unique := range uniques(account) {
		if n == 0 {
			existing, err := i.Store.Find(ctx, unique.key)
			switch {
			case err == nil && samePerson(existing, account):
				return ErrImported, nil
			case err == nil:
				return &ExistsError{unique.field}, nil
			case !errors.Is(err, ErrNotFound):
				return nil, err
			}
			continue
		}
		taken, err := i.Store.Exists(ctx, unique.key)
		if err != nil {
			return nil, err
		}
		if taken {
			return &ExistsError{unique.field}, nil
		}
	}
	return nil, errors.New("account was refused although its unique values are free")
}

// samePerson compares two accounts of one user name, or without a name of one number or address. The hash may have been
// replaced since the import, and the name chosen.
func samePerson(existing, imported Account) bool {
	if existing.Mobile != imported.Mobile || anyEmail(existing) != anyEmail(imported) {
		return false
	}
	return !imported.Mobile.IsZero() || !anyEmail(imported).IsZero() ||
		existing.PasswordHash == imported.PasswordHash ||
		existing.CreatedAt.Equal(imported.CreatedAt.Truncate(time.Microsecond))
}

// anyEmail is the proved address, or else the pending one: people prove imported addresses later.
func anyEmail(a Account) contact.Email { return cmp.Or(a.Email, a.PendingEmail) }

// unique is a value that only one account may have.
type unique struct {
	field Field
	key   Key
}

// uniques returns at least one value; the first one identifies the account.
func uniques(a Account) []unique {
	var list []unique
	if _, canonical, ok := CanonicalUsername(a.Username); ok {
		list = append(list, unique{FieldUsername, Key{ByUsername, canonical}})
	}
	if !a.Mobile.IsZero() {
		list = append(list, unique{FieldMobile, Key{ByMobile, a.Mobile.Reveal()}})
	}
	if !a.Email.IsZero() {
		list = append(list, unique{FieldEmail, Key{ByEmail, a.Email.Reveal()}})
	}
	return list
}

// remember records, in a dry run, the unique values that an account would have.
func (i *Importer) remember(account Account) {
	if !i.DryRun {
		return
	}
	if i.seen == nil {
		i.seed, i.seen = maphash.MakeSeed(), map[uint64]uint64{}
	}
	who := i.fingerprint(account)
	for _, unique := range uniques(account) {
		i.seen[maphash.Comparable(i.seed, unique.key)] = who
	}
}

// remembered returns the outcome of an account that has the values of an earlier one.
func (i *Importer) remembered(account Account) error {
	if len(i.seen) == 0 {
		return nil
	}
	for _, unique := range uniques(account) {
		who, found := i.seen[maphash.Comparable(i.seed, unique.key)]
		switch {
		case found && who == i.fingerprint(account):
			return ErrImported
		case found:
			return &ExistsError{unique.field}
		}
	}
	return nil
}

// fingerprint is equal for the same person.
func (i *Importer) fingerprint(account Account) uint64 {
	_, canonical, _ := CanonicalUsername(account.Username)
	return maphash.Comparable(i.seed, [3]string{canonical, account.Mobile.Reveal(), anyEmail(account).Reveal()})
}
