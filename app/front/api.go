// Package front assembles the API process; cmd/api, cmd/dev and the tests start it here. What the API and the worker
// share is in package app.
package front

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/hibiken/asynq"
	"golang.org/x/sync/errgroup"

	"usher/accounts"
	"usher/api"
	"usher/app"
	"usher/apps"
	"usher/board"
	"usher/captcha"
	"usher/captcha/pow"
	"usher/config"
	"usher/contact"
	"usher/limits"
	"usher/passwords"
	"usher/queue"
	"usher/secrets"
	"usher/store"
	"usher/store/sqlstore"
	"usher/tasks"
	"usher/telemetry"
	"usher/tokens"
	"usher/tokens/rotation"
	"usher/verify"
)

// judgeEvery is how often the verdict of the operators' page is made without a viewer, so that it can tell since when something
// is wrong. It costs a statement of the last minutes.
const judgeEvery = 30 * time.Second

// service is the name of the process in traces, unless OTEL_SERVICE_NAME has another.
const service = "usher-api"

// API is the process that answers requests.
type API struct {
	settings Settings
	logger   *slog.Logger
	traces   *telemetry.Traces
	stores   *app.Stores
	metrics  *api.Metrics
	hasher   *passwords.Hasher
	apps     *apps.Keyring
	enqueuer *tasks.Enqueuer
	http     *app.Server  // the port of people and clients
	ops      *app.Ops     // the port of operators
	board    *board.Board // on that port
	pulse    *pulse
	closers  []func() error // in the order of opening
}

