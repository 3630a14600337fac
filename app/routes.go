package app

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"usher/config"
	"usher/contact"
	"usher/providers"
)

// Routes returns the orders of providers that SMS_ROUTES sets by region, nil without any. The error is of type [config.Mistakes],
// with one for each entry that is wrong.
func Routes(c config.Worker) (providers.Orders, error) {
	if c.SMSRoutes == "" {
		return nil, nil //nolint:nilnil // no orders of their own are what most deployments have
	}
	orders := providers.Orders{}
	var mistakes []error
	for entry := range strings.SplitSeq(c.SMSRoutes, ";") {
		if err := addRoute(orders, entry, c.SMSProviders); err != nil {
			mistakes = append(mistakes, config.Wrong("SMS_ROUTES", fmt.Errorf("%w; routes look like HK,MO,TW=tencent,aliyun;*=http", err)))
		}
	}
	return orders, config.Join(mistakes...)
}

// addRoute reads one entry, such as HK,MO=tencent,aliyun, and adds it to the orders.
func addRoute(orders providers.Orders, entry string, configured []string) error {
	regions, names, found := strings.Cut(entry, "=")
	if !found {
		return fmt.Errorf("%q has no = between regions and providers", strings.TrimSpace(entry))
	}
	order := trimmed(names)
	for i, name := range order {
		switch {
		case name == "":
			return fmt.Errorf("%q names no provider in one place", strings.TrimSpace(entry))
		case !slices.Contains(configured, name):
			return fmt.Errorf("there is no provider %q in USHER_SMS_PROVIDERS, which names all that are used", name)
		case slices.Contains(order[:i], name):
			return fmt.Errorf("%q names %s twice", strings.TrimSpace(entry), name)
		}
	}
	for _, region := range trimmed(regions) {
		if region != providers.OtherRegions {
			if _, err := contact.NewRegions([]string{region}); err != nil {
				return err
			}
		}
		if _, twice := orders[region]; twice {
			return errors.New(region + " has two routes")
		}
		orders[region] = order
	}
	return nil
}

// trimmed splits a list at its commas.
func trimmed(list string) []string {
	entries := strings.Split(list, ",")
	for i, entry := range entries {
		entries[i] = strings.TrimSpace(entry)
	}
	return entries
}
