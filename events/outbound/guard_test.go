package outbound_test

import (
	"errors"
	"net/netip"
	"testing"

	"usher/events/outbound"
)

func TestGuard_allows_public_addresses_only(t *testing.T) {
	t.Parallel()
	for text, public := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "172.32.0.1": true, "100.128.0.1": true, "198.20.0.1": true, "223.5.5.5": true,
		"2606:4700:4700::1111": true, "2400:3200::1": true, "::ffff:8.8.8.8": true,

		"0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "100.64.0.1": false, "100.100.100.200": false, // Aliyun's metadata
		"100.127.255.255": false, "127.0.0.1": false, "127.8.8.8": false, "169.254.169.254": false, "172.16.0.1": false,
		"172.31.255.255": false, "192.0.0.8": false, "192.0.2.1": false, "192.88.99.1": false, "192.168.1.1": false, "198.18.0.1": false,
		"198.51.100.1": false, "203.0.113.1": false, "224.0.0.1": false, "239.1.1.1": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::127.0.0.1": false, "64:ff9b::a00:1": false,
		"64:ff9b::808:808": false, "64:ff9b:1::1": false, "100::1": false, "2001::1": false, "2001:db8::1": false, "2001:20::1": false,
		"2002:7f00:1::1": false, "2002:a00:1::1": false, "3fff::1": false, "5f00::1": false, "fc00::1": false, "fd12::1": false,
		"fe80::1": false, "fe80::1%eth0": false, "fec0::1": false, "ff02::1": false, "4000::1": false,
	} {
		err := outbound.Guard{}.Check(netip.MustParseAddr(text), false)
		if (err == nil) != public || err != nil && !errors.Is(err, outbound.ErrForbidden) {
			t.Errorf("%s: %v, want public: %v", text, err, public)
		}
	}
	if err := (outbound.Guard{}).Check(netip.Addr{}, false); err == nil {
		t.Error("no address is allowed")
	}
	if err := (outbound.Guard{}).Check(netip.MustParseAddr("8.8.8.8"), true); err == nil {
		t.Error("http to a public address is allowed")
	}
}

func TestGuard_allows_the_networks_of_its_list(t *testing.T) {
	t.Parallel()
	guard, err := outbound.ParseGuard([]string{"10.20.0.0/16", "fd00:1::/32"})
	if err != nil || !guard.AllowsPrivate() {
		t.Fatal(err)
	}
	for text, allowed := range map[string]bool{
		"10.20.3.4": true, "::ffff:10.20.3.4": true, "10.21.0.1": false, "fd00:1::5": true, "fd00:2::5": false, "127.0.0.1": false, "8.8.8.8": false,
	} {
		if err := guard.Check(netip.MustParseAddr(text), true); (err == nil) != allowed {
			t.Errorf("http to %s: %v, want allowed: %v", text, err, allowed)
		}
	}
	if err := guard.Check(netip.MustParseAddr("8.8.8.8"), false); err != nil {
		t.Errorf("https to a public address: %v", err)
	}
	for _, wrong := range [][]string{{"10.0.0.1"}, {"localhost"}, {""}, {"10.0.0.0/33"}} {
		if _, err := outbound.ParseGuard(wrong); err == nil {
			t.Errorf("%q is read", wrong)
		}
	}
	if empty, err := outbound.ParseGuard(nil); err != nil || empty.AllowsPrivate() {
		t.Errorf("no list: %v", err)
	}
}
