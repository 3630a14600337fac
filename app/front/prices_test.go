package front_test

import (
	"errors"
	"strings"
	"testing"

	"usher/app/front"
	"usher/config"
	"usher/limits"
)

func loadWith(environ map[string]string) (front.Settings, error) {
	environ["USHER_SECRET_KEYS"] = "k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	return front.Load(environ)
}

func TestLoad_names_wrong_regions_and_prices_with_an_example(t *testing.T) {
	t.Parallel()
	const regions, prices = "USHER_SMS_REGIONS", "USHER_SMS_PRICE_YUAN"
	for name, test := range map[string]struct {
		environ              map[string]string
		variable, says, like string
	}{
		"an unknown region":       {map[string]string{regions: "CN,XX"}, regions, `"XX"`, "CN,HK"},
		"a country code":          {map[string]string{regions: "86"}, regions, `"86"`, "CN,HK"},
		"small letters":           {map[string]string{regions: "hk"}, regions, `"hk"`, "CN,HK"},
		"a region twice":          {map[string]string{regions: "HK,HK"}, regions, "HK", "CN,HK"},
		"no number":               {map[string]string{prices: "cheap"}, prices, "", "HK=0.30"},
		"not a number":            {map[string]string{prices: "NaN"}, prices, "", "HK=0.30"},
		"no region":               {map[string]string{prices: "=0.30"}, prices, "", "HK=0.30"},
		"a price of zero":         {map[string]string{prices: "0"}, prices, "100", "0.001"},
		"one price of zero":       {map[string]string{prices: "CN=0.045,*=0"}, prices, "100", "0.001"},
		"two prices":              {map[string]string{prices: "CN=0.045,CN=0.050"}, prices, "", "HK=0.30"},
		"an unknown priced one":   {map[string]string{prices: "CN=0.045,XX=1"}, prices, `"XX"`, "HK=0.30"},
		"a region without price":  {map[string]string{prices: "CN=0.045", regions: "CN,HK"}, prices, "HK", "*=0.60"},
		"more than the budget":    {map[string]string{prices: "CN=0.045,HK=9", regions: "CN,HK", "USHER_SMS_BUDGET_YUAN": "5"}, prices, "HK", "budget"},
		"more than an own limit":  {map[string]string{prices: "CN=0.1,HK=1", regions: "CN,HK", "USHER_LIMITS": "sms_total=5/1h"}, prices, "sms_total", "10"},
		"infinite, as some write": {map[string]string{prices: "Inf"}, prices, "100", "0.001"},
	} {
		_, err := loadWith(test.environ)
		mistakes, ok := errors.AsType[config.Mistakes](err)
		if !ok || mistakes[0].Variable != test.variable {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if text := mistakes[0].Text; !strings.Contains(text, test.says) || !strings.Contains(text, test.like) {
			t.Errorf("%s: %q, want %q and %q in it", name, text, test.says, test.like)
		}
	}
}

func TestLoad_counts_the_budget_in_the_cheapest_code(t *testing.T) {
	t.Parallel()
	for prices, codes := range map[string]int{"0.045": 1000, "CN=0.045,HK=0.30,*=0.60": 1000, "HK=0.30,*=0.60": 150} {
		s, err := loadWith(map[string]string{"USHER_SMS_PRICE_YUAN": prices, "USHER_SMS_REGIONS": "CN,HK"})
		if err != nil || s.Limits[limits.SMSBudgetDay].Count != codes {
			t.Errorf("%s: %d codes, %v; want %d", prices, s.Limits[limits.SMSBudgetDay].Count, err, codes)
		}
	}
}
