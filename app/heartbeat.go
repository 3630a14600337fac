package app

import (
	"context"
	"crypto/rand"
	"os"
	"time"

	"usher/messages"
	"usher/queue"
	"usher/store/redisstore"
	"usher/telemetry"
	"usher/vitals"
)

// heartbeat shows on the operators' page that this worker is alive, until ctx ends. Its errors are those of Redis, which
// others log.
func (w *Worker) heartbeat(ctx context.Context) {
	self, list := w.describe(), w.stores.Redis.Workers()
	beat := func(ctx context.Context) {
		if w.router != nil {
			self.Breakers = w.router.Breakers()
		}
		if w.breaker != nil {
			why, _, _ := w.breaker.Outage()
			self.MailOutage = string(why)
		}
		_ = list.Publish(ctx, self)
	}
	beat(ctx)
	queue.Every(ctx, redisstore.WorkerPause, beat)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
	defer cancel()
	_ = list.Withdraw(last, self.ID)
}

// describe is the part of a heartbeat that does not change.
func (w *Worker) describe() vitals.Worker {
	self := vitals.Worker{ID: rand.Text()[:8], Version: telemetry.Version(), Since: time.Now()}
	self.Host, _ = os.Hostname() // empty where the system does not tell it
	if w.settings.SMS != nil {
		self.Channels = append(self.Channels, messages.SMS)
	}
	if w.settings.Email != nil {
		self.Channels = append(self.Channels, messages.Email)
	}
	for _, q := range w.queues {
		self.Queues = append(self.Queues, q.Queue)
	}
	return self
}
