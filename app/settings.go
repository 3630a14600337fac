package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"usher/brand"
	"usher/config"
	"usher/contact"
	"usher/events/outbound"
	"usher/providers"
	"usher/secrets"
	"usher/tasks"
	"usher/telemetry"
)

// WorkerSettings is what a worker process needs, checked.
type WorkerSettings struct {
	Config config.Worker
	Keys   *secrets.Keys
	Brand  *brand.Brand // the team's own face; nil: Usher's
	Mails  *tasks.Mails
	Traces telemetry.Settings
	Canary contact.Mobile   // gets the canaries
	Orders providers.Orders // of SMS, by region
	Senders

	Events *outbound.Sender // nil: this worker delivers no events

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
	regions, err := Regions(s.Config.Numbers)
	mistakes = append(mistakes, err)
	if s.Config.CanaryTo != "" {
		if s.Canary, err = regions.Parse(s.Config.CanaryTo.Reveal()); err != nil {
			mistakes = append(mistakes, config.Wrong("CANARY_TO", errors.New("want a mobile number of a region in USHER_SMS_REGIONS")))
		}
	}
	s.Orders, err = Routes(s.Config)
	mistakes = append(mistakes, err)
	s.Brand, err = LoadBrand(s.Config.Brand)
	mistakes = append(mistakes, err)
	s.Mails, err = LoadMails(s.Config.PublicURL, s.Config.MailTemplates, s.Brand)
	mistakes = append(mistakes, err)
	return s, config.Join(mistakes...)
}

// NewEventSender makes the sender of events.
func NewEventSender(c config.Events) (*outbound.Sender, error) {
	guard, err := outbound.ParseGuard(c.EventsAllowPrivate)
	if err != nil {
		return nil, config.Wrong("EVENTS_ALLOW_PRIVATE", err)
	}
	return outbound.NewSender(outbound.Settings{Guard: guard}), nil
}

// LoadBrand reads the folder with the team's own face; nil without a folder. The error is of type config.Mistakes, with one for each
// mistake in the folder.
func LoadBrand(dir string) (*brand.Brand, error) {
	if dir == "" {
		return nil, nil //nolint:nilnil // Usher's own face.
	}
	face, err := brand.Load(os.DirFS(dir))
	return face, WrongLines("BRAND", err)
}

// WrongLines is the error of a setting with one mistake for each line of err, or nil.
func WrongLines(variable string, err error) error {
	if err == nil {
		return nil
	}
	var mistakes []error
	for line := range strings.Lines(err.Error()) {
		mistakes = append(mistakes, config.Wrong(variable, errors.New(strings.TrimSpace(line))))
	}
	return config.Join(mistakes...)
}

// LoadMails reads the templates of mails, those in dir or in the team's folder instead of the built-in ones, and
// tries each of them. The error is of type config.Mistakes, with one for each template that is of no use.
func LoadMails(publicURL, dir string, face *brand.Brand) (*tasks.Mails, error) {
	public, err := config.PublicURL(publicURL)
	if err != nil {
		return nil, config.Wrong("PUBLIC_URL", err)
	}
	replaced, variable := face.Mails(), "BRAND"
	if dir != "" {
		if replaced != nil {
			return nil, config.Wrong("MAIL_TEMPLATES", errors.New("must not be set where the folder USHER_BRAND has mails"))
		}
		replaced, variable = os.DirFS(dir), "MAIL_TEMPLATES"
	}
	mails, err := tasks.NewMails(public, replaced, face)
	return mails, WrongLines(variable, err)
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

// reload makes senders of the current settings and sends with them from here on. When a setting is wrong, the former senders
// stay.
func (w *Worker) reload() {
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
		w.breaker.Reset() // a corrected mailbox is tried at once
	}
	w.logger.Info("senders reloaded", "providers", names)
}

func logMistakes(logger *slog.Logger, err error) {
	mistakes, _ := errors.AsType[config.Mistakes](config.Join(err))
	for _, m := range mistakes {
		logger.Error("setting not reloaded, the former senders stay", "variable", m.Variable, "error", m.Text)
	}
}

// HintRestarts answers each SIGHUP in a process that reads no setting again, until ctx ends.
func HintRestarts(ctx context.Context, hangups <-chan os.Signal, logger *slog.Logger) {
	onHangup(ctx, hangups, func() {
		logger.Info("nothing to reload: settings of this process change with a restart")
	})
}
