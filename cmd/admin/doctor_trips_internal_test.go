package main

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/internal/faultproxy"
	"usher/internal/testkit"
)

// behind returns the URL with a proxy in front of its server whose answers take so long.
func behind(t *testing.T, text string, delay time.Duration) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := faultproxy.Open(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	proxy.SetDelay(delay)
	u.Host = proxy.Addr()
	return u.String()
}

func TestDoctor_measures_the_way_to_the_stores(t *testing.T) {
	t.Parallel()
	database := testkit.Postgres(t)
	if database == "" {
		t.Skip("no postgres on this machine")
	}
	redis := testkit.RedisServer(t, "--appendonly", "yes").URL()
	environ, _ := healthy(t, redis, database)
	environ["USHER_REDIS_URL"], environ["USHER_DATABASE_URL"] = behind(t, redis, 200*time.Millisecond), behind(t, database, 200*time.Millisecond)
	maps.Copy(environ, testkit.DefaultTimes())
	trips := func() (found []string, text string) {
		bad, text := examined(t, environ, "-offline")
		return slices.DeleteFunc(bad, func(line string) bool { return !strings.Contains(line, "round trip") }), text
	}
	bad, text := trips()
	measured := func(line, name string) bool {
		text, named := strings.CutPrefix(line, "fail "+name+" round trip ")
		took, err := time.ParseDuration(text)
		return named && err == nil && took >= 200*time.Millisecond
	}
	if len(bad) != 2 || !measured(bad[0], "Redis") || !measured(bad[1], "database") ||
		!strings.Contains(text, "raise USHER_REDIS_TIMEOUT to ") || !strings.Contains(text, "raise USHER_DATABASE_TIMEOUT to ") {
		t.Errorf("200 ms away doctor finds %q:\n%s", bad, text)
	}
	environ["USHER_REDIS_TIMEOUT"], environ["USHER_DATABASE_TIMEOUT"] = "3s", "6s"
	if bad, text := trips(); len(bad) > 0 {
		t.Errorf("with more time doctor finds %q:\n%s", bad, text)
	}
}
