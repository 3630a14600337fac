package tokens_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"usher/internal/testkit"
	"usher/tokens"
)

// docs/keys.md shows this command beside ours.
func TestParseKeys_takes_what_openssl_makes(t *testing.T) {
	t.Parallel()
	testkit.NeedProgram(t, "openssl")
	const command = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 | openssl pkcs8 -topk8 -nocrypt -outform DER | base64 -w0"
	key, err := exec.CommandContext(t.Context(), "sh", "-c", command).Output()
	if err != nil {
		t.Fatal(err)
	}
	if page, err := os.ReadFile("../docs/keys.md"); err != nil || !strings.Contains(string(page), command) {
		t.Errorf("docs/keys.md does not show %s: %v", command, err)
	}
	if _, err := tokens.ParseKeys("t2:" + string(key)); err != nil {
		t.Error(err)
	}
}
