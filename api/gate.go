package api

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/captcha"
	"usher/captcha/challenge"
	"usher/contact"
	"usher/limits"
	"usher/verify"
)

// admission says how a request was let in, or refused.
type admission struct {
	decision limits.Decision // for [setRateLimit]

	// price is that of the captcha, which was answered rightly; empty for a wrong answer and where none was asked.
	// It is known after a limit has refused, too: with a high one the caller may pass a limit that strangers have
	// used up.
	price captcha.Price
}

// admit lets a person in who has answered a captcha and has something left of every limit. The captcha is
// spent whatever the answer, so that there is one try for each, and captchas are limited themselves. The
// limits come back after a wrong answer: whoever solves nothing could else use up a prefix's or everybody's.
func (s *Server) admit(c echo.Context, captchaID, given string, spends []limits.Spend) (admission, error) {
	if !s.Captcha.Enabled() {
		captchaID = ""
	} else if captchaID == "" || given == "" {
		return admission{}, errCaptchaNeeded
	} else if !captcha.ValidID(captchaID) {
		return admission{}, errCaptchaGone
	}
	asked, decision, err := s.Gate.Admit(c.Request().Context(), captchaID, spends)
	if err != nil {
		return admission{}, err
	}
	admitted := admission{decision: decision}
	wrong := s.captchaRefusal(captchaID, asked, given)
	if wrong == nil {
		admitted.price = asked.Price
	}
	switch {
	case !decision.Allowed():
		return admitted, refusal(decision)
	case wrong != nil:
		s.refund(c, spends)
	}
	if captchaID != "" {
		s.Metrics.captchas.WithLabelValues(captchaResult(wrong)).Inc()
	}
	return admitted, wrong
}

// withCaptcha adds a captcha that was not answered to a refusal of fields: people should not have to fix one after the
// other. Alone it has an errno of its own, see admit.
func (s *Server) withCaptcha(err error, captchaID, given string) error {
	fields, ok := errors.AsType[accounts.FieldErrors](err)
	if ok && s.Captcha.Enabled() && (captchaID == "" || given == "") {
		fields[fieldCaptcha] = accounts.Missing
	}
	return err
}

// captchaRefusal is what is wrong with an answer to what was asked; nil where nothing was.
func (s *Server) captchaRefusal(captchaID string, asked captcha.Asked, given string) error {
	switch {
	case captchaID == "":
		return nil
	case asked.Medium == challenge.Used:
		return errCaptchaUsed
	case asked.Medium == challenge.Done:
		return errCaptchaDone
	case asked.Answer == "":
		return errCaptchaGone
	case s.right(captchaID, asked, given):
		return nil
	default:
		return errCaptchaWrong
	}
}

