// Package httpsender sends verification codes to an HTTP address of the operator's own, which passes them on to a vendor that
// Usher does not know. Requests are signed as Standard Webhooks.
//
// docs/http-sender.md is the contract with the receiver.
package httpsender

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"usher/config"
	"usher/messages"
	"usher/providers"
	"usher/providers/internal/wire"
	"usher/webhooks"
)

// Name is the provider's name in settings, logs and metrics.
const Name = "http"

// Config is where the receiver is and which secret it shares. URL and Secret must be set.
type Config struct {
	URL          string        `env:"HTTP_URL" desc:"Signed HTTP sender: address that codes are posted to, such as https://sms.example.com/send; http:// is accepted for loopback only. See docs/http-sender.md."`
	Secret       config.Secret `env:"HTTP_SECRET" desc:"Signed HTTP sender: secret that signs requests and reports, whsec_ and base64 (echo whsec_$(openssl rand -base64 32)); two with a comma between while it is rotated, the new one first."`
	QueryURL     string        `env:"HTTP_QUERY_URL" desc:"Signed HTTP sender: address that is asked for the outcome of a message whose answer was lost; empty: none."`
	AllowedHosts []string      `env:"HTTP_ALLOWED_HOSTS" desc:"Signed HTTP sender: names of hosts that may have a private address, such as sms.internal."`
	wire.Bounds  `envPrefix:"HTTP_"`
}

// Validate returns every mistake by the name of its variable, without the prefix that all variables have.
func (c Config) Validate() config.Mistakes {
	var check wire.Check
	if c.URL == "" {
		check.Add("HTTP_URL", "must be set, such as https://sms.example.com/send")
	}
	c.checkAddress(&check, "HTTP_URL", c.URL)
	c.checkAddress(&check, "HTTP_QUERY_URL", c.QueryURL)
	if _, err := webhooks.ParseKeys(c.Secret.Reveal()); err != nil {
		check.Add("HTTP_SECRET", err.Error())
	}
	for _, host := range c.AllowedHosts {
		if name, err := config.Host(host); err != nil || name != strings.ToLower(host) {
			check.Add("HTTP_ALLOWED_HOSTS", "want names or addresses of hosts such as sms.internal, without scheme and port")
		}
	}
	check.Bounds("HTTP_", c.Bounds)
	return check.Mistakes
}

// checkAddress checks the form of an address that is set, and finds a private one. Those that names resolve to are checked with
// each connection.
func (c Config) checkAddress(check *wire.Check, variable, address string) {
	u, err := url.Parse(address)
	if _, invalid := config.Endpoint(address); address == "" || err != nil || invalid != nil {
		if address != "" {
			check.Endpoint(variable, address)
		}
		return
	}
	addr, err := netip.ParseAddr(u.Hostname())
	allowed := slices.ContainsFunc(c.AllowedHosts, func(host string) bool { return strings.EqualFold(host, u.Hostname()) })
	if err == nil && !wire.IsPublic(addr) && !addr.IsLoopback() && !allowed {
		check.Add(variable, "want a public address; a private one must be named in "+config.Prefix+"HTTP_ALLOWED_HOSTS too")
	}
}

// Client is a [providers.SMSSender]. It is safe for concurrent use.
type Client struct {
	wire.Vendor

	// Now tells the time that is signed. It may be replaced before the first send.
	Now func() time.Time

	config Config
	keys   webhooks.Keys
}

// Querying is a [Client] whose receiver can be asked for the outcome of a message.
type Querying struct{ *Client }

var (
	_ providers.SMSSender         = (*Client)(nil)
	_ providers.CredentialChecker = (*Client)(nil)
	_ providers.Prober            = (*Client)(nil)
	_ providers.Querier           = Querying{}
)

// New returns a [*Client], or a [Querying] when the settings have an address for queries. The error for a wrong setting is of type
// [config.Mistakes].
func New(cfg Config) (providers.SMSSender, error) {
	client, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.QueryURL != "" {
		return Querying{client}, nil
	}
	return client, nil
}

func newClient(cfg Config) (*Client, error) {
	if mistakes := cfg.Validate(); len(mistakes) > 0 {
		return nil, mistakes
	}
	keys, _ := webhooks.ParseKeys(cfg.Secret.Reveal()) // Validate has read it
	client := &Client{Vendor: wire.NewVendor(Name, cfg.Bounds, providers.Templates{}, cfg.Secret), Now: time.Now, config: cfg, keys: keys}
	client.HTTP = wire.NewPublicClient(cfg.AllowedHosts...)
	return client, nil
}

// message is the body of a send.
type message struct {
	To        string `json:"to"`         // E.164
	Purpose   string `json:"purpose"`    // empty for a canary
	Code      string `json:"code"`       // digits, or capital letters and digits
	ExpiresAt string `json:"expires_at"` // RFC 3339 in UTC
	Locale    string `json:"locale"`     // zh or en
	Attempt   int    `json:"attempt"`    // from 1

	Product string `json:"product,omitempty"` // the team's name for its product in that language
}

