package front

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// niceness gives a hash process about a third of the weight of other processes when all want the same core: requests
// hardly wait, and passwords are still hashed.
const niceness = 5

// startSession gives the process a session of its own. Linux shares the cores between sessions first, unless a control
// group does, and a terminal's signals do not reach it: the API ends it.
func startSession(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// lowerPriority lowers the priority of this process with all its threads, and of its session. Where that is forbidden,
// as by a filter of system calls, the priority stays.
func lowerPriority() {
	_ = syscall.Setpriority(syscall.PRIO_PGRP, 0, niceness)
	go func() {
		for range 10 {
			err := os.WriteFile("/proc/self/autogroup", []byte(strconv.Itoa(niceness)), 0o600)
			if !errors.Is(err, syscall.EAGAIN) { // Linux allows one change in a tenth of a second
				return
			}
			<-time.After(150 * time.Millisecond)
		}
	}()
}
