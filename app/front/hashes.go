package front

import (
	"context"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"usher/passwords"
)

// HashFlag is the flag of cmd/api that makes it a process which only hashes passwords, see [HashCommand].
const HashFlag = "hash-passwords"

// HashCommand returns the command that starts this program as a hash process. It inherits none of our settings and
// secrets.
func HashCommand() *exec.Cmd {
	path, err := os.Executable()
	if runtime.GOOS == "linux" {
		path, err = "/proc/self/exe", nil // the same version, also after an upgrade replaced the file
	}
	cmd := exec.CommandContext(context.Background(), path, "-"+HashFlag) //nolint:gosec // This program itself; it outlives the request that needs it.
	cmd.Err = err
	cmd.Env = []string{}
	startSession(cmd)
	cmd.Stderr = os.Stderr
	return cmd
}

// ServeHashes is the work of a hash process. It returns when the API that started it closes in. It ignores signals: those
// of a terminal or a service manager reach all processes at once, and the API needs it until its last request is done.
func ServeHashes(in io.Reader, out io.Writer) error {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	lowerPriority()
	return passwords.Serve(in, out)
}

// openHasher makes the hasher, with hash processes where the program can start them.
func (a *API) openHasher(ctx context.Context) {
	parallel := a.settings.Config.PasswordParallel
	if a.settings.HashCommand == nil {
		a.hasher = passwords.NewHasher(parallel)
	} else {
		a.hasher = passwords.NewProcessHasher(parallel, a.settings.HashCommand, a.logger)
		a.closers = append(a.closers, a.hasher.Close)
	}
	a.setFloor(ctx)
}

// floorInterval is how often the costs of imported hashes are read again: accounts are imported, or sign in and get a
// hash of our own.
const floorInterval = time.Hour

// setFloor makes refused sign-ins take as long as with the costliest imported hash. Otherwise the time would tell which
// accounts exist.
func (a *API) setFloor(ctx context.Context) {
	imported, err := a.stores.Accounts.ImportedHashes(ctx, passwords.ImportSample)
	before := a.hasher.Floor()
	if err == nil {
		err = a.hasher.SetFloor(ctx, imported)
	}
	switch {
	case err != nil && ctx.Err() == nil:
		a.logger.Warn("imported hashes were not measured, so the time of a refused sign-in may tell imported accounts; "+
			"the next attempt is in an hour", "error", err)
	case err == nil && (before > 0 || len(imported) > 0):
		a.logger.Info("refused sign-ins take as long as with an imported hash", "floor", a.hasher.Floor().String())
	}
}
