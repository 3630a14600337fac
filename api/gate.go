package api

import (
	"net/netip"

	"github.com/labstack/echo/v4"

	"usher/captcha"
	"usher/contact"
	"usher/limits"
	"usher/verify"
)

// admit lets a person in who has answered a captcha and has something left of every limit. The captcha is
// spent whatever the answer, so that there is one try for each, and captchas are limited themselves. The
// limits come back after a wrong answer: whoever solves nothing could else use up a prefix's or everybody's.
// It returns the decision for [setRateLimit].
func (s *Server) admit(c echo.Context, captchaID, given string, spends []limits.Spend) (limits.Decision, error) {
	if !s.Captcha.Enabled() {
		captchaID = ""
	} else if captchaID == "" || given == "" {
		return limits.Decision{}, errCaptchaNeeded
	} else if !captcha.ValidID(captchaID) {
		return limits.Decision{}, errCaptchaGone
	}
	want, decision, err := s.Gate.Admit(c.Request().Context(), captchaID, spends)
	switch {
	case err != nil:
		return limits.Decision{}, err
	case !decision.Allowed():
		return decision, refusal(decision)
	case captchaID != "" && !captcha.Match(want, given):
		s.refund(c, spends)
		if want == "" {
			s.Metrics.captchas.WithLabelValues("gone").Inc()
			return decision, errCaptchaGone
		}
		s.Metrics.captchas.WithLabelValues("wrong").Inc()
		return decision, errCaptchaWrong
	}
	if captchaID != "" {
		s.Metrics.captchas.WithLabelValues("right").Inc()
	}
	return decision, nil
}

// spend takes from limits where no captcha is asked.
func (s *Server) spend(c echo.Context, spends []limits.Spend) error {
	_, decision, err := s.Gate.Admit(c.Request().Context(), "", spends)
	if err != nil {
		return err
	}
	if !decision.Allowed() {
		return refusal(decision)
	}
	return nil
}

func refusal(d limits.Decision) error {
	return &verify.LimitError{Name: string(d.Refused), RetryAfter: d.RetryAfter}
}

// byAddress spends limits that count what one address does.
func (s *Server) byAddress(c echo.Context, names ...limits.Name) []limits.Spend {
	addr, _ := limits.Network(clientAddr(c))
	spends := make([]limits.Spend, len(names))
	for i, name := range names {
		spends[i] = limits.Spend{Limit: s.Limits[name], Subject: addr}
	}
	return spends
}

// sendSpends is everything that one code costs, but for the limits of its number: those are spent in
// one step with the code itself, see [verify.Codes].
func (s *Server) sendSpends(c echo.Context, mobile contact.Mobile) []limits.Spend {
	addr, network := limits.Network(clientAddr(c))
	return []limits.Spend{
		{Limit: s.Limits[limits.SMSIPHour], Subject: addr, Beside: network},
		{Limit: s.Limits[limits.SMSIPDay], Subject: addr, Beside: network},
		{Limit: s.Limits[limits.SMSNetHour], Subject: network},
		{Limit: s.Limits[limits.SMSPrefix], Subject: mobile.Prefix()},
		{Limit: s.Limits[limits.SMSConversion], Subject: mobile.Prefix()},
		{Limit: s.Limits[limits.SMSTotal], Subject: limits.Everybody},
		{Limit: s.Limits[limits.SMSBudgetDay], Subject: limits.Everybody},
	}
}

// resendSpends counts the address that the mail goes to as well as the one that asks.
func (s *Server) resendSpends(c echo.Context, email contact.Email) []limits.Spend {
	return append(s.byAddress(c, limits.ResendIP),
		limits.Spend{Limit: s.Limits[limits.ResendPause], Subject: email.Reveal()},
		limits.Spend{Limit: s.Limits[limits.ResendEmail], Subject: email.Reveal()})
}

// clientAddr is the zero Addr for somebody whose address cannot be told.
func clientAddr(c echo.Context) netip.Addr {
	addr, _ := netip.ParseAddr(c.RealIP())
	return addr
}