// captchaResult is what the metric calls an answer.
func captchaResult(refused error) string {
	switch {
	case refused == nil:
		return "right"
	case errors.Is(refused, errCaptchaGone):
		return "gone"
	default:
		return "wrong"
	}
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

// byAddress is what a request costs of limits by address, with their companions by network and of everybody.
func (s *Server) byAddress(c echo.Context, names ...limits.Name) []limits.Spend {
	return s.Limits.ByAddress(clientAddr(c), names...)
}

// sendSpends is everything that one code costs, but for the limits of its number: those are spent in
// one step with the code itself, see [verify.Codes].
func (s *Server) sendSpends(c echo.Context, mobile contact.Mobile) []limits.Spend {
	return append(s.byAddress(c, limits.SMSIPHour, limits.SMSIPDay),
		limits.Spend{Limit: s.Limits[limits.SMSPrefix], Subject: mobile.Prefix()},
		limits.Spend{Limit: s.Limits[limits.SMSConversion], Subject: mobile.Prefix()},
		limits.Spend{Limit: s.Limits[limits.SMSTotal], Subject: limits.Everybody},
		limits.Spend{Limit: s.Limits[limits.SMSBudgetDay], Subject: limits.Everybody},
		limits.Spend{Limit: s.Limits[limits.SMSBudgetUnknown], Subject: limits.Everybody})
}

// shared reports whether strangers can use up a limit of codes for the owner of a number.
func shared(name limits.Name) bool {
	switch name {
	case limits.SMSPrefix, limits.SMSConversion, limits.SMSTotal, limits.SMSBudgetUnknown:
		return true
	default:
		return false
	}
}

// admitSend is admit for one code, and returns what it has spent. What strangers have used up does not stop the owner
// of a number on a network that they have signed in from: their code costs the limits of their own and the day's budget.
func (s *Server) admitSend(c echo.Context, body codeBody, mobile contact.Mobile) ([]limits.Spend, admission, error) {
	spends := s.sendSpends(c, mobile)
	admitted, err := s.admit(c, body.CaptchaID, body.Captcha, spends)
	isRight := admitted.price != "" || !s.Captcha.Enabled()
	if err == nil && admitted.price == captcha.Normal {
		return spends, admitted, s.keepForPayers(c, mobile, spends, admitted.decision)
	}
	if err == nil || !isRight || !shared(admitted.decision.Refused) {
		return spends, admitted, err
	}
	known, knownErr := s.knownNetwork(c, mobile.Reveal())
	if knownErr != nil || !known {
		return spends, admitted, errors.Join(err, knownErr)
	}
	own := slices.DeleteFunc(spends, func(spend limits.Spend) bool { return shared(spend.Limit.Name) })
	if _, admitted.decision, err = s.Gate.Admit(c.Request().Context(), "", own); err == nil && !admitted.decision.Allowed() {
		err = refusal(admitted.decision)
	}
	return own, admitted, err
}

// mailSpends is what one activation mail costs, whatever request causes it. The mailbox counts in all its spellings.
// It is nothing for the zero Email.
func (s *Server) mailSpends(email contact.Email) []limits.Spend {
	if email.IsZero() {
		return nil
	}
	spends := []limits.Spend{
		{Limit: s.Limits[limits.MailTotalHour], Subject: limits.Everybody},
		{Limit: s.Limits[limits.ResendEmail], Subject: email.Mailbox()},
	}
	if email.PublicProvider() { // its bound is the total
		return spends
	}
	return append(spends, limits.Spend{Limit: s.Limits[limits.MailDomainHour], Subject: email.Domain()})
}

// askSpends is what a stranger's request for an activation mail costs, whether one is sent or not: the address that asks,
// a pause, and as many a day as a mailbox may get mails. They are counted apart from these: who asks for nothing five
// times must not keep a mailbox from getting the mail of its owner's registration.
func (s *Server) askSpends(c echo.Context, email contact.Email) []limits.Spend {
	return append(s.byAddress(c, limits.ResendIP),
		limits.Spend{Limit: s.Limits[limits.ResendPause], Subject: email.Mailbox()},
		limits.Spend{Limit: s.Limits[limits.ResendEmail], Subject: "asked for " + email.Mailbox()})
}

// ownResendSpends is what an activation mail costs an account that is signed in or has just been registered: the mail, the
// address that asks, a pause, and one of its changes of the day. The total of resends is for strangers.
func (s *Server) ownResendSpends(c echo.Context, account accounts.Account, email contact.Email) []limits.Spend {
	own, _ := limits.Split(s.byAddress(c, limits.ResendIP))
	return slices.Concat(own, []limits.Spend{
		{Limit: s.Limits[limits.ResendPause], Subject: account.ID + " " + email.Mailbox()},
		s.changeOfDay(account),
	}, s.mailSpends(email))
}

// changeOfDay is one of the changes that an account has in a day.
func (s *Server) changeOfDay(account accounts.Account) limits.Spend {
	return limits.Spend{Limit: s.Limits[limits.ChangesDay], Subject: account.ID}
}

// clientAddr is the zero Addr for somebody whose address cannot be told.
func clientAddr(c echo.Context) netip.Addr {
	addr, _ := netip.ParseAddr(c.RealIP())
	return addr
}
