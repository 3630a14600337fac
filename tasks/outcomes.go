package tasks

import (
	"context"
	"log/slog"
	"time"

	"usher/messages"
	"usher/queue"
)

// OutcomeLog keeps the outcomes of SMS until they are written to the database.
type OutcomeLog interface {
	// Read returns the oldest entries, about as many as the limit, and whether there are more. They stay where
	// they are, and others may read them as well.
	Read(ctx context.Context, limit int) (entries []messages.Entry, more bool, err error)

	// Remove deletes entries that were read.
	Remove(ctx context.Context, entries []messages.Entry) error

	// Backlog returns how many entries there are, and since when the oldest of them has been waiting.
	Backlog(ctx context.Context) (n int, since time.Time, err error)
}

// OutcomeTable keeps outcomes in the database.
type OutcomeTable interface {
	// Save files records, of each message the last revision, however often and in whatever order they come.
	Save(ctx context.Context, records []messages.Record) error

	// Expire closes up to limit SMS whose time is over and whose outcome never came, and returns how many.
	Expire(ctx context.Context, limit int) (int, error)

	// Prune deletes the closed messages that are older, and returns how many, also when it fails before the end.
	Prune(ctx context.Context, olderThan time.Duration) (int, error)
}

const (
	outcomeInterval = time.Second
	// outcomeLock is a little less than the interval, so that the same worker may get the next lock.
	outcomeLock = outcomeInterval * 9 / 10
	// outcomeBatch is what Redis reads in two or three milliseconds, in which it answers no other client. Of a code that
	// was issued and sent within one batch only the last revision is written.
	outcomeBatch = 2048
	// outcomeCalm is how many may wait before writing speeds up: of a thousand codes a second, those of eight seconds.
	outcomeCalm = 16 * 1024

	outcomeTimeout = 10 * time.Second // for one batch
	outcomeFlush   = 5 * time.Second  // for what is left when the worker stops

	expireInterval = time.Minute
	pruneInterval  = time.Hour
	expireBatch    = 1000
)

// Locks lets one of several workers do something at a time.
type Locks interface {
	// TryLock gives the named lock to one of several callers for the given time, and reports whether this one has it.
	TryLock(ctx context.Context, name string, ttl time.Duration) (bool, error)
}

// OutcomeWriter copies the outcomes of SMS from Redis to the database. Any number of workers may run one:
// the worker that has the lock writes, and the lock of a worker that died ends by itself.
//
// A batch is read, saved, then removed. Each step may fail, or the worker die after it, and the next worker begins
// again with the same entries: saving twice changes nothing, so each outcome is written once. While the
// database is unavailable the entries wait in Redis, and sending goes on.
type OutcomeWriter struct {
	Log       OutcomeLog
	Table     OutcomeTable
	Locks     Locks
	Retention time.Duration // of closed messages; 0 keeps them for ever
	Metrics   *Metrics
	Logger    *slog.Logger
}

// Run writes every second until ctx ends, and then what is left, as much as five seconds allow. It
// logs a warning when writing begins to fail, and a line when it works again.
func (w *OutcomeWriter) Run(ctx context.Context) {
	ticker := time.NewTicker(outcomeInterval)
	defer ticker.Stop()
	failing, pace := false, outcomePace{}
	for ctx.Err() == nil {
		mine, err := w.take(ctx, &pace)
		switch {
		case ctx.Err() != nil:
		case err != nil && !failing:
			failing = true
			w.Logger.Warn("outcomes not written to the database; they wait in redis", "error", err)
		case err == nil && mine && failing:
			failing = false
			w.Logger.Debug("outcomes are written again")
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	until := time.Now().Add(outcomeFlush)
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), until)
	defer cancel()
	if _, err := w.write(ctx, until); err != nil {
		w.Logger.Warn("outcomes left to other workers", "error", err)
	}
}

// take writes if this worker gets the lock.
func (w *OutcomeWriter) take(ctx context.Context, pace *outcomePace) (mine bool, err error) {
	until := time.Now().Add(pace.lasts)
	if mine, err = w.Locks.TryLock(ctx, "outcomes", outcomeLock); err != nil || !mine {
		return mine, err
	}
	more, err := w.write(ctx, until)
	waiting := 0
	if more && err == nil {
		waiting, _, err = w.Log.Backlog(ctx)
	}
	if err == nil {
		pace.next(waiting)
	}
	return mine, err
}

// write copies batches until none is full or the time is over, and reports whether there are more. It copies one
// even when there is no time at all.
func (w *OutcomeWriter) write(ctx context.Context, until time.Time) (more bool, err error) {
	for {
		more, err = w.batch(ctx)
		if err != nil || !more || !time.Now().Before(until) {
			return more, err
		}
	}
}

// batch copies some entries and reports whether there are more.
func (w *OutcomeWriter) batch(ctx context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, outcomeTimeout)
	defer cancel()
	entries, more, err := w.Log.Read(ctx, outcomeBatch)
	if err != nil || len(entries) == 0 {
		return false, err
	}
	records := make([]messages.Record, 0, len(entries))
	for _, entry := range entries {
		if entry.Err != nil {
			w.Logger.Error("outcome not readable", "log", entry.Log, "entry", entry.ID, "error", entry.Err)
			continue
		}
		records = append(records, entry.Record)
	}
	if err := w.Table.Save(ctx, records); err != nil {
		return false, err
	}
	if err := w.Log.Remove(ctx, entries); err != nil {
		return false, err
	}
	w.Metrics.outcomesWritten(len(records), len(entries)-len(records))
	return more, nil
}

// outcomePace is how long a worker writes in a row. Sending comes first: in a rush outcomes are written a batch at a
// time, since both need the same processors. When too many wait, writing lasts longer until they become fewer, by more than
// a little: full streams, which lose their oldest entries, keep their length.
type outcomePace struct {
	lasts   time.Duration // 0 for one batch
	waiting int
}

func (p *outcomePace) next(waiting int) {
	switch {
	case waiting <= outcomeCalm:
		p.lasts = 0
	case waiting > p.waiting-p.waiting/256:
		p.lasts = min(max(2*p.lasts, outcomeInterval/8), outcomeLock)
	}
	p.waiting = waiting
}

// Jobs are the housekeeping of the table: SMS without any news are closed, and old messages deleted.
func (w *OutcomeWriter) Jobs() []queue.Job {
	jobs := []queue.Job{{Name: "expire", Every: expireInterval, Run: func(ctx context.Context) error {
		n, err := inBatches(ctx, expireBatch, 0, func(ctx context.Context) (int, error) { return w.Table.Expire(ctx, expireBatch) })
		logCleaned(ctx, w.Logger, "expired sms without an outcome closed", n)
		return err
	}}}
	if w.Retention > 0 {
		jobs = append(jobs, queue.Job{Name: "prune", Every: pruneInterval, Run: func(ctx context.Context) error {
			n, err := w.Table.Prune(ctx, w.Retention)
			logCleaned(ctx, w.Logger, "old messages deleted", n)
			return err
		}})
	}
	return jobs
}
