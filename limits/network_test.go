package limits_test

import (
	"net/netip"
	"testing"

	"usher/limits"
)

func TestNetwork(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, ip, addr, network string }{
		{"an IPv4 address counts by itself", "203.0.113.7", "203.0.113.7", "203.0.113.0/24"},
		{"IPv4 written as IPv6 counts as IPv4", "::ffff:203.0.113.7", "203.0.113.7", "203.0.113.0/24"},
		{"an IPv6 address counts by its /64", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"},
		{"a zone makes no other address", "fe80::1%eth0", "fe80::/64", "fe80::/48"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			addr, network := limits.Network(netip.MustParseAddr(test.ip))
			if addr != test.addr || network != test.network {
				t.Errorf("Network(%s) = %s, %s, want %s, %s", test.ip, addr, network, test.addr, test.network)
			}
		})
	}
	if addr, network := limits.Network(netip.Addr{}); addr != "unknown" || network != "unknown" {
		t.Errorf("Network of no address = %q, %q", addr, network)
	}
}
