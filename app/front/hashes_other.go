//go:build !linux

package front

import "os/exec"

// setApart does nothing: without lower priorities, sessions make no difference.
func setApart(*exec.Cmd) {}

// stepBack does nothing: only Linux is known to share the cores better for it.
func stepBack() {}
