package integration_test

import (
	"maps"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"usher/accounts"
	"usher/internal/testkit"
	"usher/passwords"
	"usher/secrets"
	"usher/store/sqlstore"
)

const accountPassword = "correct horse battery"

// deployment is a running API with its database.
type deployment struct {
	addr     string
	program  *testkit.Program
	accounts *sqlstore.Accounts
}

// startUsher starts the built API with more settings on stores of its own.
func startUsher(t *testing.T, settings ...map[string]string) *deployment {
	t.Helper()
	database := testkit.Postgres(t)
	if database == "" {
		database = testkit.SQLite(t)
	}
	environ := testkit.BasicSettings(testkit.Redis(t), database)
	for _, more := range settings {
		maps.Copy(environ, more)
	}
	store := openAccounts(t, environ)
	program := testkit.StartCommand(t, environ, "api")
	return &deployment{program.Await(t, `"http_addr":"([^"]+)"`), program, store}
}

func (d *deployment) stop() { _ = d.program.Stop(syscall.SIGTERM) }

// account makes an active account with the name and accountPassword.
func (d *deployment) account(t *testing.T, name string) accounts.Account {
	t.Helper()
	return newAccount(t, d.accounts, name)
}

// openAccounts brings the database of the settings up to date, and returns its accounts.
func openAccounts(t *testing.T, environ map[string]string) *sqlstore.Accounts {
	t.Helper()
	keys, err := secrets.ParseKeys(environ["USHER_SECRET_KEYS"])
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlstore.Open(t.Context(), environ["USHER_DATABASE_URL"], sqlstore.Settings{Timeout: testkit.DatabasePatience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := sqlstore.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return sqlstore.NewAccounts(db, keys)
}

// newAccount makes an active account with the name and accountPassword.
func newAccount(t *testing.T, store *sqlstore.Accounts, name string) accounts.Account {
	t.Helper()
	hash, err := passwords.NewHasherOf(1, passwords.Cost{MemoryKiB: 64, Passes: 1}).Hash(t.Context(), accountPassword, passwords.First)
	if err != nil {
		t.Fatal(err)
	}
	account := accounts.Account{
		ID: uuid.NewString(), Username: name, PasswordHash: hash, Active: true,
		ActivationGeneration: 1, SessionGeneration: 1, SeenAt: time.Now(), CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}
	if err := store.Create(t.Context(), account, nil); err != nil {
		t.Fatal(err)
	}
	return account
}

func (d *deployment) block(t *testing.T, account accounts.Account) {
	t.Helper()
	if _, err := d.accounts.Block(t.Context(), account.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
}
