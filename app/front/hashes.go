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

	"usher/app"
	"usher/passwords"
)

// HashFlag is the flag of cmd/api that makes it a process which only hashes passwords, see [HashCommand].
const HashFlag = "hash-passwords"

// HashCommand starts this program once more, to hash passwords for it. None of our settings and secrets are
// handed to it.
func HashCommand() *exec.Cmd {
	path, err := os.Executable()
	if runtime.GOOS == "linux" {
		path, err = "/proc/self/exe", nil // also when another version has been put in its place
	}
	cmd := exec.CommandContext(context.Background(), path, "-"+HashFlag) //nolint:gosec // This program itself; it outlives the request that needs it.
	cmd.Err = err
	cmd.Env = []string{}
	setApart(cmd)
	cmd.Stderr = os.Stderr
	return cmd
}

// ServeHashes is what cmd/api does with [HashFlag], until the API that started it closes in, whatever signals
// come: those of a terminal or a service manager reach all processes at once, and the API still needs it.
func ServeHashes(in io.Reader, out io.Writer) error {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	stepBack()
	return passwords.Serve(in, out)
}

// hasher hashes in processes of their own where the program can start them.
func (a *API) hasher() *passwords.Hasher {
	parallel := a.settings.Config.PasswordParallel
	if a.settings.HashCommand == nil {
		return passwords.NewHasher(parallel)
	}
	h := passwords.NewProcessHasher(parallel, a.settings.HashCommand, a.logger)
	a.closers = append(a.closers, h.Close)
	return h
}

// floorEvery is how often it is looked whether there are imported hashes, and of which cost.
const floorEvery = time.Hour

// keepFloor has refusals of sign-ins take as long as with the costliest imported hash, at the start and as accounts are
// imported, or sign in and get a hash of our own.
func (a *API) keepFloor(ctx context.Context, hasher *passwords.Hasher, stores *app.Stores) {
	imported, err := stores.Accounts.ImportedHashes(ctx, passwords.ImportSample)
	before := hasher.Floor()
	if err == nil {
		err = hasher.SetFloor(ctx, imported)
	}
	switch {
	case err != nil && ctx.Err() == nil:
		a.logger.Warn("imported hashes not measured: the time of a refused sign-in may tell imported accounts", "error", err)
	case err == nil && (before > 0 || len(imported) > 0):
		a.logger.Info("refused sign-ins take as long as with an imported hash", "floor", hasher.Floor().String())
	}
}

// runFloor repeats keepFloor until ctx ends.
func (a *API) runFloor(ctx context.Context) {
	ticker := time.NewTicker(floorEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			a.refreshFloor(ctx)
		}
	}
}
