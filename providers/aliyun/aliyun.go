// Package aliyun sends verification codes through Alibaba Cloud SMS (dysmsapi 2017-05-25).
//
// The vendor's SDK builds and signs one request of each kind, once. Each message then gets its own values, nonce and
// time. The signed request travels on our own connections under the caller's context. The SDK's client is not used: it
// rewrites itself on every call and so is not safe for concurrent use, it takes no context, and its transport errors
// quote number, code and signature.
//
// This file sends; query.go asks about messages, credentials and templates; codes.go knows the vendor's codes.
//
// https://help.aliyun.com/zh/sms/
package aliyun

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/signers"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"

	"usher/config"
	"usher/providers"
	"usher/providers/internal/wire"
)

// Name is the provider's name in settings, logs and metrics.
const Name = "aliyun"

// region is signed into every request. All mainland accounts share the central endpoint that it names.
const region = "cn-hangzhou"

// accepted is the only code of an answer that is not a refusal.
const accepted = "OK"

// Config is how Aliyun is reached. Every field without a default must be set, except the templates for a purpose.
type Config struct {
	AccessKeyID     config.Secret `env:"ALIYUN_ACCESS_KEY_ID" prod:"set" desc:"Aliyun: id of an access key with the permission dysms:SendSms."`
	AccessKeySecret config.Secret `env:"ALIYUN_ACCESS_KEY_SECRET" prod:"set" desc:"Aliyun: secret of that access key."`
	SignName        string        `env:"ALIYUN_SIGN_NAME" prod:"set" desc:"Aliyun: approved sign name, without the brackets that recipients see."`
	TemplateCode    string        `env:"ALIYUN_TEMPLATE_CODE" prod:"set" desc:"Aliyun: approved template, such as SMS_71390007, for every purpose without its own."`
	wire.Templates  `envPrefix:"ALIYUN_TEMPLATE_CODE_"`
	TemplateParam   string `env:"ALIYUN_TEMPLATE_PARAM" envDefault:"code" desc:"Aliyun: the template's variable for the code."`
	Endpoint        string `env:"ALIYUN_ENDPOINT" envDefault:"https://dysmsapi.aliyuncs.com" desc:"Aliyun: address of the API; http:// is accepted for loopback only."`
	wire.Bounds     `envPrefix:"ALIYUN_"`
}

var (
	unpadded   = regexp.MustCompile(`(?s)^\S(.*\S)?$`)
	inBrackets = regexp.MustCompile(`[【】\[\]]`)
	templateID = regexp.MustCompile(`(?s)^SMS_(.*\S)?$`)
)

// Validate returns every mistake by the name of its variable, without the prefix that all variables have.
func (c Config) Validate() config.Mistakes {
	const noBlanks = "a value without blanks around it"
	var check wire.Check
	check.Match("ALIYUN_ACCESS_KEY_ID", c.AccessKeyID.Reveal(), unpadded, noBlanks)
	check.Match("ALIYUN_ACCESS_KEY_SECRET", c.AccessKeySecret.Reveal(), unpadded, noBlanks)
	check.Match("ALIYUN_SIGN_NAME", c.SignName, unpadded, noBlanks)
	if inBrackets.MatchString(c.SignName) {
		check.Add("ALIYUN_SIGN_NAME", "want it without the brackets")
	}
	check.Templates("ALIYUN_TEMPLATE_CODE", c.Templates.With(c.TemplateCode), templateID, "SMS_ and digits")
	check.Match("ALIYUN_TEMPLATE_PARAM", c.TemplateParam, unpadded, noBlanks)
	check.Endpoint("ALIYUN_ENDPOINT", c.Endpoint)
	check.Bounds("ALIYUN_", c.Bounds)
	return check.Mistakes
}

// Client is a [providers.SMSSender]. It is safe for concurrent use.
type Client struct {
	wire.Vendor

	param    string // the template's variable for the code
	endpoint string
	signer   *signers.AccessKeySigner
	send     map[string]action // SendSms, by template
	list     action            // QuerySendDetails
	describe action            // GetSmsTemplate
}

