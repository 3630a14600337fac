package integration_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"usher/internal/testkit"
)

// Redocly's linter finds nothing in the contract that a generator of clients would stumble over.
func TestOpenAPI_is_valid_for_redocly(t *testing.T) {
	t.Parallel()
	dir := testkit.NPM(t, "@redocly/cli@2.77.0")
	contract, err := filepath.Abs("../../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	lint := exec.CommandContext(t.Context(), filepath.Join(dir, "node_modules", ".bin", "redocly"), "lint", "--format=json", contract,
		"--skip-rule=info-license",                            // the repository has no licence of its own
		"--skip-rule=no-required-schema-properties-undefined") // does not know properties of the schema around a subschema
	lint.Dir = dir
	lint.Env = append(lint.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true")
	out, err := lint.Output() // also when it finds errors
	var found struct {
		Totals   struct{ Errors, Warnings int }
		Problems []struct{ RuleID, Message string }
	}
	if undecodable := json.Unmarshal(out, &found); undecodable != nil {
		t.Fatalf("redocly: %v, and its output: %v", err, undecodable)
	}
	if err != nil || found.Totals.Errors+found.Totals.Warnings > 0 {
		t.Errorf("redocly: %v, %+v", err, found.Problems)
	}
}
