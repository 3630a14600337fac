package api

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"usher/accounts"
)

// sessionView is what an owner sees of a session. Nothing of it opens the session.
type sessionView struct {
	ID         string    `json:"id"`
	CreatedAt  time.Time `json:"created_at"`
	SeenAt     time.Time `json:"seen_at"`
	Remembered bool      `json:"remembered"`
	Current    bool      `json:"current"`
	Client     string    `json:"client"`
	Network    string    `json:"network"`
}

type sessionsView struct {
	Sessions []sessionView `json:"sessions"`
}

func (s *Server) listSessions(c echo.Context) (sessionsView, error) {
	account, err := s.current(c)
	if err != nil {
		return sessionsView{}, err
	}
	list, err := s.sessionsOf(c.Request().Context(), account)
	return sessionsView{list}, err
}

// newSessionView returns the contents of a session. A value that an older version did not store is zero.
func newSessionView(values map[string]any) sessionView {
	var view sessionView
	created, _ := values[sessionCreated].(int64)
	seen, _ := values[sessionSeen].(int64)
	view.CreatedAt, view.SeenAt = time.Unix(created, 0).UTC(), time.Unix(seen, 0).UTC()
	view.Remembered, _ = values[sessionRemembered].(bool)
	view.Client, _ = values[sessionClient].(string)
	view.Network, _ = values[sessionNetwork].(string)
	return view
}

// sessionsOf returns the sessions of an account: that of this request first, then by the time of last use.
func (s *Server) sessionsOf(ctx context.Context, account accounts.Account) ([]sessionView, error) {
	held, err := s.Sessions.List(ctx, owner(account.ID, account.SessionGeneration))
	if err != nil {
		return nil, err
	}
	current := s.sessions.GetString(ctx, sessionID)
	list := make([]sessionView, 0, len(held))
	for id, data := range held {
		_, values, err := s.sessions.Codec.Decode(data)
		if err != nil {
			return nil, err
		}
		view := newSessionView(values)
		if view.ID, view.Current = id, id == current; view.Remembered || !s.tooLongAgo(view.SeenAt.Unix()) {
			list = append(list, view)
		}
	}
	slices.SortFunc(list, func(a, b sessionView) int {
		switch {
		case a.Current:
			return -1
		case b.Current:
			return 1
		}
		return cmp.Or(b.SeenAt.Compare(a.SeenAt), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

func (s *Server) endSessionByID(c echo.Context) (none, error) {
	return none{}, s.endOne(c, c.Param("id"))
}

// endOne ends a session of the account, which may be this one.
func (s *Server) endOne(c echo.Context, id string) error {
	account, err := s.current(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	if id == s.sessions.GetString(ctx, sessionID) {
		return s.destroy(ctx, c)
	}
	list, err := s.sessionsOf(ctx, account)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list, func(session sessionView) bool { return session.ID == id }) {
		return echo.ErrNotFound // record the end of sessions only
	}
	_, err = s.end(ctx, owner(account.ID, account.SessionGeneration), id)
	return err
}

type endedView struct {
	Ended int `json:"ended"`
}

// endOtherSessions ends all sessions of the account except this one.
func (s *Server) endOtherSessions(c echo.Context) (endedView, error) {
	account, err := s.current(c)
	if err != nil {
		return endedView{}, err
	}
	ctx := c.Request().Context()
	list, err := s.sessionsOf(ctx, account)
	if err != nil {
		return endedView{}, err
	}
	var others []string
	for _, session := range list {
		if !session.Current {
			others = append(others, session.ID)
		}
	}
	ended, err := s.end(ctx, owner(account.ID, account.SessionGeneration), others...)
	return endedView{ended}, err
}
