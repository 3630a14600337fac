package redisconn_test

import (
	"context"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/internal/testkit"
	"usher/store/redisconn"
)

// probe tries a URL as a process would at its start, and checks that no secret is told.
func probe(t *testing.T, url string) error {
	t.Helper()
	// Long enough for a busy machine; the one server here that stays silent is waited for twice as long.
	client, err := redisconn.Open(url, redisconn.Settings{Timeout: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err = client.Set(ctx, "usher:probe", "", redisconn.ProbeTTL).Err()
	if err != nil && strings.Contains(err.Error(), "SECRET") {
		t.Errorf("%v quotes the password", err)
	}
	return err
}

// sentence checks what the URL's probe says; "" for nothing.
func sentence(t *testing.T, url, want string) {
	t.Helper()
	switch err := probe(t, url); {
	case err == nil && want != "":
		t.Errorf("%s is accepted, want %q", url, want)
	case err != nil && (want == "" || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: %v, want %q", url, err, want)
	}
}

func TestProbe_says_what_a_server_refuses(t *testing.T) {
	t.Parallel()
	locked := testkit.RedisForm{Password: "right"}.Server(t).Addr()
	open := testkit.RedisForm{}.Server(t)
	openAddr := open.Addr()
	host, port, _ := net.SplitHostPort(openAddr)
	replica := testkit.RedisForm{}.Server(t, "--replicaof", host+" "+port).Addr()
	node := testkit.RedisForm{}.Cluster(t, 1)[0].Addr()
	full := testkit.RedisForm{}.Server(t, "--maxmemory", "1").Addr()

	for url, want := range map[string]string{
		"redis://:right@" + locked:              "",
		"redis://" + locked:                     "requires a password",
		"redis://:SECRET@" + locked:             "refuses the user or the password",
		"redis://unknown:SECRET@" + locked:      "refuses the user or the password",
		"redis://" + openAddr + "/99":           "no database of the URL's number",
		"redis-cluster://" + openAddr:           "not a cluster",
		"rediss://" + openAddr:                  "redis does not", // answer, or speak TLS: as the bytes of its greeting fall,
		"redis://" + replica:                    "read-only replica",
		"redis-cluster://" + node:               "",
		"redis://" + full:                       "redis is full",
		"unix:///no/such.sock":                  "cannot be reached",
		"redis://127.0.0.1:1":                   "cannot be reached",
		"redis-cluster://127.0.0.1:1":           "cannot be reached",
		"redis-sentinel://127.0.0.1:1?master=m": "no sentinel names",
	} {
		sentence(t, url, want)
	}
}

func TestProbe_says_what_is_wrong_with_TLS(t *testing.T) {
	t.Parallel()
	authority, other := testkit.NewAuthority(t), testkit.NewAuthority(t)
	ca := "?ca=" + url.QueryEscape(authority.File)
	cert, key := authority.Issue(t, "client")
	named := testkit.RedisForm{Authority: authority, Names: []string{"localhost"}}
	_, port, _ := net.SplitHostPort(named.Server(t).Addr())
	mutual := named.Server(t, "--tls-auth-clients", "yes").Addr()
	_, mutualPort, _ := net.SplitHostPort(mutual)

	for url, want := range map[string]string{
		"rediss://:@localhost:" + port + ca:                                       "",
		"rediss://127.0.0.1:" + port + ca:                                         "not trusted",
		"rediss://localhost:" + port:                                              "not trusted",
		"rediss://localhost:" + port + "?ca=" + other.File:                        "not trusted",
		"redis://localhost:" + port:                                               "closed the connection",
		"rediss://localhost:" + mutualPort + ca:                                   "requires a client certificate",
		"rediss://localhost:" + mutualPort + ca + "&cert=" + cert + "&key=" + key: "",
	} {
		sentence(t, url, want)
	}
}

func TestProbe_says_what_sentinels_refuse(t *testing.T) {
	t.Parallel()
	form := testkit.RedisForm{Password: "right"}
	addr := form.Sentinels(t, 1).Sentinels[0].Addr()
	for url, want := range map[string]string{
		"redis-sentinel://:right@" + addr + "?master=usher&sentinel_password=right":  "",
		"redis-sentinel://:right@" + addr + "?master=other&sentinel_password=right":  "know no primary",
		"redis-sentinel://:right@" + addr + "?master=usher&sentinel_password=SECRET": "no sentinel names",
		"redis-sentinel://:right@" + addr + "?master=usher":                          "no sentinel names",
		"redis-sentinel://:SECRET@" + addr + "?master=usher&sentinel_password=right": "refuses the user or the password",
	} {
		sentence(t, url, want)
	}
}
