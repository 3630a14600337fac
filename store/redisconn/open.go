// Package redisconn is how the service connects to Redis: the forms of its URL, time-outs, what counts as an outage, batches
// of commands, and what a server must be able to do. What is stored there is the business of package redisstore.
package redisconn

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/store"
)

// DefaultTimeout is the time-out of [Settings] that have none. A request has to be refused within a second or so when
// Redis is unavailable, and all its commands are quick.
const DefaultTimeout = 450 * time.Millisecond

// Sizes of the client.
const (
	poolSize = 64 // connections per process, far more than the commands that one Redis executes at once
	retries  = 1  // of a command whose connection broke

	// noPipelinePool makes pipelines share the connections of other commands: ours are short, and in the client's own pool
	// for pipelines each connection has 256 KiB of buffers.
	noPipelinePool = -1
)

// errURL quotes nothing of the URL: a password that is not escaped can appear in any part of it.
var errURL = errors.New("redis URL: want redis://, rediss:// or unix://, redis-sentinel:// with a master, or " +
	"redis-cluster://; characters like / ? # @ in a password must be percent-encoded")

// Settings are what a URL does not say. The zero value has the defaults.
type Settings struct {
	// Timeout bounds connecting, writing a command, reading its answer and waiting for a free connection, each of them;
	// 0 is DefaultTimeout. It must be longer than a round trip.
	Timeout time.Duration
	Watch   *store.Watch // logs when an outage of Redis begins and ends; may be nil
}

// Open returns a client for a URL, without connecting yet. The forms are
//
//	redis://user:password@host:6379/0             one server
//	unix://user:password@/path/to/redis.sock?db=0
//	redis-sentinel://user:password@host1:26379,host2:26379/0?master=name
//	redis-cluster://user:password@host1:6379,host2:6379
//
// and rediss, rediss-sentinel, rediss-cluster with TLS. User and password are those of the data servers; the sentinels' own
// are sentinel_username=… and sentinel_password=…. With TLS, ca=file replaces the system's authorities, and cert=file with
// key=file is presented to servers that ask for a certificate; all three are PEM files and are read here. The client honours
// the deadlines of contexts and gives up by itself after twice the time-out, about a second by default, half a second later
// where commands wait for each other; see [Batch]. Errors quote nothing of the URL. Whatever prevents a command from being
// executed is a [*store.Outage].
func Open(text string, s Settings) (redis.UniversalClient, error) {
	s.Timeout = cmp.Or(s.Timeout, DefaultTimeout)
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return nil, errURL
	}
	var client redis.UniversalClient
	var err error
	switch scheme {
	case "redis", "rediss", "unix":
		client, err = openServer(text, s.Timeout)
	case "redis-sentinel", "rediss-sentinel", "redis-cluster", "rediss-cluster":
		client, err = openServers(scheme, rest, s.Timeout)
	default:
		err = errURL
	}
	if err != nil {
		return nil, err
	}
	client.AddHook(outages(s.Watch))
	return client, nil
}

// openServer reads the forms with one server.
func openServer(text string, timeout time.Duration) (redis.UniversalClient, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errURL
	}
	query := u.Query()
	files := takeFiles(query)
	u.RawQuery = query.Encode()
	options, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, errURL
	}
	if err := files.addTo(options.TLSConfig); err != nil {
		return nil, err
	}
	options.ContextTimeoutEnabled = true
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = timeout, timeout, timeout
	options.PoolTimeout = timeout
	options.DialerRetries = 1
	options.MaxRetries = retries
	options.PoolSize = poolSize
	options.PipelinePoolSize = noPipelinePool
	return redis.NewClient(options), nil
}

// openServers reads the forms with several hosts, which net/url does not parse.
func openServers(scheme, rest string, timeout time.Duration) (redis.UniversalClient, error) {
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	user, hosts := "", rest[:end]
	if i := strings.LastIndexByte(hosts, '@'); i >= 0 {
		user, hosts = hosts[:i+1], hosts[i+1:]
	}
	u, err := url.Parse("redis://" + user + "hosts" + rest[end:])
	if err != nil || u.Fragment != "" {
		return nil, errURL
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errURL
	}
	addrs := strings.Split(hosts, ",")
	for _, addr := range addrs {
		if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "" {
			return nil, errURL
		}
	}
	options := &redis.UniversalOptions{
		Addrs: addrs, Username: u.User.Username(),
		ContextTimeoutEnabled: true, DialTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout,
		PoolTimeout: timeout, DialerRetries: 1, MaxRetries: retries, PoolSize: poolSize,
		PipelinePoolSize: noPipelinePool,
	}
	options.Password, _ = u.User.Password()
	if strings.HasPrefix(scheme, "rediss") {
		options.TLSConfig = newTLS()
	}
	if err := takeFiles(query).addTo(options.TLSConfig); err != nil {
		return nil, err
	}
	database := strings.Trim(u.Path, "/")
	if strings.HasSuffix(scheme, "-cluster") {
		return openCluster(options, database, query)
	}
	return openSentinel(options, database, query)
}

