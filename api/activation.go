package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/limits"
)

// Proofs of addresses by the links of mails.

type activationBody struct {
	Token          string `json:"token"`
	Password       string `json:"password"`
	PasswordRepeat string `json:"password_repeat"`
}

func (s *Server) activate(c echo.Context) error {
	var body activationBody
	if err := decode(c, &body); err != nil {
		return err
	}
	if body.Token == "" {
		return accounts.FieldErrors{fieldToken: accounts.Missing}
	}
	account, err := s.prove(c, body)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, viewOf(account))
}

// prove proves the address of the account whose link holds the token. An account that was not active before is signed
// in: either it was registered in this browser, or its password has just been chosen here.
func (s *Server) prove(c echo.Context, body activationBody) (accounts.Account, error) {
	own, err := s.ownAccount(c)
	if err != nil {
		return accounts.Account{}, err
	}
	id := s.Accounts.LinkAccount(body.Token)
	if id == "" { // made-up tokens leave nothing behind in Redis
		return accounts.Account{}, accounts.ErrLinkInvalid
	}
	var tries []limits.Spend // wrong passwords count as those of any other change
	if id != own.ID && body.Password != "" {
		tries = append(tries, limits.Spend{Limit: s.Limits[limits.ChangeAccount], Subject: id})
	}
	if err := s.spend(c, append(s.byAddress(c, limits.ActivateIP), tries...)); err != nil {
		return accounts.Account{}, err
	}
	account, opened, err := s.Accounts.Activate(c.Request().Context(), accounts.Activation{
		Token: body.Token, Session: own.ID, Password: body.Password, PasswordRepeat: body.PasswordRepeat,
		Origin: originOf(c),
	})
	if _, wrong := errors.AsType[*accounts.PasswordError](err); !wrong {
		s.refund(c, tries)
	}
	if err != nil {
		return accounts.Account{}, err
	}
	if account.ID == own.ID && account.SessionGeneration != own.SessionGeneration {
		s.goOn(c, account) // the other sessions have ended
	}
	if opened {
		s.know(c, account)
		// The address is proved: an error now would make the person try a link that is used.
		if err := s.startSession(c, account, false); err != nil {
			s.Logger.LogAttrs(c.Request().Context(), slog.LevelWarn, "activated without a session",
				slog.String("request_id", idOf(c)), slog.String("error", err.Error()))
		}
	}
	return account, nil
}

type resendBody struct {
	Email string `json:"email"`
}

func (s *Server) resendActivation(c echo.Context) error {
	var body resendBody
	if err := decode(c, &body); err != nil {
		return err
	}
	if err := s.resend(c, body.Email); err != nil {
		return err
	}
	return answer(c, http.StatusAccepted, none{})
}

// resend has another activation mail sent: for the session's own account if it waits with this address, else for one
// that waits with the address alone. The answer does not tell whether there is one.
func (s *Server) resend(c echo.Context, address string) error {
	refused := accounts.FieldErrors{}
	email := parseEmail(address, refused)
	if len(refused) > 0 {
		return refused
	}
	own, err := s.ownAccount(c)
	if err != nil {
		return err
	}
	if own.PendingEmail == email {
		return s.resendOwn(c, own)
	}
	if err := s.spend(c, s.askSpends(c, email)); err != nil {
		return err
	}
	return s.Accounts.ResendActivation(c.Request().Context(), email, originOf(c), func() error {
		return s.spend(c, s.mailSpends(email))
	})
}

type declineBody struct {
	Token string `json:"token"`
}

func (s *Server) declineActivation(c echo.Context) error {
	var body declineBody
	if err := decode(c, &body); err != nil {
		return err
	}
	if body.Token == "" {
		return accounts.FieldErrors{fieldToken: accounts.Missing}
	}
	if err := s.decline(c, body.Token); err != nil {
		return err
	}
	return answer(c, http.StatusOK, none{})
}

// decline does what the owner of an address asks for when another person has registered it.
func (s *Server) decline(c echo.Context, token string) error {
	if s.Accounts.LinkAccount(token) == "" {
		return accounts.ErrLinkInvalid
	}
	if err := s.spend(c, s.byAddress(c, limits.ActivateIP)); err != nil {
		return err
	}
	return s.Accounts.Decline(c.Request().Context(), token)
}

// ownAccount returns the account that the request's session is signed in to, or that was registered in it and waits
// for its proof. It is the zero account when there is none.
func (s *Server) ownAccount(c echo.Context) (accounts.Account, error) {
	account, err := s.current(c)
	if !errors.Is(err, errNotSignedIn) {
		return account, err
	}
	ctx, err := s.openCookie(c)
	if err != nil {
		return accounts.Account{}, err
	}
	id := s.sessions.GetString(ctx, sessionRegistered)
	if id == "" {
		return accounts.Account{}, nil
	}
	return s.Accounts.Registered(ctx, id, s.sessions.GetInt(ctx, sessionGeneration))
}

// noteRegistration gives the browser a session that is not signed in, in which the link of the activation mail works
// without a password. A browser that is signed in to another account stays so and gets none.
func (s *Server) noteRegistration(c echo.Context, account accounts.Account) error {
	ctx, err := s.openCookie(c)
	if err != nil || s.sessions.GetString(ctx, sessionAccount) != "" {
		return err
	}
	if err := s.sessions.RenewToken(ctx); err != nil {
		return err
	}
	s.sessions.Put(ctx, sessionRegistered, account.ID)
	s.sessions.Put(ctx, sessionGeneration, account.SessionGeneration)
	s.sessions.SetDeadline(ctx, s.Now().Add(s.Accounts.Policy.UnprovedTTL).UTC())
	return s.commit(ctx, c)
}

// commit writes the session and its cookie.
func (s *Server) commit(ctx context.Context, c echo.Context) error {
	token, expiry, err := s.sessions.Commit(ctx)
	if err != nil {
		return err
	}
	s.sessions.WriteSessionCookie(ctx, c.Response(), token, expiry)
	return nil
}
