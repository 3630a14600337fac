// Package outbound sends events to endpoints over HTTP. An endpoint's name is resolved anew for each connection, and the
// connection is refused when the address is one of a private network: a name of the outside must not lead into the network of
// the workers.
package outbound

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// Guard decides which addresses connections may go to. The zero value allows public addresses only.
type Guard struct{ allowed []netip.Prefix }

// ParseGuard reads the networks that are allowed although they are private, such as 10.20.0.0/16.
func ParseGuard(networks []string) (Guard, error) {
	var g Guard
	for _, text := range networks {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return Guard{}, errors.New("want networks such as 10.20.0.0/16, with commas between them")
		}
		g.allowed = append(g.allowed, network.Masked())
	}
	return g, nil
}

// AllowsPrivate reports whether any private network is allowed. Only there addresses may be http.
func (g Guard) AllowsPrivate() bool { return len(g.allowed) > 0 }

// ErrForbidden means that a name leads to an address that events must not go to.
var ErrForbidden = errors.New("the address is not a public one")

// special4 are the networks of IPv4 that are not the public internet: RFC 6890 and its registry. 192.88.99.0/24 leads to relays
// of 6to4.
var special4 = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
)

// global6 is the part of IPv6 that is given out for the public internet, and special6 what is special within it: Teredo and
// the other protocols of 2001::/23, examples, 6to4, more examples. All else is private, such as NAT64, which would translate
// to a private address of IPv4.
var (
	global6  = netip.MustParsePrefix("2000::/3")
	special6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

// Check returns ErrForbidden for an address that is not public and not allowed. plain means that the connection is not encrypted:
// that is possible in allowed networks only.
func (g Guard) Check(addr netip.Addr, plain bool) error {
	addr = addr.Unmap().WithZone("")
	if contains(g.allowed, addr) {
		return nil
	}
	public := !contains(special4, addr)
	if addr.Is6() {
		public = global6.Contains(addr) && !contains(special6, addr)
	}
	if !public || plain || !addr.IsValid() {
		return ErrForbidden
	}
	return nil
}

func contains(networks []netip.Prefix, addr netip.Addr) bool {
	for _, network := range networks {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// control is called with the address of each connection after its name was resolved, so a name that is resolved differently the
// next time does not get around it.
func (g Guard) control(plain bool) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, _, address string, _ syscall.RawConn) error {
		target, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: not readable", ErrForbidden)
		}
		return g.Check(target.Addr(), plain)
	}
}
