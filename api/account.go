package api

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/limits"
)

// Changes of the own account, and what they cost of the limits. Each asks for the current password, or for a recent sign-in
// where the account has none; a reset asks for a code instead.

func (s *Server) changePassword(c echo.Context, body accounts.PasswordChange) (accounts.Account, error) {
	account, err := s.current(c)
	if err != nil {
		return accounts.Account{}, err
	}
	body.Origin, body.Recent = originOf(c), s.recentlySignedIn(c)
	return s.change(c, account, []limits.Spend{s.changeOfDay(account)}, func(ctx context.Context) (accounts.Account, error) {
		return s.Accounts.ChangePassword(ctx, account, body)
	})
}

type usernameBody struct {
	Username string `json:"username"`
}

// setUsername names an account that has no user name. It costs a look-up too: the answer tells whether the name is taken.
func (s *Server) setUsername(c echo.Context, body usernameBody) (accounts.Account, error) {
	account, err := s.current(c)
	if err != nil {
		return accounts.Account{}, err
	}
	if err := s.spend(c, append(s.byAddress(c, limits.LookupIP), s.changeOfDay(account))); err != nil {
		return accounts.Account{}, err
	}
	named, err := s.Accounts.SetUsername(c.Request().Context(), account, body.Username)
	if err != nil {
		s.refund(c, []limits.Spend{s.changeOfDay(account)})
		return accounts.Account{}, err
	}
	s.know(c, named)
	return named, nil
}

type emailBody struct {
	emailProof

	Password string `json:"password"`
}

func (s *Server) changeEmail(c echo.Context, body emailBody) (accounts.Account, error) {
	account, err := s.current(c)
	if err != nil {
		return accounts.Account{}, err
	}
	wrong := mistakes{}
	wrong.requirePassword(account, body.Password)
	r := accounts.EmailChange{Password: body.Password, Recent: s.recentlySignedIn(c), Origin: originOf(c)}
	var linkErr error
	if body.hasCode() {
		var code typedCode
		code, linkErr = s.readProof(body.emailProof, accounts.FieldEmailCode, wrong)
		r.Email, r.EmailCodeID, r.EmailCode = code.to, code.id, code.code
	} else {
		r.Email = wrong.email(body.Email)
	}
	if err := cmp.Or(wrong.err(), linkErr); err != nil {
		return accounts.Account{}, err
	}
	costs := []limits.Spend{s.changeOfDay(account)}
	if !body.hasCode() { // it costs as much as a resend: both send a mail to an address without proof
		costs = s.ownResendSpends(c, account, r.Email)
	}
	return s.change(c, account, costs, func(ctx context.Context) (accounts.Account, error) {
		return s.Accounts.ChangeEmail(ctx, account, r)
	})
}

type mobileBody struct {
	Mobile    string `json:"mobile"`
	SMSCodeID string `json:"sms_code_id"`
	SMSCode   string `json:"sms_code"`
	Password  string `json:"password"`
}

func (s *Server) changeMobile(c echo.Context, body mobileBody) (accounts.Account, error) {
	account, err := s.current(c)
	if err != nil {
		return accounts.Account{}, err
	}
	wrong := mistakes{}
	mobile := wrong.code(s.Config.Regions, body.Mobile, body.SMSCodeID, body.SMSCode)
	wrong.requirePassword(account, body.Password)
	if err := wrong.err(); err != nil {
		return accounts.Account{}, err
	}
	return s.change(c, account, []limits.Spend{s.changeOfDay(account)}, func(ctx context.Context) (accounts.Account, error) {
		return s.Accounts.ChangeMobile(ctx, account, accounts.MobileChange{
			Mobile: mobile, SMSCodeID: body.SMSCodeID, SMSCode: body.SMSCode, Password: body.Password,
			Recent: s.recentlySignedIn(c), Origin: originOf(c),
		})
	})
}

// change makes a change within two kinds of limits: tried passwords, and the costs of the change. It refunds the costs
// unless the change is made, and the try after success or a mistake in the form. A wrong password stays spent, and so
// does a request that learns whether an address is taken. A change that ends the sessions of the account signs this browser
// in again.
func (s *Server) change(
	c echo.Context, account accounts.Account, costs []limits.Spend, do func(context.Context) (accounts.Account, error),
) (accounts.Account, error) {
	var changed accounts.Account
	err := s.withinTries(c, account, costs, func(ctx context.Context) (err error) {
		changed, err = do(ctx)
		return err
	})
	if err != nil {
		return accounts.Account{}, err
	}
	s.know(c, changed) // also by its new number or address
	if changed.SessionGeneration != account.SessionGeneration {
		s.renewSession(c, changed)
	}
	return changed, nil
}

