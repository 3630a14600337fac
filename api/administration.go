package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/apps"
	"usher/audit"
	"usher/contact"
	"usher/messages"
	"usher/web"
)

// Administration of accounts by apps whose key has a scope for it. The pages below /admin do the same for superusers, and the
// command admin for operators.

const pathAdminAccounts = "/v1/admin/accounts"

// administration looks accounts up and changes them.
func (s *Server) administration() *accounts.Administration {
	return &accounts.Administration{Service: s.Accounts, Directory: s.Directory}
}

// forAdmin is forApp for the administration of accounts: the key of the app is the cause of what the request does.
func (s *Server) forAdmin(scope apps.Scope, next echo.HandlerFunc) echo.HandlerFunc {
	return s.forApp(scope, func(c echo.Context) error {
		setCause(c, audit.Cause{Kind: audit.App, Actor: appOf(c).keyID})
		return next(c)
	})
}

// because adds a reason to the cause of the request.
func because(c echo.Context, reason string) context.Context {
	cause := audit.CauseOf(c.Request().Context())
	cause.Reason = reason
	setCause(c, cause)
	return c.Request().Context()
}

// AdminAccount is an account as administrators see it, also on the command line.
type AdminAccount struct {
	ID            string `json:"id"`
	Username      string `json:"username"`       // masked where it is a number
	Mobile        string `json:"mobile"`         // like the next three masked
	PendingMobile string `json:"pending_mobile"` // of another account, which may lose it
	Email         string `json:"email"`
	PendingEmail  string `json:"pending_email"` // waits for its proof
	Active        bool   `json:"active"`
	Superuser     bool   `json:"superuser"`
	HasPassword   bool   `json:"has_password"`
	CreatedAt     string `json:"created_at"`
	UpdatedAt     string `json:"updated_at"`
	SeenAt        string `json:"seen_at,omitempty"` // to a day
	BlockedAt     string `json:"blocked_at,omitempty"`
}

// NewAdminAccount returns what administrators see of an account. The regions tell which user names are numbers.
func NewAdminAccount(regions contact.Regions, a accounts.Account) AdminAccount {
	return AdminAccount{
		ID: a.ID, Username: shownName(regions, a.Username), Mobile: a.Mobile.String(), PendingMobile: a.PendingMobile.String(), Email: a.Email.String(),
		PendingEmail: a.PendingEmail.String(), Active: a.Active, Superuser: a.Superuser, HasPassword: a.HasPassword(),
		CreatedAt: timeText(a.CreatedAt), UpdatedAt: timeText(a.UpdatedAt), SeenAt: timeText(a.SeenAt), BlockedAt: timeText(a.BlockedAt),
	}
}

// shownName returns a user name for administrators. People use their numbers as names.
func shownName(regions contact.Regions, name string) string {
	if mobile, err := regions.ParseAny(name); err == nil {
		return mobile.String()
	}
	return name
}

func (s *Server) newAdminAccount(a accounts.Account) AdminAccount {
	return NewAdminAccount(s.Config.Regions, a)
}

// pageView is a page of a list. After is the cursor of the next page; it is missing on the last one.
type pageView[T any] struct {
	Items []T    `json:"items"`
	After string `json:"after,omitempty"`
}

// defaultPage is how many items a page has by default.
const defaultPage = 50

// Fields of the query of a list.
const (
	fieldAfter accounts.Field = "after"
	fieldLimit accounts.Field = "limit"
)

// pageOf reads the cursor and the size of a page from the query.
func pageOf(c echo.Context) (after string, limit int, err error) {
	wrong := mistakes{}
	after, limit = c.QueryParam("after"), defaultPage
	if badText(after) != "" || len(after) > maxText {
		wrong[fieldAfter] = accounts.Malformed
	}
	if text := c.QueryParam("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > accounts.MaxPage {
			wrong[fieldLimit] = accounts.Malformed
		}
	}
	return after, limit, wrong.err()
}

// page asks for one item more than a page has, to know whether there is a next page.
func page[T, V any](c echo.Context, list func(after string, limit int) ([]T, error), cursor func(T) string, view func(T) V) (pageView[V], error) {
	after, limit, err := pageOf(c)
	if err != nil {
		return pageView[V]{}, err
	}
	items, err := list(after, limit+1)
	if err != nil {
		return pageView[V]{}, err
	}
	p := pageView[V]{Items: make([]V, 0, len(items))}
	if len(items) > limit {
		items = items[:limit]
		p.After = cursor(items[limit-1])
	}
	for _, item := range items {
		p.Items = append(p.Items, view(item))
	}
	return p, nil
}

func (s *Server) adminAccounts(c echo.Context) (pageView[AdminAccount], error) {
	return page(c, func(after string, limit int) ([]accounts.Account, error) {
		return s.administration().List(c.Request().Context(), after, limit)
	}, func(a accounts.Account) string { return a.ID }, s.newAdminAccount)
}

type lookUpBody struct {
	Login string `json:"login"`
}

