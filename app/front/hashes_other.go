//go:build !linux

package front

import "os/exec"

// startSession does nothing: a session of its own helps on Linux only.
func startSession(*exec.Cmd) {}

// lowerPriority does nothing: only Linux is known to share the cores better for it.
func lowerPriority() {}
