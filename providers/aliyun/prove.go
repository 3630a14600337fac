package aliyun

import (
	"context"
	"errors"
	"slices"
	"time"

	"usher/contact"
	"usher/providers"
	"usher/providers/internal/wire"
)

var (
	_ providers.CredentialChecker = (*Client)(nil)
	_ providers.Prober            = (*Client)(nil)
)

// lacksPermission are the codes for a right signature without the right to this action. Whether the key may send,
// they leave open.
var lacksPermission = []string{"isp.RAM_PERMISSION_DENY", "Forbidden.RAM", "NoPermission"}

// nobody is a number whose messages are asked for: any would do, since the books are the account's own.
const nobody = "13000000000"

// CheckCredentials implements [providers.CredentialChecker] by QuerySendDetails. An answer of business is as good as a list: the gateway
// looks at key and signature first.
func (c *Client) CheckCredentials(ctx context.Context) error {
	number, err := contact.ParseMobile(nobody)
	if err != nil {
		return err
	}
	_, err = c.details(ctx, providers.Query{To: number}, time.Now().In(beijing).Format("20060102"), 1)
	refused, ok := errors.AsType[*providers.Error](err)
	switch {
	case !ok:
		return err
	case slices.Contains(lacksPermission, refused.Code):
		refused.Err = providers.ErrPermission
		return refused
	case refused.Kind == providers.Rejected, refused.Kind == providers.RateLimited:
		return nil
	}
	return refused
}

// unreachable is no number, so that a message to it is refused and costs nothing.
const unreachable = "1"

// Probe implements [providers.Prober] by a send to a number that cannot be: what disturbs sends disturbs it as well,
// which is not so for the query.
func (c *Client) Probe(ctx context.Context) error {
	req, err := c.requestTo(ctx, unreachable, providers.SMS{Code: "000000"})
	if err != nil {
		return &providers.Error{Provider: Name, Kind: providers.Misconfigured, Err: errRequest}
	}
	answer, failure := wire.Do(c.HTTP, req)
	if failure != nil {
		failure.Provider = Name
		return failure
	}
	_, err = c.receipt(providers.SMS{}, answer)
	if kind := providers.KindOf(err); err != nil && (kind == providers.Rejected || kind == providers.RateLimited) {
		return nil
	}
	return err
}
