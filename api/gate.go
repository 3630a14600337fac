package api

import (
	"errors"
	"log/slog"
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

// admission is the result of admitting a request, or of refusing it.
type admission struct {
	decision limits.Decision // for [setRateLimit]

	// price is that of the captcha after a right answer; empty after a wrong answer and where no captcha was asked. It is
	// set also when a limit has refused: with a high price the client may pass a limit that strangers have used up.
	price challenge.Price
}

// admit admits a client that has answered a captcha and has units left in every limit. Every answer spends the captcha,
// so that there is one try for each, and captchas are limited themselves. A wrong answer refunds the limits: otherwise
// clients without a right answer could use up those of a prefix or of all.
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
	if asked.Medium == challenge.Hosted && !decision.Allowed() && !shared(decision.Refused) {
		return admitted, refusal(decision) // the vendor's answer would change nothing
	}
	wrong := s.captchaRefusal(c, captchaID, asked, given)
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

// withCaptcha adds a missing captcha to a refusal of fields: people should not have to correct one after the other. A
// missing captcha alone has an errno of its own, see admit.
func (s *Server) withCaptcha(err error, captchaID, given string) error {
	fields, ok := errors.AsType[accounts.FieldErrors](err)
	if ok && s.Captcha.Enabled() && (captchaID == "" || given == "") {
		fields[fieldCaptcha] = accounts.Missing
	}
	return err
}

// captchaRefusal returns what is wrong with an answer; nil where no captcha was asked.
func (s *Server) captchaRefusal(c echo.Context, captchaID string, asked challenge.Asked, given string) error {
	switch {
	case captchaID == "":
		return nil
	case asked.Medium == challenge.Used:
		return errCaptchaUsed
	case asked.Medium == challenge.Done:
		return errCaptchaDone
	case asked.Answer == "":
		return errCaptchaGone
	case asked.Medium == challenge.Hosted:
		return s.hostedRefusal(c, given)
	case s.right(captchaID, asked, given):
		return nil
	default:
		return errCaptchaWrong
	}
}

// captchaResult is the label of an answer in the metric.
func captchaResult(refused error) string {
	switch {
	case refused == nil:
		return "right"
	case errors.Is(refused, errCaptchaGone):
		return "gone"
	case errors.Is(refused, errCaptchaAway):
		return "away"
	default:
		return "wrong"
	}
}

// spend spends limits where no captcha is asked.
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

// refund returns units to their limits. When it fails, they come back with the end of the period.
func (s *Server) refund(c echo.Context, spends []limits.Spend) {
	if err := s.Gate.Refund(c.Request().Context(), spends); err != nil {
		s.warn(c, "limits not refunded; the units come back with the end of the period", err)
	}
}

// refundTotals refunds what a failed request took from the limits that all clients share. Its address and its network
// pay for the try; made-up codes must not use up what belongs to all.
func (s *Server) refundTotals(c echo.Context, spends []limits.Spend) {
	_, totals := limits.Split(spends)
	s.refund(c, totals)
}

func refusal(d limits.Decision) error {
	return &verify.LimitError{Name: string(d.Refused), RetryAfter: d.RetryAfter}
}

// byAddress returns the spends of limits by address, with those by network and of all clients that belong to them.
func (s *Server) byAddress(c echo.Context, names ...limits.Name) []limits.Spend {
	return s.Limits.ByAddress(clientAddr(c), names...)
}

// sendSpends returns the spends of one code except those of its recipient, which are spent in one step with the code itself,
// see [verify.Codes].
func (s *Server) sendSpends(c echo.Context, to verify.Recipient) []limits.Spend {
	return s.sendSpendsBeside(s.byAddress(c, sendLimits(to)...), to)
}

// sendLimits returns the limits by address of one code.
func sendLimits(to verify.Recipient) []limits.Name {
	if _, byMail := to.(contact.Email); byMail {
		return []limits.Name{limits.EmailCodeIP}
	}
	return []limits.Name{limits.SMSIPHour, limits.SMSIPDay}
}

// sendSpendsBeside adds the spends of one code to those of the client's address.
func (s *Server) sendSpendsBeside(byAddress []limits.Spend, to verify.Recipient) []limits.Spend {
	if email, byMail := to.(contact.Email); byMail {
		return s.emailCodeSpends(byAddress, email)
	}
	mobile, _ := to.(contact.Mobile)
	units := s.Config.SMSUnits[mobile.Region()]
	return append(byAddress,
		limits.Spend{Limit: s.Limits[limits.SMSPrefix], Subject: mobile.Prefix()},
		limits.Spend{Limit: s.Limits[limits.SMSConversion], Subject: mobile.Prefix()},
		limits.Spend{Limit: s.Limits[limits.SMSTotal], Subject: limits.Everybody, Units: units},
		limits.Spend{Limit: s.Limits[limits.SMSBudgetDay], Subject: limits.Everybody, Units: units},
		limits.Spend{Limit: s.Limits[limits.SMSBudgetUnknown], Subject: limits.Everybody, Units: units})
}

// emailCodeSpends is sendSpendsBeside for a mail. Mails cost nothing, but must not flood the mail server of a company.
func (s *Server) emailCodeSpends(spends []limits.Spend, email contact.Email) []limits.Spend {
	if email.PublicProvider() {
		return spends
	}
	return append(spends, limits.Spend{Limit: s.Limits[limits.MailDomainHour], Subject: email.Domain()})
}

// shared reports whether strangers can use up a limit of codes for the owner of a number or an address.
func shared(name limits.Name) bool {
	return slices.Contains([]limits.Name{
		limits.SMSPrefix, limits.SMSConversion, limits.SMSTotal, limits.SMSBudgetUnknown,
		limits.EmailCodeIP.All(), limits.MailDomainHour,
	}, name)
}

// admitSend is admit for one code, and returns what it has spent. Limits that strangers have used up do not stop the owner
// of a number or an address on a known network: that code costs only the owner's own limits and the budget of the day.
func (s *Server) admitSend(c echo.Context, captchaID, captcha string, to verify.Recipient) ([]limits.Spend, admission, error) {
	spends := s.sendSpends(c, to)
	admitted, err := s.admit(c, captchaID, captcha, spends)
	s.warnOfConversion(c, admitted.decision, to)
	isRight := admitted.price != "" || !s.Captcha.Enabled()
	if err == nil {
		return spends, admitted, s.checkPrice(c, to, admitted, spends)
	}
	if !isRight || !shared(admitted.decision.Refused) {
		return spends, admitted, err
	}
	spends, admitted.decision, err = s.admitOwner(c, to, spends, admitted.decision)
	return spends, admitted, err
}

// warnOfConversion logs that the guard of a prefix has refused a code.
func (s *Server) warnOfConversion(c echo.Context, d limits.Decision, to verify.Recipient) {
	if mobile, bySMS := to.(contact.Mobile); bySMS && d.Refused == limits.SMSConversion {
		s.Logger.LogAttrs(c.Request().Context(), slog.LevelWarn, "codes to a prefix stopped: too few of them are entered; see the limit sms_conversion",
			slog.String("request_id", idOf(c)), slog.String("prefix", mobile.Prefix()))
	}
}

// admitOwner admits the owner of a recipient on a known network after a shared limit has refused, and returns what it has spent.
func (s *Server) admitOwner(
	c echo.Context, to verify.Recipient, spends []limits.Spend, refused limits.Decision,
) ([]limits.Spend, limits.Decision, error) {
	known, err := s.knownNetwork(c, loginOf(to))
	if err != nil || !known {
		return spends, refused, errors.Join(refusal(refused), err)
	}
	own := slices.DeleteFunc(spends, func(spend limits.Spend) bool { return shared(spend.Limit.Name) })
	_, decision, err := s.Gate.Admit(c.Request().Context(), "", own)
	if err == nil && !decision.Allowed() {
		err = refusal(decision)
	}
	return own, decision, err
}

// mailSpends returns the spends of one activation mail, for every request that causes one. All spellings of a mailbox
// count together. The zero Email costs nothing.
func (s *Server) mailSpends(email contact.Email) []limits.Spend {
	if email.IsZero() {
		return nil
	}
	spends := []limits.Spend{
		{Limit: s.Limits[limits.MailTotalHour], Subject: limits.Everybody},
		{Limit: s.Limits[limits.ResendEmail], Subject: email.Mailbox()},
	}
	if email.PublicProvider() { // bounded by the total alone
		return spends
	}
	return append(spends, limits.Spend{Limit: s.Limits[limits.MailDomainHour], Subject: email.Domain()})
}

// spendMail spends a mail to an address by those who look after accounts.
func (s *Server) spendMail(c echo.Context) func(contact.Email) error {
	return func(email contact.Email) error { return s.spend(c, s.mailSpends(email)) }
}

// askSpends returns the spends of a stranger's request for an activation mail, sent or not: of the client's address, a
// pause, and the daily number of a mailbox. They are counted apart from the mails themselves: five requests that send
// nothing must not stop the mail of the owner's registration.
func (s *Server) askSpends(c echo.Context, email contact.Email) []limits.Spend {
	return append(s.byAddress(c, limits.ResendIP),
		limits.Spend{Limit: s.Limits[limits.ResendPause], Subject: email.Mailbox()},
		limits.Spend{Limit: s.Limits[limits.ResendEmail], Subject: limits.AskedFor(email.Mailbox())})
}

// ownResendSpends returns the spends of an activation mail for an account that is signed in or was just registered: the
// mail, the client's address, a pause, and one of its changes of the day. The total of resends is for strangers.
func (s *Server) ownResendSpends(c echo.Context, account accounts.Account, email contact.Email) []limits.Spend {
	own, _ := limits.Split(s.byAddress(c, limits.ResendIP))
	return slices.Concat(own, []limits.Spend{
		{Limit: s.Limits[limits.ResendPause], Subject: limits.OwnMailbox(account.ID, email.Mailbox())},
		s.changeOfDay(account),
	}, s.mailSpends(email))
}

// changeOfDay is one of the daily changes of an account.
func (s *Server) changeOfDay(account accounts.Account) limits.Spend {
	return limits.Spend{Limit: s.Limits[limits.ChangesDay], Subject: account.ID}
}

// clientAddr is the zero Addr when the client's address is unknown.
func clientAddr(c echo.Context) netip.Addr {
	addr, _ := netip.ParseAddr(c.RealIP())
	return addr
}

// networkOf is the network of the client's address.
func networkOf(c echo.Context) string {
	_, network := limits.Network(clientAddr(c))
	return network
}