// openCluster reads what is special to clusters: they have one database, number 0.
func openCluster(options *redis.UniversalOptions, database string, query url.Values) (redis.UniversalClient, error) {
	if database != "" && database != "0" || len(query) > 0 {
		return nil, errors.New("redis URL: a cluster has one database and no options but ca, cert and key")
	}
	options.IsClusterMode = true
	return redis.NewUniversalClient(options), nil
}

// take returns an option of the URL and removes it, so that the options that are left are mistakes.
func take(query url.Values, name string) string {
	value := query.Get(name)
	query.Del(name)
	return value
}

// sentinelSearch is for how many time-outs the client searches for the primary in the background, while commands wait.
// When the sentinel that it talks to hangs, as when a machine dies with that sentinel and the primary, the client tries it
// four times before it asks the others; when its time is up before that, it begins again with the same sentinel, for ever
// (https://github.com/redis/go-redis/issues/3652).
const sentinelSearch = 10

// openSentinel reads what is special to sentinels, and bounds how long a command may wait for them to name the primary.
func openSentinel(options *redis.UniversalOptions, database string, query url.Values) (redis.UniversalClient, error) {
	options.MasterName = take(query, "master")
	options.SentinelUsername = take(query, "sentinel_username")
	options.SentinelPassword = take(query, "sentinel_password")
	if options.MasterName == "" {
		return nil, errors.New("redis URL: the sentinel form needs ?master=name")
	}
	if len(query) > 0 {
		return nil, errors.New("redis URL: the options of the sentinel form are master, sentinel_username, " +
			"sentinel_password, ca, cert and key")
	}
	if database != "" {
		n, err := strconv.Atoi(database)
		if err != nil || n < 0 {
			return nil, errors.New("redis URL: the database is a number")
		}
		options.DB = n
	}
	limit := options.DialTimeout
	options.Dialer, options.DialTimeout = dialWithin(limit, options.TLSConfig), sentinelSearch*limit
	client := redis.NewUniversalClient(options)
	client.AddHook(within(2*limit + 100*time.Millisecond))
	return client, nil
}

// within bounds the commands of a client whose search for a primary may take longer than a request may wait.
func within(limit time.Duration) hook {
	return func(ctx context.Context, _ []redis.Cmder, next func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return next(ctx)
	}
}

// dialWithin connects like the client itself, but within a time limit of its own.
func dialWithin(limit time.Duration, config *tls.Config) func(ctx context.Context, network, addr string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: limit}
	if config == nil {
		return plain.DialContext
	}
	return (&tls.Dialer{NetDialer: plain, Config: config}).DialContext
}

// newTLS leaves the server's name to the client, which knows the host that it dials.
func newTLS() *tls.Config { return &tls.Config{MinVersion: tls.VersionTLS12} }

// tlsFiles are the options of a URL that name files; all are optional.
type tlsFiles struct{ ca, cert, key string }

// takeFiles removes the options that name files from the query, so that what is left can be checked for mistakes.
func takeFiles(query url.Values) tlsFiles {
	return tlsFiles{ca: take(query, "ca"), cert: take(query, "cert"), key: take(query, "key")}
}

// addTo reads the files into the settings of TLS, which are nil for a URL without it.
func (f tlsFiles) addTo(config *tls.Config) error {
	switch {
	case f == tlsFiles{}:
		return nil
	case config == nil:
		return errors.New("redis URL: ca, cert and key are options of TLS: want rediss://, rediss-sentinel:// or rediss-cluster://")
	case (f.cert == "") != (f.key == ""):
		return errors.New("redis URL: cert and key belong together")
	}
	if f.ca != "" {
		text, err := os.ReadFile(f.ca)
		if err != nil {
			return fmt.Errorf("redis URL: read the file of ca: %w", withoutPath(err))
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return errors.New("redis URL: the file of ca has no certificate in PEM form")
		}
	}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return fmt.Errorf("redis URL: read the files of cert and key: %w", withoutPath(err))
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return nil
}

// withoutPath drops the path, which is a part of the URL.
func withoutPath(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}
