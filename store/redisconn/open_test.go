package redisconn_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/store/redisconn"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// target is where a client would connect to, and as whom.
type target struct {
	Network, Addr, Username, Password string
	Hosts                             string
	DB                                int
	TLS                               bool
}

func targetOf(t *testing.T, url string) target {
	t.Helper()
	client, err := redisconn.Open(url, redisconn.Settings{})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer func() { _ = client.Close() }()
	switch c := client.(type) {
	case *redis.ClusterClient:
		o := c.Options()
		if !o.ContextTimeoutEnabled || o.PoolSize != 64 || o.PipelinePoolSize > 0 {
			t.Errorf("options %+v", o)
		}
		return target{Hosts: strings.Join(o.Addrs, " "), Username: o.Username, Password: o.Password, TLS: o.TLSConfig != nil}
	case *redis.Client:
		o := c.Options()
		if !o.ContextTimeoutEnabled || o.PoolSize != 64 || o.PipelinePoolSize > 0 {
			t.Errorf("options %+v", o)
		}
		return target{
			Network: o.Network, Addr: o.Addr, Username: o.Username, Password: o.Password, DB: o.DB, TLS: o.TLSConfig != nil,
		}
	default:
		t.Fatalf("Open returned a %T", client)
		return target{}
	}
}

func TestOpen_understands_every_form(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]target{
		"redis://localhost:7000/3":          {Network: "tcp", Addr: "localhost:7000", DB: 3},
		"redis://localhost":                 {Network: "tcp", Addr: "localhost:6379"},
		"redis://me:s%40crt@h:1/2":          {Network: "tcp", Addr: "h:1", DB: 2, Username: "me", Password: "s@crt"},
		"rediss://:pw@h:1":                  {Network: "tcp", Addr: "h:1", Password: "pw", TLS: true},
		"unix://me:pw@/run/redis.sock?db=4": {Network: "unix", Addr: "/run/redis.sock", DB: 4, Username: "me", Password: "pw"},
		"redis-cluster://me:pw@a:1,b:2":     {Hosts: "a:1 b:2", Username: "me", Password: "pw"},
		"redis-cluster://a:1,[::1]:2/0":     {Hosts: "a:1 [::1]:2"},
		"rediss-cluster://:p%2Fw@a:1,b:2/":  {Hosts: "a:1 b:2", Password: "p/w", TLS: true},
		"redis-sentinel://a:1,b:2?master=m": {Network: "tcp", Addr: "FailoverClient"},
		"rediss-sentinel://u:p@a:1/5?master=m": {
			Network: "tcp", Addr: "FailoverClient", DB: 5, Username: "u", Password: "p", TLS: true,
		},
		"redis-sentinel://a:1?master=m&sentinel_username=s&sentinel_password=p": {Network: "tcp", Addr: "FailoverClient"},
	} {
		t.Run(url, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(want, targetOf(t, url)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestOpen_refuses_without_quoting_the_password(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "localhost:6379", "http://:SECRET@h", "redis://:SECRET/x@h:1", "redis://:SEC?SECRET@h:1", "redis://:SEC#SECRET@h:1",
		"redis://h:1/SECRET", "redis://:SECRET%@h:1", "redis://h:1?SECRET=1", "redis://:a@b:SECRET@h:1/%zz",
		"redis-sentinel://:SECRET@h:1", "redis-sentinel://:SECRET@h:1/x?master=m", "redis-sentinel://:SECRET@h?master=m",
		"redis-sentinel://:SECRET@?master=m", "redis-sentinel://:SECRET%@h:1?master=m", "redis-sentinel://u:SEC/SECRET@h:1?master=m",
		"redis-sentinel://:SECRET@h:1?master=m&maste=SECRET", "redis-sentinel://:SECRET@h:1?master=m&ca=SECRET",
		"redis://:SECRET@h:1?ca=SECRET", "rediss://:SECRET@h:1?ca=SECRET", "rediss://:SECRET@h:1?cert=SECRET",
		"rediss://:SECRET@h:1?cert=SECRET&key=SECRET", "rediss-cluster://:SECRET@h:1?ca=/dev/null",
		"redis-cluster://:SECRET@h:1/2", "redis-cluster://:SECRET@h:1,", "redis-cluster://:SECRET@h:1?db=1",
	} {
		client, err := redisconn.Open(url, redisconn.Settings{})
		if err == nil {
			_ = client.Close()
			t.Errorf("Open(%q) was accepted", url)
			continue
		}
		if strings.Contains(err.Error(), "SEC") {
			t.Errorf("Open(%q) quotes it: %v", url, err)
		}
	}
}

func TestOpen_connects(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		client, err := redisconn.Open(url, redisconn.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Close() }()
		if err := client.Ping(t.Context()).Err(); err != nil {
			t.Error(err)
		}
	})
}
