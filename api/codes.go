package api

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/captcha"
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

func (s *Server) sendCode(c echo.Context) (any, error) {
	var body codeBody
	if err := decode(c, &body); err != nil {
		return nil, err
	}
	return s.issueCode(c, body)
}

// issueCode admits the person and has a code sent. Numbers with and without an account are treated
// alike down to the message itself: not sending to unknown ones would save money that the limits
// bound anyway, and would show in the status of the code and in the time that the answer takes.
func (s *Server) issueCode(c echo.Context, body codeBody) (codeView, error) {
	mobile, purpose, err := numberAndPurpose(body.Mobile, body.Purpose, nil)
	if err != nil {
		return codeView{}, s.withCaptcha(err, body.CaptchaID, body.Captcha)
	}
	if purpose == verify.ChangeMobile { // nobody else has a use for it
		if _, err := s.current(c); err != nil {
			return codeView{}, err
		}
	}
	spends, admitted, err := s.admitSend(c, body, mobile)
	if admitted.decision.Refused == limits.SMSConversion {
		s.Logger.LogAttrs(c.Request().Context(), slog.LevelWarn, "prefix stopped: too few of its codes are entered",
			slog.String("request_id", idOf(c)), slog.String("prefix", mobile.Prefix()))
	}
	if err != nil {
		return codeView{}, err
	}
	issued, err := s.issueInShare(c, verify.Request{
		Mobile: mobile, Purpose: purpose, Replaces: body.ID, RequestID: idOf(c),
	}, admitted.price)
	if err != nil {
		// Nothing is sent: who presses the button too early must not pay with the hour's allowance, and
		// money that is not spent must not be missing from the budget.
		s.refund(c, spends)
		return codeView{}, err
	}
	s.Metrics.issued.WithLabelValues(string(purpose)).Inc()
	setRateLimit(c, admitted.decision)
	return codeView{issued.ID, seconds(issued.ExpiresIn), seconds(issued.ResendAfter)}, nil
}

// issueInShare asks for a code as a stranger, and as more when strangers have used up their share of the number's
// allowance: as a person who has paid a high price, or from a network that the number's account was signed in from.
func (s *Server) issueInShare(c echo.Context, request verify.Request, paid captcha.Price) (verify.Issued, error) {
	ctx := c.Request().Context()
	if paid == captcha.High {
		request.Standing = verify.Payer
	}
	issued, err := s.Verify.Issue(ctx, request)
	forPayers := refusedBy(err, limits.SMSStrangerHour, limits.SMSStrangerDay)
	if !forPayers && !refusedBy(err, limits.SMSUnknownHour, limits.SMSUnknownDay) {
		return issued, err
	}
	known, lookErr := s.knownNetwork(c, request.Mobile.Reveal())
	switch {
	case lookErr != nil:
		return verify.Issued{}, lookErr
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

func (s *Server) checkCode(c echo.Context) error {
	var body codeCheckBody
	if err := decode(c, &body); err != nil {
		return err
	}
	refused := accounts.FieldErrors{}
	if body.ID == "" {
		refused[accounts.FieldSMSCodeID] = accounts.Missing
	}
	if body.Code == "" {
		refused[fieldCode] = accounts.Missing
	}
	mobile, purpose, err := numberAndPurpose(body.Mobile, body.Purpose, refused)
	if err != nil {
		return err
	}
	if err := s.spend(c, s.byAddress(c, limits.CheckIP)); err != nil {
		return err
	}
	result, err := s.Verify.Check(c.Request().Context(), mobile, purpose, body.ID, body.Code)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, codeCheckView{result.Valid, result.AttemptsLeft})
}

// numberAndPurpose parses both and reports what is wrong with either, together with what the caller
// has found already.
func numberAndPurpose(number, purpose string, refused accounts.FieldErrors) (contact.Mobile, verify.Purpose, error) {
	if refused == nil {
		refused = accounts.FieldErrors{}
	}
	mobile := parseMobile(number, refused)
	if p := verify.Purpose(purpose); !p.Valid() {
		refused[fieldPurpose] = missingOr(purpose, accounts.Malformed)
	}
	if len(refused) > 0 {
		return contact.Mobile{}, "", refused
	}
	return mobile, verify.Purpose(purpose), nil
}

// parseMobile notes in refused what is wrong with a number.
func parseMobile(number string, refused accounts.FieldErrors) contact.Mobile {
	mobile, err := contact.ParseMobile(number)
	if err != nil {
		refused[accounts.FieldMobile] = missingOr(number, accounts.Malformed)
	}
	return mobile
}

// parseCode is parseMobile for a number that a code comes with; it notes in refused what is missing of the code.
func parseCode(number, id, code string, refused accounts.FieldErrors) contact.Mobile {
	if id == "" {
		refused[accounts.FieldSMSCodeID] = accounts.Missing
	}
	if code == "" {
		refused[accounts.FieldSMSCode] = accounts.Missing
	}
	return parseMobile(number, refused)
}

// parsePasswords notes in refused which of the next password and its repetition is missing.
func parsePasswords(password, repeat string, refused accounts.FieldErrors) {
	if password == "" {
		refused[accounts.FieldPassword] = accounts.Missing
	}
	if repeat == "" {
		refused[accounts.FieldPasswordRepeat] = accounts.Missing
	}
}

func missingOr(text string, problem accounts.Problem) accounts.Problem {
	if text == "" {
		return accounts.Missing
	}
	return problem
}

type codeStatusView struct {
	Status      messages.State `json:"status"`
	ResendAfter int            `json:"resend_after"`
}

func (s *Server) codeStatus(c echo.Context) error {
	status, err := s.Verify.Status(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	// Only now: made-up ids leave nothing behind in Redis.
	if err := s.spend(c, s.byAddress(c, limits.StatusIP)); err != nil {
		return err
	}
	return answer(c, http.StatusOK, codeStatusView{status.State, seconds(status.ResendAfter)})
}
