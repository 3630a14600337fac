package api

import (
	"errors"
	"slices"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/captcha/challenge"
	"usher/contact"
	"usher/limits"
	"usher/messages"
	"usher/verify"
)

type codeBody struct {
	ID        string `json:"sms_code_id"` // of the code that the new one replaces
	Mobile    string `json:"mobile"`
	CaptchaID string `json:"captcha_id"`
	Captcha   string `json:"captcha"`
	Purpose   string `json:"purpose"`
}

type codeView struct {
	ID          string `json:"sms_code_id"`
	ExpiresIn   int    `json:"expires_in"`
	ResendAfter int    `json:"resend_after"`
}

// issueCode enqueues a code by SMS.
func (s *Server) issueCode(c echo.Context, body codeBody) (codeView, error) {
	mobile, purpose, err := s.numberAndPurpose(body.Mobile, body.Purpose, mistakes{})
	if err != nil {
		return codeView{}, s.withCaptcha(err, body.CaptchaID, body.Captcha)
	}
	issued, err := s.issue(c, verify.Request{To: mobile, Purpose: purpose, Replaces: body.ID}, body.CaptchaID, body.Captcha)
	if err != nil {
		return codeView{}, err
	}
	s.Metrics.issued.WithLabelValues(string(purpose)).Inc()
	followed(c)
	return codeView{issued.ID, seconds(issued.ExpiresIn), seconds(issued.ResendAfter)}, nil
}

// issue admits the client and enqueues a code. Recipients with and without an account get the same message: to skip unknown
// ones would save money that the limits bound anyway, and would show in the status of the code and in the time of the answer.
// [Config].RefuseRegistered decides otherwise for registrations by SMS.
func (s *Server) issue(c echo.Context, request verify.Request, captchaID, captcha string) (verify.Issued, error) {
	request.RequestID, request.Language = idOf(c), languageOf(c)
	if request.Purpose == verify.ChangeMobile || request.Purpose == verify.ChangeEmail { // only a signed-in person can use it
		if _, err := s.current(c); err != nil {
			return verify.Issued{}, err
		}
	}
	spends, admitted, err := s.admitSend(c, captchaID, captcha, request.To)
	if err != nil {
		return verify.Issued{}, err
	}
	issued, err := s.issueUnlessRegistered(c, request, admitted.price)
	if err != nil {
		// Nothing is sent: a person who presses the button too early must not lose units of the hour, nor the budget
		// money that was not spent.
		s.refund(c, spends)
		return verify.Issued{}, err
	}
	setRateLimit(c, admitted.decision)
	return issued, nil
}

// issueUnlessRegistered is issueInShare that may refuse a number with an account, see [Config].RefuseRegistered. The captcha is spent
// before, and the look-up counts as one of /v1/mobiles: this is no cheaper way to find out who has an account.
func (s *Server) issueUnlessRegistered(c echo.Context, request verify.Request, paid challenge.Price) (verify.Issued, error) {
	if mobile, bySMS := request.To.(contact.Mobile); bySMS && s.Config.RefuseRegistered && request.Purpose == verify.Register {
		if err := s.spend(c, s.byAddress(c, limits.LookupIP)); err != nil {
			return verify.Issued{}, err
		}
		if err := s.Accounts.CheckUnregistered(c.Request().Context(), mobile); err != nil {
			return verify.Issued{}, err
		}
	}
	return s.issueInShare(c, request, paid)
}

// issueInShare issues a code in the share of strangers. When that share of the recipient's limits is used up, it issues one
// in the share of those who paid the high captcha price, or of networks that the recipient's account was signed in from.
func (s *Server) issueInShare(c echo.Context, request verify.Request, paid challenge.Price) (verify.Issued, error) {
	if paid == challenge.High {
		request.Standing = verify.Payer
	}
	return s.inShare(c, request.To, request.Standing, s.Captcha.Enabled(), func(standing verify.Standing) (verify.Issued, error) {
		request.Standing = standing
		return s.Verify.Issue(c.Request().Context(), request)
	})
}

