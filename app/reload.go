package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"usher/config"
	"usher/providers"
	"usher/reports"
)

// Senders are what a worker sends with. A nil one means that it leaves the channel to others.
type Senders struct {
	SMS   []providers.SMSSender // in the order of preference
	Email providers.EmailSender
}

// Hangups returns where SIGHUP arrives from now on, instead of ending the process, until stop is called.
func Hangups() (hangups <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// onHangup calls do for each signal until ctx ends.
func onHangup(ctx context.Context, hangups <-chan os.Signal, do func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			do()
		}
	}
}

// reload makes senders of the settings as they are now and sends with them from here on. When anything is wrong
// with them everything stays as it was.
func (w *Worker) reload() {
	if w.settings.Reload == nil {
		hintRestart(w.logger)
		return
	}
	senders, err := w.settings.Reload()
	if err != nil {
		if senders.Email != nil {
			err = errors.Join(err, senders.Email.Close())
		}
		logMistakes(w.logger, err)
		return
	}
	var names []string
	if w.router != nil && senders.SMS != nil {
		w.router.replace(senders.SMS)
		for _, sender := range senders.SMS {
			names = append(names, sender.Name())
		}
	}
	if w.email != nil && senders.Email != nil {
		names = append(names, senders.Email.Name())
		if err := w.email.replace(senders.Email); err != nil {
			w.logger.Warn("former sender of mails not closed", "error", err)
		}
		w.breaker.Reset() // the mended mailbox is tried at once
	}
	w.logger.Info("senders reloaded", "providers", names)
}

func logMistakes(logger *slog.Logger, err error) {
	mistakes, ok := errors.AsType[config.Mistakes](err)
	if !ok {
		mistakes = config.Mistakes{{Variable: "settings", Text: err.Error()}}
	}
	for _, m := range mistakes {
		logger.Error("setting not reloaded, the former senders stay", "variable", m.Variable, "error", m.Text)
	}
}

// countLinger is how long a router that was replaced goes on telling the scores what it has accepted.
const countLinger = 15 * time.Second

// smsSwitch is a router that can be replaced while it is in use: what is under way ends with the former one. A
// new router has closed breakers, so that a mended account is tried at once.
type smsSwitch struct {
	open    func([]providers.SMSSender) *providers.Router
	current atomic.Pointer[routed]
}

// routed is a router, the senders behind it as they were made, and a channel that is closed when others take over.
type routed struct {
	*providers.Router
	senders  []providers.SMSSender
	replaced chan struct{}
}

var (
	_ providers.SMSSender = (*smsSwitch)(nil)
	_ providers.Resolver  = (*smsSwitch)(nil)
)

func newSMSSwitch(open func([]providers.SMSSender) *providers.Router, senders []providers.SMSSender) *smsSwitch {
	s := &smsSwitch{open: open}
	s.replace(senders)
	return s
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

// senders are those that are in use now.
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

// pulled is the sender of a name, whoever it is now, as one that hands out delivery reports.
type pulled struct {
	sms  *smsSwitch
	name string
}

// Name implements [providers.Puller].
func (p pulled) Name() string { return p.name }

// Pull implements [providers.Puller].
func (p pulled) Pull(ctx context.Context) (reports.Batch, error) {
	for _, sender := range p.sms.senders() {
		if source, ok := sender.(providers.Puller); ok && sender.Name() == p.name {
			return source.Pull(ctx)
		}
	}
	return reports.Batch{}, nil
}

// emailSwitch is a sender of mails that can be replaced while it is in use: mails under way end with the former
// one, which is closed then.
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

// take returns the sender that is in use now; the caller says when it is done with it.
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

// HintRestarts answers each signal that hangs up in a process that reads no setting again, until ctx ends.
func HintRestarts(ctx context.Context, hangups <-chan os.Signal, logger *slog.Logger) {
	onHangup(ctx, hangups, func() { hintRestart(logger) })
}

// hintRestart is what a process says that reads no setting again.
func hintRestart(logger *slog.Logger) {
	logger.Info("nothing to reload: settings of this process change with a restart")
}