// Open opens the stores and binds the addresses. It fails when the database does not answer or its schema is older than
// this program's. A Redis that does not answer is logged only.
func Open(ctx context.Context, s Settings, logger *slog.Logger) (_ *API, err error) {
	a := &API{settings: s, logger: logger, traces: telemetry.Open(ctx, s.Traces, service, logger)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	c := s.Config
	if a.stores, err = app.OpenStores(ctx, c.Common, s.Keys, logger); err != nil {
		return nil, err
	}
	a.closers = append(a.closers, a.stores.Close)
	a.ops = app.NewOps(c.Common, a.stores)
	a.metrics = api.NewMetrics(a.ops.Registry)
	a.stores.Redis.Rules = a.rules()
	a.enqueuer = &tasks.Enqueuer{
		Client: asynq.NewClientFromRedisClient(a.stores.Client), Keys: s.Keys, Namespace: a.stores.Namespace,
		Clock: a.stores.TaskClock(), SMSShards: c.SMSShards, Tracer: a.traces.Tracer(),
		Composer: queue.NewComposer(a.stores.Client, a.stores.Clock.Offset),
	}
	a.stores.Redis.Composer = a.enqueuer
	a.apps = apps.NewKeyring(sqlstore.NewApps(a.stores.SQL), a.stores.Clock.Now, logger)
	a.openHasher(ctx)
	server, err := a.server()
	if err != nil {
		return nil, err
	}
	if a.http, err = app.Listen(ctx, c.HTTPAddr, server.Handler(), app.Port{
		Name: "http", Connections: c.HTTPConnections, Registry: a.ops.Registry, Bodyless: api.ReadsNoBody,
	}, logger); err != nil {
		return nil, fmt.Errorf("listen on %sHTTP_ADDR: %w", config.Prefix, err)
	}
	a.closers = append(a.closers, a.http.Close)
	if err = a.openOps(ctx); err != nil {
		return nil, err
	}
	s.logRisks(logger)
	a.warnOfTokenKeys(ctx)
	a.recordTokenKeys(ctx)
	return a, nil
}

// rules are the limits. In record mode what a limit would refuse is counted and logged.
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

// server assembles the endpoints and pages with the domain behind them.
func (a *API) server() (*api.Server, error) {
	c, stores, tracer := a.settings.Config, a.stores, a.traces.Tracer()
	endpoints, err := a.settings.endpoints()
	if err != nil {
		return nil, err
	}
	images := captchaConfig(c)
	images.Fixed = a.settings.FixedCaptcha
	captchas, err := captcha.New(images)
	if err != nil {
		return nil, err
	}
	work := &pow.Maker{Most: c.CaptchaWork}
	for _, key := range a.settings.Keys.WorkSecrets() {
		work.Secrets = append(work.Secrets, pow.Secrets(key))
	}
	issuer, err := a.settings.issuer(endpoints.PublicURL.String(), stores.Clock.Now)
	if err != nil {
		return nil, err
	}
	codes := a.codes()
	return &api.Server{
		Verify:   codes,
		Accounts: a.accounts(codes),
		Captcha:  captchas,
		Work:     work,
		Captchas: stores.Redis.Captchas(),
		Hosted:   hostedCaptcha(c, a.logger),
		Gate:     stores.Redis.Gate(),
		Answers:  stores.Redis.Answers(),
		Apps:     a.apps,

		Directory: sqlstore.NewDirectory(stores.SQL, a.settings.Keys),

		Reports:  app.NewReports(stores, a.ops.Registry, tracer, a.logger),
		Limits:   a.settings.Limits,
		Sessions: stores.Redis.Sessions(),
		Tokens:   issuer,
		Web:      a.settings.Pages,
		Metrics:  a.metrics,
		Gates:    api.NewGates(api.GateConfig{InFlight: c.HTTPInFlight, Connections: c.HTTPConnections, Passwords: c.PasswordParallel}, a.ops.Registry, a.logger),
		Tracer:   tracer,
		Config:   endpoints,
		Logger:   a.logger,
		Now:      stores.Clock.Now,
	}, nil
}

// issuer returns what signs tokens, or nil where no keys are set.
func (s Settings) issuer(name string, now func() time.Time) (*tokens.Issuer, error) {
	if s.Tokens == nil {
		return nil, nil //nolint:nilnil // no issuer is no error
	}
	return tokens.New(s.Tokens, name, now)
}

// endpoints returns the configuration of the endpoints.
func (s Settings) endpoints() (api.Config, error) {
	c := s.Config
	publicURL, urlErr := config.PublicURL(c.PublicURL)
	proxies, proxiesErr := config.Proxies(c.TrustedProxies)
	origins, originsErr := config.Origins(c.AllowedOrigins)
	returns, returnsErr := config.ReturnAddresses(c.ReturnTo)
	keys, keysErr := config.ReportKeys(c.HTTPSecret)
	return api.Config{
		PublicURL: publicURL, AllowedOrigins: origins, TrustedProxies: proxies,
		ReturnTo: returns, Landing: c.Landing, CookieDomain: c.CookieDomain,
		Registration: accounts.Registration(c.Registration), Regions: s.Regions, SMSUnits: s.tariff.units, SMSUnitYuan: s.tariff.unit,
		RefuseRegistered: c.SMSRefuseRegistered, TermsURL: c.TermsURL, PrivacyURL: c.PrivacyURL,
		TokenAudiences: c.TokenAudiences,
		ReportSecret:   c.ReportSecret.Reveal(), ReportKeys: keys,
		CaptchaTTL: c.CaptchaTTL, SessionIdle: c.SessionIdle,
		SessionLifetime: c.SessionLifetime, SessionRemember: c.SessionRemember,
	}, errors.Join(urlErr, proxiesErr, originsErr, returnsErr, keysErr)
}

// codes is the service of SMS codes.
func (a *API) codes() *verify.Service {
	c := a.settings.Config
	return &verify.Service{
		Codes: a.stores.Redis.Codes(),
		Queue: a.enqueuer,
		Keys:  a.settings.Keys,
		Policy: verify.Policy{
			CodeLength: c.SMSCodeLength, CodeAlphabet: secrets.Alphabet(c.SMSCodeAlphabet), CodeTTL: c.SMSCodeTTL,
			ResendInterval: c.SMSResendInterval, MaxAttempts: c.SMSCodeAttempts,
			EmailCodeLength: c.EmailCodeLength, EmailCodeTTL: c.EmailCodeTTL, EmailResendInterval: c.EmailCodeResendInterval,
		},
		Now:    a.stores.Clock.Now,
		Logger: a.logger,
		Uses:   a.stores.Spent,
		Entered: func(ctx context.Context, mobile contact.Mobile) error {
			a.metrics.Entered()
			return a.stores.Redis.Gate().Entered(ctx, mobile)
		},
	}
}

// accounts is the service of accounts. It uses up the codes of the other service.
func (a *API) accounts(codes *verify.Service) *accounts.Service {
	c := a.settings.Config
	return &accounts.Service{
		Store:     a.stores.Accounts,
		Codes:     codes,
		Mailer:    a.enqueuer,
		Remains:   a.stores.Remains(a.settings.Keys),
		Passwords: a.hasher,
		Keys:      a.settings.Keys,
		Policy: accounts.Policy{
			Registration: accounts.Registration(c.Registration), ActivationTTL: c.ActivationTTL, UnprovedTTL: c.UnprovedTTL,
			Asked:         asked(c.SignUpFields),
			NumberRecheck: c.NumberRecheck, Regions: a.settings.Regions,
			SignInCreates: c.SignInCreates, TermsVersion: c.TermsVersion, PrivacyVersion: c.PrivacyVersion, DeleteGrace: c.DeleteGrace,
		},
		Now:    a.stores.Clock.Now,
		Logger: a.logger,
	}
}

// asked returns the fields of a sign-up that the setting names.
func asked(fields []string) accounts.Asked {
	has := func(field accounts.Field) bool { return slices.Contains(fields, string(field)) }
	return accounts.Asked{
		Username: has(accounts.FieldUsername), Password: has(accounts.FieldPassword),
		PasswordRepeat: has(accounts.FieldPasswordRepeat), Email: has(accounts.FieldEmail),
	}
}

// openOps adds the operators' pages and metrics to their port and binds it.
func (a *API) openOps(ctx context.Context) error {
	c := a.settings.Config
	found := inspector{a.stores, a.settings.Limits, c.SMSShards}
	a.ops.Registry.MustRegister(found)
	a.pulse = &pulse{gatherer: a.ops.Registry, ahead: a.stores.Clock.Ahead}
	var err error
	if a.board, err = found.board(a.ops.Probe, a.pulse, a.settings.rotating(), a.settings.tariff.unit); err != nil {
		return err
	}
	a.board.Register(a.ops.Mux)
	client, err := app.OpenRedis(c.Stores, store.WatchOf(a.logger))
	if err != nil {
		return err
	}
	a.closers = append(a.closers, client.Close)
	warnOfMemory(ctx, client, a.logger)
	dashboard := queuesDashboard(client, a.stores.Namespace, c.OpsWrite, c.OpsToken == "", a.logger)
	a.ops.Mux.Handle(queuesPath, dashboard)
	a.ops.Mux.Handle(queuesPath+"/", dashboard)
	if c.OpsPprof {
		a.ops.Profiles()
	}
	a.closers = append(a.closers, a.ops.Close)
	return a.ops.Listen(ctx, c.OpsAddr, a.logger)
}

// HTTPAddr is the address that the API and the pages are bound to.
func (a *API) HTTPAddr() string { return a.http.Addr() }

// OpsAddr is the address that the operations port is bound to.
func (a *API) OpsAddr() string { return a.ops.Addr() }

// Run answers until ctx ends, lets requests in flight finish and closes everything. It is called once.
func (a *API) Run(ctx context.Context) error {
	debug.FreeOSMemory() // the start needs memory that is not needed again
	a.logger.Info("api ready", "http_addr", a.HTTPAddr(), "ops_addr", a.OpsAddr())
	defer func() { _ = a.close() }()
	stop := context.AfterFunc(ctx, a.ops.Drain)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	grace := a.settings.Config.ShutdownGrace
	group.Go(func() error { return a.http.Run(ctx, grace) })
	group.Go(func() error { return a.ops.Run(ctx, grace) })
	group.Go(func() error { a.apps.Run(ctx); return nil })
	group.Go(func() error { a.pulse.run(ctx); return nil })
	group.Go(func() error { queue.Every(ctx, judgeEvery, a.board.Date); return nil })
	group.Go(func() error { queue.Every(ctx, floorInterval, a.setFloor); return nil })
	group.Go(func() error { queue.Every(ctx, rotation.RecordEvery, a.recordTokenKeys); return nil })
	group.Go(func() error { app.HintRestarts(ctx, a.settings.Hangups, a.logger); return nil })
	return group.Wait()
}

// close also closes an API that Open could not finish. What was opened last comes first: the ports, whose requests use the stores.
func (a *API) close() error {
	var errs []error
	for _, c := range slices.Backward(a.closers) {
		errs = append(errs, c())
	}
	a.traces.Close()
	return errors.Join(errs...)
}
