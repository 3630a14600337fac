// Package aliyun sends verification codes through Alibaba Cloud SMS (dysmsapi 2017-05-25).
//
// The vendor's SDK builds a request of each kind once, signs and parses; each message's own values, nonce and
// time are put in here. The signed request travels on connections of our own under the caller's context. The
// SDK's client is left out: it rewrites itself on every call and so is not safe for two goroutines, it knows
// no context, and its transport errors quote number, code and signature.
//
// https://help.aliyun.com/zh/sms/
package aliyun

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/signers"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/responses"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/dysmsapi"

	"usher/providers"
	"usher/providers/internal/wire"
	"usher/reasons"
)

// Name is the provider's name in settings, logs and metrics.
const Name = "aliyun"

// region is signed into every request. All mainland accounts share the central endpoint that it names.
const region = "cn-hangzhou"

// accepted is the only code of an answer that is not a refusal.
const accepted = "OK"

var errRequest = reasons.New(reasons.BadRequest, "request cannot be built")

// Client is a [providers.SMSSender]. It is safe for concurrent use.
type Client struct {
	// HTTP carries the requests. It may be replaced before the first send by one that follows no
	// redirects and repeats nothing.
	HTTP *http.Client

	config    Config
	endpoint  string
	signer    *signers.AccessKeySigner
	templates providers.Templates
	send      map[string]action // SendSms, by template
	list      action            // QuerySendDetails
	describe  action            // GetSmsTemplate
}

var (
	_ providers.SMSSender = (*Client)(nil)
	_ providers.Querier   = (*Client)(nil)
	_ providers.Bounded   = (*Client)(nil)
	_ providers.Templated = (*Client)(nil)
)

// New returns a client. The error for a wrong setting is of type [config.Mistakes].
func New(cfg Config) (*Client, error) {
	if mistakes := cfg.Validate(); len(mistakes) > 0 {
		return nil, mistakes
	}
	endpoint, err := wire.Endpoint(cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	id, secret := cfg.AccessKeyID.Reveal(), cfg.AccessKeySecret.Reveal()
	keys := credentials.NewStaticAKCredentialsProvider(id, secret)
	list := dysmsapi.CreateQuerySendDetailsRequest()
	list.PageSize = requests.NewInteger(pageSize)
	c := &Client{
		HTTP:      wire.NewClient(),
		config:    cfg,
		endpoint:  endpoint,
		templates: cfg.templates(),
		send:      map[string]action{},
		signer:    signers.NewAccessKeySigner(credentials.NewAccessKeyCredential(id, secret)),
	}
	for _, template := range cfg.templateVariables() {
		send := dysmsapi.CreateSendSmsRequest()
		send.SignName, send.TemplateCode = cfg.SignName, template
		if c.send[template], err = newAction(send, keys); err != nil {
			return nil, errRequest // the SDK's text may quote the parameters
		}
	}
	if c.list, err = newAction(list, keys); err != nil {
		return nil, errRequest
	}
	if c.describe, err = newAction(dysmsapi.CreateGetSmsTemplateRequest(), keys); err != nil {
		return nil, errRequest
	}
	return c, nil
}

// Name returns "aliyun".
func (c *Client) Name() string { return Name }

// Templates implements [providers.Templated].
func (c *Client) Templates() providers.Templates { return c.templates }

// Bounds implements [providers.Bounded].
func (c *Client) Bounds() providers.Bounds {
	return providers.Bounds{PerSecond: c.config.QPS, Concurrent: c.config.Concurrency}
}

// SendSMS implements [providers.SMSSender]. The message's id travels as OutId, which reports echo; Aliyun
// has no idempotency key, so a repeated send is a second message.
func (c *Client) SendSMS(ctx context.Context, sms providers.SMS) (providers.Receipt, error) {
	req, err := c.request(ctx, sms)
	if err != nil {
		// The cause may quote the parameters.
		return providers.Receipt{}, &providers.Error{Provider: Name, Kind: providers.Misconfigured, Err: errRequest}
	}
	answer, failure := wire.Do(c.HTTP, req)
	if failure != nil {
		failure.Provider = Name
		return providers.Receipt{}, failure
	}
	return c.receipt(sms, answer)
}

// request is the signed request for one message.
func (c *Client) request(ctx context.Context, sms providers.SMS) (*http.Request, error) {
	return c.requestTo(ctx, sms.To.Reveal(), sms)
}

func (c *Client) requestTo(ctx context.Context, number string, sms providers.SMS) (*http.Request, error) {
	// The variable has to be a JSON string: a bare 012345 is no JSON number and would lose its zero.
	params, err := json.Marshal(map[string]string{c.config.TemplateParam: sms.Code})
	if err != nil {
		return nil, err
	}
	return c.sign(ctx, c.send[c.templates.For(sms.Purpose)],
		newParam("PhoneNumbers", number),
		newParam("TemplateParam", string(params)),
		newParam("OutId", sms.ID))
}

func (c *Client) receipt(sms providers.SMS, answer wire.Answer) (providers.Receipt, error) {
	switch code, id := parse(answer); {
	case code == accepted && answer.OK():
		return providers.Receipt{Provider: Name, ID: wire.ID(id, sms.To.Reveal())}, nil
	case code == "", code == accepted:
		return providers.Receipt{}, &providers.Error{Provider: Name, Kind: providers.Unknown, Err: answer.Err()}
	default:
		return providers.Receipt{}, c.refusal(code, answer.Status, sms.To.Reveal(), sms.Code)
	}
}

// refusal is what a code of the vendor means, without the private texts that it may quote.
func (c *Client) refusal(code string, status int, private ...string) *providers.Error {
	private = append(private, c.config.AccessKeyID.Reveal(), c.config.AccessKeySecret.Reveal())
	return &providers.Error{Provider: Name, Kind: kindOf(code, status), Code: wire.Code(code, private...)}
}

// parse returns the answer's Code and BizId. Both are empty when it has none, as in the HTML page of a
// gateway or an empty 200.
func parse(answer wire.Answer) (code, id string) {
	if !answer.OK() {
		// The SDK panics on a refusal whose Code is no string, so refusals are read without it.
		var refusal struct{ Code string }
		if json.Unmarshal(answer.Body, &refusal) != nil {
			return "", ""
		}
		return refusal.Code, ""
	}
	resp := dysmsapi.CreateSendSmsResponse()
	raw := &http.Response{StatusCode: answer.Status, Body: io.NopCloser(bytes.NewReader(answer.Body))}
	if responses.Unmarshal(resp, raw, "JSON") != nil {
		return "", ""
	}
	return resp.Code, resp.BizId
}
