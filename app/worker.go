package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"usher/config"
	"usher/providers"
	"usher/secrets"
	"usher/store/redisstore"
	"usher/tasks"
)

// WorkerSettings is what a worker process needs, checked. A nil sender means that this worker leaves
// the channel to others.
type WorkerSettings struct {
	Config config.Worker
	Keys   *secrets.Keys
	SMS    []providers.SMSSender // in the order of preference
	Email  providers.EmailSender
}

// LoadWorker reads the settings that all channels share; the command adds its channels' senders.
func LoadWorker(environ map[string]string) (WorkerSettings, error) {
	var s WorkerSettings
	mistakes := []error{config.Load(environ, &s.Config)}
	var err error
	if s.Config.SecretKeys != "" {
		s.Keys, err = parseKeys(s.Config.Common)
		mistakes = append(mistakes, err)
	}
	mistakes = append(mistakes, checkRedisURL(s.Config.Common))
	return s, config.Join(mistakes...)
}

// Worker is the process that takes tasks off the queues and sends them.
type Worker struct {
	settings WorkerSettings
	logger   *slog.Logger
	stores   *stores
	queues   []*queue
	relay    *tasks.Relay
	ops      *server
	health   *ops
}

// queue is one Asynq server: one for each channel, since one fetch loop serves a queue best alone.
type queue struct {
	name   string
	server *asynq.Server
	client redis.UniversalClient
}

// OpenWorker opens the stores and binds the operations port; it takes no task yet.
func OpenWorker(ctx context.Context, s WorkerSettings, logger *slog.Logger) (_ *Worker, err error) {
	w := &Worker{settings: s, logger: logger}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.stores, err = openStores(ctx, s.Config.Common, s.Keys); err != nil {
		return nil, err
	}
	if s.SMS != nil {
		if err = w.addQueue(tasks.QueueSMS, s.Config.ConcurrencySMS); err != nil {
			return nil, err
		}
	}
	if s.Email != nil {
		if err = w.addQueue(tasks.QueueEmail, s.Config.ConcurrencyEmail); err != nil {
			return nil, err
		}
	}
	enqueuer := &tasks.Enqueuer{Client: asynq.NewClientFromRedisClient(w.stores.client), Keys: s.Keys}
	w.relay = &tasks.Relay{Outbox: w.stores.mails, Enqueuer: enqueuer, Logger: logger}
	return w, w.openOps(ctx)
}

func (w *Worker) openOps(ctx context.Context) (err error) {
	c := w.settings.Config
	w.health = newOps(c.OpsToken, w.stores.probes()...)
	if w.ops, err = listen(ctx, c.OpsAddr, w.health.handler(), w.logger); err != nil {
		return fmt.Errorf("listen on %sOPS_ADDR: %w", config.Prefix, err)
	}
	return nil
}

// addQueue makes the Asynq server of one queue, with a client of its own that can still acknowledge
// after a short absence of Redis.
func (w *Worker) addQueue(name string, concurrency int) error {
	c := w.settings.Config
	client, err := redisstore.Open(c.RedisURL.Reveal())
	if err != nil {
		return err
	}
	client.AddHook(tasks.AckHook{})
	server := asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency:              concurrency,
		Queues:                   map[string]int{name: 1},
		TaskCheckInterval:        c.PollInterval,
		DelayedTaskCheckInterval: time.Second,
		RetryDelayFunc:           tasks.RetryDelay,
		ShutdownTimeout:          c.ShutdownGrace,
		Logger:                   asynqLogger{w.logger.With("queue", name)},
	})
	w.queues = append(w.queues, &queue{name: name, server: server, client: client})
	return nil
}

// mux lists the handlers of one queue.
func (w *Worker) mux(metrics *tasks.Metrics, mails *tasks.Mails) *asynq.ServeMux {
	s := w.settings
	mux := asynq.NewServeMux()
	mux.Use(tasks.Observe(w.logger, metrics))
	var sms *tasks.SMSCodeHandler
	if s.SMS != nil {
		sms = &tasks.SMSCodeHandler{
			Claims: w.stores.redis.Codes(), Sender: &providers.Router{Senders: s.SMS, Logger: w.logger},
			Keys: s.Keys, Timeout: s.Config.SendTimeout, Metrics: metrics,
		}
	}
	var activation *tasks.EmailActivationHandler
	if s.Email != nil {
		activation = &tasks.EmailActivationHandler{
			Claims: w.stores.mails, Sender: s.Email, Keys: s.Keys, Mails: mails,
			Timeout: s.Config.SendTimeout, Metrics: metrics,
		}
	}
	tasks.Register(mux, sms, activation)
	return mux
}

// OpsAddr is the address that the operations port is bound to.
func (w *Worker) OpsAddr() string { return w.ops.addr() }

// Run takes and works tasks until ctx ends, lets what is in flight finish within the grace time and
// closes everything. It is called once.
func (w *Worker) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, w.close()) }()
	publicURL, err := config.PublicURL(w.settings.Config.PublicURL)
	if err != nil {
		return err
	}
	mails, err := tasks.NewMails(publicURL)
	if err != nil {
		return err
	}
	mux := w.mux(tasks.NewMetrics(w.health.registry), mails)
	var names []string
	for _, q := range w.queues {
		if err := q.server.Start(mux); err != nil {
			return fmt.Errorf("start queue %s: %w", q.name, err)
		}
		names = append(names, q.name)
	}
	w.logger.Info("worker ready", "queues", names, "ops_addr", w.OpsAddr())
	stop := context.AfterFunc(ctx, w.drain)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { w.relay.Run(ctx); return nil })
	group.Go(func() error { return w.ops.run(ctx, w.settings.Config.ShutdownGrace) })
	group.Go(func() error {
		<-ctx.Done()
		w.shutdown()
		return nil
	})
	return group.Wait()
}

// drain stops fetching at once, so that other workers take what comes from now on.
func (w *Worker) drain() {
	w.health.draining.Store(true)
	for _, q := range w.queues {
		q.server.Stop()
	}
}

// shutdown waits for the tasks in flight, all queues at the same time.
func (w *Worker) shutdown() {
	var group errgroup.Group
	for _, q := range w.queues {
		group.Go(func() error { q.server.Shutdown(); return nil })
	}
	_ = group.Wait()
}

func (w *Worker) close() error {
	var errs []error
	if w.ops != nil {
		errs = append(errs, w.ops.http.Close())
	}
	for _, q := range w.queues {
		errs = append(errs, q.client.Close())
	}
	if w.stores != nil {
		errs = append(errs, w.stores.close())
	}
	if w.settings.Email != nil {
		errs = append(errs, w.settings.Email.Close())
	}
	return errors.Join(errs...)
}
