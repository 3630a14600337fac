package app

import (
	"context"
	"crypto/rand"
	"os"
	"time"

	"usher/messages"
	"usher/providers"
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
			self.Breakers, self.Outages = w.router.Breakers(), outagesOf(w.router.Outages())
		}
		if w.breaker != nil {
			why, since, _ := w.breaker.Outage()
			self.MailOutage, self.MailOutageSince = string(why), since
		}
		self.ClockAhead, self.ForeignAt = w.stores.Clock.Ahead(), w.metrics.ForeignAt()
		self.Jobs = w.jobStates()
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

// outagesOf converts outages for the heartbeat. The vendor's text is left out: it may quote numbers.
func outagesOf(outages map[string]providers.Outage) map[string]vitals.Outage {
	found := map[string]vitals.Outage{}
	for provider, outage := range outages {
		found[provider] = vitals.Outage{
			Since: outage.Since, Reason: string(outage.Cause.Reason()), Code: outage.Cause.Code,
			Account: outage.Cause.Kind == providers.Misconfigured,
		}
	}
	return found
}

// jobStates are the periodic jobs that this worker may be asked to do.
func (w *Worker) jobStates() []vitals.Job {
	failing := w.metrics.FailingJobs()
	var states []vitals.Job
	for _, scheduler := range w.schedulers {
		for _, job := range scheduler.Jobs {
			states = append(states, vitals.Job{Name: job.Name, Every: job.Every, FailingSince: failing[job.Name]})
		}
	}
	return states
}
