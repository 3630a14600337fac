package limits

import "net/netip"

// Network returns what an address and its network are counted as: an IPv4 address and its /24, or the
// /64 and the /48 of an IPv6 address, because one customer of an IPv6 carrier has a whole /64 to choose
// from. An IPv4 address written as IPv6 counts as IPv4. For the zero Addr both are "unknown": who hides
// the address shares one allowance with all who do.
func Network(ip netip.Addr) (addr, network string) {
	if !ip.IsValid() {
		return "unknown", "unknown"
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String(), prefix(ip, 24)
	}
	return prefix(ip, 64), prefix(ip, 48)
}

func prefix(ip netip.Addr, bits int) string {
	p, err := ip.Prefix(bits)
	if err != nil { // only for more bits than the address has
		return ip.String()
	}
	return p.String()
}
