package wire

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"usher/config"
)

// NewPublicClient is [NewClient] for an address that the operator is free to choose. It connects to public addresses only, so
// that the name of that host cannot lead into the operator's own network. The address is checked when a connection is opened,
// because a name server may change its answer after any earlier check (DNS rebinding). Hosts with the given names are exempt,
// and loopback names are for loopback addresses. A refused address is [ErrPrivate].
//
// A proxy of the environment is checked in place of the host, whose address only the proxy knows.
func NewPublicClient(exempt ...string) *http.Client {
	client := NewClient()
	free, guarded, local := dialWith(nil, nil), dialWith(nil, only(IsPublic)), dialWith(nil, only(netip.Addr.IsLoopback))
	transport := client.Transport.(*http.Transport) //nolint:forcetypeassert // NewClient has made it
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		switch {
		case err != nil:
			return nil, ErrPrivate
		case slices.ContainsFunc(exempt, func(name string) bool { return strings.EqualFold(name, host) }):
			return free(ctx, network, addr)
		case config.IsLoopback(strings.ToLower(host)):
			return local(ctx, network, addr)
		}
		return guarded(ctx, network, addr)
	}
	return client
}

// only is a dialer's control that refuses the addresses which are not allowed.
func only(allowed func(netip.Addr) bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !allowed(to.Addr().Unmap().WithZone("")) {
			return ErrPrivate
		}
		return nil
	}
}

// special are the networks of IANA's registries of special addresses that netip does not know as such: this host, carriers' own,
// protocols, examples, benchmarks, reserved, and IPv6 addresses that contain an IPv4 address of any kind.
var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4",
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "fec0::/10",
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

// IsPublic reports whether an address belongs to a host of the public internet: it is neither loopback, link-local, private nor
// multicast, nor of a network with a special purpose.
func IsPublic(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return addr.IsGlobalUnicast() && !addr.IsPrivate() &&
		!slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(addr) })
}