// withinTries does what needs the proof of the account's owner, within the limits of [Server.change].
func (s *Server) withinTries(
	c echo.Context, account accounts.Account, costs []limits.Spend, do func(context.Context) error,
) error {
	tries := []limits.Spend{{Limit: s.Limits[limits.ChangeAccount], Subject: account.ID}}
	own, _ := limits.Split(s.byAddress(c, limits.LoginIP)) // the total is for strangers
	if err := s.spend(c, slices.Concat(own, tries, costs)); err != nil {
		return err
	}
	err := do(c.Request().Context())
	if _, mistake := errors.AsType[accounts.FieldErrors](err); mistake || err == nil || errors.Is(err, accounts.ErrSignInAgain) {
		s.refund(c, tries)
	}
	if err != nil {
		s.refund(c, costs)
	}
	return err
}

// renewSession signs this client in again after a change that has ended every session of the account.
func (s *Server) renewSession(c echo.Context, account accounts.Account) {
	remembered := s.sessions.GetBool(c.Request().Context(), sessionRemembered)
	by, _ := transportOf(c, "") // that of the request is always allowed
	if err := s.startSession(c, account, remembered, by); err != nil {
		// The change is made: after an error the person would try it again.
		s.warn(c, "account changed without a new session; the person has to sign in", err)
	}
}

type resetBody struct {
	Mobile    string `json:"mobile"`
	SMSCodeID string `json:"sms_code_id"`
	SMSCode   string `json:"sms_code"`
	emailProof

	Password       string `json:"password"`
	PasswordRepeat string `json:"password_repeat"`
}

// resetPassword sets a new password, which ends every session of the account.
func (s *Server) resetPassword(c echo.Context, body resetBody) (none, error) {
	wrong := mistakes{}
	wrong.require(accounts.FieldPassword, body.Password)
	wrong.require(accounts.FieldPasswordRepeat, body.PasswordRepeat)
	code, err := s.readCode(smsProof{body.Mobile, body.SMSCodeID, body.SMSCode}, body.emailProof, wrong)
	if err != nil {
		return none{}, err
	}
	tries := s.byAddress(c, limits.ResetIP)
	if err := s.spend(c, tries); err != nil {
		return none{}, err
	}
	err = s.Accounts.ResetPassword(c.Request().Context(), accounts.Reset{
		To: code.to, CodeID: code.id, Code: code.text,
		Password: body.Password, PasswordRepeat: body.PasswordRepeat,
		Origin: originOf(c),
	})
	if err != nil {
		s.refundTotals(c, tries)
	}
	return none{}, err
}

type undoBody struct {
	Token          string `json:"token"`
	Mobile         string `json:"mobile"`
	SMSCodeID      string `json:"sms_code_id"`
	SMSCode        string `json:"sms_code"`
	Password       string `json:"password"`
	PasswordRepeat string `json:"password_repeat"`
}

type undoView struct {
	Account     accountView      `json:"account"`
	NotRestored []accounts.Field `json:"not_restored"`
}

// undo restores an account as it was before a change: by the link of a mail, or by a code that is sent to the number
// that the account had. It ends every session of the account; the person signs in with the new password.
func (s *Server) undo(c echo.Context, body undoBody) (accounts.Undone, error) {
	r := accounts.Undo{
		Token: body.Token, SMSCodeID: body.SMSCodeID, SMSCode: body.SMSCode, Password: body.Password, PasswordRepeat: body.PasswordRepeat,
		Origin: originOf(c),
	}
	wrong := mistakes{}
	if body.Token == "" {
		r.Mobile = wrong.code(s.Config.Regions, body.Mobile, body.SMSCodeID, body.SMSCode)
	}
	wrong.require(accounts.FieldPassword, body.Password)
	wrong.require(accounts.FieldPasswordRepeat, body.PasswordRepeat)
	if err := wrong.err(); err != nil {
		return accounts.Undone{}, err
	}
	if body.Token != "" && s.Accounts.LinkAccount(body.Token) == "" { // made-up tokens must leave nothing in Redis
		return accounts.Undone{}, accounts.ErrUndoLink
	}
	if err := s.spend(c, s.byAddress(c, limits.UndoIP)); err != nil {
		return accounts.Undone{}, err
	}
	return s.Accounts.UndoChange(c.Request().Context(), r)
}

// originOf is what the mails about a change say about its request.
func originOf(c echo.Context) accounts.Origin {
	return accounts.Origin{Language: languageOf(c), Network: networkOf(c), RequestID: idOf(c)}
}
