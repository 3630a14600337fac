package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/limits"
	"usher/secrets"
	"usher/store/sqlstore"
)

// testbed has the built programs, and the stores and the vendors that they use.
type testbed struct {
	dir      string
	self     string // this program, which the floors are
	redis    *testkit.Server
	postgres *testkit.Server
	client   *redis.Client
	db       *sqlstore.DB
	keys     *secrets.Keys
	vendor   *vendor
	environ  map[string]string
	closers  []func()
}

// openTestbed builds the programs and starts the stores and the vendors, each private and empty.
func openTestbed(ctx context.Context, o options) (_ *testbed, err error) {
	s := &testbed{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "usher-bench-"); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() { _ = os.RemoveAll(s.dir) })
	if s.self, err = os.Executable(); err != nil {
		return nil, err
	}
	if err = s.build(ctx, o.quick); err != nil {
		return nil, err
	}
	if err = s.openStores(); err != nil {
		return nil, err
	}
	if s.vendor, err = openVendor(ctx, s.dir); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.vendor.stop)
	if err = s.settings(ctx, o.logLevel); err != nil {
		return nil, err
	}
	return s, s.migrate(ctx)
}

// build builds the programs as for the images, or, for a quick run, without those flags: the build cache has them then.
func (s *testbed) build(ctx context.Context, quick bool) error {
	args := []string{"build", "-o", s.dir + "/"}
	environ := os.Environ()
	if !quick {
		args = append(args, "-trimpath", "-tags=nosqlite", "-ldflags=-s -w")
		environ = append(environ, "CGO_ENABLED=0")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "usher/cmd/api", "usher/cmd/worker", "usher/cmd/sandbox")...)
	cmd.Env = environ
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, said)
	}
	return nil
}

// openStores starts the stores. They sync nothing to disk: a figure must not depend on the machine's disk.
func (s *testbed) openStores() (err error) {
	if s.redis, err = testkit.OpenRedis(); err != nil {
		return err
	}
	s.closers = append(s.closers, s.redis.Stop)
	var remove func()
	if s.postgres, remove, err = testkit.OpenPostgres(); err != nil {
		return err
	}
	s.closers = append(s.closers, remove)
	options, err := redis.ParseURL(s.redis.URL())
	if err != nil {
		return err
	}
	options.ReadTimeout = time.Minute // for the removal of millions of keys
	s.client = redis.NewClient(options)
	s.closers = append(s.closers, func() { _ = s.client.Close() })
	return nil
}

// settings are the defaults of a deployment, except those that would refuse thousands of codes to one client.
func (s *testbed) settings(ctx context.Context, logLevel string) error {
	key := "bench:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("b"), 32))
	var err error
	if s.keys, err = secrets.ParseKeys(key); err != nil {
		return err
	}
	s.environ = map[string]string{
		"USHER_REDIS_URL": s.redis.URL() + "/0", "USHER_DATABASE_URL": s.postgres.URL(), "USHER_SECRET_KEYS": key,
		"USHER_LOG_LEVEL": logLevel, "USHER_CAPTCHA_KIND": "off", "USHER_SMS_CODE_TTL": "30m", "USHER_SMS_CODE_ATTEMPTS": "10",
		"USHER_SMS_PROVIDERS": "aliyun", "USHER_LIMITS": everyLimit("off"),
	}
	vendors, err := testkit.SandboxSettings(ctx, s.vendor.http, s.vendor.smtp, s.dir)
	maps.Copy(s.environ, vendors)
	return err
}

// everyLimit is a value of USHER_LIMITS that gives all limits the same value.
func everyLimit(value string) string {
	var all []string
	for _, name := range limits.Names() {
		all = append(all, string(name)+"="+value)
	}
	return strings.Join(all, ",")
}

// counted are the settings of an API that counts every limit and reaches none.
func counted() map[string]string {
	return map[string]string{"USHER_LIMITS": everyLimit("1000000000/24h")}
}

func (s *testbed) migrate(ctx context.Context) (err error) {
	if s.db, err = sqlstore.Open(ctx, s.postgres.URL(), sqlstore.Settings{}); err != nil {
		return err
	}
	s.closers = append(s.closers, func() { _ = s.db.Close() })
	return sqlstore.Migrate(ctx, s.db)
}

