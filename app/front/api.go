// Package front assembles the API process; its command and the tests start it here. The worker, which has no part of
// it, and what both share are in [app].
package front

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"runtime/debug"
	"time"

	"github.com/hibiken/asynq"
	"golang.org/x/sync/errgroup"

	"usher/accounts"
	"usher/api"
	"usher/app"
	"usher/captcha"
	"usher/config"
	"usher/contact"
	"usher/limits"
	"usher/passwords"
	"usher/secrets"
	"usher/store"
	"usher/tasks"
	"usher/telemetry"
	"usher/verify"
	"usher/web"
)

// service is the name of the process in traces, unless OTEL_SERVICE_NAME says otherwise.
const service = "usher-api"

// Settings is what the API process needs, checked.
type Settings struct {
	Config config.API
	Keys   *secrets.Keys
	Limits limits.Set
	Traces telemetry.Settings

	Hangups <-chan os.Signal // what arrives there is logged; nil in tests

	// HashCommand starts a process for hashes of passwords, see [HashCommand]; nil makes them in this process.
	HashCommand func() *exec.Cmd

	// FixedCaptcha is the answer of every captcha; only cmd/dev and tests set it, no variable can.
	FixedCaptcha string
}

// Load reads the API's settings and reports every mistake at once, as [config.Mistakes].
func Load(environ map[string]string) (Settings, error) {
	s := Settings{Traces: telemetry.Parse(environ)}
	mistakes := []error{config.Load(environ, &s.Config)}
	var err error
	s.Keys, err = app.CheckCommon(s.Config.Common)
	mistakes = append(mistakes, err, checkCaptcha(s.Config))
	funded := limits.Defaults().WithBudget(float64(s.Config.SMSBudgetYuan), s.Config.SMSPriceYuan).
		WithCodeLength(s.Config.SMSCodeLength)
	if s.Limits, err = funded.Parse(s.Config.Limits); err != nil {
		mistakes = append(mistakes, config.Mistakes{{Variable: config.Prefix + "LIMITS", Text: err.Error()}})
	}
	return s, config.Join(mistakes...)
}

// API is the process that answers requests.
type API struct {
	settings Settings
	logger   *slog.Logger
	http     *app.Server
	ops      *app.Ops
	metrics  *api.Metrics
	traces   *telemetry.Traces
	closers  []func() error

	refreshFloor func(context.Context) // see keepFloor
}

