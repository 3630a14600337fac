// Package tencent sends verification codes through Tencent Cloud SMS (API 3.0, sms 2021-01-11). Requests are signed with
// TC3-HMAC-SHA256.
//
// This file sends; query.go asks about messages, reports, credentials and templates; codes.go knows the vendor's codes.
//
// https://cloud.tencent.com/document/product/382/55981
package tencent

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher/config"
	"usher/contact"
	"usher/providers"
	"usher/providers/internal/wire"
)

// Name is the provider's name in settings, logs and metrics.
const Name = "tencent"

const (
	service  = "sms" // in the scope of a signature
	version  = "2021-01-11"
	accepted = "Ok" // the only code of a message that is not a refusal; case matters
)

// Config is how Tencent is reached. Every field without a default must be set, except the templates for a purpose.
type Config struct {
	SecretID       config.Secret `env:"TENCENT_SECRET_ID" desc:"Tencent: SecretId of an API key with the permission sms:SendSms."`
	SecretKey      config.Secret `env:"TENCENT_SECRET_KEY" desc:"Tencent: SecretKey of that API key."`
	SDKAppID       string        `env:"TENCENT_SDK_APP_ID" desc:"Tencent: SDK AppID of the SMS application, such as 1400006666."`
	SignName       string        `env:"TENCENT_SIGN_NAME" desc:"Tencent: approved sign name, without the brackets that recipients see."`
	TemplateID     string        `env:"TENCENT_TEMPLATE_ID" desc:"Tencent: approved template of type verification code, such as 1110, for every purpose without its own."`
	wire.Templates `envPrefix:"TENCENT_TEMPLATE_ID_"`
	TemplateAbroad string   `env:"TENCENT_TEMPLATE_ID_ABROAD" desc:"Tencent: template of 国际/港澳台短信 for numbers outside the mainland; without it they go to the next provider."`
	TemplateParams []string `env:"TENCENT_TEMPLATE_PARAMS" envDefault:"code,minutes" desc:"Tencent: values of the variables {1}, {2} of all templates in their order, of code, minutes and product; see docs/sms-providers.md."`
	Region         string   `env:"TENCENT_REGION" envDefault:"ap-guangzhou" desc:"Tencent: region of the API."`
	PullReports    bool     `env:"TENCENT_PULL_REPORTS" envDefault:"false" desc:"Tencent: fetch delivery reports; for accounts for which the vendor has opened PullSmsSendStatus."`
	Endpoint       string   `env:"TENCENT_ENDPOINT" envDefault:"https://sms.tencentcloudapi.com" desc:"Tencent: address of the API; http:// is accepted for loopback only."`
	wire.Bounds    `envPrefix:"TENCENT_"`
}

var (
	keyID      = regexp.MustCompile(`^[0-9A-Za-z_-]*$`)
	numeric    = regexp.MustCompile(`^[0-9]{1,19}$`)
	regionName = regexp.MustCompile(`^[a-z]+(-[a-z0-9]+)+$`)
)

// Validate returns every mistake by the name of its variable, without the prefix that all variables have.
func (c Config) Validate() config.Mistakes {
	const digits = "digits only, such as "
	var check wire.Check
	check.Match("TENCENT_SECRET_ID", c.SecretID.Reveal(), keyID, "letters, digits, _ and - only, such as AKIDEXAMPLE")
	check.Match("TENCENT_SECRET_KEY", c.SecretKey.Reveal(), keyID, "letters, digits, _ and - only, as the console shows it")
	check.Match("TENCENT_SDK_APP_ID", c.SDKAppID, numeric, digits+"1400006666")
	check.SignName("TENCENT_SIGN_NAME", c.SignName)
	check.Templates("TENCENT_TEMPLATE_ID", c.Templates.With(c.TemplateID), numeric, digits+"1110")
	if c.TemplateAbroad != "" {
		check.Match("TENCENT_TEMPLATE_ID_ABROAD", c.TemplateAbroad, numeric, digits+"1110")
	}
	check.Params("TENCENT_TEMPLATE_PARAMS", c.TemplateParams)
	check.Match("TENCENT_REGION", c.Region, regionName, "a region such as ap-guangzhou")
	check.Endpoint("TENCENT_ENDPOINT", c.Endpoint)
	check.Bounds("TENCENT_", c.Bounds)
	return check.Mistakes
}

// Client is a [providers.SMSSender]. It is safe for concurrent use.
type Client struct {
	wire.Vendor

	// Now tells the time that is signed. It may be replaced before the first send.
	Now func() time.Time

	config   Config
	endpoint string
	remember func(ctx context.Context, reference, id string) // see OnReference; may be nil
}

