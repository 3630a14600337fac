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
		return ip.String(), netip.PrefixFrom(ip, 24).Masked().String()
	}
	return netip.PrefixFrom(ip, 64).Masked().String(), netip.PrefixFrom(ip, 48).Masked().String()
}