// inShare sends a code in the share of a standing, or in that of a known network when the share is used up. payable says that the
// client can pay a higher price.
func (s *Server) inShare(
	c echo.Context, to verify.Recipient, standing verify.Standing, payable bool, send func(verify.Standing) (verify.Issued, error),
) (verify.Issued, error) {
	issued, err := send(standing)
	forPayers := refusedBy(err, limits.SMSStrangerHour, limits.SMSStrangerDay, limits.EmailCodeStrangerHour, limits.EmailCodeStrangerDay)
	if !forPayers &&
		!refusedBy(err, limits.SMSUnknownHour, limits.SMSUnknownDay, limits.EmailCodeUnknownHour, limits.EmailCodeUnknownDay) {
		return issued, err
	}
	known, knownErr := s.knownNetwork(c, loginOf(to))
	switch {
	case knownErr != nil:
		return verify.Issued{}, knownErr
	case known:
		return send(verify.Known)
	case forPayers && payable:
		return verify.Issued{}, &cheapError{challenge.High}
	}
	return issued, err
}

// loginOf returns the login name that the account of a recipient has.
func loginOf(to verify.Recipient) string {
	if mobile, ok := to.(contact.Mobile); ok {
		return mobile.E164()
	}
	return to.Reveal()
}

// refusedBy reports whether one of these limits has refused.
func refusedBy(err error, names ...limits.Name) bool {
	limit, refused := errors.AsType[*verify.LimitError](err)
	return refused && slices.Contains(names, limits.Name(limit.Name))
}

type codeCheckBody struct {
	ID      string `json:"sms_code_id"`
	Mobile  string `json:"mobile"`
	Code    string `json:"code"`
	Purpose string `json:"purpose"`
}

type codeCheckView struct {
	Valid        bool `json:"valid"`
	AttemptsLeft int  `json:"attempts_left"`
}

func (s *Server) checkCode(c echo.Context, body codeCheckBody) (codeCheckView, error) {
	wrong := mistakes{}
	wrong.require(accounts.FieldSMSCodeID, body.ID)
	wrong.require(fieldCode, body.Code)
	mobile, purpose, err := s.numberAndPurpose(body.Mobile, body.Purpose, wrong)
	if err != nil {
		return codeCheckView{}, err
	}
	if err := s.spend(c, s.byAddress(c, limits.CheckIP)); err != nil {
		return codeCheckView{}, err
	}
	result, err := s.Verify.Check(c.Request().Context(), mobile, purpose, body.ID, body.Code)
	return codeCheckView{result.Valid, result.AttemptsLeft}, err
}

// numberAndPurpose parses both, and adds the mistakes that the caller has found already.
func (s *Server) numberAndPurpose(number, purpose string, wrong mistakes) (contact.Mobile, verify.Purpose, error) {
	mobile := wrong.mobile(s.Config.Regions, number)
	if !verify.Purpose(purpose).ValidFor(messages.SMS) {
		wrong.malformed(fieldPurpose, purpose)
	}
	return mobile, verify.Purpose(purpose), wrong.err()
}

type codeStatusView struct {
	Status      messages.State `json:"status"`
	ResendAfter int            `json:"resend_after"`
	SecondWay   []wayView      `json:"second_way"`
}

func (s *Server) codeStatus(c echo.Context) (codeStatusView, error) {
	status, err := s.Verify.Status(c.Request().Context(), c.Param("id"))
	if err != nil {
		return codeStatusView{}, err
	}
	// After the look-up: made-up ids must leave nothing in Redis.
	if err := s.spend(c, s.byAddress(c, limits.StatusIP)); err != nil {
		return codeStatusView{}, err
	}
	return codeStatusView{status.State, seconds(status.ResendAfter), waysOf(status)}, nil
}
