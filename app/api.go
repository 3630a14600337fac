package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"runtime/debug"
	"time"

	"github.com/hibiken/asynq"
	"golang.org/x/sync/errgroup"

	"usher/accounts"
	"usher/api"
	"usher/captcha"
	"usher/config"
	"usher/contact"
	"usher/limits"
	"usher/secrets"
	"usher/store/redisstore"
	"usher/tasks"
	"usher/telemetry"
	"usher/verify"
	"usher/web"
)

// APISettings is what the API process needs, checked.
type APISettings struct {
	Config config.API
	Keys   *secrets.Keys
	Limits limits.Set
	Traces telemetry.Settings

	Hangups <-chan os.Signal // what arrives there is logged; nil in tests

	// FixedCaptcha is the answer of every captcha; only cmd/dev and tests set it, no variable can.
	FixedCaptcha string
}

// LoadAPI reads the API's settings and reports every mistake at once, as [config.Mistakes].
func LoadAPI(environ map[string]string) (APISettings, error) {
	s := APISettings{Traces: telemetry.Parse(environ)}
	mistakes := []error{config.Load(environ, &s.Config)}
	var err error
	if s.Config.SecretKeys != "" {
		s.Keys, err = parseKeys(s.Config.Common)
		mistakes = append(mistakes, err)
	}
	if s.Limits, err = limits.Parse(s.Config.Limits); err != nil {
		mistakes = append(mistakes, config.Mistakes{{Variable: config.Prefix + "LIMITS", Text: err.Error()}})
	} else if s.Config.SMSBudgetYuan > 0 {
		s.Limits[limits.SMSBudgetDay] = limits.Budget(s.Config.SMSBudgetYuan, s.Config.SMSPriceYuan)
	}
	mistakes = append(mistakes, checkRedisURL(s.Config.Common), checkDatabaseURL(s.Config.Common),
		checkCaptcha(s.Config))
	return s, config.Join(mistakes...)
}

// API is the process that answers requests.
type API struct {
	settings APISettings
	logger   *slog.Logger
	http     *server
	ops      *server
	health   *ops
	metrics  *api.Metrics
	traces   *telemetry.Traces
	closers  []func() error
}