// close stops everything, what was started last first.
func (s *testbed) close() {
	for _, end := range slices.Backward(s.closers) {
		end()
	}
}

// server is a program that is ready.
type server struct {
	*process

	addr, ops string // addr is empty for a worker
}

// starter starts a program and returns when it is ready.
type starter func(ctx context.Context) (*server, error)

// apiOf starts cmd/api with settings on top of the testbed's.
func (s *testbed) apiOf(settings map[string]string) starter {
	return func(ctx context.Context) (*server, error) { return s.api(ctx, settings) }
}

// workerOf starts cmd/worker for a channel.
func (s *testbed) workerOf(channel string, settings map[string]string) starter {
	return func(ctx context.Context) (*server, error) { return s.worker(ctx, channel, settings) }
}

// api starts cmd/api with settings on top of the testbed's.
func (s *testbed) api(ctx context.Context, settings map[string]string) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	return s.serve(ctx, addr, settings, "api")
}

// worker starts cmd/worker for a channel.
func (s *testbed) worker(ctx context.Context, channel string, settings map[string]string) (*server, error) {
	return s.serve(ctx, "", settings, "worker", "-channels", channel)
}

// serve starts a program and returns when /readyz answers 200.
func (s *testbed) serve(ctx context.Context, addr string, settings map[string]string, name string, args ...string) (*server, error) {
	ops, err := freeAddr()
	if err != nil {
		return nil, err
	}
	environ := maps.Clone(s.environ)
	maps.Copy(environ, settings)
	environ["USHER_OPS_ADDR"] = ops
	if addr != "" {
		environ["USHER_HTTP_ADDR"] = addr
	}
	p, err := start(s.dir, name, environ, filepath.Join(s.dir, name), args...)
	if err != nil {
		return nil, err
	}
	served, err := p.serves(ctx, ops, "/readyz")
	if err != nil {
		return nil, err
	}
	served.addr, served.ops = addr, ops
	return served, nil
}

// clear empties Redis, the table of messages and the vendor's counts. No worker may run.
func (s *testbed) clear(ctx context.Context) error {
	_, err := s.db.Unwrap().ExecContext(ctx, "truncate messages")
	return errors.Join(err, s.client.FlushAll(ctx).Err(), s.vendor.clear(ctx))
}

// info returns a field of a section of Redis's INFO.
func (s *testbed) info(ctx context.Context, section, field string) (string, error) {
	all, err := s.client.Info(ctx, section).Result()
	_, rest, _ := strings.Cut(all, "\n"+field+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value, err
}

// about describes the machine and the versions behind the figures.
func (s *testbed) about(ctx context.Context) []string {
	redisVersion, _ := s.info(ctx, "server", "redis_version") // a version that is missing harms no figure
	var postgresVersion string
	_ = s.db.Unwrap().GetContext(ctx, &postgresVersion, "show server_version") // the same
	processor, load := machine()
	return []string{
		fmt.Sprintf("%d × %s", runtime.NumCPU(), processor),
		fmt.Sprintf("%s, Redis %s without AOF, PostgreSQL %s without fsync", runtime.Version(), redisVersion, postgresVersion),
		"load of the machine when the run began: " + load,
	}
}

// freeAddr returns a loopback address with a port that is free.
func freeAddr() (string, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// codeIDs returns the ids of the newest codes of so many numbers, which are consecutive: the generator discards
// answers, but Redis has the ids in its keys.
func (s *testbed) codeIDs(ctx context.Context, first, count int) ([]string, error) {
	bySubject := map[string]string{}
	scan := s.client.Scan(ctx, 0, "usher:*:code:*", 1000).Iterator()
	for scan.Next(ctx) {
		if parts := strings.Split(scan.Val(), ":"); len(parts) == 5 { // usher, slot, subject, code, id
			bySubject[parts[2]] = parts[4]
		}
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("look for codes: %w", err)
	}
	ids := make([]string, count)
	for k := range ids {
		ids[k] = bySubject[s.keys.Index("mobile", mobileOf(first+k))]
		if ids[k] == "" {
			return nil, fmt.Errorf("number %d has no code", first+k)
		}
	}
	return ids, nil
}
