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

// issueCode admits the client and enqueues a code. Numbers with and without an account get the same message: to skip
// unknown ones would save money that the limits bound anyway, and would show in the status of the code and in the time of
// the answer. [Config].RefuseRegistered decides otherwise for registrations.
func (s *Server) issueCode(c echo.Context, body codeBody) (codeView, error) {
	mobile, purpose, err := s.numberAndPurpose(body.Mobile, body.Purpose, mistakes{})
	if err != nil {
		return codeView{}, s.withCaptcha(err, body.CaptchaID, body.Captcha)
	}
	if purpose == verify.ChangeMobile { // only a signed-in person can use it
		if _, err := s.current(c); err != nil {
			return codeView{}, err
		}
	}
	spends, admitted, err := s.admitSend(c, body, mobile)
	if err != nil {
		return codeView{}, err
	}
	issued, err := s.issueUnlessRegistered(c, verify.Request{
		Mobile: mobile, Purpose: purpose, Replaces: body.ID, RequestID: idOf(c), Language: languageOf(c),
	}, admitted.price)
	if err != nil {
		// Nothing is sent: a person who presses the button too early must not lose units of the hour, nor the budget
		// money that was not spent.
		s.refund(c, spends)
		return codeView{}, err
	}
	s.Metrics.issued.WithLabelValues(string(purpose)).Inc()
	setRateLimit(c, admitted.decision)
	return codeView{issued.ID, seconds(issued.ExpiresIn), seconds(issued.ResendAfter)}, nil
}

// issueUnlessRegistered is issueInShare that may refuse a number with an account, see [Config].RefuseRegistered. The captcha is spent
// before, and the look-up counts as one of /v1/mobiles: this is no cheaper way to find out who has an account.
func (s *Server) issueUnlessRegistered(c echo.Context, request verify.Request, paid challenge.Price) (verify.Issued, error) {
	if s.Config.RefuseRegistered && request.Purpose == verify.Register {
		if err := s.spend(c, s.byAddress(c, limits.LookupIP)); err != nil {
			return verify.Issued{}, err
		}
		if err := s.Accounts.CheckUnregistered(c.Request().Context(), request.Mobile); err != nil {
			return verify.Issued{}, err
		}
	}
	return s.issueInShare(c, request, paid)
}

// issueInShare issues a code in the share of strangers. When that share of the number's limits is used up, it issues one
// in the share of those who paid the high captcha price, or of networks that the number's account was signed in from.
func (s *Server) issueInShare(c echo.Context, request verify.Request, paid challenge.Price) (verify.Issued, error) {
	ctx := c.Request().Context()
	if paid == challenge.High {
		request.Standing = verify.Payer
	}
	issued, err := s.Verify.Issue(ctx, request)
	forPayers := refusedBy(err, limits.SMSStrangerHour, limits.SMSStrangerDay)
	if !forPayers && !refusedBy(err, limits.SMSUnknownHour, limits.SMSUnknownDay) {
		return issued, err
	}
	known, knownErr := s.knownNetwork(c, request.Mobile.E164())
	switch {
	case knownErr != nil:
		return verify.Issued{}, knownErr
	case known:
		request.Standing = verify.Known
		return s.Verify.Issue(ctx, request)
	case forPayers && s.Captcha.Enabled():
		return verify.Issued{}, errCaptchaCheap
	}
	return issued, err
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
	if !verify.Purpose(purpose).Valid() {
		wrong.malformed(fieldPurpose, purpose)
	}
	return mobile, verify.Purpose(purpose), wrong.err()
}

type codeStatusView struct {
	Status      messages.State `json:"status"`
	ResendAfter int            `json:"resend_after"`
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
	return codeStatusView{status.State, seconds(status.ResendAfter)}, nil
}
