package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// profiles takes profiles of the API while codes are asked for, and of workers while they clear their queues.
// It is the last measure: profiling itself takes time.
func (b *bench) profiles(ctx context.Context) error {
	if err := os.MkdirAll(b.profile, 0o755); err != nil {
		return err
	}
	if err := b.testbed.clear(ctx); err != nil {
		return err
	}
	withProfiles := map[string]string{"USHER_OPS_PPROF": "true"}
	api, err := b.testbed.api(ctx, withProfiles)
	if err != nil {
		return err
	}
	defer api.stop()
	seconds := max(int(b.duration.Seconds()), 2)
	l := b.codes(api.addr)
	l.duration = time.Duration(seconds+1) * time.Second // enough codes for the worker to be busy as long
	loaded := make(chan error, 1)
	go func() { _, err := l.run(ctx); loaded <- err }()
	if err := errors.Join(b.saveProfiles(api, seconds, "api"), <-loaded); err != nil {
		return err
	}
	api.stop()
	if err := b.profileWorker(ctx, "sms", withProfiles, seconds); err != nil {
		return err
	}
	if err := b.fileMails(ctx, seconds*mailsASecond); err != nil {
		return err
	}
	return b.profileWorker(ctx, "email", withProfiles, seconds)
}

// mailsASecond is more than a worker sends, so that it stays busy.
const mailsASecond = 4000

// profileWorker profiles a worker that clears the queue of a channel.
func (b *bench) profileWorker(ctx context.Context, channel string, environ map[string]string, seconds int) error {
	worker, err := b.testbed.worker(ctx, channel, environ)
	if err != nil {
		return err
	}
	defer worker.stop()
	return b.saveProfiles(worker, seconds, "worker-"+channel)
}

// saveProfiles saves a program's CPU profile of so many seconds, and the allocations until then, from its operations port.
func (b *bench) saveProfiles(s *server, seconds int, name string) error {
	for _, kind := range [][2]string{{"profile?seconds=" + strconv.Itoa(seconds), ".pprof"}, {"allocs", "-allocs.pprof"}} {
		saved, err := fetch(s.ops, "/debug/pprof/"+kind[0], time.Minute)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(b.profile, name+kind[1]), saved, 0o644); err != nil {
			return err
		}
	}
	return nil
}