var (
	_ providers.SMSSender         = (*Client)(nil)
	_ providers.Bounded           = (*Client)(nil)
	_ providers.Templated         = (*Client)(nil)
	_ providers.Querier           = (*Client)(nil)
	_ providers.CredentialChecker = (*Client)(nil)
	_ providers.TemplateChecker   = (*Client)(nil)
	_ providers.Prober            = (*Client)(nil)
)

// New returns a client. The error for a wrong setting is of type [config.Mistakes].
func New(cfg Config) (*Client, error) {
	if mistakes := cfg.Validate(); len(mistakes) > 0 {
		return nil, mistakes
	}
	endpoint, _ := wire.Endpoint(cfg.Endpoint) // Validate has read it
	id, secret := cfg.AccessKeyID.Reveal(), cfg.AccessKeySecret.Reveal()
	keys := credentials.NewStaticAKCredentialsProvider(id, secret)
	templates := cfg.Templates.With(cfg.TemplateCode)
	c := &Client{
		Vendor:   wire.NewVendor(Name, cfg.Bounds, templates, cfg.AccessKeyID, cfg.AccessKeySecret),
		param:    cfg.TemplateParam,
		endpoint: endpoint,
		send:     map[string]action{},
		signer:   signers.NewAccessKeySigner(credentials.NewAccessKeyCredential(id, secret)),
	}
	var err error
	for _, template := range append(slices.Collect(maps.Values(templates.ByPurpose)), templates.Default) {
		if template == "" {
			continue
		}
		c.send[template], err = newAction("SendSms", keys, map[string]string{"SignName": cfg.SignName, "TemplateCode": template})
		if err != nil {
			return nil, err
		}
	}
	if c.list, err = newAction("QuerySendDetails", keys, map[string]string{"PageSize": strconv.Itoa(pageSize)}); err != nil {
		return nil, err
	}
	if c.describe, err = newAction("GetSmsTemplate", keys, nil); err != nil {
		return nil, err
	}
	return c, nil
}

// SendSMS implements [providers.SMSSender]. The message's id travels as OutId, which reports repeat. Aliyun has no
// idempotency key, so a repeated send is a second message.
func (c *Client) SendSMS(ctx context.Context, sms providers.SMS) (providers.Receipt, error) {
	return c.sendTo(ctx, sms.To.Reveal(), sms)
}

// impossible is no number, so that a message to it is refused and costs nothing.
const impossible = "1"

// Probe implements [providers.Prober] by a send to a number that cannot exist: it fails whenever sends fail, which is
// not true of a query.
func (c *Client) Probe(ctx context.Context) error {
	_, err := c.sendTo(ctx, impossible, providers.SMS{Code: "000000"})
	return wire.Usable(err)
}

func (c *Client) sendTo(ctx context.Context, number string, sms providers.SMS) (providers.Receipt, error) {
	req, err := c.request(ctx, number, sms)
	answer, err := wire.Call(&c.Vendor, req, err)
	if err != nil {
		return providers.Receipt{}, err
	}
	return c.receipt(sms, answer)
}

// request is the signed request for one message.
func (c *Client) request(ctx context.Context, number string, sms providers.SMS) (*http.Request, error) {
	// The variable has to be a JSON string: a bare 012345 is no JSON number and would lose its zero.
	params, err := json.Marshal(map[string]string{c.param: sms.Code})
	if err != nil {
		return nil, err
	}
	return c.sign(ctx, c.send[c.Vendor.Templates().For(sms.Purpose)],
		map[string]string{"PhoneNumbers": number, "TemplateParam": string(params), "OutId": sms.ID})
}

// receipt reads the answer to a send.
func (c *Client) receipt(sms providers.SMS, answer wire.Answer) (providers.Receipt, error) {
	var sent struct{ BizId bizID }
	if err := c.read(answer, &sent, sms.To.Reveal(), sms.Code); err != nil {
		return providers.Receipt{}, err
	}
	return providers.Receipt{Provider: Name, ID: wire.ID(string(sent.BizId), sms.To.Reveal())}, nil
}

// bizID is the vendor's id of a message. A JSON number is read digit by digit, because a float64 would round it. A value of
// another type counts as none: it does not change that the message was accepted.
type bizID string

