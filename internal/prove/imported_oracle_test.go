package prove_test

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"usher/internal/testkit"
)

// djangoIterations is what Django 5.0 spends on a PBKDF2 hash: some ten times what a hash of ours takes.
const djangoIterations = 720_000

// Row 13, imported accounts: until its owner has signed in, the hash of an account is Django's, and comparing it takes
// far longer than comparing ours, or the one that is compared where there is no account.
func TestRow13_imported_accounts_answer_alike(t *testing.T) {
	t.Parallel()
	r := newRow(t, 13, "imported against unknown account: sign-in")
	environ, _ := testkit.Settings(t)
	environ["USHER_LOG_LEVEL"], environ["USHER_LIMITS"] = "info", noLimits+noLoginLimits
	if code, said := testkit.RunCommand(t, environ, "admin", "migrate", "up"); code != 0 {
		t.Fatalf("admin migrate up: exit %d, %s", code, said)
	}
	key, err := pbkdf2.Key(sha256.New, longPassword, []byte("seasalt"), djangoIterations, sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "users.csv")
	lines := "username,password,mobile,email,is_active,is_superuser,email_active,date_joined\n" +
		fmt.Sprintf("known_name,pbkdf2_sha256$%d$seasalt$%s,13800000000,,true,false,false,2020-01-02 03:04:05+00\n",
			djangoIterations, base64.StdEncoding.EncodeToString(key))
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, said := testkit.RunCommand(t, environ, "admin", "import-users", file); code != 0 {
		t.Fatalf("admin import-users: exit %d, %s", code, said)
	}
	api := testkit.StartCommand(t, environ, "api")
	base := "http://" + api.Await(t, `"http_addr":"([^"]+)"`)
	floor := api.Await(t, `"floor":"([^"]+)"`)

	const signIn = `{"login":%q,"password":"a wrong password"}`
	pair := twins{
		path: "/v1/sessions", pairs: size(10, 200),
		known:   func(int) string { return fmt.Sprintf(signIn, "known_name") },
		unknown: func(int) string { return fmt.Sprintf(signIn, "nobody_has") },
	}
	gap := 0
	for range 3 { // a machine that does something else meanwhile is no proof
		if gap = int(math.Ceil(100 * pair.gap(t, base, chance(13)))); gap <= gapBound() {
			break
		}
	}
	r.tried("%d pairs", pair.pairs)
	r.atMost("% median gap of sign-in by name", gap, gapBound())
	r.note("floor %s", floor)
}
