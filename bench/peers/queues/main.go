// Command queues measures River beside Usher's worker: it queues codes, sends each with one call of the vendor that it signs
// by hand, and prints codes per second. It is a module of its own, so that River is no dependency of Usher.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "queues:", err)
		os.Exit(1)
	}
}

// settings are the program's only argument, as JSON.
type settings struct {
	DatabaseURL string `json:"database_url"`
	VendorURL   string `json:"vendor_url"`
	KeyID       string `json:"key_id"`
	KeySecret   string `json:"key_secret"`
	Count       int    `json:"count"`   // codes
	Workers     int    `json:"workers"` // jobs at the same time
	Tuned       bool   `json:"tuned"`   // fetches as often as River allows
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("want the settings as JSON")
	}
	var s settings
	if err := json.Unmarshal([]byte(args[0]), &s); err != nil {
		return err
	}
	config, err := pgxpool.ParseConfig(s.DatabaseURL)
	if err != nil {
		return err
	}
	config.MaxConns = 16
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	rate, err := s.drain(ctx, pool)
	if err != nil {
		return err
	}
	_, err = fmt.Println(rate)
	return err
}

// code is the payload of a job.
type code struct {
	Mobile string `json:"mobile"`
	Code   string `json:"code"`
}

// Kind is the name of the job's type.
func (code) Kind() string { return "code" }

// sender is the worker of codes.
type sender struct {
	river.WorkerDefaults[code]

	vendor         *vendor
	count          int64
	first, handled atomic.Int64
	failed         atomic.Int64
	done           chan time.Time
}

// Work sends one code.
func (s *sender) Work(ctx context.Context, job *river.Job[code]) error {
	s.first.CompareAndSwap(0, time.Now().UnixNano())
	err := s.vendor.send(ctx, job.Args.Mobile, job.Args.Code)
	if err != nil {
		s.failed.Add(1)
	}
	if s.handled.Add(1) == s.count {
		s.done <- time.Now()
	}
	return err
}

// drain fills a queue, then clears it, and returns codes per second.
func (s settings) drain(ctx context.Context, pool *pgxpool.Pool) (float64, error) {
	driver := riverpgxv5.New(pool)
	migrator, err := rivermigrate.New(driver, nil)
	if err != nil {
		return 0, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return 0, err
	}
	if _, err := pool.Exec(ctx, "truncate river_job"); err != nil {
		return 0, err
	}
	work := &sender{vendor: newVendor(s), count: int64(s.Count), done: make(chan time.Time, 1)}
	workers := river.NewWorkers()
	river.AddWorker(workers, work)
	config := &river.Config{
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: s.Workers}}, Workers: workers,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	}
	if s.Tuned {
		config.FetchCooldown, config.FetchPollInterval = time.Millisecond, 10*time.Millisecond
	}
	client, err := river.NewClient(driver, config)
	if err != nil {
		return 0, err
	}
	if err := s.fill(ctx, pool, client.InsertManyFast); err != nil {
		return 0, err
	}
	if err := client.Start(ctx); err != nil {
		return 0, err
	}
	select {
	case last := <-work.done:
		if failed := work.failed.Load(); failed > 0 {
			return 0, fmt.Errorf("%d calls have failed", failed)
		}
		rate := float64(s.Count-1) / last.Sub(time.Unix(0, work.first.Load())).Seconds()
		return rate, client.StopAndCancel(ctx)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// fill queues the codes, a thousand in a statement, and has PostgreSQL count the rows for its plans.
func (s settings) fill(
	ctx context.Context, pool *pgxpool.Pool, insert func(context.Context, []river.InsertManyParams) (int, error),
) error {
	for first := 0; first < s.Count; first += 1000 {
		var jobs []river.InsertManyParams
		for n := first; n < min(first+1000, s.Count); n++ {
			jobs = append(jobs, river.InsertManyParams{Args: code{Mobile: fmt.Sprintf("13%09d", n), Code: "123456"}})
		}
		if _, err := insert(ctx, jobs); err != nil {
			return err
		}
	}
	_, err := pool.Exec(ctx, "analyze river_job")
	return err
}
