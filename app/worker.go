package app

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"golang.org/x/sync/errgroup"

	"usher/config"
	"usher/contact"
	"usher/providers"
	"usher/queue"
	"usher/secrets"
	"usher/store"
	"usher/store/redisconn"
	"usher/tasks"
	"usher/telemetry"
)

// WorkerSettings is what a worker process needs, checked. A nil sender means that this worker leaves
// the channel to others.
type WorkerSettings struct {
	Config config.Worker
	Keys   *secrets.Keys
	Mails  *tasks.Mails
	Traces telemetry.Settings
	Canary contact.Mobile        // gets the canaries
	SMS    []providers.SMSSender // in the order of preference
	Email  providers.EmailSender

	// Reload makes senders anew of what the settings say by now, when something arrives on Hangups. Both may be
	// nil: the senders are never replaced then.
	Reload  func() (Senders, error)
	Hangups <-chan os.Signal
}

// LoadWorker reads the settings that all channels share; the command adds its channels' senders.
func LoadWorker(environ map[string]string) (WorkerSettings, error) {
	s := WorkerSettings{Traces: telemetry.Parse(environ)}
	mistakes := []error{config.Load(environ, &s.Config)}
	var err error
	s.Keys, err = CheckCommon(s.Config.Common)
	mistakes = append(mistakes, err)
	if s.Config.CanaryTo != "" {
		if s.Canary, err = contact.ParseMobile(s.Config.CanaryTo.Reveal()); err != nil {
			mistakes = append(mistakes, config.Mistakes{{Variable: config.Prefix + "CANARY_TO", Text: "want a mainland mobile number"}})
		}
	}
	s.Mails, err = LoadMails(s.Config.PublicURL, s.Config.MailTemplates)
	mistakes = append(mistakes, err)
	return s, config.Join(mistakes...)
}

// LoadMails reads the templates of mails, those in dir instead of the built-in ones unless dir is empty, and
// tries each of them. The error is of type config.Mistakes, with one for each template that is of no use.
func LoadMails(publicURL, dir string) (*tasks.Mails, error) {
	public, err := config.PublicURL(publicURL)
	if err != nil {
		return nil, config.Mistakes{{Variable: config.Prefix + "PUBLIC_URL", Text: err.Error()}}
	}
	var replaced fs.FS
	if dir != "" {
		replaced = os.DirFS(dir)
	}
	mails, err := tasks.NewMails(public, replaced)
	if err == nil {
		return mails, nil
	}
	var mistakes config.Mistakes
	for line := range strings.Lines(err.Error()) {
		mistakes = append(mistakes, config.Mistake{
			Variable: config.Prefix + "MAIL_TEMPLATES", Text: strings.TrimSpace(line),
		})
	}
	return nil, mistakes
}

// Worker is the process that takes tasks off the queues and sends them.
type Worker struct {
	settings WorkerSettings
	logger   *slog.Logger
	stores   *Stores
	queues   []*consumer
	relay    *tasks.Relay
	expired  *tasks.Expired
	puller   *tasks.Puller
	outcomes *tasks.OutcomeWriter
	periodic []*queue.Scheduler
	router   *smsSwitch              // nil without SMS
	email    *emailSwitch            // nil without mails
	breaker  *providers.EmailBreaker // nil without mails
	ops      *Ops
	traces   *telemetry.Traces
}

// consumer takes the tasks off one queue. Its messages are nil where no message belongs to a task.
type consumer struct {
	*queue.Consumer
	messages queue.Messages
}

// mailsAhead is how many tasks of mails a worker has for each mail that it sends: the others wait unclaimed, or record
// what became of theirs.
const mailsAhead = 4

// mailLoops fetch mails: a single one fetches fewer than four connections to a near mail server can send.
const mailLoops = 2

