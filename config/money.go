package config

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Yuan is an amount of money, 0 when it is written as off.
type Yuan float64

// UnmarshalText implements [encoding.TextUnmarshaler].
func (y *Yuan) UnmarshalText(text []byte) error {
	if string(text) == "off" {
		*y = 0
		return nil
	}
	amount, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsNaN(amount) {
		return errors.New("not an amount")
	}
	*y = Yuan(amount)
	return nil
}

// otherRegions stands for all regions that a list of prices does not name.
const otherRegions = "*"

// Prices are what an SMS costs in each region, in yuan, by ISO code. The price of "*" is that of every region without its own.
type Prices map[string]float64

// UnmarshalText implements [encoding.TextUnmarshaler]. It reads one price for all regions, such as 0.045, or prices by region,
// such as CN=0.045,HK=0.30,*=0.60.
func (p *Prices) UnmarshalText(text []byte) error {
	prices := Prices{}
	for entry := range strings.SplitSeq(string(text), ",") {
		region, amount, found := strings.Cut(entry, "=")
		if !found {
			region, amount = otherRegions, entry
		}
		region = strings.TrimSpace(region)
		price, err := strconv.ParseFloat(strings.TrimSpace(amount), 64)
		if err != nil || math.IsNaN(price) || region == "" {
			return errors.New("not a price")
		}
		if _, twice := prices[region]; twice {
			return errors.New("a region has two prices")
		}
		prices[region] = price
	}
	*p = prices
	return nil
}

// Of returns the price of a region, and whether there is one.
func (p Prices) Of(region string) (yuan float64, ok bool) {
	if yuan, ok = p[region]; !ok {
		yuan, ok = p[otherRegions]
	}
	return yuan, ok
}

// Regions returns the regions that have a price of their own, in no order.
func (p Prices) Regions() []string {
	named := maps.Clone(p)
	delete(named, otherRegions)
	return slices.Collect(maps.Keys(named))
}
