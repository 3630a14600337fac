package front

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"usher/config"
	"usher/contact"
	"usher/limits"
)

// tariff is what codes cost. The zero value has no price.
type tariff struct {
	unit  float64        // yuan of a code to the cheapest region, which is one unit of the limits that follow the budget
	units map[string]int // of a code to each region
}

// newTariff returns the prices of the served regions, and the zero value without prices. The error is of type [config.Mistakes].
func newTariff(prices config.Prices, regions contact.Regions) (tariff, error) {
	if len(prices) == 0 { // they were unreadable, which has been reported
		return tariff{}, nil
	}
	if _, err := contact.NewRegions(prices.Regions()); err != nil {
		return tariff{}, priceMistake(err.Error())
	}
	t := tariff{unit: math.Inf(1), units: map[string]int{}}
	for _, region := range regions.Codes() {
		price, ok := prices.Of(region)
		if !ok {
			return tariff{}, priceMistake(region + " has no price")
		}
		t.unit = min(t.unit, price)
	}
	for _, region := range regions.Codes() {
		price, _ := prices.Of(region)
		t.units[region] = max(1, int(math.Ceil(price/t.unit-1e-6))) // the small number corrects rounding
	}
	return t, nil
}

// affordable returns an error that names the first limit which is too small for one code to a served region.
func (t tariff) affordable(set limits.Set) error {
	most := ""
	for _, region := range slices.Sorted(maps.Keys(t.units)) {
		if t.units[region] > t.units[most] {
			most = region
		}
	}
	for _, name := range []limits.Name{limits.SMSTotal, limits.SMSBudgetDay, limits.SMSBudgetUnknown} {
		if limit := set[name]; !limit.Off() && t.units[most] > limit.Count {
			return priceMistake(fmt.Sprintf("a code to %s counts as %d of the cheapest and %s allows %d: raise the budget or the limit",
				most, t.units[most], name, limit.Count))
		}
	}
	return nil
}

// priceMistake says what is wrong with the prices, and how they look.
func priceMistake(text string) error {
	return config.Wrong("SMS_PRICE_YUAN", errors.New(text+"; prices look like 0.045 or CN=0.045,HK=0.30,*=0.60"))
}
