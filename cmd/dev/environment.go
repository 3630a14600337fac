package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"

	"usher/app"
	"usher/app/front"
	"usher/config"
	"usher/providers/catalog"
	"usher/queue"
	"usher/sandbox"
	"usher/store/sqlstore"
	"usher/tokens"
)

// trialKey is the id of the key for tokens that a run makes for itself.
const trialKey = "dev"

// environment makes the settings of both processes: defaults that the caller's environment may change,
// and the vendors' settings, which always point at the sandbox, so that no try-out sends a real SMS.
func environment(
	given map[string]string, o options, dir string, fakes *sandbox.Server,
) (map[string]string, func(), error) {
	_, port, _ := net.SplitHostPort(o.http) // parse has checked it
	if given["USHER_DATABASE_URL"] != "" && given["USHER_SECRET_KEYS"] == "" {
		return nil, nil, config.Wrong("SECRET_KEYS",
			errors.New("must be set with USHER_DATABASE_URL: the next run could not read what keys of this run have sealed"))
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	tokenKey, err := tokens.NewKey(trialKey)
	if err != nil {
		return nil, nil, err
	}
	environ := map[string]string{
		"USHER_DATABASE_URL": "sqlite:" + filepath.Join(dir, "usher.db"),
		"USHER_SECRET_KEYS":  "dev:" + base64.StdEncoding.EncodeToString(key),
		"USHER_TOKEN_KEYS":   tokenKey.Reveal(),
		"USHER_PUBLIC_URL":   "http://localhost:" + port,
		"USHER_LOG_FORMAT":   "text",
		// Tokens of sessions are for a service of this name, whichever is tried out.
		"USHER_TOKEN_AUDIENCES": "app",
		"USHER_LOG_LEVEL":       "warn",
		// In one process no notice of a new task is lost, so polling may be rare.
		"USHER_WORKER_FETCHERS":      "1",
		"USHER_WORKER_POLL_INTERVAL": "5s",
		// Other vendors may be named: the settings of all of them point at the sandbox.
		"USHER_SMS_PROVIDERS": "aliyun,ronglian",
		// Endpoints of events may be programs on this machine.
		"USHER_EVENTS_ALLOW_PRIVATE": "127.0.0.0/8,::1/128",
		// The sandbox pushes delivery reports; it learns the address once the API is bound.
		"USHER_REPORT_SECRET": rand.Text(),
	}
	closeStores := func() {}
	if given["USHER_REDIS_URL"] == "" {
		url, stop, err := memoryRedis()
		if err != nil {
			return nil, nil, err
		}
		environ["USHER_REDIS_URL"], closeStores = url, stop
	}
	for name, value := range given {
		if value != "" {
			environ[name] = value
		}
	}
	vendors, err := vendorSettings(dir, fakes)
	if err != nil {
		closeStores()
		return nil, nil, err
	}
	maps.Copy(environ, vendors)
	environ["USHER_HTTP_ADDR"], environ["USHER_BRAND"] = o.http, o.brand
	return environ, closeStores, nil
}

// memoryRedis starts a Redis in this process. Its keys expire only when it is told how much time has passed, which a
// goroutine does every second.
func memoryRedis() (url string, stop func(), err error) {
	if strconv.IntSize < 64 {
		// Its scripts return numbers as int, which is too small for a time in milliseconds here: codes would never be sent.
		return "", nil, errors.New("the in-memory Redis needs a 64-bit program: " +
			"set USHER_REDIS_URL to a Redis server, or build for a 64-bit system")
	}
	memory, err := miniredis.Run()
	if err != nil {
		return "", nil, fmt.Errorf("in-memory redis: %w", err)
	}
	memory.Server().SetPreHook(tellVersion)
	ctx, end := context.WithCancel(context.Background())
	before := time.Now()
	go queue.Every(ctx, time.Second, func(context.Context) {
		now := time.Now()
		memory.FastForward(now.Sub(before))
		before = now
	})
	return "redis://" + memory.Addr() + "/0", func() { end(); memory.Close() }, nil
}

// tellVersion answers INFO: miniredis lacks the version and the eviction policy, which both processes check at their start
// and would warn about.
func tellVersion(peer *server.Peer, command string, _ ...string) bool {
	if !strings.EqualFold(command, "INFO") {
		return false
	}
	peer.WriteBulk("# Server\r\nredis_version:7.0.0-in-memory\r\nmaxmemory_policy:noeviction\r\n")
	return true
}

func vendorSettings(dir string, fakes *sandbox.Server) (map[string]string, error) {
	ca := filepath.Join(dir, "sandbox-ca.pem")
	if err := os.WriteFile(ca, fakes.SMTPCA(), 0o600); err != nil {
		return nil, fmt.Errorf("keep the sandbox's certificate: %w", err)
	}
	return fakes.Settings(ca), nil
}

// open makes the schema and assembles both processes. The worker's operations port is any free one: the API's
// shows the queues already.
func open(
	ctx context.Context, environ map[string]string, o options, stderr io.Writer,
) (*front.API, *app.Worker, error) {
	forAPI, forWorker := maps.Clone(environ), maps.Clone(environ)
	forAPI["USHER_OPS_ADDR"], forWorker["USHER_OPS_ADDR"] = o.ops, "127.0.0.1:0"
	settings, err := front.Load(forAPI)
	workerSettings, workerErr := app.LoadWorker(forWorker)
	eventSender, eventsErr := app.NewEventSender(workerSettings.Config.Events)
	senders, smsErr := catalog.SMS(workerSettings.Config.SMSProviders, forWorker)
	mailer, mailErr := catalog.Email(forWorker)
	if err := config.Join(err, workerErr, smsErr, mailErr, eventsErr); err != nil {
		return nil, nil, err
	}
	settings.FixedCaptcha = o.captchaAnswer
	settings.TrialTokens = settings.Tokens != nil && settings.Tokens.List()[0].ID == trialKey
	workerSettings.SMS, workerSettings.Email, workerSettings.Events = senders, mailer, eventSender
	if err := migrate(ctx, settings); err != nil {
		return nil, nil, err
	}
	logger := app.NewLogger(stderr, settings.Config.Common)
	api, err := front.Open(ctx, settings, logger)
	if err != nil {
		return nil, nil, err
	}
	worker, err := app.OpenWorker(ctx, workerSettings, logger)
	if err != nil {
		return nil, nil, err
	}
	return api, worker, nil
}

func migrate(ctx context.Context, s front.Settings) error {
	db, err := app.OpenSQL(ctx, s.Config.Stores, nil)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return sqlstore.Migrate(ctx, db)
}
