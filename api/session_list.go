package api

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/web"
)

type sessionsView struct {
	Sessions []web.Session `json:"sessions"`
}

func (s *Server) listSessions(c echo.Context) (sessionsView, error) {
	_, list, err := s.ownSessions(c)
	return sessionsView{list}, err
}

// ownSessions returns the signed-in account and its sessions.
func (s *Server) ownSessions(c echo.Context) (accounts.Account, []web.Session, error) {
	account, err := s.current(c)
	if err != nil {
		return accounts.Account{}, nil, err
	}
	list, err := s.sessionsOf(c.Request().Context(), account)
	return account, list, err
}

// newSessionView returns the contents of a session. A value that an older version did not store is zero.
func newSessionView(values map[string]any) web.Session {
	var view web.Session
	created, _ := values[sessionCreated].(int64)
	seen, _ := values[sessionSeen].(int64)
	view.CreatedAt, view.SeenAt = time.Unix(created, 0).UTC(), time.Unix(seen, 0).UTC()
	view.Remembered, _ = values[sessionRemembered].(bool)
	view.Client, _ = values[sessionClient].(string)
	view.Network, _ = values[sessionNetwork].(string)
	return view
}

// ListSessions returns the sessions of an account, by the time of last use, also those that have ended because they were idle.
func ListSessions(ctx context.Context, sessions Sessions, account accounts.Account) ([]web.Session, error) {
	held, err := sessions.List(ctx, owner(account.ID, account.SessionGeneration))
	if err != nil {
		return nil, err
	}
	list := make([]web.Session, 0, len(held))
	for id, data := range held {
		_, values, err := sessionCodec.Decode(data)
		if err != nil {
			return nil, err
		}
		view := newSessionView(values)
		view.ID = id
		list = append(list, view)
	}
	slices.SortFunc(list, func(a, b web.Session) int { return cmp.Or(b.SeenAt.Compare(a.SeenAt), cmp.Compare(a.ID, b.ID)) })
	return list, nil
}

// openSessions returns the sessions of an account that have not ended, by the time of last use.
func (s *Server) openSessions(ctx context.Context, account accounts.Account) ([]web.Session, error) {
	list, err := ListSessions(ctx, s.Sessions, account)
	return slices.DeleteFunc(list, func(session web.Session) bool {
		return !session.Remembered && s.tooLongAgo(session.SeenAt.Unix())
	}), err
}

// sessionsOf is openSessions for the owner: the session of this request comes first.
func (s *Server) sessionsOf(ctx context.Context, account accounts.Account) ([]web.Session, error) {
	list, err := s.openSessions(ctx, account)
	if err != nil {
		return nil, err
	}
	current := s.sessions.GetString(ctx, sessionID)
	for i := range list {
		list[i].Current = list[i].ID == current
	}
	slices.SortStableFunc(list, func(a, b web.Session) int {
		switch {
		case a.Current && !b.Current:
			return -1
		case b.Current && !a.Current:
			return 1
		}
		return 0
	})
	return list, nil
}

func (s *Server) endSessionByID(c echo.Context) (none, error) {
	return none{}, s.endOne(c, c.Param("id"))
}

// endOne ends a session of the account, which may be this one.
func (s *Server) endOne(c echo.Context, id string) error {
	account, list, err := s.ownSessions(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	switch i := slices.IndexFunc(list, func(session web.Session) bool { return session.ID == id }); {
	case i < 0:
		return echo.ErrNotFound // record the end of sessions only
	case list[i].Current:
		return s.destroy(ctx, c)
	}
	_, err = s.end(ctx, owner(account.ID, account.SessionGeneration), id)
	return err
}

type endedView struct {
	Ended int `json:"ended"`
}

// endOtherSessions ends all sessions of the account except this one.
func (s *Server) endOtherSessions(c echo.Context) (endedView, error) {
	account, list, err := s.ownSessions(c)
	if err != nil {
		return endedView{}, err
	}
	var others []string
	for _, session := range list {
		if !session.Current {
			others = append(others, session.ID)
		}
	}
	ended, err := s.end(c.Request().Context(), owner(account.ID, account.SessionGeneration), others...)
	return endedView{ended}, err
}
