package app

import (
	"context"
	"crypto/rand"
	"os"
	"time"

	"usher/messages"
	"usher/store/redisstore"
	"usher/telemetry"
	"usher/vitals"
)

// announce tells the operators' page that this worker lives, until ctx ends. While Redis is away there is nobody
// to tell, and others log that.
func (w *Worker) announce(ctx context.Context) {
	self, list := w.presence(), w.stores.Redis.Workers()
	ticker := time.NewTicker(redisstore.WorkerPause)
	defer ticker.Stop()
	for {
		if w.router != nil {
			self.Breakers = w.router.Breakers()
		}
		if w.breaker != nil {
			why, _, _ := w.breaker.Outage()
			self.MailOutage = string(why)
		}
		_ = list.Publish(ctx, self)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
			defer cancel()
			_ = list.Withdraw(last, self.ID)
			return
		}
	}
}

// presence is what the worker says of itself and what does not change.
func (w *Worker) presence() vitals.Worker {
	self := vitals.Worker{ID: rand.Text()[:8], Version: telemetry.Version(), Since: time.Now()}
	self.Host, _ = os.Hostname() // a nameless one still lives
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
