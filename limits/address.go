package limits

import (
	"net/netip"
	"strings"
	"time"
)

// netShare is the count of a network divided by that of an address. Five people of a company behind one /24 may use the full count
// of an address at once, and 200 hosts of one customer get no more than they.
const netShare = 5

// addressLimit is a limit by address. Its companion [Name.Net] counts the network, and where all is not 0 the companion [Name.All]
// counts all requests, both in the same period.
type addressLimit struct {
	Limit
	all int // count of the companion [Name.All]; 0 for none
}

// byAddress lists the limits by address. The totals are about twice the busiest hour (15 % of the day) of a site with 100,000
// registrations and 150,000 sign-ins a day; those of captchas and their answers, which every request needs first, are what 3,333
// networks can use up. docs/limits.md has the computations. Many people of one company or one mobile network share an IPv4
// address, so requests that cost no SMS have larger counts.
func byAddress() []addressLimit {
	const day = 24 * time.Hour
	return []addressLimit{
		// The totals of codes are SMSTotal and the budget.
		{Limit{Name: SMSIPHour, Count: 10, Period: time.Hour}, 0},
		{Limit{Name: SMSIPDay, Count: 50, Period: day}, 0},
		{Limit{Name: EmailCodeIP, Count: 20, Period: time.Hour}, 10_000},
		{Limit{Name: AppKeyIP, Count: 30, Period: 5 * time.Minute}, 0},
		{Limit{Name: CheckIP, Count: 30, Period: 5 * time.Minute}, 500_000},
		{Limit{Name: CaptchaIP, Count: 60, Period: 10 * time.Minute}, 1_000_000},
		{Limit{Name: CaptchaAudioIP, Count: 15, Period: 10 * time.Minute}, 250_000},
		{Limit{Name: LookupIP, Count: 60, Period: 5 * time.Minute}, 20_000},
		// Only existing codes and links are counted, so a total is not needed.
		{Limit{Name: StatusIP, Count: 300, Period: 5 * time.Minute}, 0},
		{Limit{Name: ActivateIP, Count: 60, Period: 10 * time.Minute}, 0},
		{Limit{Name: RegisterIP, Count: 20, Period: time.Hour}, 30_000},
		{Limit{Name: LoginIP, Count: 60, Period: 10 * time.Minute}, 30_000},
		{Limit{Name: LoginAddr, Count: 3, Period: 15 * time.Minute}, 0}, // its total is that of LoginIP
		{Limit{Name: ResetIP, Count: 20, Period: time.Hour}, 5_000},
		{Limit{Name: UndoIP, Count: 20, Period: time.Hour}, 0},
		{Limit{Name: ResendIP, Count: 20, Period: time.Hour}, 5_000},
	}
}

// AddressNames returns the names of the limits by address.
func AddressNames() []Name {
	var names []Name
	for _, limit := range byAddress() {
		names = append(names, limit.Name)
	}
	return names
}

// Net returns the name of the companion that counts networks: lookup_net of lookup_ip.
func (n Name) Net() Name { return n.companion("_net") }

// All returns the name of the companion that counts all requests: lookup_all of lookup_ip.
func (n Name) All() Name { return n.companion("_all") }

// companion replaces "_ip" in a name, or appends the kind to a name without it.
func (n Name) companion(kind string) Name {
	if before, after, found := strings.Cut(string(n), "_ip"); found {
		return Name(before + kind + after)
	}
	return n + Name(kind)
}

// net returns the companion that counts networks.
func (a addressLimit) net() Limit {
	return Limit{Name: a.Name.Net(), Count: min(netShare*a.Count, maxCount), Period: a.Period}
}

// with returns the limit and its companions.
func (a addressLimit) with() []Limit {
	list := []Limit{a.Limit, a.net()}
	if a.all > 0 {
		list = append(list, Limit{Name: a.Name.All(), Count: a.all, Period: a.Period})
	}
	return list
}

// ByAddress returns the spends of one request from an address: for each limit one of the address, one of its network and one of
// the total. The first two are kept in one place, so that one script spends them.
func (s Set) ByAddress(ip netip.Addr, names ...Name) []Spend {
	addr, network := Network(ip)
	spends := make([]Spend, 0, 3*len(names))
	for _, name := range names {
		spends = append(spends,
			Spend{Limit: s[name], Subject: addr, Beside: network},
			Spend{Limit: s[name.Net()], Subject: network},
			Spend{Limit: s[name.All()], Subject: Everybody})
	}
	return spends
}

// Totals returns the limits that count all requests together, without those that are off.
func (s Set) Totals() []Limit {
	names := []Name{SMSTotal, SMSBudgetDay, SMSBudgetUnknown, MailTotalHour, CodeWrongAll}
	for _, name := range AddressNames() {
		names = append(names, name.All())
	}
	var totals []Limit
	for _, name := range names {
		if limit := s[name]; !limit.Off() {
			totals = append(totals, limit)
		}
	}
	return totals
}

// Split separates spends of single subjects from those of totals.
func Split(spends []Spend) (own, totals []Spend) {
	for _, spend := range spends {
		if spend.Subject == Everybody {
			totals = append(totals, spend)
		} else {
			own = append(own, spend)
		}
	}
	return own, totals
}

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
