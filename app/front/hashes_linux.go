package front

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// niceness leaves a process for hashes about a third of the weight that others have when all want a core at the
// same time: requests hardly wait, and people can still register.
const niceness = 5

// setApart gives the process a session of its own. The system shares the cores between sessions first, where no
// control group does that, and a terminal's signals stay with the API, which ends the process when it is done.
func setApart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// stepBack lowers the priority of this process, all of its threads, and of its session. Where that is not
// allowed, or means nothing, it goes on as it is.
func stepBack() {
	_ = syscall.Setpriority(syscall.PRIO_PGRP, 0, niceness) // a filter of system calls may forbid it
	go func() {
		for range 10 {
			err := os.WriteFile("/proc/self/autogroup", []byte(strconv.Itoa(niceness)), 0o600)
			if !errors.Is(err, syscall.EAGAIN) { // one session in a tenth of a second
				return
			}
			<-time.After(150 * time.Millisecond)
		}
	}()
}
