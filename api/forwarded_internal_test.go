package api

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// behind is a face that trusts the loopback, 10.0.0.0/8 and a network of IPv6, and its log.
func behind(now *time.Time) (*Server, *strings.Builder) {
	var log strings.Builder
	return &Server{
		Config: Config{TrustedProxies: []netip.Prefix{
			netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:f::/48"),
		}},
		Now:    func() time.Time { return *now },
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}, &log
}

func requestFrom(peer string, lines ...string) *http.Request {
	return &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": lines}}
}

func TestForwarded_forms(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for name, test := range map[string]struct {
		peer   string // empty: a trusted one
		lines  []string
		want   string
		warned bool
	}{
		"no header":                    {lines: nil, want: "127.0.0.1"},
		"bare":                         {lines: []string{"203.0.113.7"}, want: "203.0.113.7"},
		"Azure's port":                 {lines: []string{"203.0.113.7:51234"}, want: "203.0.113.7"},
		"IPv6":                         {lines: []string{"2001:db8::1"}, want: "2001:db8::1"},
		"IPv6 in brackets":             {lines: []string{"[2001:db8::1]"}, want: "2001:db8::1"},
		"IPv6 with a port":             {lines: []string{"[2001:db8::1]:443"}, want: "2001:db8::1"},
		"IPv6 with a zone":             {lines: []string{"fe80::1%eth0"}, want: "fe80::1"},
		"zone, brackets and port":      {lines: []string{"[fe80::1%25eth0]:443"}, want: "fe80::1"},
		"IPv4 as IPv6":                 {lines: []string{"::ffff:203.0.113.7"}, want: "203.0.113.7"},
		"IPv4 as IPv6 with a port":     {lines: []string{"[::ffff:203.0.113.7]:1"}, want: "203.0.113.7"},
		"quotes":                       {lines: []string{`"203.0.113.7"`}, want: "203.0.113.7"},
		"white space":                  {lines: []string{" \t203.0.113.7  "}, want: "203.0.113.7"},
		"no white space":               {lines: []string{"198.51.100.1,203.0.113.7"}, want: "203.0.113.7"},
		"proxies behind":               {lines: []string{"203.0.113.7, 10.1.2.3:80 , [2001:db8:f::1]"}, want: "203.0.113.7"},
		"several lines":                {lines: []string{"198.51.100.1", "203.0.113.7", "10.0.0.1, 10.0.0.2"}, want: "203.0.113.7"},
		"only proxies":                 {lines: []string{"10.0.0.1, 10.0.0.2"}, want: "10.0.0.1"},
		"an invention in front":        {lines: []string{"unknown, , 198.51.100.1, 203.0.113.7"}, want: "203.0.113.7"},
		"unknown":                      {lines: []string{"198.51.100.1, unknown"}, want: "127.0.0.1", warned: true},
		"obfuscated behind a proxy":    {lines: []string{"198.51.100.1, _hidden, 10.0.0.9"}, want: "10.0.0.9", warned: true},
		"empty entry":                  {lines: []string{"198.51.100.1, "}, want: "127.0.0.1", warned: true},
		"empty last line":              {lines: []string{"198.51.100.1", ""}, want: "127.0.0.1", warned: true},
		"a name":                       {lines: []string{"client.example"}, want: "127.0.0.1", warned: true},
		"no port behind the colon":     {lines: []string{"203.0.113.7:http"}, want: "127.0.0.1", warned: true},
		"no end of brackets":           {lines: []string{"[2001:db8::1"}, want: "127.0.0.1", warned: true},
		"RFC 7239's form":              {lines: []string{"for=203.0.113.7"}, want: "127.0.0.1", warned: true},
		"a stranger":                   {peer: "198.51.100.9:1", lines: []string{"203.0.113.7"}, want: "198.51.100.9"},
		"a stranger who is no address": {peer: "198.51.100.9:1", lines: []string{"x"}, want: "198.51.100.9"},
		"a trusted peer as IPv6":       {peer: "[::ffff:10.0.0.1]:1", lines: []string{"203.0.113.7"}, want: "203.0.113.7"},
		"a peer with a zone":           {peer: "[fe80::1%eth0]:1", lines: []string{"203.0.113.7"}, want: "fe80::1"},
		"a socket":                     {peer: "@", lines: []string{"203.0.113.7"}, want: ""},
	} {
		s, log := behind(&now)
		if test.peer == "" {
			test.peer = "127.0.0.1:40000"
		}
		if got := s.clientIP()(requestFrom(test.peer, test.lines...)); got != test.want {
			t.Errorf("%s: the client is %q, want %q", name, got, test.want)
		}
		if warned := log.Len() > 0; warned != test.warned {
			t.Errorf("%s: log: %s", name, log)
		}
	}
}

func TestForwarded_entry_that_is_no_address_is_told_once_a_minute(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	s, log := behind(&now)
	find := s.clientIP()
	for range 130 {
		find(requestFrom("10.0.0.1:1", "a-secret"))
		now = now.Add(time.Second)
	}
	lines := strings.Count(log.String(), "\n")
	if lines != 3 || !strings.Contains(log.String(), "proxy=10.0.0.1") || strings.Contains(log.String(), "a-secret") {
		t.Errorf("130 s gave %d lines, want 3 that name the proxy and quote nothing:\n%s", lines, log)
	}
}

// FuzzForwarded checks that nothing to the left of the address that the last trusted proxy wrote changes whose request it
// is, and that what comes out is an address.
func FuzzForwarded(f *testing.F) {
	f.Add("unknown, [2001:db8::1]:443", "203.0.113.7:51234")
	f.Add("198.51.100.1", "_hidden, 10.0.0.1")
	now := time.Unix(1_800_000_000, 0)
	f.Fuzz(func(t *testing.T, left, right string) {
		s, _ := behind(&now)
		find := s.clientIP()
		alone := find(requestFrom("127.0.0.1:1", right))
		addr, err := netip.ParseAddr(alone)
		if err != nil || addr.Zone() != "" || addr.Is4In6() {
			t.Fatalf("%q is from %q", right, alone)
		}
		if s.isProxy(addr) {
			return // the proxy's own request, or one that it could not tell
		}
		for _, lines := range [][]string{{left + "," + right}, {left, right}} {
			if got := find(requestFrom("127.0.0.1:1", lines...)); got != alone {
				t.Errorf("%q before %q changes %s into %s", left, right, alone, got)
			}
		}
	})
}
