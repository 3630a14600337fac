package sqlstore_test

import (
	"encoding/json"
	"os"
	"testing"

	"usher/accounts"
	"usher/contact"
	"usher/internal/testkit"
)

// mainlandRow is a row that was written before numbers of other regions existed.
type mainlandRow struct {
	ID     string `json:"id"`
	Key    string `json:"mobile_key"`
	Sealed string `json:"mobile_sealed"`
	Masked string `json:"mobile_masked"`
}

func TestAccounts_reads_and_writes_a_mainland_number_as_every_release_did(t *testing.T) {
	t.Parallel()
	testkit.EachDatabase(t, func(t *testing.T, url string) {
		f := newFixture(t, url)
		content, err := os.ReadFile("testdata/mainland_row.json")
		if err != nil {
			t.Fatal(err)
		}
		var old mainlandRow
		if err := json.Unmarshal(content, &old); err != nil {
			t.Fatal(err)
		}
		account := person(t)
		account.ID = old.ID
		if err := f.accounts.Create(t.Context(), account, nil); err != nil {
			t.Fatal(err)
		}
		var written mainlandRow
		row := f.db.Unwrap().QueryRowContext(t.Context(), "select id, mobile_key, mobile_sealed, mobile_masked from accounts")
		if err := row.Scan(&written.ID, &written.Key, &written.Sealed, &written.Masked); err != nil {
			t.Fatal(err)
		}
		if written.Key != old.Key || written.Masked != old.Masked {
			t.Errorf("written as %+v, want %+v", written, old)
		}
		if _, err := f.db.Unwrap().ExecContext(t.Context(), "update accounts set mobile_sealed = '"+old.Sealed+"'"); err != nil {
			t.Fatal(err)
		}
		mobile, err := contact.ParseMobile("138 0013 8000")
		if err != nil {
			t.Fatal(err)
		}
		found, err := f.accounts.Find(t.Context(), accounts.Key{By: accounts.ByMobile, Value: mobile.Reveal()})
		if err != nil || found.ID != old.ID || found.Mobile != mobile {
			t.Errorf("found %+v, %v", found, err)
		}
	})
}
