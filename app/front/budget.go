package front

import (
	"math"

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
