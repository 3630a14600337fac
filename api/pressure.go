package api

import (
	"slices"

	"github.com/labstack/echo/v4"

	"usher/contact"
	"usher/limits"
)

// pressure says how much of what all share is used up. Captchas become dearer with it, before limits refuse.
type pressure int

const (
	relaxed pressure = iota
	some             // half of a limit is used: a normal captcha comes with four times the work
	strong           // three quarters: it is of the high price
)

// times is how much more work is asked.
func (p pressure) times() int {
	if p == relaxed {
		return 1
	}
	return 4
}

// fewest is the least that a limit has to allow for a part of it to say anything.
const fewest = 20

// keepForPayers keeps the last quarter of what a prefix may be sent for captchas of the high price and for known networks.
// The number is not known yet when a captcha is asked. Only where the tightest of all limits has so little left can the
// prefix have: most codes cost no look.
func (s *Server) keepForPayers(c echo.Context, mobile contact.Mobile, spends []limits.Spend, spent limits.Decision) error {
	prefix := limits.Spend{Limit: s.Limits[limits.SMSPrefix], Subject: mobile.Prefix()}
	if prefix.Limit.Count < fewest || spent.Remaining > prefix.Limit.Count/4 {
		return nil
	}
	fill, err := s.Gate.Fill(c.Request().Context(), []limits.Spend{prefix})
	if err != nil || fill <= 0.75 {
		return err
	}
	if known, err := s.knownNetwork(c, mobile.Reveal()); err != nil || known {
		return err
	}
	s.refund(c, spends)
	return errCaptchaCheap
}

// pressure looks at what a network may send in an hour, at what all may send, and at the day's budget.
func (s *Server) pressure(c echo.Context) (pressure, error) {
	_, network := limits.Network(clientAddr(c))
	spends := []limits.Spend{
		{Limit: s.Limits[limits.SMSIPHour.Net()], Subject: network},
		{Limit: s.Limits[limits.SMSTotal], Subject: limits.Everybody},
		{Limit: s.Limits[limits.SMSBudgetDay], Subject: limits.Everybody},
		{Limit: s.Limits[limits.SMSBudgetUnknown], Subject: limits.Everybody},
	}
	fill, err := s.Gate.Fill(c.Request().Context(), slices.DeleteFunc(spends, func(spend limits.Spend) bool {
		return spend.Limit.Count < fewest
	}))
	switch {
	case err != nil:
		return relaxed, err
	case fill >= 0.75:
		return strong, nil
	case fill >= 0.5:
		return some, nil
	default:
		return relaxed, nil
	}
}
