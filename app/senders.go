package app

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.opentelemetry.io/otel/trace"

	"usher/providers"
	"usher/store/redisconn"
	"usher/store/redisstore"
)

// Senders are what a worker sends with. A nil one means that it leaves the channel to others.
type Senders struct {
	SMS   []providers.SMSSender // in the order of preference
	Email providers.EmailSender
}

// countLinger is how long a router that was replaced goes on adding to the scores what it has accepted.
const countLinger = 15 * time.Second

// smsSwitch is a router that can be replaced while it is in use: calls under way end with the former one. A
// new router has closed breakers, so that a corrected account is tried at once.
type smsSwitch struct {
	open    func([]providers.SMSSender) *providers.Router
	current atomic.Pointer[routed]
}

// routed is a router, its senders as they were made, and a channel that is closed when it is replaced.
type routed struct {
	*providers.Router
	senders  []providers.SMSSender
	replaced chan struct{}
}

var (
	_ providers.SMSSender = (*smsSwitch)(nil)
	_ providers.Resolver  = (*smsSwitch)(nil)
)

// newSMS makes the router of the SMS senders, whose decisions and breakers the registry shows.
func newSMS(
	senders []providers.SMSSender, orders providers.Orders, stores *Stores, registry prometheus.Registerer, tracer trace.Tracer,
	logger *slog.Logger,
) *smsSwitch {
	decisions := promauto.With(registry).NewCounterVec(prometheus.CounterOpts{
		Name: "usher_routing_total",
		Help: "Decisions about a provider for one attempt at an SMS: why it was asked, or why it was passed over.",
	}, []string{"provider", "decision"})
	s := &smsSwitch{open: func(senders []providers.SMSSender) *providers.Router {
		return &providers.Router{
			Senders: prepareSMS(senders, stores, tracer, logger), Orders: orders, Scores: stores.Redis.Scores(),
			Slots: clockedSlots{stores.Redis.Bounds(), stores.Clock}, Logger: logger,
			Count: func(provider string, decision providers.Decision) {
				decisions.WithLabelValues(provider, string(decision)).Inc()
			},
		}
	}}
	s.replace(senders)
	registry.MustRegister(breakerMetric(s), scoreMetric(senders, stores.Redis.Scores()))
	return s
}

// prepareSMS returns the senders as the router uses them: with spans, and with their references filed.
func prepareSMS(senders []providers.SMSSender, stores *Stores, tracer trace.Tracer, logger *slog.Logger) []providers.SMSSender {
	prepared := make([]providers.SMSSender, len(senders))
	for i, sender := range senders {
		if templated, ok := sender.(providers.Templated); ok {
			if missing := templated.Templates().Missing(); len(missing) > 0 {
				logger.Warn("one SMS template serves several purposes: its words cannot say what a code is for",
					"provider", sender.Name(), "purposes", missing)
			}
		}
		FileReferences(sender, stores.Redis, tracer, logger)
		prepared[i] = providers.TraceSMS(sender, tracer)
	}
	return prepared
}

// clockedSlots ends a slot by the time that all processes share.
type clockedSlots struct {
	*redisstore.Bounds

	clock *redisconn.Clock
}

// Acquire implements [providers.Slots].
func (b clockedSlots) Acquire(ctx context.Context, slot providers.Slot) (providers.Decision, time.Duration, error) {
	slot.Until = slot.Until.Add(b.clock.Offset())
	return b.Bounds.Acquire(ctx, slot)
}

func (s *smsSwitch) replace(senders []providers.SMSSender) {
	former := s.current.Swap(&routed{s.open(senders), senders, make(chan struct{})})
	if former != nil {
		close(former.replaced)
	}
}

// Name implements [providers.SMSSender].
func (s *smsSwitch) Name() string { return s.current.Load().Name() }

// SendSMS implements [providers.SMSSender].
func (s *smsSwitch) SendSMS(ctx context.Context, sms providers.SMS) (providers.Receipt, error) {
	return s.current.Load().SendSMS(ctx, sms)
}

// ResolveSMS implements [providers.Resolver].
func (s *smsSwitch) ResolveSMS(ctx context.Context, sms providers.SMS) (providers.Receipt, error) {
	return s.current.Load().ResolveSMS(ctx, sms)
}

// Breakers returns the state of every provider's breaker, by its name.
func (s *smsSwitch) Breakers() map[string]string { return s.current.Load().Breakers() }

// Outages returns why breakers of the current router are not closed.
func (s *smsSwitch) Outages() map[string]providers.Outage { return s.current.Load().Outages() }

// senders are those in use now.
func (s *smsSwitch) senders() []providers.SMSSender { return s.current.Load().senders }

// run runs the routers until ctx ends, each until a moment after it was replaced.
func (s *smsSwitch) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	for ctx.Err() == nil {
		now := s.current.Load()
		counting, end := context.WithCancel(ctx)
		running.Go(func() { now.Run(counting) })
		select {
		case <-ctx.Done():
			end()
		case <-now.replaced:
			time.AfterFunc(countLinger, end)
		}
	}
}

// pullers are those in use now whose vendors hand out reports.
func (s *smsSwitch) pullers() (found []providers.Puller) {
	for _, sender := range s.senders() {
		if puller, ok := sender.(providers.Puller); ok {
			found = append(found, puller)
		}
	}
	return found
}

// emailSwitch is a sender of mails that can be replaced while it is in use: mails under way end with the former
// sender, which is then closed.
type emailSwitch struct {
	mu      sync.Mutex
	current *mailer
}

type mailer struct {
	providers.EmailSender
	using sync.WaitGroup
}

var _ providers.EmailSender = (*emailSwitch)(nil)

func newEmailSwitch(sender providers.EmailSender) *emailSwitch {
	return &emailSwitch{current: &mailer{EmailSender: sender}}
}

// take returns the sender in use now; the caller calls Done when it no longer uses it.
func (s *emailSwitch) take() *mailer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.using.Add(1)
	return s.current
}

// replace returns when the last mail of the former sender has ended.
func (s *emailSwitch) replace(sender providers.EmailSender) error {
	s.mu.Lock()
	former := s.current
	s.current = &mailer{EmailSender: sender}
	s.mu.Unlock()
	former.using.Wait()
	return former.Close()
}

// Name implements [providers.EmailSender].
func (s *emailSwitch) Name() string {
	m := s.take()
	defer m.using.Done()
	return m.EmailSender.Name()
}

// SendEmail implements [providers.EmailSender].
func (s *emailSwitch) SendEmail(ctx context.Context, email providers.Email) (providers.Receipt, error) {
	m := s.take()
	defer m.using.Done()
	return m.EmailSender.SendEmail(ctx, email)
}

// Close implements [providers.EmailSender].
func (s *emailSwitch) Close() error {
	m := s.take()
	defer m.using.Done()
	return m.EmailSender.Close()
}