// OpenAPI opens the stores and binds the addresses. It fails when the database does not answer or its
// schema is older than this program's.
func OpenAPI(ctx context.Context, s APISettings, logger *slog.Logger) (_ *API, err error) {
	a := &API{settings: s, logger: logger, traces: telemetry.Open(ctx, s.Traces, serviceAPI, logger)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	stores, err := openStores(ctx, s.Config.Common, s.Keys, logger)
	if err != nil {
		return nil, err
	}
	a.closers = append(a.closers, stores.close)
	a.health = newOps(s.Config.OpsToken, stores.probes()...)
	stores.watch(a.health.registry)
	a.health.registry.MustRegister(newBacklog(stores, s.Config.SMSShards), newOutcomeBacklog(stores))
	a.metrics = api.NewMetrics(a.health.registry)
	a.watchBudget(stores)
	stores.redis.Rules = a.rules()
	face, err := a.face(stores)
	if err != nil {
		return nil, err
	}
	if a.http, err = listen(ctx, s.Config.HTTPAddr, face.Handler(), logger); err != nil {
		return nil, fmt.Errorf("listen on %sHTTP_ADDR: %w", config.Prefix, err)
	}
	if err = a.openOps(ctx, stores); err != nil {
		return nil, err
	}
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
func (a *API) face(stores *stores) (*api.Server, error) {
	c := a.settings.Config
	publicURL, err := config.PublicURL(c.PublicURL)
	if err != nil {
		return nil, err
	}
	proxies, err := config.Proxies(c.TrustedProxies)
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
	codes := a.codes(stores)
	return &api.Server{
		Verify:      codes,
		Accounts:    a.accounts(stores, codes),
		Captcha:     maker,
		Captchas:    stores.redis.Captchas(),
		Gate:        stores.redis.Gate(),
		Answers:     stores.redis.Answers(),
		Reports:     newReports(stores, a.health.registry, a.traces.Tracer(), a.logger),
		Limits:      a.settings.Limits,
		Sessions:    stores.redis.Sessions(),
		SessionList: stores.redis.Sessions(),
		Web:         pages,
		Metrics:     a.metrics,
		Tracer:      a.traces.Tracer(),
		Config:      faceConfig(c, publicURL, proxies),
		Logger:      a.logger,
		Now:         time.Now,
	}, nil
}

func (a *API) codes(stores *stores) *verify.Service {
	c := a.settings.Config
	return &verify.Service{
		Codes: stores.redis.Codes(),
		Queue: a.enqueuer(stores),
		Keys:  a.settings.Keys,
		Policy: verify.Policy{
			CodeLength: c.SMSCodeLength, CodeTTL: c.SMSCodeTTL,
			ResendInterval: c.SMSResendInterval, MaxAttempts: c.SMSCodeAttempts,
		},
		Now:    time.Now,
		Logger: a.logger,
		Entered: func(ctx context.Context, mobile contact.Mobile) error {
			a.metrics.Entered()
			return stores.redis.Limiter().Entered(ctx, mobile)
		},
	}
}

func (a *API) accounts(stores *stores, codes *verify.Service) *accounts.Service {
	c := a.settings.Config
	return &accounts.Service{
		Store:     stores.accounts,
		Changes:   stores.accounts,
		Hashes:    stores.accounts,
		Codes:     codes,
		Mailer:    a.enqueuer(stores),
		Passwords: accounts.NewHasher(c.PasswordParallel),
		Keys:      a.settings.Keys,
		Policy: accounts.Policy{
			Registration: accounts.Registration(c.Registration), ActivationTTL: c.ActivationTTL,
		},
		Now:    time.Now,
		Logger: a.logger,
	}
}

func (a *API) enqueuer(stores *stores) *tasks.Enqueuer {
	return &tasks.Enqueuer{
		Client: asynq.NewClientFromRedisClient(stores.client), Keys: a.settings.Keys, SMSShards: a.settings.Config.SMSShards,
		Tracer: a.traces.Tracer(),
	}
}

func (a *API) openOps(ctx context.Context, stores *stores) error {
	c := a.settings.Config
	client, err := redisstore.Open(c.RedisURL.Reveal())
	if err != nil {
		return err
	}
	dashboard, closeDashboard := queuesDashboard(client, c.OpsWrite)
	a.closers = append(a.closers, closeDashboard)
	page, err := a.newBoard(stores, client)
	if err != nil {
		return err
	}
	page.Register(a.health.mux)
	if c.OpsPprof {
		a.health.profiles()
	}
	a.health.mux.Handle(queuesPath, dashboard)
	a.health.mux.Handle(queuesPath+"/", dashboard)
	if a.ops, err = listen(ctx, c.OpsAddr, a.health.handler(), a.logger); err != nil {
		return fmt.Errorf("listen on %sOPS_ADDR: %w", config.Prefix, err)
	}
	return nil
}

// HTTPAddr is the address that the API and the pages are bound to.
func (a *API) HTTPAddr() string { return a.http.addr() }

// OpsAddr is the address that the operations port is bound to.
func (a *API) OpsAddr() string { return a.ops.addr() }

// Run answers until ctx ends, lets what is in flight finish and closes everything. It is called once.
func (a *API) Run(ctx context.Context) error {
	debug.FreeOSMemory() // what starting took, the trial of a password's hash above all, is not needed again
	a.logger.Info("api ready", "http_addr", a.HTTPAddr(), "ops_addr", a.OpsAddr())
	defer func() { _ = a.close() }()
	stop := context.AfterFunc(ctx, func() { a.health.draining.Store(true) })
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	grace := a.settings.Config.ShutdownGrace
	group.Go(func() error { return a.http.run(ctx, grace) })
	group.Go(func() error { return a.ops.run(ctx, grace) })
	group.Go(func() error {
		onHangup(ctx, a.settings.Hangups, func() { hintRestart(a.logger) })
		return nil
	})
	return group.Wait()
}

func (a *API) close() error {
	var errs []error
	for _, s := range []*server{a.http, a.ops} {
		if s != nil {
			errs = append(errs, s.http.Close())
		}
	}
	for _, c := range a.closers {
		errs = append(errs, c())
	}
	a.traces.Close()
	return errors.Join(errs...)
}

func faceConfig(c config.API, publicURL *url.URL, proxies []netip.Prefix) api.Config {
	return api.Config{
		PublicURL: publicURL, AllowedOrigins: c.AllowedOrigins, TrustedProxies: proxies,
		Registration:  accounts.Registration(c.Registration),
		ReceiptSecret: c.ReceiptSecret.Reveal(),
		CaptchaTTL:    c.CaptchaTTL, SessionIdle: c.SessionIdle,
		SessionLifetime: c.SessionLifetime, SessionRemember: c.SessionRemember,
	}
}
