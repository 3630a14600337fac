package app

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"golang.org/x/sync/errgroup"

	"usher/events/outbound"
	"usher/providers"
	"usher/queue"
	"usher/store"
	"usher/store/redisconn"
	"usher/store/sqlstore"
	"usher/tasks"
	"usher/telemetry"
	"usher/verify"
)

// serviceWorker is the name of the process in traces, unless OTEL_SERVICE_NAME says otherwise.
const serviceWorker = "usher-worker"

// Worker is the process that takes tasks off the queues and sends messages. It is assembled here, from top to bottom: stores,
// operations port, senders, queues, and the loops that run beside them.
type Worker struct {
	settings WorkerSettings
	logger   *slog.Logger
	traces   *telemetry.Traces
	stores   *Stores
	ops      *Ops
	metrics  *tasks.Metrics

	router  *smsSwitch              // nil without SMS
	email   *emailSwitch            // nil without mails
	breaker *providers.EmailBreaker // nil without mails

	queues     []*queue.Consumer
	reapers    []*queue.Reaper
	schedulers []*queue.Scheduler
	relay      *tasks.Relay
	expired    *tasks.Expired
	puller     *tasks.Puller
	outcomes   *tasks.OutcomeWriter
	feeder     *tasks.EventFeeder // nil without events
}

const (
	// mailsAhead is how many tasks of mails a worker takes for each mail that it sends at a time: the others wait unclaimed, or
	// record their outcome.
	mailsAhead = 4

	// eventLoops fetch events, and eventShare is the part of the slots that one endpoint may have.
	eventLoops = 8
	eventShare = 8

	// mailLoops fetch mails: a single one fetches fewer than four connections to a near mail server can send.
	mailLoops = 2

	// periodicConcurrency is how many jobs one worker does at the same time.
	periodicConcurrency = 2
)

