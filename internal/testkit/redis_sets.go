package testkit

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// SentinelMaster is the name under which sentinels of [RedisForm.Sentinels] watch their primary.
const SentinelMaster = "usher"

// SentinelSet is a primary and a replica that sentinels watch.
type SentinelSet struct {
	Primary, Replica *Server
	Sentinels        []*Server
}

// Sentinels returns so many sentinels that watch a primary with one replica, and know each other and it.
// They hold the primary for dead after a second. The password, if any, is that of the sentinels too.
func (f RedisForm) Sentinels(t testing.TB, count int) SentinelSet {
	t.Helper()
	set := SentinelSet{Primary: f.Server(t)}
	host, port, err := net.SplitHostPort(set.Primary.Addr())
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	set.Replica = f.Server(t, "--replicaof", host+" "+port)
	replica := f.Client(t, set.Replica)
	Eventually(t, startLimit, func() bool {
		info := replica.Info(t.Context(), "replication").Val()
		return strings.Contains(info, "master_link_status:up")
	}, "the replica follows")
	for range count {
		set.Sentinels = append(set.Sentinels, f.start(t, f.sentinelKind(t, host, port, count/2+1)))
	}
	for _, sentinel := range set.Sentinels {
		client := f.Client(t, sentinel)
		Eventually(t, startLimit, func() bool {
			known, err := client.Do(t.Context(), "sentinel", "master", SentinelMaster).Result()
			return err == nil && sentinelKnows(known, "num-other-sentinels", count-1) && sentinelKnows(known, "num-slaves", 1)
		}, "the sentinels know each other")
	}
	return set
}

// sentinelKnows looks into what a sentinel says of its primary, in whichever protocol.
func sentinelKnows(known any, name string, want int) bool {
	fields, _ := known.(map[any]any)
	text, _ := fields[name].(string)
	return text == strconv.Itoa(want)
}

// sentinelKind writes the file that a sentinel insists on, for it notes there what it learns.
func (f RedisForm) sentinelKind(t testing.TB, host, port string, quorum int) serverKind {
	t.Helper()
	program := needRedis(t)
	settings := f.settings(t)
	kind := f.kind(program, settings)
	kind.name = "redis-sentinel"
	kind.command = func(dir string, own int) (*exec.Cmd, error) {
		file := filepath.Join(dir, strconv.Itoa(own)+".conf")
		lines := append(f.listen(own), "--bind", "127.0.0.1", "--dir", dir,
			"--sentinel monitor", SentinelMaster, host, port, strconv.Itoa(quorum),
			"--sentinel down-after-milliseconds", SentinelMaster, "1000",
			"--sentinel failover-timeout", SentinelMaster, "3000")
		for i := 0; i < len(settings); i += 2 {
			if settings[i] != "--masterauth" {
				lines = append(lines, settings[i], settings[i+1])
			}
		}
		if f.Password != "" {
			lines = append(lines, "--sentinel auth-pass", SentinelMaster, f.Password,
				"--sentinel sentinel-pass", f.Password)
		}
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			if err := writeConfig(file, lines); err != nil {
				return nil, err
			}
		}
		return exec.Command(program, file, "--sentinel"), nil
	}
	return kind
}

// Cluster returns so many servers that share all slots, without replicas. The death of one is noticed after
// a second.
func (f RedisForm) Cluster(t testing.TB, count int) []*Server {
	t.Helper()
	args := []string{"--cluster-enabled", "yes", "--cluster-node-timeout", "1000"}
	if f.Authority != nil {
		args = append(args, "--tls-cluster", "yes")
	}
	const slots = 16384
	var servers []*Server
	for i := range count {
		server := f.Server(t, args...)
		client := f.Client(t, server)
		err := client.Do(t.Context(), "cluster", "set-config-epoch", i+1).Err()
		own := client.ClusterAddSlotsRange(t.Context(), i*slots/count, (i+1)*slots/count-1).Err()
		if err := errors.Join(err, own); err != nil {
			t.Fatalf("testkit: hand out slots: %v", err)
		}
		servers = append(servers, server)
	}
	first := f.Client(t, servers[0])
	for _, other := range servers[1:] {
		host, port, _ := net.SplitHostPort(other.Addr())
		if err := first.ClusterMeet(t.Context(), host, port).Err(); err != nil {
			t.Fatalf("testkit: join the cluster: %v", err)
		}
	}
	for _, server := range servers {
		client := f.Client(t, server)
		known := fmt.Sprintf("cluster_known_nodes:%d\r", len(servers))
		Eventually(t, startLimit, func() bool {
			info := client.ClusterInfo(t.Context()).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, known)
		}, "the cluster is complete")
	}
	return servers
}
