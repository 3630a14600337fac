package accounts

import (
	"context"
)

// Block blocks an account: its sessions end, and neither a password, a code nor a link opens it until [Service.Unblock]. It
// keeps its name, number and address, so that no other account gets them. To block a blocked account changes nothing. It
// returns the blocked account, or ErrNotFound.
func (s *Service) Block(ctx context.Context, id string) (Account, error) {
	account, err := s.Store.Block(ctx, id, s.Now())
	if err == nil {
		s.Logger.InfoContext(ctx, "account blocked; its sessions have ended", "account_id", id)
	}
	return account, err
}

// Unblock ends [Service.Block]. The sessions from before it stay ended. To unblock an account that is not blocked changes
// nothing. It returns the account, or ErrNotFound.
func (s *Service) Unblock(ctx context.Context, id string) (Account, error) {
	account, err := s.Store.Unblock(ctx, id, s.Now())
	if err == nil {
		s.Logger.InfoContext(ctx, "account unblocked", "account_id", id)
	}
	return account, err
}
