package accounts_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"usher/accounts"
	"usher/passwords"
)

// djangoHash is of the password "ｐassword电池", which NFKC changes.
const djangoHash = "pbkdf2_sha256$1000$a1B2c3D4e5F6g7H8i9J0kL$+nKrRh3VwTxbAwLGnKwe3ExVfzJE0rwHRucRAHMHb08="

type djangoCase struct{ Name, Password, Hash string }

// djangoHashes are passwords with their hashes, one of each kind; the tests of passwords tell where they are from.
func djangoHashes(t testing.TB) []djangoCase {
	t.Helper()
	data, err := os.ReadFile("../passwords/testdata/django.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []djangoCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// imported makes the world's one account carry a hash from elsewhere.
func (w *world) imported(t testing.TB, hash string) accounts.Account {
	t.Helper()
	account := w.registered(t)
	account.PasswordHash = hash
	w.people[account.ID] = account
	return account
}

func TestSignIn_takes_each_hash_of_Django_and_replaces_it(t *testing.T) {
	t.Parallel()
	for _, c := range djangoHashes(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			before := w.imported(t, c.Hash)
			for _, wrong := range []string{"z" + c.Password, c.Password[1:], c.Hash} {
				if _, err := w.SignIn(t.Context(), before.Username, wrong, passwords.Later); !errors.Is(err, accounts.ErrCredentials) {
					t.Errorf("wrong password: SignIn = %v, want ErrCredentials", err)
				}
			}
			if w.people[before.ID].PasswordHash != c.Hash {
				t.Fatal("a wrong password replaced the hash")
			}
			for range 2 { // with Django's hash, and with ours
				got, err := w.SignIn(t.Context(), before.Username, c.Password, passwords.Later)
				if err != nil || got.ID != before.ID {
					t.Fatalf("SignIn = %v, %v", got.ID, err)
				}
				after := w.people[before.ID]
				if !strings.HasPrefix(after.PasswordHash, "$argon2id$") || got.PasswordHash != after.PasswordHash {
					t.Errorf("the hash is now %.20q, returned as %.20q", after.PasswordHash, got.PasswordHash)
				}
				if after.SessionGeneration != before.SessionGeneration {
					t.Error("the person's other sessions ended")
				}
			}
		})
	}
}

func TestSignIn_normalises_the_password_from_the_second_time_on(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.imported(t, djangoHash)
	if _, err := w.SignIn(t.Context(), account.Username, "password电池", passwords.Later); !errors.Is(err, accounts.ErrCredentials) {
		t.Errorf("a twin of what Django hashed: SignIn = %v, want ErrCredentials", err)
	}
	for _, password := range []string{"ｐassword电池", "password电池"} {
		if _, err := w.SignIn(t.Context(), account.Username, password, passwords.Later); err != nil {
			t.Errorf("SignIn with %q = %v", password, err)
		}
	}
}

func TestSignIn_replaces_no_hash_of_an_account_that_is_not_active(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.imported(t, djangoHash)
	account.Active = false
	w.people[account.ID] = account
	if _, err := w.SignIn(t.Context(), account.Username, "ｐassword电池", passwords.Later); !errors.Is(err, accounts.ErrNotActive) {
		t.Errorf("SignIn = %v, want ErrNotActive", err)
	}
	wantSteps(t, w, "find username")
}

func TestSignIn_succeeds_when_the_hash_cannot_be_replaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.imported(t, djangoHash)
	w.fail["rehash"] = errAway
	got, err := w.SignIn(t.Context(), account.Username, "ｐassword电池", passwords.Later)
	if err != nil || got.PasswordHash != djangoHash {
		t.Errorf("SignIn = %.20q, %v", got.PasswordHash, err)
	}
	wantSteps(t, w, "find username", "rehash")
	if log := w.log.String(); !strings.Contains(log, account.ID) || strings.Contains(log, "pbkdf2") {
		t.Errorf("log = %s", log)
	}
}

func TestSignIn_never_takes_a_hash_that_is_empty_or_unusable(t *testing.T) {
	t.Parallel()
	for _, hash := range []string{"", "!", "!nPf3QF9sTk"} {
		w := newWorld(t)
		account := w.imported(t, hash)
		for _, password := range []string{"", "!", hash, goodPassword} {
			if got, err := w.SignIn(t.Context(), account.Username, password, passwords.Later); err == nil {
				t.Errorf("hash %q, password %q: SignIn = %v", hash, password, got.ID)
			}
		}
	}
}
