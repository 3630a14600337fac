package accounts

import (
	"context"

	"usher/audit"
)

// SignedIn records in the audit that a session of the account has started. A failure is logged only: after an error the
// person would sign in again.
func (s *Service) SignedIn(ctx context.Context, account Account) {
	cause := audit.CauseOf(ctx)
	cause.Actor = account.ID
	record := audit.New(audit.With(ctx, cause), s.Now(), audit.SignedIn, account.ID)
	if err := s.Store.Audit(ctx, record); err != nil {
		s.Logger.ErrorContext(ctx, "sign-in not recorded in the audit", "account_id", account.ID, "error", err)
	}
}