var (
	_ providers.SMSSender         = (*Client)(nil)
	_ providers.Querier           = (*Client)(nil)
	_ providers.CredentialChecker = (*Client)(nil)
	_ providers.TemplateChecker   = (*Client)(nil)
	_ providers.Prober            = (*Client)(nil)
	_ providers.Referencer        = (*Client)(nil)
	_ providers.DigitsOnly        = (*Client)(nil)
	_ providers.ProductNamer      = (*Client)(nil)
	_ providers.Regional          = (*Client)(nil)
	_ providers.Puller            = Puller{}
)

// New returns a client. The error for a wrong setting is of type [config.Mistakes].
func New(cfg Config) (*Client, error) {
	if mistakes := cfg.Validate(); len(mistakes) > 0 {
		return nil, mistakes
	}
	endpoint, _ := config.Endpoint(cfg.Endpoint) // Validate has read it
	vendor := wire.NewVendor(Name, cfg.Bounds, cfg.Templates.With(cfg.TemplateID), cfg.SecretID, cfg.SecretKey)
	return &Client{Vendor: vendor, Now: time.Now, config: cfg, endpoint: endpoint}, nil
}

// Open returns a [Client], or a [Puller] when the settings say that reports can be pulled.
func Open(cfg Config) (providers.SMSSender, error) {
	client, err := New(cfg)
	switch {
	case err != nil:
		return nil, err
	case cfg.PullReports:
		return Puller{client}, nil
	default:
		return client, nil
	}
}

// OnReference implements [providers.Referencer]: reports name the vendor's serial number, and ours only for accounts for
// which support has enabled it.
func (c *Client) OnReference(remember func(ctx context.Context, reference, id string)) {
	c.remember = remember
}

// SendSMS implements [providers.SMSSender]. The message's id travels as SessionContext. Tencent has no idempotency key, so a
// repeated send is a second message. Numbers abroad need a template of their own kind; without one the error is
// [providers.NotServed].
func (c *Client) SendSMS(ctx context.Context, sms providers.SMS) (providers.Receipt, error) {
	if !c.Serves(sms.To.Region()) {
		return providers.Receipt{}, providers.NotServed(Name)
	}
	if strings.Trim(sms.Code, "0123456789") != "" {
		return providers.Receipt{}, &providers.Error{Provider: Name, Kind: providers.Misconfigured, Err: providers.ErrLetters}
	}
	receipt, err := c.sendTo(ctx, sms.To.E164(), sms)
	if err == nil {
		c.note(ctx, receipt.ID, sms.ID)
	}
	return receipt, err
}

// Serves implements [providers.Regional].
func (c *Client) Serves(region string) bool {
	return region == contact.Mainland || c.config.TemplateAbroad != ""
}

// isAbroad reports whether a number is outside the mainland. There, the vendor refuses the templates of the mainland.
func isAbroad(m contact.Mobile) bool { return !m.IsZero() && m.Region() != contact.Mainland }

// styleOf returns the template and the sign name of a message. The vendor requires a sign name in the mainland only, and one of
// the mainland is not approved for other regions.
func (c *Client) styleOf(sms providers.SMS) (template, signName string) {
	if isAbroad(sms.To) {
		return c.config.TemplateAbroad, ""
	}
	return c.Vendor.Templates().For(sms.Purpose), c.config.SignName
}

// DigitsOnly implements [providers.DigitsOnly]: a variable of a code template takes up to six digits.
func (c *Client) DigitsOnly() {}

// NamesProduct implements [providers.ProductNamer].
func (c *Client) NamesProduct() bool {
	return slices.Contains(c.config.TemplateParams, wire.ParamProduct)
}

// note remembers a serial number, also when the time of the send is over: the vendor has accepted the message.
func (c *Client) note(ctx context.Context, serial, id string) {
	if c.remember != nil && serial != "" {
		c.remember(context.WithoutCancel(ctx), serial, id)
	}
}

// impossible is no number of any network, so that a message to it is refused and costs nothing.
const impossible = "+861"

// Probe implements [providers.Prober] by a send to a number that cannot exist: it fails whenever sends fail, which is not
// true of a query.
func (c *Client) Probe(ctx context.Context) error {
	_, err := c.sendTo(ctx, impossible, providers.SMS{Code: "000000", TTL: time.Minute, Product: wire.ProbeProduct})
	return wire.Usable(err)
}

// sendSMS is the body of SendSms.
type sendSMS struct {
	PhoneNumberSet   []string
	SDKAppID         string `json:"SmsSdkAppId"`
	TemplateID       string `json:"TemplateId"`
	SignName         string `json:",omitempty"`
	TemplateParamSet []string
	SessionContext   string
}

