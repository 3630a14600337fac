// Package ronglian sends verification codes through Ronglian, also known as Yuntongxun and Cloopen (REST
// 2013-12-26).
//
// https://doc.yuntongxun.com
package ronglian

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // the vendor's signature
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"usher/providers"
	"usher/providers/internal/wire"
	"usher/reasons"
)

// Name is the provider's name in settings, logs and metrics.
const Name = "ronglian"

const (
	accepted  = "000000"
	duplicate = "160054" // reqId was used before on the same day
)

var errRequest = reasons.New(reasons.BadRequest, "request cannot be built")

// Client is a [providers.SMSSender]. It is safe for concurrent use.
type Client struct {
	// HTTP carries the requests. It may be replaced before the first send by one that follows no
	// redirects and repeats nothing.
	HTTP *http.Client
	// Now tells the time that is signed. It may be replaced before the first send.
	Now func() time.Time

	config   Config
	endpoint string
	remember func(ctx context.Context, reference, id string) // see Refer
}

var (
	_ providers.SMSSender = (*Client)(nil)
	_ providers.Bounded   = (*Client)(nil)
	_ providers.Templated = (*Client)(nil)
)

// New returns a client. The error is of type [config.Mistakes].
func New(cfg Config) (*Client, error) {
	if mistakes := cfg.Validate(); len(mistakes) > 0 {
		return nil, mistakes
	}
	endpoint, err := wire.Endpoint(cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	return &Client{HTTP: wire.NewClient(), Now: time.Now, config: cfg, endpoint: endpoint}, nil
}

// Name returns "ronglian".
func (c *Client) Name() string { return Name }

// Templates implements [providers.Templated].
func (c *Client) Templates() providers.Templates { return c.config.templates() }

// Bounds implements [providers.Bounded].
func (c *Client) Bounds() providers.Bounds {
	return providers.Bounds{PerSecond: c.config.QPS, Concurrent: c.config.Concurrency}
}

// SendSMS implements [providers.SMSSender]. All attempts of one message carry the same reqId, which
// Ronglian takes once a day (UTC+8): refused as a duplicate, a further attempt was accepted before, and
// the receipt then has no id.
func (c *Client) SendSMS(ctx context.Context, sms providers.SMS) (providers.Receipt, error) {
	req, err := c.request(ctx, sms)
	if err != nil {
		return providers.Receipt{}, &providers.Error{Provider: Name, Kind: providers.Misconfigured, Err: errRequest}
	}
	if c.remember != nil {
		c.remember(ctx, reqID(sms.ID), sms.ID)
	}
	answer, failure := wire.Do(c.HTTP, req)
	if failure != nil {
		failure.Provider = Name
		return providers.Receipt{}, failure
	}
	return c.receipt(sms, answer)
}

type templateSMS struct {
	To         string   `json:"to"`
	AppID      string   `json:"appId"`
	TemplateID string   `json:"templateId"`
	Datas      []string `json:"datas"`
	ReqID      string   `json:"reqId"`
}

func (c *Client) request(ctx context.Context, sms providers.SMS) (*http.Request, error) {
	return c.post(ctx, "TemplateSMS", templateSMS{
		To:         sms.To.Reveal(),
		AppID:      c.config.AppID,
		TemplateID: c.config.templates().For(sms.Purpose),
		Datas:      []string{sms.Code, minutes(sms.TTL)},
		ReqID:      reqID(sms.ID),
	})
}

// post makes the signed request of one operation.
func (c *Client) post(ctx context.Context, operation string, document any) (*http.Request, error) {
	body, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	sid, stamp := c.config.AccountSID.Reveal(), timestamp(c.Now())
	address := fmt.Sprintf("%s/2013-12-26/Accounts/%s/SMS/%s?sig=%s",
		c.endpoint, sid, operation, sig(sid, c.config.AuthToken.Reveal(), stamp))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json;charset=utf-8")
	req.Header.Set("Authorization", authorization(sid, stamp))
	return req, nil
}

func (c *Client) receipt(sms providers.SMS, answer wire.Answer) (providers.Receipt, error) {
	switch code, id := parse(answer.Body); {
	case code == accepted && answer.OK(), code == duplicate && sms.Attempt > 1:
		return providers.Receipt{Provider: Name, ID: wire.ID(id, sms.To.Reveal())}, nil
	case code == "", code == accepted:
		return providers.Receipt{}, &providers.Error{Provider: Name, Kind: providers.Unknown, Err: answer.Err()}
	default:
		return providers.Receipt{}, &providers.Error{
			Provider: Name,
			Kind:     kindOf(code),
			Code: wire.Code(code, sms.To.Reveal(), sms.Code,
				c.config.AccountSID.Reveal(), c.config.AuthToken.Reveal()),
		}
	}
}

// parse returns the answer's statusCode, a string with leading zeros, and the id of an accepted message.
// Both are empty when the answer is no JSON of that form.
func parse(body []byte) (code, id string) {
	var answer struct {
		StatusCode  string `json:"statusCode"`
		TemplateSMS struct {
			SMSMessageSID string `json:"smsMessageSid"`
		} `json:"templateSMS"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return "", ""
	}
	return answer.StatusCode, answer.TemplateSMS.SMSMessageSID
}

// sig signs the address: MD5 in upper-case hexadecimal.
func sig(sid, token, stamp string) string {
	sum := md5.Sum([]byte(sid + token + stamp)) //nolint:gosec // the vendor's signature
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// authorization is the header that goes with sig: both hold the same time.
func authorization(sid, stamp string) string {
	return base64.StdEncoding.EncodeToString([]byte(sid + ":" + stamp))
}

// timestamp is in the vendor's own time zone, which its documents leave open. A time stays valid for 24
// hours, so that others pass as well.
func timestamp(t time.Time) string {
	return t.In(time.FixedZone("UTC+8", 8*60*60)).Format("20060102150405")
}

// reqID fits any id of ours into the 32 letters and digits that a reqId may have.
func reqID(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])[:32]
}

// minutes rounds, because a code sent a moment after its issue should say five and not four.
func minutes(ttl time.Duration) string {
	return strconv.Itoa(max(1, int(ttl.Round(time.Minute)/time.Minute)))
}