// SendSMS implements [providers.SMSSender]. All attempts of one message have the same webhook-id, so that the receiver sends it
// once however often it is asked.
func (c *Client) SendSMS(ctx context.Context, sms providers.SMS) (providers.Receipt, error) {
	req, err := c.post(ctx, c.config.URL, sms.ID, message{
		To: sms.To.E164(), Purpose: sms.Purpose, Code: sms.Code, Attempt: sms.Attempt, Locale: cmp.Or(sms.Language, "zh"),
		Product:   sms.Product,
		ExpiresAt: c.Now().Add(sms.TTL).UTC().Round(time.Second).Format(time.RFC3339),
	})
	return wire.Exchange(&c.Vendor, req, err, sms, c.receipt)
}

// CheckCredentials implements [providers.CredentialChecker] by a message without number and code, which the receiver must refuse
// after it has checked the signature.
func (c *Client) CheckCredentials(ctx context.Context) error {
	req, err := c.post(ctx, c.config.URL, "probe-"+rand.Text(), message{
		Locale: "zh", Attempt: 1, ExpiresAt: c.Now().UTC().Format(time.RFC3339),
	})
	_, err = wire.Exchange(&c.Vendor, req, err, providers.SMS{}, c.receipt)
	return wire.Usable(err)
}

// Probe implements [providers.Prober].
func (c *Client) Probe(ctx context.Context) error { return c.CheckCredentials(ctx) }

// said is what a receiver may say in JSON. Every field may be missing.
type said struct {
	ProviderID string         `json:"provider_id"` // the id at the receiver's vendor
	Kind       string         `json:"kind"`        // one of kinds
	Code       string         `json:"code"`        // of the receiver's vendor
	RetryAfter float64        `json:"retry_after"` // seconds
	State      messages.State `json:"state"`       // of a query
}

// read reads what it can: an answer needs no body, and a field of another type counts as missing.
func read(body []byte) (s said) {
	_ = json.Unmarshal(body, &s)
	return s
}

// receipt reads the answer to a send. A page of HTML is no acceptance: a server that is not the receiver has answered.
func (c *Client) receipt(sms providers.SMS, answer wire.Answer) (providers.Receipt, error) {
	s := read(answer.Body)
	if s.Kind == "" && answer.OK() && !bytes.HasPrefix(bytes.TrimSpace(answer.Body), []byte("<")) {
		return providers.Receipt{Provider: Name, ID: wire.ID(s.ProviderID, sms.To.Reveal())}, nil
	}
	return providers.Receipt{}, c.refusal(s, answer, sms.To.Reveal(), sms.Code)
}

// refusal is the error of an answer, by its kind or else by its status.
func (c *Client) refusal(s said, answer wire.Answer, private ...string) *providers.Error {
	refused := &providers.Error{Provider: Name, Kind: kindOf(answer.Status), Err: answer.Err()}
	if s.Kind != "" {
		kind, listed := kinds[s.Kind]
		if !listed {
			kind = kindOf(answer.Status)
		}
		refused = wire.Refusal(&c.Vendor, kind, cmp.Or(s.Code, s.Kind), private...)
	}
	if refused.Kind == providers.Temporary {
		refused.RetryAfter = answer.RetryAfter
		if s.RetryAfter > 0 {
			refused.RetryAfter = time.Duration(min(s.RetryAfter, maxRetryAfter.Seconds()) * float64(time.Second))
		}
	}
	return refused
}

// maxRetryAfter is longer than any code lives.
const maxRetryAfter = time.Hour

// query is the body of a query.
type query struct {
	ID     string `json:"id"` // the webhook-id of the send
	To     string `json:"to"`
	SentAt string `json:"sent_at"` // RFC 3339 in UTC
}

// QuerySMS implements [providers.Querier].
func (c Querying) QuerySMS(ctx context.Context, q providers.Query) (providers.QueryResult, error) {
	req, err := c.post(ctx, c.config.QueryURL, "query-"+rand.Text(), query{
		ID: q.ID, To: q.To.E164(), SentAt: q.SentAt.UTC().Format(time.RFC3339),
	})
	return wire.Exchange(&c.Vendor, req, err, q, c.result)
}

// result reads the answer to a query. A status alone says nothing of the message.
func (c *Client) result(q providers.Query, answer wire.Answer) (providers.QueryResult, error) {
	s := read(answer.Body)
	if s.Kind == "" && answer.OK() {
		switch s.State {
		case "unknown":
			return providers.QueryResult{}, nil
		case messages.Sent, messages.Delivered:
			return providers.QueryResult{State: s.State}, nil
		case messages.Undelivered:
			refusal := wire.Refusal(&c.Vendor, providers.Rejected, cmp.Or(s.Code, string(s.State)), q.To.Reveal())
			return providers.QueryResult{State: s.State, Refusal: refusal}, nil
		default:
		}
	}
	return providers.QueryResult{}, c.refusal(s, answer, q.To.Reveal())
}

// post makes a signed request.
func (c *Client) post(ctx context.Context, address, id string, document any) (*http.Request, error) {
	body, err := json.Marshal(document)
	if err != nil || !webhooks.IsID(id) {
		return nil, wire.ErrRequest
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "usher")
	c.keys.Sign(req.Header, id, c.Now(), body)
	return req, nil
}
