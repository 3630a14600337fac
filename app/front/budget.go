package front

import (
	"context"
	"math"

	"github.com/prometheus/client_golang/prometheus"

	"usher/app"
	"usher/config"
	"usher/limits"
)

// announceBudget says in the log what codes may cost, and warns where nothing bounds it.
func (a *API) announceBudget() {
	day, unknown, hour := a.settings.Limits[limits.SMSBudgetDay], a.settings.Limits[limits.SMSBudgetUnknown], a.settings.Limits[limits.SMSTotal]
	if day.Off() {
		a.logger.Warn("no budget for SMS: an attack may cost more than the service earns",
			"variable", config.Prefix+"SMS_BUDGET_YUAN", "sms_total", hour.Count)
		return
	}
	a.logger.Info("budget for SMS", "codes_in_24h", day.Count, "of_them_for_unknown_networks", unknown.Count,
		"codes_in_1h", hour.Count, "yuan_in_24h", float64(day.Count)*a.settings.Config.SMSPriceYuan)
}

// watchBudget shows the day's budget and what is left of it, where there is one. It is looked up whenever
// the metrics are read, so that every process shows what all have spent together.
func (a *API) watchBudget(stores *app.Stores) {
	budget := limits.Spend{Limit: a.settings.Limits[limits.SMSBudgetDay], Subject: limits.Everybody}
	if budget.Limit.Off() {
		return
	}
	gauge := func(name, help string, value func() float64) {
		a.ops.Registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("usher_sms_budget", "Codes that may be sent in any 24 hours.",
		func() float64 { return float64(budget.Limit.Count) })
	gauge("usher_sms_budget_left", "Codes that may still be sent; not a number while Redis is away.", func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), backlogTimeout)
		defer cancel()
		left, err := stores.Redis.Limiter().Left(ctx, budget)
		if err != nil {
			return math.NaN()
		}
		return float64(left)
	})
}
