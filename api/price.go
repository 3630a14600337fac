package api

import (
	"github.com/labstack/echo/v4"

	"usher/captcha/challenge"
	"usher/limits"
	"usher/verify"
)

// priceOf returns what a captcha costs at a risk: the only rule. docs/limits.md explains the numbers, which are percentages.
func priceOf(r limits.Risk) challenge.Price {
	switch {
	case r.Guarded || r.Limits >= 75 || r.Prefix >= 75 || r.Budget >= 90:
		return challenge.High
	case r.Limits >= 50 || r.Prefix >= 50 || r.Budget >= 75:
		return challenge.Raised
	default:
		return challenge.Normal
	}
}

// priceOfUse returns the lowest price of a captcha that a code is sent for. What was known when the captcha was made may
// have risen while the person was solving it, so a little more of it may be used than for [priceOf]. The number was not
// known then, so its prefix has no such grace.
func priceOfUse(r limits.Risk) challenge.Price {
	const graceOfLimits, graceOfBudget = 10, 5
	r.Limits, r.Budget = r.Limits-graceOfLimits, r.Budget-graceOfBudget
	return priceOf(r)
}

// pricedByLimits returns the limits that the price of a new captcha follows.
func (s *Server) pricedByLimits(c echo.Context) []limits.Spend {
	return append(s.byAddress(c, limits.SMSIPHour, limits.SMSIPDay),
		limits.Spend{Limit: s.Limits[limits.SMSTotal], Subject: limits.Everybody},
		limits.Spend{Limit: s.Limits[limits.SMSBudgetDay], Subject: limits.Everybody},
		limits.Spend{Limit: s.Limits[limits.SMSBudgetUnknown], Subject: limits.Everybody})
}

// checkPrice refuses a code whose captcha was too cheap, except on a known network of the recipient's account, and gives back
// what it has spent. Codes by mail cost nothing and spend none of the limits that make a risk. There are three prices and the
// refusal names the wanted one, so a person is refused twice at most.
func (s *Server) checkPrice(c echo.Context, to verify.Recipient, admitted admission, spends []limits.Spend) error {
	wanted := priceOfUse(admitted.decision.Risk)
	if admitted.price == "" || admitted.price.Covers(wanted) {
		return nil
	}
	known, err := s.knownNetwork(c, loginOf(to))
	if err != nil || known {
		return err
	}
	s.refund(c, spends)
	s.Metrics.captchas.WithLabelValues("cheap").Inc()
	return &cheapError{wanted}
}

// cheapError refuses a captcha because of its price.
type cheapError struct{ wanted challenge.Price }

// Error implements error.
func (e *cheapError) Error() string { return "captcha of the " + string(e.wanted) + " price is needed" }
