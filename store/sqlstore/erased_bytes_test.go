package sqlstore_test

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"usher/accounts"
	"usher/internal/testkit"
)

// SQLite leaves deleted rows in its files by default: in free space of pages, in free pages and in the write-ahead log.
func TestErase_leaves_nothing_in_the_bytes_of_SQLite(t *testing.T) {
	t.Parallel()
	url := testkit.SQLite(t)
	f := newFixture(t, url)
	account, traces := f.erasedPerson(t)
	var row struct {
		Sealed string `db:"mobile_sealed"`
		Hash   string `db:"mobile_key"`
	}
	if err := f.db.Unwrap().GetContext(t.Context(), &row, "select mobile_sealed, mobile_key from accounts where id = ?", account.ID); err != nil {
		t.Fatal(err)
	}
	secrets := slices.Concat(traces.shown, []string{row.Sealed, row.Hash})
	if missing := len(secrets) - found(bytesOf(t, url), secrets); missing > 0 {
		t.Errorf("the search does not find %d of %d traces before the erasure", missing, len(secrets))
	}
	erased, err := f.accounts.Erase(t.Context(), account.ID, f.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	list := []accounts.Erased{erased}
	if err := f.accounts.ForgetErased(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	if err := f.accounts.MarkForgotten(t.Context(), list, f.clock.Now(), f.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if left := found(bytesOf(t, url), slices.Concat(secrets, traces.sealed)); left > 0 {
		t.Errorf("the files still have %d traces", left)
	}
}

// bytesOf returns what the files of a SQLite database have.
func bytesOf(t *testing.T, url string) string {
	t.Helper()
	var all strings.Builder
	for _, end := range []string{"", "-wal"} {
		file, err := os.ReadFile(strings.TrimPrefix(url, "sqlite:") + end)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		_, _ = all.Write(file)
	}
	return all.String()
}

// found counts the texts that are there.
func found(all string, texts []string) (n int) {
	for _, text := range texts {
		if strings.Contains(all, text) {
			n++
		}
	}
	return n
}
