package smtp

import (
	"context"

	"usher/providers"
)

var _ providers.CredentialChecker = (*Client)(nil)

// CheckCredentials implements [providers.CredentialChecker]: it connects, logs in, names the sender, and itself as the recipient, for most
// servers refuse a client or sender only then. It takes both back and says goodbye. A refusal that is about the
// recipient proves the rest: the sender may be an address without a mailbox.
func (c *Client) CheckCredentials(ctx context.Context) error {
	e, err := enclose(c.from.Address, c.from.Address, nil)
	if err != nil {
		return &providers.Error{Provider: Name, Kind: providers.Misconfigured, Err: err}
	}
	conn, failed := c.pool.dial(ctx)
	if failed != nil {
		return failed.refusal(ctx, "")
	}
	defer conn.quit()
	if failed = conn.rehearse(ctx, e); failed == nil {
		return nil
	}
	refusal := failed.refusal(ctx, "")
	if failed.at == atRcpt && (refusal.Kind == providers.Rejected || refusal.Kind == providers.Temporary && refused4(failed.err)) {
		return nil
	}
	return refusal
}
