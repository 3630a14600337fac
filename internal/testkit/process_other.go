//go:build !linux

package testkit

import (
	"os/exec"
	"syscall"
)

// dieWithParent does nothing: only Linux can tie a program's life to its parent's. [Main] still stops the
// servers of tests that end in an orderly way.
func dieWithParent(*exec.Cmd, syscall.Signal) {}

// asOrdinaryUser does nothing: tests do not run as root on these systems.
func asOrdinaryUser(*exec.Cmd, string) error { return nil }
