package sqlstore

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/lib/pq"
)

// readURL reads a URL of PostgreSQL, which may name several hosts, each with its port, and returns a configuration for each.
// Errors quote nothing of the URL but the values of its options.
func readURL(text string) ([]pq.Config, error) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found || scheme != "postgres" && scheme != "postgresql" {
		return nil, ErrURL
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	user, hosts := "", rest[:end]
	if i := strings.LastIndexByte(hosts, '@'); i >= 0 {
		user, hosts = hosts[:i+1], hosts[i+1:]
	}
	var configs []pq.Config
	for host := range strings.SplitSeq(hosts, ",") {
		u, err := url.Parse(scheme + "://" + user + host + rest[end:])
		if err != nil {
			return nil, ErrURL
		}
		config, err := readHost(u)
		if err != nil {
			return nil, err
		}
		configs = append(configs, config...)
	}
	return configs, nil
}

// readHost reads a URL with one host in its usual place; the option host may name more.
func readHost(u *url.URL) ([]pq.Config, error) {
	query := u.Query()
	if !query.Has("binary_parameters") {
		query.Set("binary_parameters", "yes") // saves half of the round trips
	}
	u.RawQuery = query.Encode()
	config, err := pq.NewConfig(u.String())
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	configs := []pq.Config{config}
	for _, other := range config.Multi {
		next := config.Clone()
		next.Host, next.Hostaddr, next.Port = other.Host, other.Hostaddr, other.Port
		configs = append(configs, next)
	}
	said := query.Has("sslmode") || query.Has("service") || query.Get("sslrootcert") == "system" || os.Getenv("PGSSLMODE") != ""
	for i := range configs {
		configs[i].Multi = nil
		if !said && !isLocal(configs[i]) {
			return nil, ErrSSLMode
		}
	}
	return configs, nil
}

// isLocal reports whether the host is this machine.
func isLocal(c pq.Config) bool {
	if c.Hostaddr.IsValid() {
		return c.Hostaddr.IsLoopback()
	}
	host := cmp.Or(c.Host, "localhost")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || filepath.IsAbs(host) || host[0] == '@' {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