func (c *Client) sendTo(ctx context.Context, number string, sms providers.SMS) (providers.Receipt, error) {
	req, err := c.request(ctx, number, sms)
	return wire.Exchange(&c.Vendor, req, err, sms, c.receipt)
}

// request is the signed request for one message.
func (c *Client) request(ctx context.Context, number string, sms providers.SMS) (*http.Request, error) {
	template, signName := c.styleOf(sms)
	return c.post(ctx, "SendSms", sendSMS{
		PhoneNumberSet: []string{number}, SDKAppID: c.config.SDKAppID, SignName: signName,
		TemplateID: template, TemplateParamSet: wire.Values(c.config.TemplateParams, sms), SessionContext: sms.ID,
	})
}

// receipt reads the answer to a send. It has a status for each number; without an error for the whole request, that of the
// number may still be a refusal.
func (c *Client) receipt(sms providers.SMS, answer wire.Answer) (providers.Receipt, error) {
	var sent struct {
		SendStatusSet []struct{ SerialNo, Code string }
	}
	if err := c.read(answer, &sent, sms.To.Reveal(), sms.Code); err != nil {
		return providers.Receipt{}, err
	}
	if len(sent.SendStatusSet) != 1 || sent.SendStatusSet[0].Code == "" {
		return providers.Receipt{}, wire.Unreadable(&c.Vendor, answer)
	}
	status := sent.SendStatusSet[0]
	if status.Code != accepted {
		return providers.Receipt{}, wire.Refusal(&c.Vendor, kindOf(status.Code), status.Code, sms.To.Reveal(), sms.Code)
	}
	return providers.Receipt{Provider: Name, ID: wire.ID(status.SerialNo, sms.To.Reveal())}, nil
}

// read decodes the Response of an answer. An Error in it is a [providers.Error], which does not quote the private texts. An
// answer without a Response, such as a gateway's HTML page or an empty 200, is of kind Unknown.
func (c *Client) read(answer wire.Answer, into any, private ...string) error {
	var envelope struct{ Response json.RawMessage }
	var head struct{ Error struct{ Code string } }
	if json.Unmarshal(answer.Body, &envelope) != nil || json.Unmarshal(envelope.Response, &head) != nil {
		return wire.Unreadable(&c.Vendor, answer)
	}
	if code := head.Error.Code; code != "" {
		return wire.Refusal(&c.Vendor, kindOf(code), code, private...)
	}
	if !answer.OK() || json.Unmarshal(envelope.Response, into) != nil {
		return wire.Unreadable(&c.Vendor, answer)
	}
	return nil
}

// contentType is signed as it is sent.
const contentType = "application/json; charset=utf-8"

// post makes the signed request of one action.
func (c *Client) post(ctx context.Context, action string, document any) (*http.Request, error) {
	body, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint+"/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	now := c.Now()
	for name, value := range map[string]string{
		"Content-Type": contentType, "X-TC-Action": action, "X-TC-Version": version, "X-TC-Region": c.config.Region,
		"X-TC-Timestamp": strconv.FormatInt(now.Unix(), 10),
		"Authorization":  authorization(c.config, signed{service, req.URL.Host, action, body, now}),
	} {
		req.Header.Set(name, value)
	}
	return req, nil
}

// signed is what a signature covers, beside the content type.
type signed struct {
	service, host, action string
	body                  []byte
	at                    time.Time
}

// authorization returns the header that signs a request. The path that is signed is always /, whatever the endpoint's.
//
// https://cloud.tencent.com/document/api/306/57449 (alike for all products)
func authorization(keys Config, s signed) string {
	const algorithm, headers, end = "TC3-HMAC-SHA256", "content-type;host;x-tc-action", "tc3_request"
	canonical := strings.Join([]string{
		http.MethodPost, "/", "",
		"content-type:" + contentType, "host:" + s.host, "x-tc-action:" + strings.ToLower(s.action), "",
		headers, digest(s.body),
	}, "\n")
	date := s.at.UTC().Format(time.DateOnly)
	scope := date + "/" + s.service + "/" + end
	text := strings.Join([]string{algorithm, strconv.FormatInt(s.at.Unix(), 10), scope, digest([]byte(canonical))}, "\n")
	key := []byte("TC3" + keys.SecretKey.Reveal())
	for _, part := range []string{date, s.service, end, text} {
		key = mac(key, part)
	}
	return algorithm + " Credential=" + keys.SecretID.Reveal() + "/" + scope + ", SignedHeaders=" + headers +
		", Signature=" + hex.EncodeToString(key)
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(text)) // a hash takes everything
	return h.Sum(nil)
}
