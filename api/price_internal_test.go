package api

import (
	"testing"

	"usher/captcha/challenge"
	"usher/limits"
)

func Test_priceOf_follows_the_risk(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		risk       limits.Risk
		asked, use challenge.Price // of a new captcha, and of one that is used
	}{
		{"a service at rest", limits.Risk{}, challenge.Normal, challenge.Normal},
		{"all below their first bounds", limits.Risk{Limits: 49, Prefix: 49, Budget: 74}, challenge.Normal, challenge.Normal},

		{"half of a limit", limits.Risk{Limits: 50}, challenge.Raised, challenge.Normal},
		{"the grace of a limit", limits.Risk{Limits: 59}, challenge.Raised, challenge.Normal},
		{"the end of the grace", limits.Risk{Limits: 60}, challenge.Raised, challenge.Raised},
		{"below three quarters of a limit", limits.Risk{Limits: 74}, challenge.Raised, challenge.Raised},
		{"three quarters of a limit", limits.Risk{Limits: 75}, challenge.High, challenge.Raised},
		{"the grace of three quarters", limits.Risk{Limits: 84}, challenge.High, challenge.Raised},
		{"the end of that grace", limits.Risk{Limits: 85}, challenge.High, challenge.High},
		{"a full limit", limits.Risk{Limits: 100}, challenge.High, challenge.High},

		{"half of a prefix has no grace", limits.Risk{Prefix: 50}, challenge.Raised, challenge.Raised},
		{"nor has its last quarter", limits.Risk{Prefix: 75}, challenge.High, challenge.High},
		{"below it", limits.Risk{Prefix: 74}, challenge.Raised, challenge.Raised},

		{"a quarter of the budget is left", limits.Risk{Budget: 75}, challenge.Raised, challenge.Normal},
		{"a fifth is left", limits.Risk{Budget: 80}, challenge.Raised, challenge.Raised},
		{"more than a tenth is left", limits.Risk{Budget: 89}, challenge.Raised, challenge.Raised},
		{"a tenth is left", limits.Risk{Budget: 90}, challenge.High, challenge.Raised},
		{"a twentieth is left", limits.Risk{Budget: 95}, challenge.High, challenge.High},

		{"a guarded prefix", limits.Risk{Guarded: true}, challenge.High, challenge.High},
		{"the highest decides", limits.Risk{Limits: 60, Budget: 95}, challenge.High, challenge.High},
	} {
		if got := priceOf(tt.risk); got != tt.asked {
			t.Errorf("%s: a new captcha costs %s, want %s", tt.name, got, tt.asked)
		}
		if got := priceOfUse(tt.risk); got != tt.use {
			t.Errorf("%s: a captcha that is used must cost %s, want %s", tt.name, got, tt.use)
		}
	}
}

// A captcha that was made at a risk is enough for it, and a higher risk never makes a captcha cheaper.
func Test_priceOf_rises_with_the_risk(t *testing.T) {
	t.Parallel()
	set := map[string]func(*limits.Risk, int){
		"limits": func(r *limits.Risk, used int) { r.Limits = used },
		"prefix": func(r *limits.Risk, used int) { r.Prefix = used },
		"budget": func(r *limits.Risk, used int) { r.Budget = used },
	}
	for name, use := range set {
		last := limits.Risk{}
		for used := range 101 {
			risk := last
			use(&risk, used)
			if !priceOf(risk).Covers(priceOf(last)) || !priceOfUse(risk).Covers(priceOfUse(last)) || !priceOf(risk).Covers(priceOfUse(risk)) {
				t.Errorf("%s, %d %%: %s, used %s; before %s, used %s", name, used, priceOf(risk), priceOfUse(risk), priceOf(last), priceOfUse(last))
			}
			last = risk
		}
	}
}
