package api

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/audit"
	"usher/limits"
	"usher/messages"
	"usher/web"
)

// The pages below /admin are for superusers who have signed in lately. For all others they do not exist.

const (
	adminPath        = "/admin"
	adminAccountPath = adminPath + "/accounts/"

	// adminSignIn is how long after a sign-in a superuser may look at accounts: an open browser must not be enough.
	adminSignIn = 10 * time.Minute

	// adminRows is how many rows a list on a page has.
	adminRows = 20
)

// errStale means that the sign-in of a superuser is too long ago.
var errStale = errors.New("superuser has signed in too long ago")

// superuser returns the account of a superuser and makes it the cause of the request. It returns errStale, and echo.ErrNotFound for
// everyone else, before anything is looked up.
func (s *Server) superuser(c echo.Context) (accounts.Account, error) {
	account, err := s.current(c)
	switch {
	case errors.Is(err, errNotSignedIn), err == nil && !account.Superuser:
		return accounts.Account{}, echo.ErrNotFound
	case err != nil:
		return accounts.Account{}, err
	}
	created := time.Unix(s.sessions.GetInt64(c.Request().Context(), sessionCreated), 0)
	if s.Now().Sub(created) >= adminSignIn {
		return accounts.Account{}, errStale
	}
	setCause(c, audit.Cause{Kind: audit.Superuser, Actor: account.ID})
	return account, nil
}

// forSuperuser shows a page to a superuser. One whose sign-in is too old signs in again and comes back.
func (s *Server) forSuperuser(show func(echo.Context, accounts.Account) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		account, err := s.superuser(c)
		if errors.Is(err, errStale) {
			back := url.Values{"next": {c.Request().URL.Path}, "mode": {"password"}}
			return c.Redirect(http.StatusSeeOther, "/login?"+back.Encode())
		}
		if err != nil {
			return err
		}
		return show(c, account)
	}
}

// adminList shows the newest accounts, from a cursor on.
func (s *Server) adminList(c echo.Context, superuser accounts.Account) error {
	list, err := page(c, func(after string, limit int) ([]accounts.Account, error) {
		return s.administration().List(c.Request().Context(), after, limit)
	}, func(a accounts.Account) string { return a.ID }, s.newAdminRow)
	if err != nil {
		return err
	}
	return s.form(c, "admin", web.Page{
		Path: adminPath, Account: newPageAccount(superuser), Admin: &web.Admin{Accounts: list.Items, After: list.After, Erased: c.QueryParam("erased") != ""},
	}, nil)
}

// adminSearch shows the accounts that a search finds; the only one at once.
func (s *Server) adminSearch(c echo.Context, superuser accounts.Account) error {
	typed, err := readForm(c)
	if err != nil {
		return err
	}
	own, _ := limits.Split(s.byAddress(c, limits.LookupIP)) // the total is for strangers
	if err := s.spend(c, own); err != nil {
		return err
	}
	p := web.Page{Path: adminPath, Account: newPageAccount(superuser), Form: typed, Admin: &web.Admin{Searched: true}}
	wrong := mistakes{}
	wrong.require(fieldLogin, typed["login"])
	if err := wrong.err(); err != nil {
		return s.form(c, "admin", p, err)
	}
	found, err := s.administration().LookUp(c.Request().Context(), typed["login"])
	if err != nil {
		return err
	}
	if len(found) == 1 {
		return c.Redirect(http.StatusSeeOther, adminAccountPath+found[0].ID)
	}
	for _, account := range found {
		p.Admin.Accounts = append(p.Admin.Accounts, s.newAdminRow(account))
	}
	return s.form(c, "admin", p, nil)
}

func (s *Server) newAdminRow(a accounts.Account) web.AdminAccount {
	return web.AdminAccount{
		ID: a.ID, Username: shownName(s.Config.Regions, a.Username), Mobile: a.Mobile.String(), PendingMobile: a.PendingMobile.String(),
		Email: a.Email.String(), PendingEmail: a.PendingEmail.String(), Active: a.Active, Superuser: a.Superuser,
		CreatedAt: a.CreatedAt, SeenAt: a.SeenAt, BlockedAt: a.BlockedAt,
	}
}

