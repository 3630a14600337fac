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

// announceGuesses says in the log how often guesses at codes can be lucky, and warns where that is more than once a year.
func (a *API) announceGuesses() {
	lucky := a.settings.Limits.LuckyGuesses(a.settings.Config.SMSCodeLength)
	if math.IsInf(lucky, 1) || lucky < 1.1 { // without a budget there is another warning; counts are whole numbers
		return
	}
	a.logger.Warn("codes may be guessed more than once a year: the budget is large for codes of this length",
		"variable", config.Prefix+"SMS_CODE_LENGTH", "lucky_guesses_a_year_at_worst", lucky)
}

// watchBudget shows the day's budget and what is left of it, where there is one.
func (a *API) watchBudget(stores *app.Stores) {
	a.watchForAll(stores, limits.SMSBudgetDay,
		"usher_sms_budget", "Codes that may be sent in any 24 hours.",
		"usher_sms_budget_left", "Codes that may still be sent; not a number while Redis is away.")
}

// watchGuesses shows the bound of wrong codes of all accounts and what is left of it.
func (a *API) watchGuesses(stores *app.Stores) {
	a.watchForAll(stores, limits.CodeWrongAll,
		"usher_wrong_codes", "Wrong codes after the first of each that all accounts together may have in any 24 hours.",
		"usher_wrong_codes_left", "Wrong codes that are left of these; not a number while Redis is away.")
}

// watchForAll shows a limit that counts for everybody together, unless it is off. What is left is looked up whenever the
// metrics are read, so that every process shows what all have spent together.
func (a *API) watchForAll(stores *app.Stores, name limits.Name, count, countHelp, left, leftHelp string) {
	spend := limits.Spend{Limit: a.settings.Limits[name], Subject: limits.Everybody}
	if spend.Limit.Off() {
		return
	}
	gauge := func(name, help string, value func() float64) {
		a.ops.Registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge(count, countHelp, func() float64 { return float64(spend.Limit.Count) })
	gauge(left, leftHelp, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), backlogTimeout)
		defer cancel()
		n, err := stores.Redis.Limiter().Left(ctx, spend)
		if err != nil {
			return math.NaN()
		}
		return float64(n)
	})
}
