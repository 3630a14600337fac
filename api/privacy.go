package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/audit"
	"usher/limits"
	"usher/web"
)

// What a person may do with the own data: export it, delete the account, agree to the terms and withdraw that.

type ownerBody struct {
	Password string `json:"password"`
}

// deletionView says when the account is erased; deleted means that it is gone.
type deletionView struct {
	Deleted  bool      `json:"deleted"`
	DeleteAt time.Time `json:"delete_at,omitzero"`
}

// requestDeletion ends all sessions. Signing in takes it back while the account waits.
func (s *Server) requestDeletion(c echo.Context, body ownerBody) (deletionView, error) {
	account, err := s.current(c)
	if err != nil {
		return deletionView{}, err
	}
	var waiting accounts.Account
	err = s.confirmed(c, account, func(ctx context.Context) error {
		waiting, err = s.Accounts.RequestDeletion(ctx, account, accounts.Deletion{
			Password: body.Password, Recent: s.recentlySignedIn(c), Origin: originOf(c),
		})
		return err
	})
	if err != nil {
		return deletionView{}, err
	}
	s.forgetName(c)
	if err := s.destroy(c.Request().Context(), c); err != nil {
		s.warn(c, "session of a deleted account not removed; it has ended", err)
	}
	return deletionView{waiting.ID == "", waiting.DeleteAt}, nil
}

// exportView is an export with the sessions.
type exportView struct {
	accounts.Export

	Sessions []web.Session `json:"sessions"`
}

func (s *Server) export(c echo.Context, body ownerBody) (exportView, error) {
	account, sessions, err := s.ownSessions(c)
	if err != nil {
		return exportView{}, err
	}
	view := exportView{Sessions: sessions}
	err = s.confirmed(c, account, func(ctx context.Context) error {
		if err := s.Accounts.ConfirmOwner(ctx, account, body.Password, s.recentlySignedIn(c)); err != nil {
			return err
		}
		view.Export, err = s.Accounts.Export(ctx, account)
		return err
	})
	if err != nil {
		return exportView{}, err
	}
	cause := audit.New(c.Request().Context(), s.Now(), audit.AccountExported, account.ID)
	return view, s.Accounts.Store.Audit(c.Request().Context(), cause)
}

// confirmed does what needs the proof of the owner, within the limits of tried passwords and of changes a day.
func (s *Server) confirmed(c echo.Context, account accounts.Account, do func(context.Context) error) error {
	return s.withinTries(c, account, []limits.Spend{s.changeOfDay(account)}, do)
}

// dueView is a document that the person has to agree to.
type dueView struct {
	Document accounts.Document `json:"document"`
	Version  string            `json:"version"`
	URL      string            `json:"url"` // empty: the operator has named none
}

type consentsView struct {
	Consents []accounts.Consent `json:"consents"`
	Due      []dueView          `json:"due"`
}

func (s *Server) listConsents(c echo.Context) (consentsView, error) {
	account, err := s.current(c)
	if err != nil {
		return consentsView{}, err
	}
	return s.consentsOf(c, account)
}

func (s *Server) consentsOf(c echo.Context, account accounts.Account) (consentsView, error) {
	consents, err := s.Accounts.Store.Consents(c.Request().Context(), account.ID, accounts.ExportMost)
	return consentsView{consents, s.due(account)}, err
}

// due returns what the account has to agree to.
func (s *Server) due(account accounts.Account) []dueView {
	versions, list := s.Accounts.Policy.ConsentDue(account), []dueView{}
	if versions.Terms != "" {
		list = append(list, dueView{accounts.Terms, versions.Terms, s.Config.TermsURL})
	}
	if versions.Privacy != "" {
		list = append(list, dueView{accounts.Privacy, versions.Privacy, s.Config.PrivacyURL})
	}
	return list
}

