package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"testing"

	"usher/internal/testkit"
	"usher/passwords"
)

// The API would hash by itself and only warn if its program could not be started for that.
func TestAPI_hashes_passwords_for_another_process(t *testing.T) {
	t.Parallel()
	path := testkit.BuildCommand(t, "api")
	command := func() *exec.Cmd {
		cmd := exec.CommandContext(context.Background(), path, "-hash-passwords") // it ends with its input
		cmd.Env = []string{}
		return cmd
	}
	var log bytes.Buffer
	hasher := passwords.NewProcessHasher(1, command, slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { _ = hasher.Close() })
	const password = "a long enough secret"
	hash, err := hasher.Hash(t.Context(), password, passwords.First)
	if err != nil {
		t.Fatal(err)
	}
	match, err := hasher.Compare(t.Context(), password, hash, passwords.First)
	testkit.Conditions(t, fmt.Sprintf("Compare = %v, %v; logged %q", match, err, log.String()), map[string]bool{
		"the password matches": err == nil && match,
		"nothing is logged":    log.Len() == 0,
	})
}
