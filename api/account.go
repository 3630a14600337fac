package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/limits"
)

// What people change about their own account, and what a change costs of the limits. Every change asks for
// the current password.

type passwordBody struct {
	PasswordCurrent string `json:"password_current"`
	Password        string `json:"password"`
	PasswordRepeat  string `json:"password_repeat"`
}

func (s *Server) changePassword(c echo.Context) error {
	var body passwordBody
	if err := decode(c, &body); err != nil {
		return err
	}
	account, err := s.setOwnPassword(c, body)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, viewOf(account))
}

func (s *Server) setOwnPassword(c echo.Context, body passwordBody) (accounts.Account, error) {
	account, err := s.current(c)
	if err != nil {
		return accounts.Account{}, err
	}
	account, err = s.change(c, account, []limits.Spend{s.changeOfDay(account)}, func(ctx context.Context) (accounts.Account, error) {
		return s.Accounts.ChangePassword(ctx, account, accounts.PasswordChange{
			Current: body.PasswordCurrent, Password: body.Password, PasswordRepeat: body.PasswordRepeat,
			Origin: originOf(c),
		})
	})
	if err != nil {
		return accounts.Account{}, err
	}
	s.goOn(c, account)
	return account, nil
}

// goOn starts this session anew after a change that has ended every session of the account.
func (s *Server) goOn(c echo.Context, account accounts.Account) {
	remembered := s.sessions.GetBool(c.Request().Context(), sessionRemembered)
	if err := s.startSession(c, account, remembered); err != nil {
		// The change is made: an error now would make the person try it again.
		s.Logger.LogAttrs(c.Request().Context(), slog.LevelWarn, "account changed without a new session",
			slog.String("request_id", idOf(c)), slog.String("error", err.Error()))
	}
}

type emailBody struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

func (s *Server) changeEmail(c echo.Context) error {
	var body emailBody
	if err := decode(c, &body); err != nil {
		return err
	}
	account, err := s.setOwnEmail(c, body)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, viewOf(account))
}

func (s *Server) setOwnEmail(c echo.Context, body emailBody) (accounts.Account, error) {
	account, err := s.current(c)
	if err != nil {
		return accounts.Account{}, err
	}
	refused := accounts.FieldErrors{}
	email := parseEmail(body.Email, refused)
	if body.Password == "" {
		refused[accounts.FieldPassword] = accounts.Missing
	}
	if len(refused) > 0 {
		return accounts.Account{}, refused
	}
	// A mail goes to whatever address is given.
	return s.change(c, account, s.ownResendSpends(c, account, email), func(ctx context.Context) (accounts.Account, error) {
		return s.Accounts.ChangeEmail(ctx, account, accounts.EmailChange{
			Email: email, Password: body.Password, Origin: originOf(c),
		})
	})
}

type ownMobileBody struct {
	Mobile    string `json:"mobile"`
	SMSCodeID string `json:"sms_code_id"`
	SMSCode   string `json:"sms_code"`
	Password  string `json:"password"`
}

func (s *Server) changeMobile(c echo.Context) error {
	var body ownMobileBody
	if err := decode(c, &body); err != nil {
		return err
	}
	account, err := s.setOwnMobile(c, body)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, viewOf(account))
}

func (s *Server) setOwnMobile(c echo.Context, body ownMobileBody) (accounts.Account, error) {
	account, err := s.current(c)
	if err != nil {
		return accounts.Account{}, err
	}
	refused := accounts.FieldErrors{}
	mobile := parseCode(body.Mobile, body.SMSCodeID, body.SMSCode, refused)
	if body.Password == "" {
		refused[accounts.FieldPassword] = accounts.Missing
	}
	if len(refused) > 0 {
		return accounts.Account{}, refused
	}
	account, err = s.change(c, account, []limits.Spend{s.changeOfDay(account)}, func(ctx context.Context) (accounts.Account, error) {
		return s.Accounts.ChangeMobile(ctx, account, accounts.MobileChange{
			Mobile: mobile, SMSCodeID: body.SMSCodeID, SMSCode: body.SMSCode, Password: body.Password, Origin: originOf(c),
		})
	})
	if err != nil {
		return accounts.Account{}, err
	}
	s.goOn(c, account)
	return account, nil
}

// change makes a change within the limits: of passwords tried, and of what the change costs. Both are given back
// when nothing came of them: the costs unless the change is made, the password's after a mistake in the form. A
// wrong password stays spent, and so does a question whether an address is taken.
func (s *Server) change(
	c echo.Context, account accounts.Account, costs []limits.Spend, do func(context.Context) (accounts.Account, error),
) (accounts.Account, error) {
	tries := []limits.Spend{{Limit: s.Limits[limits.ChangeAccount], Subject: account.ID}}
	own, _ := limits.Split(s.byAddress(c, limits.LoginIP)) // the total is for strangers
	if err := s.spend(c, slices.Concat(own, tries, costs)); err != nil {
		return accounts.Account{}, err
	}
	account, err := do(c.Request().Context())
	if _, mistake := errors.AsType[accounts.FieldErrors](err); mistake || err == nil {
		s.refund(c, tries)
	}
	if err != nil {
		s.refund(c, costs)
		return accounts.Account{}, err
	}
	s.know(c, account) // by its new number or address too
	return account, nil
}