// adminShow shows one account.
func (s *Server) adminShow(c echo.Context, superuser accounts.Account) error {
	account, err := s.administration().Show(c.Request().Context(), c.Param("id"))
	if err != nil {
		return pageOfNone(err)
	}
	return s.showAdmin(c, superuser, account, web.Page{Admin: &web.Admin{}}, nil)
}

// pageOfNone is the answer of a page about an account that does not exist.
func pageOfNone(err error) error {
	if errors.Is(err, accounts.ErrNotFound) {
		return echo.ErrNotFound
	}
	return err
}

// adminAct does what a button asks for and shows the account after it.
func (s *Server) adminAct(c echo.Context, superuser accounts.Account) error {
	typed, err := readForm(c)
	if err != nil {
		return err
	}
	admin, id := s.administration(), c.Param("id")
	account, err := admin.Show(c.Request().Context(), id)
	if err != nil {
		return pageOfNone(err)
	}
	p := web.Page{Mode: typed["action"], Form: typed, Admin: &web.Admin{}}
	ctx, changed := because(c, typed["reason"]), accounts.Account{}
	switch p.Mode {
	case "block":
		changed, err = admin.Block(ctx, id)
	case "unblock":
		changed, err = admin.Unblock(ctx, id)
	case "end_sessions":
		changed, err = admin.EndSessions(ctx, id)
	case "erase":
		if err = admin.Erase(ctx, id); err == nil {
			return c.Redirect(http.StatusSeeOther, adminPath+"?erased=1")
		}
	case "resend":
		changed, err = admin.Resend(ctx, id, accounts.Origin{Language: languageOf(c), RequestID: idOf(c)}, s.spendMail(c))
	default:
		return errMalformed
	}
	if err == nil {
		account, p.Admin.Changed, p.Mode, p.Form = changed, p.Mode, "", nil
	}
	return s.showAdmin(c, superuser, account, p, err)
}

// showAdmin shows one account with its sessions, messages and audit.
func (s *Server) showAdmin(c echo.Context, superuser, account accounts.Account, p web.Page, refused error) error {
	ctx, row := c.Request().Context(), s.newAdminRow(account)
	var err error
	if p.Sessions, err = s.openSessions(ctx, account); err != nil {
		return err
	}
	sent, err := s.administration().Messages(ctx, account.ID, c.QueryParam("messages"), adminRows+1)
	if err != nil {
		return err
	}
	// Each look at this page is recorded: what was done would soon be found on later pages only.
	p.Admin.Looks = c.QueryParam("looks") != ""
	records, err := s.administration().Records(ctx, audit.Filter{
		AccountID: account.ID, After: c.QueryParam("audit"), NoLooks: !p.Admin.Looks, Limit: adminRows + 1,
	})
	if err != nil {
		return err
	}
	if len(sent) > adminRows {
		sent, p.Admin.MessagesAfter = sent[:adminRows], accounts.MessageCursor(sent[adminRows-1])
	}
	if len(records) > adminRows {
		records, p.Admin.RecordsAfter = records[:adminRows], records[adminRows-1].ID
	}
	for _, m := range sent {
		p.Admin.Messages = append(p.Admin.Messages, newAdminMessage(m))
	}
	for _, r := range records {
		p.Admin.Records = append(p.Admin.Records, web.AdminRecord{
			At: r.At, Action: string(r.Action), Fields: r.Fields, Kind: string(r.Cause.Kind), Actor: r.Cause.Actor, Reason: r.Cause.Reason,
			RequestID: r.Cause.RequestID, Network: r.Cause.Network,
		})
	}
	p.Path, p.Account, p.Admin.Account, p.Admin.Own = adminAccountPath+account.ID, newPageAccount(superuser), &row, account.ID == superuser.ID
	return s.form(c, "admin-account", p, refused)
}

func newAdminMessage(m messages.Record) web.AdminMessage {
	return web.AdminMessage{
		At: m.CreatedAt, Channel: string(m.Channel), Purpose: m.Purpose, To: m.To, State: string(m.State), Reason: m.Reason,
		Provider: m.Provider, RequestID: m.RequestID,
	}
}

// isAdminPage reports whether a path is one of the pages for superusers.
func isAdminPage(path string) bool {
	return path == adminPath || strings.HasPrefix(path, adminAccountPath)
}
