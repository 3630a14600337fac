package main

import (
	"context"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"usher/internal/testkit"
)

// process is a running program with the times of its start.
type process struct {
	*testkit.Program

	name             string
	started, readyAt time.Time
}

// start runs a program with exactly the given environment. It dies with this program.
func start(dir, name string, environ map[string]string, path string, args ...string) (*process, error) {
	p := &process{name: name, started: time.Now()}
	var err error
	p.Program, err = testkit.LaunchProgram(testkit.Command(dir, environ, path, args...), syscall.SIGKILL)
	return p, err
}

// stop ends the program and waits for that. It may be called again, and on nil.
func (p *process) stop() {
	if p != nil {
		_ = p.Stop(syscall.SIGTERM) // a program that ended by itself has been noticed where it was waited for
	}
}

// startLimit bounds how long a program may take until it is ready, on a busy machine.
const startLimit = 30 * time.Second

// serves waits until the program answers 200 at the path, and notes when that was. A program that does not is stopped.
func (p *process) serves(ctx context.Context, addr, path string) (*server, error) {
	c := newClient(addr, time.Now().Add(startLimit))
	defer c.CloseIdleConnections()
	err := until(ctx, startLimit, func() (bool, error) {
		if p.Ended() {
			return false, fmt.Errorf("it has ended: %w", p.Wait(ctx))
		}
		answer, err := c.do(get(path))
		return err == nil && answer == http.StatusOK, nil
	})
	p.readyAt = time.Now()
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("await %s: %w: %s", p.name, err, p.LastOutput())
	}
	return &server{p, addr, ""}, nil
}

// until asks every two milliseconds whether the condition holds.
func until(ctx context.Context, within time.Duration, condition func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for {
		if done, err := condition(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
