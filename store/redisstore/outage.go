package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"
)

// outage makes whatever keeps a command from Redis look like what it is to callers that do not know the
// client: an error of the network.
type outage struct{}

// DialHook changes nothing.
func (outage) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook turns the error of a single command; the client sets it on the command.
func (outage) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return asOutage(next(ctx, cmd))
	}
}

// ProcessPipelineHook turns the errors of all commands on a pipeline.
func (outage) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := asOutage(next(ctx, cmds))
		failed := 0
		for _, cmd := range cmds {
			if cmd.Err() != nil {
				cmd.SetErr(asOutage(cmd.Err()))
				failed++
			}
		}
		// The client takes what a server says while it is connected to, such as that the password is wrong, for
		// one command's error and sets it on none: they would all look as if they had run.
		if err != nil && failed == 0 {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
		}
		return err
	}
}

func asOutage(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, redis.ErrPoolTimeout):
		return fmt.Errorf("%w: %w", os.ErrDeadlineExceeded, err)
	case strings.Contains(err.Error(), allSentinels), errors.Is(err, io.EOF),
		errors.As(err, new(*tls.CertificateVerificationError)), errors.As(err, new(tls.RecordHeaderError)):
		return unreachable{err}
	default:
		return err
	}
}

// allSentinels begins the client's error when no sentinel has told it the primary.
const allSentinels = "redis: all sentinels specified in configuration are unreachable"

// unreachable is an error of the network that the client reports as something else.
type unreachable struct{ cause error }

// Error returns the cause's text.
func (u unreachable) Error() string { return u.cause.Error() }

// Timeout says that more time is of no use.
func (unreachable) Timeout() bool { return false }

// Temporary says that the error passes once somebody sees to it.
func (unreachable) Temporary() bool { return true }

// Unwrap returns the cause, unless that is a sentinel's lack of an answer: on a command it would read as the
// lack of a key.
func (u unreachable) Unwrap() error {
	if errors.Is(u.cause, redis.Nil) {
		return nil
	}
	return u.cause
}
