package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Stores is what every process and tool that connects to the stores reads.
type Stores struct {
	RedisURL            Secret        `env:"REDIS_URL" prod:"set" envDefault:"redis://127.0.0.1:6379/0" desc:"redis://, rediss://, unix://, redis-sentinel:// or redis-cluster://; see docs/redis.md."`
	RedisTimeout        time.Duration `env:"REDIS_TIMEOUT" envDefault:"450ms" desc:"Time for connecting to Redis or for a command, 50ms to 10s, at least three round trips (admin doctor measures them)."`
	Namespace           Namespace     `env:"NAMESPACE" envDefault:"usher" desc:"Name of this deployment in a shared Redis: up to 32 of a-z, 0-9 and -. See docs/redis.md."`
	DatabaseURL         Secret        `env:"DATABASE_URL" prod:"set" envDefault:"postgres://usher@127.0.0.1:5432/usher?sslmode=disable" desc:"postgres://… or sqlite:path. Another host needs sslmode. See docs/postgresql.md."`
	DatabaseTimeout     time.Duration `env:"DATABASE_TIMEOUT" envDefault:"1200ms" desc:"Time for connecting to PostgreSQL, or for a statement or transaction of a request, 100ms to 30s."`
	DatabaseConnections int           `env:"DATABASE_CONNECTIONS" envDefault:"16" desc:"Connections to PostgreSQL per process at most, 2 to 500."`
	DatabasePooler      string        `env:"DATABASE_POOLER" envDefault:"none" desc:"none, or transaction for a pooler such as PgBouncer in that mode."`
}

// Validate checks what the types cannot.
func (c Stores) Validate() Mistakes {
	var m Mistakes
	m = append(m, between("REDIS_TIMEOUT", c.RedisTimeout, 50*time.Millisecond, 10*time.Second)...)
	m = append(m, between("DATABASE_TIMEOUT", c.DatabaseTimeout, 100*time.Millisecond, 30*time.Second)...)
	m = append(m, between("DATABASE_CONNECTIONS", c.DatabaseConnections, 2, 500)...)
	return append(m, oneOf("DATABASE_POOLER", c.DatabasePooler, "none", "transaction")...)
}

// Numbers is what every process and tool that reads phone numbers reads.
type Numbers struct {
	SMSRegions []string `env:"SMS_REGIONS" envDefault:"CN" desc:"Regions whose mobile numbers are served, as ISO codes such as CN,HK; numbers without + and a country code belong to the first. See docs/numbers.md."`
}

// Codes is what a process must know of codes by SMS, whether it makes or sends them.
type Codes struct {
	SMSCodeAlphabet string `env:"SMS_CODE_ALPHABET" envDefault:"digits" desc:"digits, or alphanumeric: capital letters and digits that are hard to mistake. The same for API and workers; see docs/sms-providers.md."`
}

// Validate checks what the types cannot.
func (c Codes) Validate() Mistakes {
	return oneOf("SMS_CODE_ALPHABET", c.SMSCodeAlphabet, "digits", "alphanumeric")
}

// Common is what every process reads.
type Common struct {
	Stores
	Numbers
	Codes

	SecretKeys    Secret        `env:"SECRET_KEYS,required" prod:"set" desc:"id:base64,… with 32 random bytes each (openssl rand -base64 32). Replace one only by docs/keys.md."`
	PublicURL     string        `env:"PUBLIC_URL" prod:"set" envDefault:"http://localhost:8080" desc:"Address of the pages and of links in mails. https, or http on loopback."`
	Brand         string        `env:"BRAND" desc:"Folder with the team's own name, logo, colours, links and texts; see docs/branding.md."`
	OpsToken      Secret        `env:"OPS_TOKEN" desc:"Bearer token (or Basic password) of the operations port; required unless that port is on loopback."`
	OpsHosts      []string      `env:"OPS_HOSTS" desc:"Host names that the operations port answers to, besides loopback names and addresses."`
	OpsPprof      bool          `env:"OPS_PPROF" envDefault:"false" desc:"Whether the operations port serves Go's profiles under /debug/pprof/."`
	SMSShards     int           `env:"SMS_SHARDS" envDefault:"1" desc:"Queues of codes, 1 to 64; more than one for a Redis Cluster. Raise it on the workers first, lower it on the API first."`
	UnprovedTTL   time.Duration `env:"UNPROVED_TTL" envDefault:"24h" desc:"How long an address waits for its proof, at least ACTIVATION_TTL; then an account with nothing else is deleted."`
	LogLevel      string        `env:"LOG_LEVEL" envDefault:"info" desc:"debug, info, warn or error."`
	LogFormat     string        `env:"LOG_FORMAT" envDefault:"json" desc:"json or text."`
	ShutdownGrace time.Duration `env:"SHUTDOWN_GRACE" envDefault:"20s" desc:"Time for requests and tasks in flight after SIGTERM."`
}

