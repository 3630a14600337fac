package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/limits"
)

type resetBody struct {
	Mobile         string `json:"mobile"`
	SMSCodeID      string `json:"sms_code_id"`
	SMSCode        string `json:"sms_code"`
	Password       string `json:"password"`
	PasswordRepeat string `json:"password_repeat"`
}

func (s *Server) resetPassword(c echo.Context) error {
	var body resetBody
	if err := decode(c, &body); err != nil {
		return err
	}
	if err := s.reset(c, body); err != nil {
		return err
	}
	return answer(c, http.StatusOK, none{})
}

// reset sets a new password, which ends every session of the account.
func (s *Server) reset(c echo.Context, body resetBody) error {
	refused := accounts.FieldErrors{}
	mobile := parseCode(body.Mobile, body.SMSCodeID, body.SMSCode, refused)
	parsePasswords(body.Password, body.PasswordRepeat, refused)
	if len(refused) > 0 {
		return refused
	}
	tries := s.byAddress(c, limits.ResetIP)
	if err := s.spend(c, tries); err != nil {
		return err
	}
	err := s.Accounts.ResetPassword(c.Request().Context(), accounts.Reset{
		Mobile: mobile, SMSCodeID: body.SMSCodeID, SMSCode: body.SMSCode,
		Password: body.Password, PasswordRepeat: body.PasswordRepeat,
		Origin: originOf(c),
	})
	if err != nil {
		s.refundTotals(c, tries)
	}
	return err
}
