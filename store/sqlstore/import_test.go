package sqlstore_test

import (
	"slices"
	"testing"
	"time"

	"usher/accounts"
	"usher/internal/testkit"
	"usher/store/sqlstore"
)

func TestImportedHashes_are_those_from_elsewhere(t *testing.T) {
	t.Parallel()
	testkit.EachDatabase(t, func(t *testing.T, url string) {
		store := sqlstore.NewAccounts(migrated(t, url), keys(t))
		for i, hash := range []string{"$argon2id$v=19$m=1", "pbkdf2_sha256$1$a$b", "", "bcrypt$$2b$05$abc", "argon2$argon2id$v=19"} {
			name := string(rune('a'+i)) + "_person"
			account := accounts.Account{ID: name, Username: name, PasswordHash: hash, CreatedAt: time.Now(), UpdatedAt: time.Now()}
			if err := store.Create(t.Context(), account, nil); err != nil {
				t.Fatal(err)
			}
		}
		for n, want := range map[int][]string{
			1: {"pbkdf2_sha256$1$a$b"}, 9: {"pbkdf2_sha256$1$a$b", "bcrypt$$2b$05$abc", "argon2$argon2id$v=19"},
		} {
			if got, err := store.ImportedHashes(t.Context(), n); err != nil || !slices.Equal(got, want) {
				t.Errorf("%d hashes: %q, %v; want %q", n, got, err, want)
			}
		}
	})
}