// UnmarshalJSON implements [json.Unmarshaler].
func (id *bizID) UnmarshalJSON(raw []byte) error {
	var text string
	var number json.Number
	if json.Unmarshal(raw, &text) == nil {
		*id = bizID(text)
	} else if json.Unmarshal(raw, &number) == nil {
		*id = bizID(number)
	}
	return nil
}

// call makes the request of one action and reads the answer.
func (c *Client) call(ctx context.Context, a action, into any, private []string, own map[string]string) error {
	req, err := c.sign(ctx, a, own)
	answer, err := wire.Call(&c.Vendor, req, err)
	if err != nil {
		return err
	}
	return c.read(answer, into, private...)
}

// read decodes an answer that says OK. Every other answer is a [providers.Error], which does not quote the private texts.
// An answer without a Code, such as a gateway's HTML page or an empty 200, is of kind Unknown.
func (c *Client) read(answer wire.Answer, into any, private ...string) error {
	var head struct{ Code string }
	switch err := json.Unmarshal(answer.Body, &head); {
	case err == nil && head.Code != "" && head.Code != accepted:
		return wire.Refusal(&c.Vendor, kindOf(head.Code, answer.Status), head.Code, private...)
	case err != nil || head.Code == "" || !answer.OK() || json.Unmarshal(answer.Body, into) != nil:
		return wire.Unreadable(&c.Vendor, answer)
	}
	return nil
}

// The parameters that the SDK makes anew for every request.
const (
	paramNonce     = "SignatureNonce"
	paramTimestamp = "Timestamp"
	paramSignature = "Signature"
)

// action is what all requests for one action of the API share. It does not change once it is made.
type action struct {
	method string
	header http.Header
	params url.Values
}

// newAction has the SDK build and sign the request once. It keeps all of it except the parameters that each request has
// of its own.
func newAction(name string, keys credentials.CredentialsProvider, params map[string]string) (action, error) {
	r := new(requests.RpcRequest)
	r.InitWithApiInfo("Dysmsapi", "2017-05-25", name, "dysms", "openAPI")
	maps.Copy(r.QueryParams, params)
	if err := auth.Sign(r, nil, region, keys); err != nil { // keys sign; the signer is for older styles
		return action{}, wire.ErrRequest // the SDK's text may quote the parameters
	}
	a := action{method: r.GetMethod(), header: http.Header{}, params: url.Values{}}
	for name, value := range r.GetHeaders() {
		a.header.Set(name, value)
	}
	for name, value := range r.GetQueryParams() {
		a.params.Set(name, value)
	}
	a.params.Del(paramSignature) // nonce and time are replaced
	return a, nil
}

// sign returns the action's request with the given parameters. It changes only values that are made for this call.
func (c *Client) sign(ctx context.Context, a action, own map[string]string) (*http.Request, error) {
	query := a.query(own, nonce(), time.Now())
	signature := c.signer.Sign(stringToSign(a.method, query), "&")
	req, err := http.NewRequestWithContext(ctx, a.method,
		c.endpoint+"/?"+query+"&"+paramSignature+"="+escape(signature), nil)
	if err != nil {
		return nil, err
	}
	req.Header = a.header.Clone()
	return req, nil
}

// query is the canonical query: the parameters by name. Own ones without a value are left out, as the SDK does.
func (a action) query(own map[string]string, nonce string, now time.Time) string {
	params := maps.Clone(a.params)
	for name, value := range own {
		if value != "" {
			params.Set(name, value)
		}
	}
	params.Set(paramNonce, nonce)
	params.Set(paramTimestamp, now.UTC().Format("2006-01-02T15:04:05Z"))
	return canonical(params)
}

// canonical percent-encodes the values by the vendor's rules. The API's names need no encoding.
func canonical(params url.Values) string { return strings.ReplaceAll(params.Encode(), "+", "%20") }

// stringToSign encodes the values a second time, as the vendor wants it.
func stringToSign(method, query string) string { return method + "&%2F&" + escape(query) }

// escape percent-encodes all but letters, digits and -_.~ by the vendor's rules.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// nonce is 32 hexadecimal digits, as the SDK's is. That one costs more than all the rest of a signature: it
// prints a stack trace to find the number of its goroutine.
func nonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: the process would end
	return hex.EncodeToString(b[:])
}
