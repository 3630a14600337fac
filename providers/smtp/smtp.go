// Package smtp sends mails through one mail server, over a few connections that stay open.
//
// The library makes the mail and opens the connection (TLS, login). The dialogue of each mail is driven
// from here, because what a failure means depends on where it came: up to the final dot nothing was sent,
// after the server's answer to it everything was, and in between nobody can tell. Where the server offers
// PIPELINING (RFC 2920), the commands of a mail go out together and their replies are read afterwards.
package smtp

import (
	"context"
	"net/mail"
	"strings"
	"time"

	"usher/providers"
	"usher/providers/internal/wire"
)

// Name is the provider's name in settings, logs and metrics.
const Name = "smtp"

// Client is a [providers.EmailSender]. It is safe for concurrent use.
type Client struct {
	// Now tells the time of the Date header. It may be replaced before the first send.
	Now func() time.Time

	from mail.Address
	pool *pool
}

var _ providers.EmailSender = (*Client)(nil)

// New returns a client that connects when the first mail is sent. The error is of type [config.Mistakes].
func New(cfg Config) (*Client, error) {
	if mistakes := cfg.Validate(); len(mistakes) > 0 {
		return nil, mistakes
	}
	from, err := mail.ParseAddress(cfg.From)
	if err != nil {
		return nil, err
	}
	dialer, err := newDialer(cfg)
	if err != nil {
		return nil, err
	}
	return &Client{Now: time.Now, from: *from, pool: newPool(dialer.dial)}, nil
}

// Name returns "smtp".
func (c *Client) Name() string { return Name }

// SendEmail implements [providers.EmailSender]. It waits for one of the few connections under ctx. The
// receipt's id is the server's queue id, where it tells one.
func (c *Client) SendEmail(ctx context.Context, email providers.Email) (providers.Receipt, error) {
	data, err := render(email, c.from, c.Now())
	if err != nil {
		return providers.Receipt{}, &providers.Error{Provider: Name, Kind: providers.Rejected, Err: err}
	}
	e, err := enclose(c.from.Address, email.To.Reveal(), data)
	if err != nil {
		return providers.Receipt{}, &providers.Error{Provider: Name, Kind: providers.Rejected, Err: err}
	}
	reply, failure := c.pool.send(ctx, e)
	if failure != nil {
		return providers.Receipt{}, failure.refusal(ctx, email.To.Reveal())
	}
	return providers.Receipt{Provider: Name, ID: queueID(reply)}, nil
}

// Close ends the idle connections; those in use end with their mail.
func (c *Client) Close() error {
	c.pool.close()
	return nil
}

// queueID finds the id in replies such as "2.0.0 Ok: queued as 4ABC" and "Mail OK queued as smtp12,…".
func queueID(reply string) string {
	_, after, found := strings.Cut(reply, "queued as ")
	if !found {
		return ""
	}
	id, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	return wire.ID(id)
}