// OpenWorker opens the stores, binds the operations port and assembles the worker; it takes no task yet.
func OpenWorker(ctx context.Context, s WorkerSettings, logger *slog.Logger) (_ *Worker, err error) {
	w := &Worker{settings: s, logger: logger, traces: telemetry.Open(ctx, s.Traces, serviceWorker, logger)}
	if s.Email != nil {
		w.email, w.breaker = newEmailSwitch(s.Email), providers.NewEmailBreaker(s.Email.Name(), logger)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.stores, err = OpenStores(ctx, s.Config.Common, s.Keys, logger); err != nil {
		return nil, err
	}
	w.ops = NewOps(s.Config.Common, w.stores)
	if s.Config.OpsPprof {
		w.ops.Profiles()
	}
	if err = w.ops.Listen(ctx, s.Config.OpsAddr, logger); err != nil {
		return nil, err
	}
	w.metrics = tasks.NewMetrics(w.ops.Registry)
	if s.SMS != nil {
		w.router = newSMS(s.SMS, s.Orders, w.stores, w.ops.Registry, w.traces.Tracer(), logger)
	}
	if w.breaker != nil {
		w.ops.Registry.MustRegister(mailOutageMetric(w.breaker, s.Email.Name()))
	}
	if s.Events != nil {
		w.ops.Registry.MustRegister(newEventsBacklog(w.stores.Events))
	}
	w.assembleLoops()
	if err = w.assembleQueues(); err != nil {
		return nil, err
	}
	return w, nil
}

// smsQueues are the queues of codes that this worker serves; none without SMS.
func (w *Worker) smsQueues() []string {
	if w.settings.SMS == nil {
		return nil
	}
	return w.stores.Namespace.SMSQueues(w.settings.Config.SMSShards)
}

// codeQueues are the queues of this worker that have codes.
func (w *Worker) codeQueues() []string {
	names := w.smsQueues()
	if w.settings.Email != nil {
		names = append(names, w.stores.Namespace.Queue(queue.Email))
	}
	return names
}

// emailMessages are the messages of the queue of mails: mails, which are in the database, and codes by mail, which are in Redis.
type emailMessages struct{ mails, codes queue.Messages }

// Unclaimed implements [queue.Messages]. The ids tell them apart.
func (m emailMessages) Unclaimed(ctx context.Context, ids []string) ([]string, error) {
	var mails, codes []string
	for _, id := range ids {
		if _, isCode := verify.SubjectOf(id); isCode {
			codes = append(codes, id)
		} else {
			mails = append(mails, id)
		}
	}
	var unclaimed []string
	for _, some := range []struct {
		of  queue.Messages
		ids []string
	}{{m.mails, mails}, {m.codes, codes}} {
		if len(some.ids) == 0 {
			continue
		}
		found, err := some.of.Unclaimed(ctx, some.ids)
		if err != nil {
			return nil, err
		}
		unclaimed = append(unclaimed, found...)
	}
	return unclaimed, nil
}

// eventMessages are the deliveries of events. The database takes those of dead workers back, so the reaper only heals the queue.
type eventMessages struct{}

// Unclaimed implements [queue.Messages].
func (eventMessages) Unclaimed(context.Context, []string) ([]string, error) { return nil, nil }

// assembleLoops makes what runs beside the queues.
func (w *Worker) assembleLoops() {
	s, stores := w.settings, w.stores
	enqueuer := &tasks.Enqueuer{
		Client: asynq.NewClientFromRedisClient(stores.Client), Keys: s.Keys, Namespace: stores.Namespace,
		SMSShards: s.Config.SMSShards, Clock: stores.TaskClock(), Tracer: w.traces.Tracer(),
	}
	w.relay = &tasks.Relay{
		Outbox: stores.Mails, Locks: stores.Redis.Reports(), Logger: w.logger,
		Inspector: asynq.NewInspectorFromRedisClient(stores.Client), Enqueuer: enqueuer,
	}
	if s.Events != nil {
		w.feeder = &tasks.EventFeeder{
			Events: stores.Events, Enqueuer: enqueuer, Leaders: stores.Redis.Leaders(),
			Most: max(s.Config.ConcurrencyEvents/eventShare, 1), Logger: w.logger,
		}
	}
	w.expired = tasks.NewExpired(stores.Client, stores.Redis.Codes(), w.metrics, w.logger, w.codeQueues())
	w.puller = &tasks.Puller{Reports: NewReports(stores, w.ops.Registry, w.traces.Tracer(), w.logger), Logger: w.logger}
	w.outcomes = &tasks.OutcomeWriter{
		Log: stores.Redis.Outcomes(), Table: sqlstore.NewOutcomes(stores.SQL, stores.Clock.Now), Locks: stores.Redis.Reports(),
		Retention: s.Config.MessageRetention, Metrics: w.metrics, Logger: w.logger,
	}
}

// assembleQueues makes a consumer of every queue, and what keeps the queue in order.
func (w *Worker) assembleQueues() error {
	c := w.settings.Config
	sms := w.smsQueues()
	for _, name := range sms {
		share := max(c.ConcurrencySMS/len(sms), 1)
		if err := w.addMessages(name, c.Fetchers, share, w.stores.Redis.Codes()); err != nil {
			return err
		}
	}
	if w.settings.Email != nil {
		name := w.stores.Namespace.Queue(queue.Email)
		if err := w.addMessages(name, mailLoops, mailsAhead*c.ConcurrencyEmail, emailMessages{w.stores.Mails, w.stores.Redis.Codes()}); err != nil {
			return err
		}
	}
	if w.feeder != nil {
		name := w.stores.Namespace.Queue(queue.Events)
		if err := w.addMessages(name, eventLoops, c.ConcurrencyEvents, eventMessages{}); err != nil {
			return err
		}
	}
	for name, jobs := range map[string][]queue.Job{queue.Periodic: w.jobs(), queue.PeriodicSMS: w.smsJobs()} {
		if len(jobs) == 0 {
			continue
		}
		name = w.stores.Namespace.Queue(name)
		w.schedulers = append(w.schedulers, &queue.Scheduler{
			Queue: name, Jobs: jobs, Client: w.stores.Client, Leaders: w.stores.Redis.Leaders(), Count: w.metrics.JobRan, Logger: w.logger,
		})
		if err := w.addQueue(name, 1, periodicConcurrency); err != nil {
			return err
		}
	}
	return nil
}

// addMessages makes the consumer of a queue of messages, and its reaper. A periodic task has none: when it is lost, it is due
// again anyway.
func (w *Worker) addMessages(name string, loops, concurrency int, messages queue.Messages) error {
	w.reapers = append(w.reapers, &queue.Reaper{
		Queue: name, Client: w.stores.Client, Messages: messages, Count: w.metrics.Reaped, Logger: w.logger,
		Offset: w.stores.Clock.Offset, Slots: queue.Plain(name) == queue.Email,
	})
	return w.addQueue(name, loops, concurrency)
}

// addQueue makes the consumer of a queue, with a client of its own.
func (w *Worker) addQueue(name string, loops, concurrency int) error {
	c := w.settings.Config
	client, err := OpenRedis(c.Stores, store.WatchOf(w.logger))
	if err != nil {
		return err
	}
	w.queues = append(w.queues, queue.NewConsumer(client, queue.ConsumerSettings{
		Queue: name, Loops: loops, Concurrency: concurrency, Idle: c.PollInterval, Grace: c.ShutdownGrace,
		Offset: w.stores.Clock.Offset, RetryDelay: tasks.RetryDelay, IsFailure: tasks.IsFailure, Logger: w.logger,
	}))
	redisconn.Batch(client)
	return nil
}

// handler works the tasks of all queues. From the end of stop on, no attempt begins; see [tasks.Stoppable].
func (w *Worker) handler(ctx, stop context.Context) asynq.Handler {
	s, stores := w.settings, w.stores
	mux := asynq.NewServeMux()
	mux.Use(tasks.Trace(w.traces.Tracer()), tasks.Observe(w.logger, w.metrics), tasks.Stoppable(ctx, stop))
	var sms *tasks.SMSCodeHandler
	if s.SMS != nil {
		sms = &tasks.SMSCodeHandler{
			Claims: stores.Redis.Codes(), Sender: w.router, Keys: s.Keys, Timeout: s.Config.SendTimeout,
			Metrics: w.metrics, Expired: w.expired, Clock: stores.TaskClock(), Brand: s.Brand,
		}
	}
	var email *tasks.EmailHandler
	if s.Email != nil {
		email = &tasks.EmailHandler{
			Claims: stores.Mails, Bounces: stores.Mails, Notes: stores.Redis.Mails(), Sender: providers.TraceEmail(w.email, w.traces.Tracer()),
			Keys: s.Keys, Mails: s.Mails, Timeout: s.Config.SendTimeout, Metrics: w.metrics, Clock: stores.TaskClock(),
			Slots: make(chan struct{}, s.Config.ConcurrencyEmail), Breaker: w.breaker, Codes: stores.Redis.Codes(), Expired: w.expired,
		}
	}
	var event *tasks.EventHandler
	if s.Events != nil {
		event = &tasks.EventHandler{
			Events: stores.Events, Sender: s.Events, Timeout: outbound.Timeout, Metrics: w.metrics, Clock: stores.TaskClock(),
		}
	}
	tasks.Register(mux, sms, email, event)
	for _, scheduler := range w.schedulers {
		scheduler.Handle(mux)
	}
	return mux
}

// OpsAddr is the address that the operations port is bound to.
func (w *Worker) OpsAddr() string { return w.ops.Addr() }

// Run takes and works tasks until ctx ends, lets tasks in flight finish within the grace time and
// closes everything. It is called once.
func (w *Worker) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, w.close()) }()
	stop, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	handler := w.handler(ctx, stop)
	var names []string
	var waiters []*queue.Waiter
	for _, q := range w.queues {
		if err := q.Start(handler); err != nil {
			return err
		}
		names, waiters = append(names, q.Queue), append(waiters, q.Waiter)
	}
	debug.FreeOSMemory() // what starting took is not needed again
	w.logger.Info("worker ready", "queues", names, "ops_addr", w.OpsAddr())
	defer context.AfterFunc(ctx, w.drain)()

	group, ctx := errgroup.WithContext(ctx)
	loop := func(ctx context.Context, run func(context.Context)) {
		group.Go(func() error { run(ctx); return nil })
	}
	loop(ctx, func(ctx context.Context) { queue.Listen(ctx, w.stores.Client, waiters...) })
	for _, reaper := range w.reapers {
		loop(ctx, reaper.Run)
	}
	for _, scheduler := range w.schedulers {
		loop(ctx, scheduler.Run)
	}
	loop(ctx, w.relay.Run)
	if w.feeder != nil {
		loop(ctx, w.feeder.Run)
	}
	loop(ctx, w.expired.Run)
	loop(ctx, w.puller.Run)
	loop(ctx, w.heartbeat)
	loop(ctx, func(ctx context.Context) { onHangup(ctx, w.settings.Hangups, w.reload) })
	if w.router != nil {
		loop(ctx, w.router.run)
	}
	writing, written := context.WithCancel(context.WithoutCancel(ctx)) // until the tasks in flight have ended
	defer written()
	loop(writing, w.outcomes.Run)
	group.Go(func() error { return w.ops.Run(ctx, w.settings.Config.ShutdownGrace) })
	loop(ctx, func(ctx context.Context) {
		<-ctx.Done()
		grace := w.settings.Config.ShutdownGrace
		defer time.AfterFunc(grace-recordShare(grace), giveUp).Stop()
		w.shutdown()
		written()
	})
	return group.Wait()
}

// drain stops fetching at once, so that other workers take what comes from now on.
func (w *Worker) drain() {
	w.ops.Drain()
	for _, q := range w.queues {
		q.Drain()
	}
}

// recordShare is the end of the grace time: calls to providers are ended, and their outcomes
// recorded, before Asynq puts back the tasks that have not ended.
func recordShare(grace time.Duration) time.Duration { return min(grace/4, 2*time.Second) }

// shutdown waits for the tasks in flight, all queues at the same time.
func (w *Worker) shutdown() {
	var group sync.WaitGroup
	for _, q := range w.queues {
		group.Go(q.Shutdown)
	}
	group.Wait()
}

func (w *Worker) close() error {
	var errs []error
	if w.ops != nil {
		errs = append(errs, w.ops.Close())
	}
	for _, q := range w.queues {
		errs = append(errs, q.Close())
	}
	if w.stores != nil {
		errs = append(errs, w.stores.Close())
	}
	if w.email != nil {
		errs = append(errs, w.email.Close())
	}
	if w.settings.Events != nil {
		w.settings.Events.Close()
	}
	w.traces.Close()
	return errors.Join(errs...)
}