// Validate checks what the types cannot.
func (c Common) Validate() Mistakes {
	m := append(c.Stores.Validate(), c.Codes.Validate()...)
	if _, err := PublicURL(c.PublicURL); err != nil {
		m = append(m, Mistake{"PUBLIC_URL", err.Error()})
	}
	m = append(m, between("SMS_SHARDS", c.SMSShards, 1, 64)...)
	m = append(m, between("UNPROVED_TTL", c.UnprovedTTL, 5*time.Minute, 90*24*time.Hour)...)
	m = append(m, oneOf("LOG_LEVEL", c.LogLevel, "debug", "info", "warn", "error")...)
	m = append(m, oneOf("LOG_FORMAT", c.LogFormat, "json", "text")...)
	m = append(m, unless(c.OpsToken == "" || len(c.OpsToken) >= 16, "OPS_TOKEN", "want at least 16 characters")...)
	token := c.OpsToken.Reveal()
	m = append(m, unless(strings.TrimSpace(token) == token, "OPS_TOKEN", "has white space around it")...) // HTTP removes it from headers
	for _, host := range c.OpsHosts {
		_, err := Host(host)
		m = append(m, unless(err == nil, "OPS_HOSTS", "want host names such as usher-api.internal, without port or *")...)
	}
	m = append(m, between("SHUTDOWN_GRACE", c.ShutdownGrace, time.Second, 10*time.Minute)...)
	return m
}

// Level returns the log level for slog.
func (c Common) Level() slog.Level {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // validated
	return level
}

// unless returns the mistake in a variable, or none where its value is right.
func unless(right bool, variable, text string) Mistakes {
	if right {
		return nil
	}
	return Mistakes{{variable, text}}
}

func listenMistakes(variable, addr string) Mistakes {
	_, port, err := net.SplitHostPort(addr)
	return unless(err == nil && port != "", variable, "want host:port or :port")
}

// opsMistakes checks the address of the operations port and its authentication.
func opsMistakes(addr string, token Secret) Mistakes {
	host, _, err := net.SplitHostPort(addr)
	return append(listenMistakes("OPS_ADDR", addr),
		unless(err != nil || IsLoopback(host) || token != "", "OPS_TOKEN", "must be set when OPS_ADDR is not on loopback")...)
}

func oneOf(variable, value string, allowed ...string) Mistakes {
	return unless(slices.Contains(allowed, value), variable, "want one of "+strings.Join(allowed, ", "))
}

type ordered interface{ ~int | ~int64 | ~float64 }

func between[T ordered](variable string, value, low, high T) Mistakes {
	return unless(value >= low && value <= high, variable, fmt.Sprintf("want %v to %v", low, high))
}

// Namespace is the name of a deployment among those that share a Redis.
type Namespace string

var validNamespace = regexp.MustCompile(`\A[a-z0-9][a-z0-9-]{0,31}\z`)

// UnmarshalText implements [encoding.TextUnmarshaler].
func (n *Namespace) UnmarshalText(text []byte) error {
	if !validNamespace.Match(text) {
		return errors.New("not a namespace")
	}
	*n = Namespace(text)
	return nil
}
