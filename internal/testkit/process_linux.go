package testkit

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// dieWithParent has the kernel send the signal to the program when this process dies, so that a test that
// panics, runs out of time or is killed leaves nothing running.
func dieWithParent(cmd *exec.Cmd, onDeath syscall.Signal) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = onDeath
}

// asOrdinaryUser makes the program run as another user than root, since PostgreSQL refuses root, and gives
// that user the folder. It changes nothing when this process is not root's.
func asOrdinaryUser(cmd *exec.Cmd, dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	uid, gid := 65534, 65534 // Linux's user and group without rights
	if account, err := user.Lookup("postgres"); err == nil {
		own, err1 := strconv.Atoi(account.Uid)
		group, err2 := strconv.Atoi(account.Gid)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		uid, gid = own, group
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)},
	}
	return os.Chown(dir, uid, gid)
}
