package limits_test

import (
	"fmt"
	"net/netip"

	"usher/limits"
)

// counter counts in memory and forgets nothing. What the service spends limits with is in store/redisstore.
type counter map[string]int

// Spend takes one unit of each limit, or of none.
func (c counter) Spend(spends []limits.Spend) limits.Decision {
	for _, s := range spends {
		if !s.Limit.Off() && c[string(s.Limit.Name)+s.Subject] >= s.Limit.Count {
			return limits.Decision{Refused: s.Limit.Name, RetryAfter: s.Limit.Period, Limit: s.Limit}
		}
	}
	for _, s := range spends {
		c[string(s.Limit.Name)+s.Subject]++
	}
	return limits.Decision{}
}

// A request spends the limits of its address, of the address's network and of all requests together, or none of them.
func ExampleSet_ByAddress() {
	set, err := limits.Defaults().Parse("register_ip=2/1h")
	if err != nil {
		fmt.Println(err)
		return
	}
	limiter := counter{}
	for range 3 {
		decision := limiter.Spend(set.ByAddress(netip.MustParseAddr("203.0.113.7"), limits.RegisterIP))
		if decision.Allowed() {
			fmt.Println("allowed")
		} else {
			fmt.Printf("429: %s, try again in %v\n", decision.Refused, decision.RetryAfter)
		}
	}
	// Output:
	// allowed
	// allowed
	// 429: register_ip, try again in 1h0m0s
}

// An operator changes limits with a setting. The limit of a network follows that of its address.
func ExampleParse() {
	set, err := limits.Defaults().Parse("lookup_ip=10/1m,sms_total=off")
	fmt.Println(set[limits.LookupIP].Count, set[limits.LookupIP.Net()].Count, set[limits.SMSTotal].Off(), err)

	_, err = limits.Defaults().Parse("lookup=10/1m,login_ip=10")
	fmt.Println(err)
	// Output:
	// 10 50 true <nil>
	// limit "lookup=10/1m": there is no limit with this name
	// limit "login_ip=10": want count/period or off
}
