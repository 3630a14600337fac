package limits

import "net/netip"

// Network returns the subjects of an address and its network: an IPv4 address and its /24, or the /64 and the /48 of an IPv6
// address, because one customer of an IPv6 carrier can choose addresses from a whole /64. An IPv4 address written as IPv6 counts as
// IPv4. For the zero Addr both are "unknown": all requests without an address share one subject.
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

// prefix returns the first bits of an address as a network.
func prefix(ip netip.Addr, bits int) string {
	p, err := ip.Prefix(bits)
	if err != nil { // impossible: the address has more bits than the prefix
		return ip.String()
	}
	return p.String()
}
