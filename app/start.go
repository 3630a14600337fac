package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9/logging"

	"usher/config"
)

// Process is what a command gets from the system, so that tests can start it too.
type Process struct {
	Args    []string          // without the program's name
	Environ map[string]string // see config.Environ
	Stdout  io.Writer
	Stderr  io.Writer
}

// Exit codes of every command.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2 // wrong flags or settings: starting again without a change is of no use
)

// Start runs a command until it ends or the process is told to stop, and returns its exit code. The
// first SIGINT or SIGTERM cancels the context; a second one ends the process at once.
func Start(run func(context.Context, Process) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	logging.Disable()            // go-redis returns every error to its caller, which logs it once and in our words
	context.AfterFunc(ctx, stop) // gives signals their usual meaning back
	err := run(ctx, Process{
		Args: os.Args[1:], Environ: config.Environ(os.Environ()), Stdout: os.Stdout, Stderr: os.Stderr,
	})
	return report(os.Stderr, err)
}

// UsageError is a mistake in a command's flags or arguments.
type UsageError struct{ Text string }

// Error returns the text.
func (e *UsageError) Error() string { return e.Text }

// report prints why a command failed and returns its exit code.
func report(w io.Writer, err error) int {
	var mistakes config.Mistakes
	var usage *UsageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.As(err, &mistakes):
		_, _ = fmt.Fprintf(w, "usher: wrong settings (docs/configuration.md lists them all):\n  %s\n",
			strings.ReplaceAll(mistakes.Error(), "\n", "\n  "))
		return exitUsage
	case errors.As(err, &usage):
		_, _ = fmt.Fprintln(w, "usher:", usage.Text)
		return exitUsage
	default:
		_, _ = fmt.Fprintln(w, "usher:", err)
		return exitError
	}
}

// ParseFlags parses a command's flags. Mistakes come back as a *UsageError, -h as flag.ErrHelp with the
// help already written to stdout.
func ParseFlags(set *flag.FlagSet, p Process) error {
	var out strings.Builder
	set.SetOutput(&out)
	err := set.Parse(p.Args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(p.Stdout, out.String())
		return err
	case err != nil:
		return &UsageError{strings.TrimSpace(out.String())}
	}
	return nil
}
