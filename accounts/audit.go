package accounts

import (
	"context"

	"usher/audit"
)

// SignedIn records in the audit that a session of the account has started. The session has started in any case: the caller counts an
// error, which is logged, and does not refuse the sign-in, because the person would only repeat it.
func (s *Service) SignedIn(ctx context.Context, account Account) error {
	cause := audit.CauseOf(ctx)
	cause.Actor = account.ID
	record := audit.New(audit.With(ctx, cause), s.Now(), audit.SignedIn, account.ID)
	err := s.Store.Audit(ctx, record)
	if err != nil {
		s.Logger.ErrorContext(ctx, "sign-in not recorded in the audit", "account_id", account.ID, "error", err)
	}
	return err
}