// agree records the consent, after which the session may do everything again.
func (s *Server) agree(c echo.Context, body accounts.Versions) (consentsView, error) {
	account, err := s.current(c)
	if err != nil {
		return consentsView{}, err
	}
	if account, err = s.Accounts.Agree(c.Request().Context(), account, body, originOf(c)); err != nil {
		return consentsView{}, err
	}
	if err := s.setConsentDue(c.Request().Context(), account); err != nil {
		return consentsView{}, err
	}
	return s.consentsOf(c, account)
}

// withdrawConsent ends the consent to a document.
func (s *Server) withdrawConsent(c echo.Context) (consentsView, error) {
	account, err := s.withdraw(c, accounts.Document(c.Param("document")))
	if err != nil {
		return consentsView{}, err
	}
	return s.consentsOf(c, account)
}

func (s *Server) withdraw(c echo.Context, document accounts.Document) (accounts.Account, error) {
	account, err := s.current(c)
	if err != nil {
		return accounts.Account{}, err
	}
	if document != accounts.Terms && document != accounts.Privacy {
		return accounts.Account{}, echo.ErrNotFound
	}
	cost := []limits.Spend{s.changeOfDay(account)} // each leaves a row for as long as the account lives, and a record
	if err := s.spend(c, cost); err != nil {
		return accounts.Account{}, err
	}
	if account, err = s.Accounts.Withdraw(c.Request().Context(), account, document); err != nil {
		s.refund(c, cost)
		return accounts.Account{}, err
	}
	return account, s.setConsentDue(c.Request().Context(), account)
}

// setConsentDue stores in the loaded session whether its person has to agree to something first. Sessions from before a new version
// go on: people are asked at the next sign-in.
func (s *Server) setConsentDue(ctx context.Context, account accounts.Account) error {
	s.sessions.Put(ctx, sessionConsent, len(s.due(account)) > 0)
	_, _, err := s.sessions.Commit(ctx)
	return err
}

// consentDue reports whether the loaded session may do nothing before its person has agreed.
func (s *Server) consentDue(ctx context.Context, account accounts.Account) bool {
	return s.sessions.GetBool(ctx, sessionConsent) && len(s.due(account)) > 0
}

// consentRoutes work without the consent: to agree, to leave, and to take one's data along.
var consentRoutes = []string{
	"/v1/account/consents", "/v1/account/consents/:document", "/v1/account/export", "/v1/account/deletion",
	"/v1/sessions", "/v1/sessions/:id", "/v1/sessions/current", "/v1/sessions/current/rotate", "/account",
}

// refuseWithoutConsent returns errConsent when the request has to wait for the consent.
func (s *Server) refuseWithoutConsent(ctx context.Context, c echo.Context, account accounts.Account) error {
	if s.consentDue(ctx, account) && !slices.Contains(consentRoutes, c.Path()) {
		return errConsent
	}
	return nil
}

// consentActions are the buttons of /account that work without the consent.
var consentActions = []string{"agree", "delete", "export", "end_session", "end_others"}

// exportForm sends the export as a file.
func (s *Server) exportForm(c echo.Context, form map[string]string) error {
	view, err := fromForm(c, form, s.export)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(view, "", "  ")
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderContentDisposition, `attachment; filename="account.json"`)
	return c.JSONBlob(http.StatusOK, text)
}

// deletionForm deletes the account and shows what follows.
func (s *Server) deletionForm(c echo.Context, form map[string]string) error {
	view, err := fromForm(c, form, s.requestDeletion)
	if err != nil {
		return err
	}
	return s.page(c, http.StatusOK, "account", web.Page{Deletion: &web.Deletion{At: view.DeleteAt}})
}

// agreeForm agrees to what the page has shown.
func (s *Server) agreeForm(c echo.Context, form map[string]string) error {
	missing := accounts.FieldErrors{accounts.FieldAgree: accounts.MustBeAgreed}
	if form["agree"] == "" {
		return missing
	}
	_, err := fromForm(c, form, s.agree)
	if _, outdated := errors.AsType[accounts.FieldErrors](err); outdated { // there is a newer version than the page has shown
		return missing
	}
	return err
}
