package testkit

import (
	"os/exec"
	"testing"
)

// NeedProgram returns the path of a program that is neither a store nor built from this module. The test is
// skipped where it is missing, or fails when the environment demands that nothing is.
func NeedProgram(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		demandReal(t, program)
		t.Skipf("no %s on this machine", program)
	}
	return path
}
