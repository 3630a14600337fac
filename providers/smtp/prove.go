package smtp

import (
	"context"

	"usher/providers"
)

var _ providers.Prover = (*Client)(nil)

// Prove implements [providers.Prover]: it connects, logs in and says goodbye.
func (c *Client) Prove(ctx context.Context) error {
	conn, failed := c.pool.dial(ctx)
	if failed != nil {
		return failed.refusal(ctx, "")
	}
	conn.quit()
	return nil
}
