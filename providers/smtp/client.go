package smtp

import (
	"context"
	"errors"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"time"

	"usher/providers"
	"usher/providers/internal/wire"
	"usher/reasons"
)

// Client is a [providers.EmailSender]. It is safe for concurrent use.
type Client struct {
	// Now tells the time of the Date header. It may be replaced before the first send.
	Now func() time.Time

	from mail.Address
	pool *pool
}

var (
	_ providers.EmailSender       = (*Client)(nil)
	_ providers.CredentialChecker = (*Client)(nil)
)

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

// SendEmail implements [providers.EmailSender]. It waits under ctx for one of the few connections. The receipt's id is the
// server's queue id, where the reply has one.
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

// CheckCredentials implements [providers.CredentialChecker]: it connects, logs in and names the sender, also as the recipient,
// because most servers refuse a client or a sender only then. It resets the dialogue and quits. A refusal of the recipient
// proves the rest: the sender may be an address without a mailbox.
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
	if failed.at == atRcpt && (refusal.Kind == providers.Rejected || refusal.Kind == providers.Temporary && refused(failed.err, 4)) {
		return nil
	}
	return refusal
}

const (
	// maxConns is how many connections one login may have at once: mailbox providers allow few.
	maxConns = 4
	// idleTTL is shorter than the time after which servers close an idle connection.
	idleTTL = 30 * time.Second
)

var errBusy = reasons.New(reasons.ConnectionsInUse, "all connections are in use")

// pool keeps a few connections open between mails. It is safe for concurrent use.
type pool struct {
	dial  func(context.Context) (*conn, *failure)
	slots chan struct{} // one for each connection in use
	dials chan struct{} // a lock: held while a connection is opened

	mu       sync.Mutex
	idle     []*conn  // the one that was used last is at the end and is used first
	failures int      // dials that failed
	failed   *failure // the last of them
	closed   bool
}

func newPool(dial func(context.Context) (*conn, *failure)) *pool {
	return &pool{dial: dial, slots: make(chan struct{}, maxConns), dials: make(chan struct{}, 1)}
}

// send sends the mail over an idle connection or a new one.
func (p *pool) send(ctx context.Context, e envelope) (string, *failure) {
	began := p.failedDials()
	if failed := p.acquire(ctx); failed != nil {
		return "", failed
	}
	defer func() { <-p.slots }()
	if c := p.take(); c != nil {
		reply, failed := c.send(ctx, e)
		p.put(c)
		if failed == nil || !failed.stale() || ctx.Err() != nil {
			return reply, failed
		}
		// The server had closed the connection before this mail began.
	}
	c, failed := p.open(ctx, began)
	if failed != nil {
		return "", failed
	}
	reply, failed := c.send(ctx, e)
	p.put(c)
	return reply, failed
}

func (p *pool) failedDials() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failures
}

// open opens one connection at a time. When a dial has failed since the count of failures was began, its failure is that of
// all mails that waited meanwhile: many mails make one wrong login and not one each, which would lock the mailbox.
func (p *pool) open(ctx context.Context, began int) (*conn, *failure) {
	select {
	case p.dials <- struct{}{}:
		defer func() { <-p.dials }()
	case <-ctx.Done():
		return nil, &failure{at: atConnect, err: ctx.Err()}
	}
	p.mu.Lock()
	shared := p.failed
	if p.failures == began {
		shared = nil
	}
	p.mu.Unlock()
	if shared != nil {
		return nil, shared
	}
	c, failed := p.dial(ctx)
	if failed != nil && !errors.Is(ctx.Err(), context.Canceled) {
		p.mu.Lock()
		p.failures++
		p.failed = failed
		p.mu.Unlock()
	}
	return c, failed
}

// acquire waits until a connection may be used, for half of the mail's time at most. A mail that begins late could be cut off
// before the server's last reply, and its outcome would be unknown.
func (p *pool) acquire(ctx context.Context) *failure {
	waiting := ctx
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
	}
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-waiting.Done():
		if err := ctx.Err(); err != nil {
			return &failure{at: atConnect, err: err}
		}
		return &failure{at: atConnect, err: errBusy}
	}
}

// take returns an idle connection, or nil.
func (p *pool) take() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	c := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	c.expiry.Stop()
	return c
}

// put keeps the connection for the next mail, or closes it.
func (p *pool) put(c *conn) {
	p.mu.Lock()
	if keep := !c.broken && !p.closed; keep {
		c.expiry = time.AfterFunc(idleTTL, func() { p.expire(c) })
		p.idle = append(p.idle, c)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	c.quit()
}

// expire closes a connection that was not used since the timer was set.
func (p *pool) expire(c *conn) {
	p.mu.Lock()
	i := slices.Index(p.idle, c)
	if i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 {
		c.quit()
	}
}

func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		c.expiry.Stop()
		c.quit()
	}
}