// Open opens the stores and binds the addresses. It fails when the database does not answer or its
// schema is older than this program's.
func Open(ctx context.Context, s Settings, logger *slog.Logger) (_ *API, err error) {
	a := &API{settings: s, logger: logger, traces: telemetry.Open(ctx, s.Traces, service, logger)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	stores, err := app.OpenStores(ctx, s.Config.Common, s.Keys, logger)
	if err != nil {
		return nil, err
	}
	a.closers = append(a.closers, stores.Close)
	a.ops = app.NewOps(s.Config.Common, stores)
	a.ops.Registry.MustRegister(newBacklog(stores, s.Config.SMSShards), newOutcomeBacklog(stores), newTotals(stores, s.Limits))
	a.metrics = api.NewMetrics(a.ops.Registry)
	stores.Redis.Rules = a.rules()
	face, err := a.face(stores)
	if err != nil {
		return nil, err
	}
	a.refreshFloor(ctx)
	if a.http, err = app.Listen(ctx, s.Config.HTTPAddr, face.Handler(), app.Port{
		Name: "http", Connections: s.Config.HTTPConnections, Registry: a.ops.Registry,
	}, logger); err != nil {
		return nil, fmt.Errorf("listen on %sHTTP_ADDR: %w", config.Prefix, err)
	}
	if err = a.openOps(ctx, stores); err != nil {
		return nil, err
	}
	a.announceBudget()
	a.announceGuesses()
	if s.Config.CaptchaKind == string(captcha.Off) {
		logger.Warn("captchas are off: something else must keep robots out")
	}
	return a, nil
}

// rules are the limits as configured; what the record mode lets pass is counted and logged.
func (a *API) rules() limits.Rules {
	return limits.Rules{
		Set:  a.settings.Limits,
		Mode: limits.Mode(a.settings.Config.LimitsMode),
		Report: func(ctx context.Context, name limits.Name, retryAfter time.Duration) {
			a.metrics.Recorded(name)
			a.logger.WarnContext(ctx, "limit would refuse", "limit", name, "retry_after", retryAfter)
		},
	}
}

// face assembles the HTTP face and the domain behind it.
func (a *API) face(stores *app.Stores) (*api.Server, error) {
	c := a.settings.Config
	publicURL, err := config.PublicURL(c.PublicURL)
	if err != nil {
		return nil, err
	}
	proxies, err := config.Proxies(c.TrustedProxies)
	if err != nil {
		return nil, err
	}
	origins, err := config.Origins(c.AllowedOrigins)
	if err != nil {
		return nil, err
	}
	look := captchaConfig(c)
	look.Fixed = a.settings.FixedCaptcha
	maker, err := captcha.New(look)
	if err != nil {
		return nil, err
	}
	pages, err := web.New()
	if err != nil {
		return nil, err
	}
	codes, hasher := a.codes(stores), a.hasher()
	a.refreshFloor = func(ctx context.Context) { a.keepFloor(ctx, hasher, stores) }
	return &api.Server{
		Verify:      codes,
		Accounts:    a.accounts(stores, codes, hasher),
		Captcha:     maker,
		Work:        workMaker(a.settings),
		Captchas:    stores.Redis.Captchas(),
		Gate:        stores.Redis.Gate(),
		Answers:     stores.Redis.Answers(),
		Reports:     app.NewReports(stores, a.ops.Registry, a.traces.Tracer(), a.logger),
		Limits:      a.settings.Limits,
		Sessions:    stores.Redis.Sessions(),
		SessionList: stores.Redis.Sessions(),
		Web:         pages,
		Metrics:     a.metrics,
		Gates:       api.NewGates(api.GateConfig{InFlight: c.HTTPInFlight, Connections: c.HTTPConnections, Passwords: c.PasswordParallel}, a.ops.Registry, a.logger),
		Tracer:      a.traces.Tracer(),
		Config:      faceConfig(c, publicURL, origins, proxies),
		Logger:      a.logger,
		Now:         stores.Clock.Now,
	}, nil
}

func (a *API) codes(stores *app.Stores) *verify.Service {
	c := a.settings.Config
	return &verify.Service{
		Codes: stores.Redis.Codes(),
		Queue: a.enqueuer(stores),
		Keys:  a.settings.Keys,
		Policy: verify.Policy{
			CodeLength: c.SMSCodeLength, CodeTTL: c.SMSCodeTTL,
			ResendInterval: c.SMSResendInterval, MaxAttempts: c.SMSCodeAttempts,
		},
		Now:    stores.Clock.Now,
		Logger: a.logger,
		Uses:   stores.Spent,
		Entered: func(ctx context.Context, mobile contact.Mobile) error {
			a.metrics.Entered()
			return stores.Redis.Limiter().Entered(ctx, mobile)
		},
	}
}

func (a *API) accounts(stores *app.Stores, codes *verify.Service, hasher *passwords.Hasher) *accounts.Service {
	c := a.settings.Config
	return &accounts.Service{
		Store:     stores.Accounts,
		Codes:     codes,
		Mailer:    a.enqueuer(stores),
		Passwords: hasher,
		Keys:      a.settings.Keys,
		Policy: accounts.Policy{
			Registration: accounts.Registration(c.Registration), ActivationTTL: c.ActivationTTL, UnprovedTTL: c.UnprovedTTL,
			NumberRecheck: c.NumberRecheck,
		},
		Now:    stores.Clock.Now,
		Logger: a.logger,
	}
}

func (a *API) enqueuer(stores *app.Stores) *tasks.Enqueuer {
	return &tasks.Enqueuer{
		Client: asynq.NewClientFromRedisClient(stores.Client), Keys: a.settings.Keys, Namespace: stores.Namespace, Clock: stores.TaskClock(), SMSShards: a.settings.Config.SMSShards,
		Tracer: a.traces.Tracer(),
	}
}

func (a *API) openOps(ctx context.Context, stores *app.Stores) error {
	c := a.settings.Config
	client, err := app.OpenRedis(c.Stores, store.WatchOf(a.logger))
	if err != nil {
		return err
	}
	dashboard, closeDashboard := queuesDashboard(client, stores.Namespace, c.OpsWrite, c.OpsToken == "", a.logger)
	a.closers = append(a.closers, closeDashboard)
	warnOfMemory(ctx, client, a.logger)
	page, err := a.newBoard(stores, client)
	if err != nil {
		return err
	}
	page.Register(a.ops.Mux)
	if c.OpsPprof {
		a.ops.Profiles()
	}
	a.ops.Mux.Handle(queuesPath, dashboard)
	a.ops.Mux.Handle(queuesPath+"/", dashboard)
	return a.ops.Listen(ctx, c.OpsAddr, a.logger)
}

// HTTPAddr is the address that the API and the pages are bound to.
func (a *API) HTTPAddr() string { return a.http.Addr() }

// OpsAddr is the address that the operations port is bound to.
func (a *API) OpsAddr() string { return a.ops.Addr() }

// Run answers until ctx ends, lets what is in flight finish and closes everything. It is called once.
func (a *API) Run(ctx context.Context) error {
	debug.FreeOSMemory() // what starting took is not needed again
	a.logger.Info("api ready", "http_addr", a.HTTPAddr(), "ops_addr", a.OpsAddr())
	defer func() { _ = a.close() }()
	stop := context.AfterFunc(ctx, a.ops.Drain)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	grace := a.settings.Config.ShutdownGrace
	group.Go(func() error { return a.http.Run(ctx, grace) })
	group.Go(func() error { return a.ops.Run(ctx, grace) })
	group.Go(func() error { a.runFloor(ctx); return nil })
	group.Go(func() error { app.HintRestarts(ctx, a.settings.Hangups, a.logger); return nil })
	return group.Wait()
}

func (a *API) close() error {
	var errs []error
	if a.http != nil {
		errs = append(errs, a.http.Close())
	}
	if a.ops != nil {
		errs = append(errs, a.ops.Close())
	}
	for _, c := range a.closers {
		errs = append(errs, c())
	}
	a.traces.Close()
	return errors.Join(errs...)
}

func faceConfig(c config.API, publicURL *url.URL, origins []string, proxies []netip.Prefix) api.Config {
	return api.Config{
		PublicURL: publicURL, AllowedOrigins: origins, TrustedProxies: proxies,
		Registration: accounts.Registration(c.Registration),
		ReportSecret: c.ReportSecret.Reveal(),
		CaptchaTTL:   c.CaptchaTTL, SessionIdle: c.SessionIdle,
		SessionLifetime: c.SessionLifetime, SessionRemember: c.SessionRemember,
	}
}
