package main

import (
	"context"
	"errors"
	"io"
	"net/http"
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
	err = errors.Join(b.saveProfiles(ctx, api, seconds, "api"), <-loaded)
	if err != nil {
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
	return b.saveProfiles(ctx, worker, seconds, "worker-"+channel)
}

// saveProfiles saves a program's CPU profile of so many seconds, and its allocations.
func (b *bench) saveProfiles(ctx context.Context, s *server, seconds int, name string) error {
	path := filepath.Join(b.profile, name)
	return errors.Join(
		saveProfile(ctx, s, "profile?seconds="+strconv.Itoa(seconds), path+".pprof"),
		saveProfile(ctx, s, "allocs", path+"-allocs.pprof"))
}

// saveProfile writes one profile of a program's operations port to a file.
func saveProfile(ctx context.Context, s *server, profile, path string) error {
	url := "http://" + s.ops + "/debug/pprof/" + profile
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Timeout: time.Minute}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New("no profile: " + response.Status)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, response.Body)
	return errors.Join(err, file.Close())
}