// adminLookUp finds accounts by exact values. It is a POST, so that no number and no address is in a URL.
func (s *Server) adminLookUp(c echo.Context, body lookUpBody) (pageView[AdminAccount], error) {
	wrong := mistakes{}
	wrong.require(fieldLogin, body.Login)
	if err := wrong.err(); err != nil {
		return pageView[AdminAccount]{}, err
	}
	found, err := s.administration().LookUp(c.Request().Context(), body.Login)
	if err != nil {
		return pageView[AdminAccount]{}, err
	}
	view := pageView[AdminAccount]{Items: make([]AdminAccount, 0, len(found))}
	for _, account := range found {
		view.Items = append(view.Items, s.newAdminAccount(account))
	}
	return view, nil
}

func (s *Server) adminAccount(c echo.Context) (AdminAccount, error) {
	account, err := s.administration().Show(c.Request().Context(), c.Param("id"))
	return s.newAdminAccount(account), err
}

// AdminMessage is a message as administrators see it. It shows neither its text nor its code.
type AdminMessage struct {
	ID           string           `json:"id"`
	Channel      messages.Channel `json:"channel"`
	Purpose      string           `json:"purpose"`
	To           string           `json:"to"` // masked
	State        messages.State   `json:"state"`
	Reason       string           `json:"reason,omitempty"`
	Provider     string           `json:"provider,omitempty"`
	ProviderCode string           `json:"provider_code,omitempty"`
	RequestID    string           `json:"request_id,omitempty"`
	CreatedAt    string           `json:"created_at"`
	AcceptedAt   string           `json:"accepted_at,omitempty"`
	DeliveredAt  string           `json:"delivered_at,omitempty"`
	UsedAt       string           `json:"used_at,omitempty"`
}

// NewAdminMessage returns what administrators see of a message.
func NewAdminMessage(m messages.Record) AdminMessage {
	return AdminMessage{
		ID: m.ID, Channel: m.Channel, Purpose: m.Purpose, To: m.To, State: m.State, Reason: m.Reason, Provider: m.Provider,
		ProviderCode: m.ProviderCode, RequestID: m.RequestID, CreatedAt: timeText(m.CreatedAt), AcceptedAt: timeText(m.AcceptedAt),
		DeliveredAt: timeText(m.DeliveredAt), UsedAt: timeText(m.UsedAt),
	}
}

func (s *Server) adminMessages(c echo.Context) (pageView[AdminMessage], error) {
	return page(c, func(after string, limit int) ([]messages.Record, error) {
		return s.administration().Messages(c.Request().Context(), c.Param("id"), after, limit)
	}, accounts.MessageCursor, NewAdminMessage)
}

func (s *Server) adminAudit(c echo.Context) (pageView[audit.Record], error) {
	return page(c, func(after string, limit int) ([]audit.Record, error) {
		return s.administration().Records(c.Request().Context(), audit.Filter{AccountID: c.Param("id"), After: after, Limit: limit})
	}, func(r audit.Record) string { return r.ID }, func(r audit.Record) audit.Record { return r })
}

// adminSessions lists the sessions of an account. Their ids open nothing.
func (s *Server) adminSessions(c echo.Context) (pageView[web.Session], error) {
	account, err := s.administration().Show(c.Request().Context(), c.Param("id"))
	if err != nil {
		return pageView[web.Session]{}, err
	}
	list, err := s.openSessions(c.Request().Context(), account)
	return pageView[web.Session]{Items: list}, err
}

type reasonBody struct {
	Reason string `json:"reason"`
}

// adminChange is an endpoint that changes the account of the path.
func (s *Server) adminChange(
	change func(*accounts.Administration, context.Context, string) (accounts.Account, error),
) func(echo.Context, reasonBody) (AdminAccount, error) {
	return func(c echo.Context, body reasonBody) (AdminAccount, error) {
		account, err := change(s.administration(), because(c, body.Reason), c.Param("id"))
		return s.newAdminAccount(account), err
	}
}

// adminErase erases an account for ever.
func (s *Server) adminErase(c echo.Context, body reasonBody) (none, error) {
	return none{}, s.administration().Erase(because(c, body.Reason), c.Param("id"))
}

// adminResend sends the mail with the activation link again, in the language of the request.
func (s *Server) adminResend(c echo.Context, body reasonBody) (AdminAccount, error) {
	ctx := because(c, body.Reason)
	return s.adminChange(func(a *accounts.Administration, _ context.Context, id string) (accounts.Account, error) {
		return a.Resend(ctx, id, accounts.Origin{Language: languageOf(c), RequestID: idOf(c)}, s.spendMail(c))
	})(c, body)
}

// readAccounts is an endpoint of apps that may read accounts.
func (s *Server) readAccounts(do work) echo.HandlerFunc {
	return s.forAdmin(apps.AccountsRead, endpoint(http.StatusOK, do))
}

// writeAccounts is an endpoint of apps that may change accounts.
func (s *Server) writeAccounts(do work) echo.HandlerFunc {
	return s.forAdmin(apps.AccountsWrite, s.once(http.StatusOK, do))
}
