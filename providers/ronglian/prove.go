package ronglian

import (
	"context"
	"errors"

	"usher/providers"
	"usher/providers/internal/wire"
)

var (
	_ providers.CredentialChecker = (*Client)(nil)
	_ providers.Prober            = (*Client)(nil)
)

// Probe implements [providers.Prober].
func (c *Client) Probe(ctx context.Context) error { return c.CheckCredentials(ctx) }

// CheckCredentials implements [providers.CredentialChecker] by a send to nobody: without a number the vendor can send nothing. It says so
// after it has looked at the signature and the application. Its queries are not for this: they hand reports out.
func (c *Client) CheckCredentials(ctx context.Context) error {
	req, err := c.post(ctx, "TemplateSMS", templateSMS{
		AppID: c.config.AppID, TemplateID: c.config.TemplateID, Datas: []string{},
	})
	if err != nil {
		return &providers.Error{Provider: Name, Kind: providers.Misconfigured, Err: errRequest}
	}
	answer, failure := wire.Do(c.HTTP, req)
	if failure != nil {
		failure.Provider = Name
		return failure
	}
	_, err = c.receipt(providers.SMS{}, answer)
	refused, ok := errors.AsType[*providers.Error](err)
	switch {
	case !ok:
		return err
	case refused.Kind == providers.Rejected, refused.Kind == providers.RateLimited:
		return nil
	}
	return refused
}
