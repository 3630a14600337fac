package api

import (
	"errors"
	"fmt"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/limits"
	"usher/secrets"
)

// Proofs of addresses by the links of mails.

type activationBody struct {
	Token          string `json:"token"`
	Password       string `json:"password"`
	PasswordRepeat string `json:"password_repeat"`
	Transport      string `json:"transport"`
}

// activate proves the address of the account that the token was made for. An account that was not active before is
// signed in: either this browser has registered it, or its password has just been chosen here.
func (s *Server) activate(c echo.Context, body activationBody) (accounts.Account, error) {
	id, err := s.linkAccount(body.Token)
	if err != nil {
		return accounts.Account{}, err
	}
	by, err := transportOf(c, body.Transport)
	if err != nil {
		return accounts.Account{}, err
	}
	own, err := s.ownAccount(c)
	if err != nil {
		return accounts.Account{}, err
	}
	var tries []limits.Spend // a wrong password counts as one of any other change
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
		s.renewSession(c, account) // the other sessions have ended
	}
	if opened {
		s.beginSession(c, account, by)
	}
	followed(c) // the message has the time of its use
	return account, nil
}

// linkAccount returns the id of the account of a link. It refuses made-up tokens before anything is spent: they must leave
// nothing in Redis.
func (s *Server) linkAccount(token string) (id string, err error) {
	if token == "" {
		return "", accounts.FieldErrors{fieldToken: accounts.Missing}
	}
	if id = s.Accounts.LinkAccount(token); id == "" {
		return "", accounts.ErrLinkInvalid
	}
	return id, nil
}

type resendBody struct {
	Email string `json:"email"`
}

// resend sends another activation mail: for the session's own account if this is its pending address or none is given,
// otherwise for one that has nothing but this pending address. The answer does not show whether there is one.
func (s *Server) resend(c echo.Context, body resendBody) (none, error) {
	if body.Email == "" {
		own, err := s.ownAccount(c)
		if err != nil {
			return none{}, err
		}
		if !own.PendingEmail.IsZero() {
			return none{}, s.resendOwn(c, own)
		}
	}
	wrong := mistakes{}
	email := wrong.email(body.Email)
	if err := wrong.err(); err != nil {
		return none{}, err
	}
	own, err := s.ownAccount(c)
	if err != nil {
		return none{}, err
	}
	if own.PendingEmail == email {
		return none{}, s.resendOwn(c, own)
	}
	if err := s.spend(c, s.askSpends(c, email)); err != nil {
		return none{}, err
	}
	return none{}, s.Accounts.ResendActivation(c.Request().Context(), email, originOf(c), func() error {
		return s.spend(c, s.mailSpends(email))
	})
}

// resendOwn sends another activation mail to the account's pending address, if it has one.
func (s *Server) resendOwn(c echo.Context, account accounts.Account) error {
	if account.PendingEmail.IsZero() {
		return nil
	}
	spends := s.ownResendSpends(c, account, account.PendingEmail)
	if err := s.spend(c, spends); err != nil {
		return err
	}
	err := s.Accounts.ResendOwnActivation(c.Request().Context(), account, originOf(c))
	if err != nil {
		s.refund(c, spends)
	}
	return err
}

type correctionBody struct {
	Email     string `json:"email"`
	CaptchaID string `json:"captcha_id"`
	Captcha   string `json:"captcha"`
}

// correctEmail replaces the mistyped address of the account that this session has registered and that waits for its proof.
// It asks for a captcha as the registration does: both send a mail to an address without proof, and both tell that an
// account has proved the address.
func (s *Server) correctEmail(c echo.Context, body correctionBody) (accounts.Account, error) {
	wrong := mistakes{}
	email := wrong.email(body.Email)
	if err := wrong.err(); err != nil {
		return accounts.Account{}, s.withCaptcha(err, body.CaptchaID, body.Captcha)
	}
	account, err := s.ownAccount(c)
	switch {
	case err != nil:
		return accounts.Account{}, err
	case !account.Waiting():
		return accounts.Account{}, errNotSignedIn
	}
	if _, err := s.admit(c, body.CaptchaID, body.Captcha, s.ownResendSpends(c, account, email)); err != nil {
		return accounts.Account{}, err
	}
	corrected, err := s.Accounts.CorrectEmail(c.Request().Context(), account, email, originOf(c))
	if err != nil {
		s.refund(c, s.mailSpends(email)) // the try stays spent: it may have told that the address is taken
	}
	return corrected, err
}

type declineBody struct {
	Token string `json:"token"`
}

// decline is for the owner of an address that another person has registered.
func (s *Server) decline(c echo.Context, body declineBody) (none, error) {
	if _, err := s.linkAccount(body.Token); err != nil {
		return none{}, err
	}
	if err := s.spend(c, s.byAddress(c, limits.ActivateIP)); err != nil {
		return none{}, err
	}
	return none{}, s.Accounts.Decline(c.Request().Context(), body.Token)
}

// ownAccount returns the account that the request's session is signed in to, or has registered and that waits for its
// proof; otherwise the zero account.
func (s *Server) ownAccount(c echo.Context) (accounts.Account, error) {
	account, err := s.current(c)
	if !errors.Is(err, errNotSignedIn) {
		return account, err
	}
	ctx, err := s.loadSession(c)
	if err != nil {
		return accounts.Account{}, err
	}
	id := s.sessions.GetString(ctx, sessionRegistered)
	if id == "" {
		return accounts.Account{}, nil
	}
	return s.Accounts.Registered(ctx, id, s.sessions.GetInt(ctx, sessionGeneration))
}

// noteWaiting notes, after a sign-in with the right password, which account waits for its proof, as its registration does:
// the person may ask for the mail again and correct the address. It returns the error of the sign-in.
func (s *Server) noteWaiting(c echo.Context, account accounts.Account, refused error, by transport) error {
	if by == byBearer {
		return refused // a refusal carries no token
	}
	if err := s.noteRegistration(c, account, by); err != nil {
		if !errors.Is(err, errSignedIn) {
			s.warn(c, "waiting account not noted in the session; the person has to open the link", err)
		}
		return refused
	}
	return fmt.Errorf("%w: %w", errWaiting, refused)
}

// errSignedIn means that the browser is signed in to another account.
var errSignedIn = errors.New("browser is signed in to another account")

// noteRegistration gives the browser a session that is not signed in, in which the link of the activation mail needs no
// password. A browser that is signed in to another account keeps that session instead: the error is errSignedIn.
func (s *Server) noteRegistration(c echo.Context, account accounts.Account, by transport) error {
	ctx, err := s.loadSession(c)
	if err != nil {
		return err
	}
	if s.sessions.GetString(ctx, sessionAccount) != "" {
		return errSignedIn
	}
	deadline := s.Now().Add(s.Accounts.Policy.UnprovedTTL).UTC()
	if by == byBearer {
		return s.commitBearer(c, secrets.NewHandle(), deadline, map[string]any{
			sessionRegistered: account.ID, sessionGeneration: account.SessionGeneration,
		})
	}
	if err := s.sessions.RenewToken(ctx); err != nil {
		return err
	}
	s.sessions.Put(ctx, sessionRegistered, account.ID)
	s.sessions.Put(ctx, sessionGeneration, account.SessionGeneration)
	s.sessions.SetDeadline(ctx, deadline)
	return s.commit(ctx, c)
}