// OpenWorker opens the stores and binds the operations port; it takes no task yet.
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
	if s.SMS != nil {
		names := w.smsQueues()
		for _, name := range names {
			share := max(s.Config.ConcurrencySMS/len(names), 1)
			if err = w.addQueue(name, s.Config.Fetchers, share, w.stores.Redis.Codes()); err != nil {
				return nil, err
			}
		}
	}
	if s.Email != nil {
		if err = w.addQueue(w.stores.Namespace.Queue(queue.Email), mailLoops, mailsAhead*s.Config.ConcurrencyEmail, w.stores.Mails); err != nil {
			return nil, err
		}
	}
	enqueuer := &tasks.Enqueuer{
		Client: asynq.NewClientFromRedisClient(w.stores.Client), Keys: s.Keys, Namespace: w.stores.Namespace, Clock: w.stores.TaskClock(), SMSShards: s.Config.SMSShards,
		Tracer: w.traces.Tracer(),
	}
	w.relay = &tasks.Relay{
		Outbox: w.stores.Mails, Enqueuer: enqueuer, Locks: w.stores.Redis.Reports(), Logger: logger,
		Inspector: asynq.NewInspectorFromRedisClient(w.stores.Client),
	}
	if err = w.openOps(ctx); err != nil {
		return nil, err
	}
	if s.SMS != nil {
		w.router = newSMS(s.SMS, w.prepareSMS, w.stores, w.ops.Registry, logger)
		w.ops.Registry.MustRegister(newScores(s.SMS, w.stores))
	}
	if w.breaker != nil {
		w.ops.Registry.MustRegister(newMailOutage(w.breaker, s.Email.Name()))
	}
	w.puller = newPuller(w.router, w.stores, w.ops.Registry, w.traces.Tracer(), logger)
	w.outcomes = newOutcomeWriter(s, w.stores, logger)
	if err = w.addPeriodic(); err != nil {
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

// prepareSMS makes senders ready to be used in this worker.
func (w *Worker) prepareSMS(senders []providers.SMSSender) []providers.SMSSender {
	for _, sender := range senders {
		templated, ok := sender.(providers.Templated)
		if !ok {
			continue
		}
		if missing := templated.Templates().Missing(); len(missing) > 0 {
			w.logger.Warn("one SMS template serves several purposes: its words cannot say what a code is for",
				"provider", sender.Name(), "purposes", missing)
		}
	}
	fileReferences(senders, w.stores, w.logger)
	return traceSMS(senders, w.traces.Tracer())
}

func (w *Worker) openOps(ctx context.Context) error {
	c := w.settings.Config
	w.ops = NewOps(c.Common, w.stores)
	if c.OpsPprof {
		w.ops.Profiles()
	}
	return w.ops.Listen(ctx, c.OpsAddr, w.logger)
}

// addQueue makes the consumer of one queue, with a client of its own.
func (w *Worker) addQueue(name string, loops, concurrency int, messages queue.Messages) error {
	c := w.settings.Config
	client, err := OpenRedis(c.Stores, store.WatchOf(w.logger))
	if err != nil {
		return err
	}
	w.queues = append(w.queues, &consumer{queue.NewConsumer(client, queue.ConsumerSettings{
		Queue: name, Loops: loops, Concurrency: concurrency, Idle: c.PollInterval, Grace: c.ShutdownGrace,
		Offset: w.stores.Clock.Offset, RetryDelay: tasks.RetryDelay, IsFailure: tasks.IsFailure, Logger: w.logger,
	}), messages})
	redisconn.Batch(client)
	return nil
}

// mux lists the handlers of one queue.
func (w *Worker) mux(metrics *tasks.Metrics) *asynq.ServeMux {
	s := w.settings
	mux := asynq.NewServeMux()
	mux.Use(tasks.Trace(w.traces.Tracer()), tasks.Observe(w.logger, metrics))
	var sms *tasks.SMSCodeHandler
	if s.SMS != nil {
		sms = &tasks.SMSCodeHandler{
			Claims: w.stores.Redis.Codes(), Sender: w.router, Keys: s.Keys,
			Timeout: s.Config.SendTimeout, Metrics: metrics, Expired: w.expired, Clock: w.stores.TaskClock(),
		}
	}
	var email *tasks.EmailHandler
	if s.Email != nil {
		email = &tasks.EmailHandler{
			Claims: w.stores.Mails, Notes: w.stores.Redis.Mails(), Sender: providers.TraceEmail(w.email, w.traces.Tracer()), Keys: s.Keys, Mails: s.Mails,
			Timeout: s.Config.SendTimeout, Metrics: metrics, Slots: make(chan struct{}, s.Config.ConcurrencyEmail), Breaker: w.breaker,
			Clock: w.stores.TaskClock(),
		}
	}
	tasks.Register(mux, sms, email)
	for _, periodic := range w.periodic {
		periodic.Count = metrics.JobRan
		periodic.Handle(mux)
	}
	return mux
}

// OpsAddr is the address that the operations port is bound to.
func (w *Worker) OpsAddr() string { return w.ops.Addr() }

// Run takes and works tasks until ctx ends, lets what is in flight finish within the grace time and
// closes everything. It is called once.
func (w *Worker) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, w.close()) }()
	metrics := tasks.NewMetrics(w.ops.Registry)
	w.expired = tasks.NewExpired(w.stores.Client, w.stores.Redis.Codes(), metrics, w.logger, w.smsQueues())
	mux := w.mux(metrics)
	stop, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	mux.Use(tasks.Stoppable(ctx, stop))
	var names []string
	var waiters []*queue.Waiter
	for _, q := range w.queues {
		if err := q.Start(mux); err != nil {
			return err
		}
		names, waiters = append(names, q.Queue), append(waiters, q.Waiter)
	}
	debug.FreeOSMemory() // what starting took is not needed again
	w.logger.Info("worker ready", "queues", names, "ops_addr", w.OpsAddr())
	defer context.AfterFunc(ctx, w.drain)()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { queue.Listen(ctx, w.stores.Client, waiters...); return nil })
	group.Go(func() error { w.relay.Run(ctx); return nil })
	group.Go(func() error { w.expired.Run(ctx); return nil })
	group.Go(func() error { w.announce(ctx); return nil })
	group.Go(func() error { w.puller.Run(ctx); return nil })
	writing, written := context.WithCancel(context.WithoutCancel(ctx)) // until the tasks in flight have ended
	defer written()
	w.outcomes.Metrics = metrics
	group.Go(func() error { w.outcomes.Run(writing); return nil })
	if w.router != nil {
		group.Go(func() error { w.router.run(ctx); return nil })
	}
	group.Go(func() error { onHangup(ctx, w.settings.Hangups, w.reload); return nil })
	for _, periodic := range w.periodic {
		group.Go(func() error { periodic.Run(ctx); return nil })
	}
	for _, q := range w.queues {
		if q.messages == nil { // a periodic task that is lost is due again
			continue
		}
		reaper := &queue.Reaper{
			Queue: q.Queue, Client: w.stores.Client, Messages: q.messages, Count: metrics.Reaped, Logger: w.logger,
			Offset: w.stores.Clock.Offset, Slots: queue.Plain(q.Queue) == queue.Email,
		}
		group.Go(func() error { reaper.Run(ctx); return nil })
	}
	group.Go(func() error { return w.ops.Run(ctx, w.settings.Config.ShutdownGrace) })
	group.Go(func() error {
		<-ctx.Done()
		grace := w.settings.Config.ShutdownGrace
		defer time.AfterFunc(grace-recordShare(grace), giveUp).Stop()
		w.shutdown()
		written()
		return nil
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

// recordShare is the end of the grace time in which calls to providers are given up, and what became of them is
// recorded, before Asynq puts back what has not ended.
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
	w.traces.Close()
	return errors.Join(errs...)
}
