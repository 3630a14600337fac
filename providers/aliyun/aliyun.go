// Package aliyun sends verification codes through two products of Alibaba Cloud: [Client] through SMS (短信服务, dysmsapi), with
// sign names and templates of one's own, and [VerifyClient] through SMS authentication (短信认证, dypnsapi), with given ones.
//
// The vendor's SDK builds and signs one request of each kind, once. Each message then gets its own values, nonce and
// time. The signed request travels on our own connections under the caller's context. The SDK's client is not used: it
// rewrites itself on every call and so is not safe for concurrent use, it takes no context, and its transport errors
// quote number, code and signature.
//
// This file sends through SMS; query.go asks about messages, credentials and templates, signs.go about sign names; codes.go
// knows the vendor's codes. verify.go and verify_codes.go are SMS authentication; rpc.go is what both have in common.
//
// https://help.aliyun.com/zh/sms/
package aliyun

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"usher/config"
	"usher/contact"
	"usher/providers"
	"usher/providers/internal/wire"
)

// Name is the provider's name in settings, logs and metrics.
const Name = "aliyun"

// Config is how Aliyun is reached. Every field without a default must be set, except the templates for a purpose.
type Config struct {
	Keys

	SignName        string `env:"ALIYUN_SIGN_NAME" prod:"set" desc:"Aliyun: approved sign name, without the brackets that recipients see."`
	TemplateCode    string `env:"ALIYUN_TEMPLATE_CODE" prod:"set" desc:"Aliyun: approved template, such as SMS_71390007, for every purpose without its own."`
	wire.Templates  `envPrefix:"ALIYUN_TEMPLATE_CODE_"`
	TemplateAbroad  string `env:"ALIYUN_TEMPLATE_CODE_ABROAD" desc:"Aliyun: template of the kind 国际/港澳台 for numbers outside the mainland; without it they go to the next provider."`
	TemplateParam   string `env:"ALIYUN_TEMPLATE_PARAM" envDefault:"code" desc:"Aliyun: the template's variable for the code."`
	TemplateProduct string `env:"ALIYUN_TEMPLATE_PARAM_PRODUCT" desc:"Aliyun: the templates' variable for the product's name, which USHER_BRAND sets, such as product; empty: they have none. See docs/sms-providers.md."`
	Endpoint        string `env:"ALIYUN_ENDPOINT" envDefault:"https://dysmsapi.aliyuncs.com" desc:"Aliyun: address of the API; http:// is accepted for loopback only."`
	wire.Bounds     `envPrefix:"ALIYUN_"`
}

var (
	templateID = regexp.MustCompile(`(?s)^SMS_(.*\S)?$`)
	smsProduct = product{name: "Dysmsapi", code: "dysms", kindOf: kindOf}
)

// Validate returns every mistake by the name of its variable, without the prefix that all variables have.
func (c Config) Validate() config.Mistakes {
	var check wire.Check
	c.Keys.check(&check)
	check.SignName("ALIYUN_SIGN_NAME", c.SignName)
	check.Templates("ALIYUN_TEMPLATE_CODE", c.Templates.With(c.TemplateCode), templateID, "SMS_ and digits")
	if c.TemplateAbroad != "" {
		check.Match("ALIYUN_TEMPLATE_CODE_ABROAD", c.TemplateAbroad, templateID, "SMS_ and digits")
	}
	check.Text("ALIYUN_TEMPLATE_PARAM", c.TemplateParam)
	switch c.TemplateProduct {
	case "":
	case c.TemplateParam:
		check.Add("ALIYUN_TEMPLATE_PARAM_PRODUCT", "want another variable than that of the code")
	default:
		check.Text("ALIYUN_TEMPLATE_PARAM_PRODUCT", c.TemplateProduct)
	}
	check.Endpoint("ALIYUN_ENDPOINT", c.Endpoint)
	check.Bounds("ALIYUN_", c.Bounds)
	return check.Mistakes
}

// Client is a [providers.SMSSender]. It is safe for concurrent use.
type Client struct {
	rpc

	param    string            // the template's variable for the code
	product  string            // its variable for the product's name; empty: there is none
	signName string            // of every message
	abroad   string            // template for numbers outside the mainland; empty: they are not served
	send     map[string]action // SendSms, by template
	list     action            // QuerySendDetails
	describe action            // GetSmsTemplate
	audit    action            // GetSmsSign
}

var (
	_ providers.SMSSender         = (*Client)(nil)
	_ providers.Querier           = (*Client)(nil)
	_ providers.CredentialChecker = (*Client)(nil)
	_ providers.TemplateChecker   = (*Client)(nil)
	_ providers.SignChecker       = (*Client)(nil)
	_ providers.Prober            = (*Client)(nil)
	_ providers.Regional          = (*Client)(nil)
	_ providers.ProductNamer      = (*Client)(nil)
)

// New returns a client. The error for a wrong setting is of type [config.Mistakes].
func New(cfg Config) (*Client, error) {
	if mistakes := cfg.Validate(); len(mistakes) > 0 {
		return nil, mistakes
	}
	c := &Client{
		rpc:   newRPC(smsProduct, Name, cfg.Bounds, cfg.Templates.With(cfg.TemplateCode), cfg.Keys, cfg.Endpoint),
		param: cfg.TemplateParam, product: cfg.TemplateProduct, signName: cfg.SignName, abroad: cfg.TemplateAbroad,
	}
	var errs [4]error
	c.send, errs[0] = c.newActions("SendSms", cfg.SignName, cfg.TemplateAbroad)
	c.list, errs[1] = c.newAction("QuerySendDetails", map[string]string{"PageSize": strconv.Itoa(pageSize)})
	c.describe, errs[2] = c.newAction("GetSmsTemplate", nil)
	c.audit, errs[3] = c.newAction("GetSmsSign", nil)
	if err := cmp.Or(errs[:]...); err != nil {
		return nil, err
	}
	return c, nil
}

// SendSMS implements [providers.SMSSender]. The message's id travels as OutId, which reports repeat. Aliyun has no
// idempotency key, so a repeated send is a second message. Numbers abroad need a template of their own kind; without one
// they are refused without a request, as [providers.NotServed].
func (c *Client) SendSMS(ctx context.Context, sms providers.SMS) (providers.Receipt, error) {
	if !c.Serves(sms.To.Region()) {
		return providers.Receipt{}, providers.NotServed(Name)
	}
	return c.sendTo(ctx, numberOf(sms.To), sms)
}

// Serves implements [providers.Regional].
func (c *Client) Serves(region string) bool { return region == contact.Mainland || c.abroad != "" }

// NamesProduct implements [providers.ProductNamer].
func (c *Client) NamesProduct() bool { return c.product != "" }

// isAbroad reports whether a number is outside the mainland. There, the vendor's templates of the mainland are refused.
func isAbroad(m contact.Mobile) bool { return !m.IsZero() && m.Region() != contact.Mainland }

// numberOf returns the number as the vendor wants it: abroad with its country code and without the plus sign.
func numberOf(m contact.Mobile) string { return strings.TrimPrefix(m.Reveal(), "+") }

// template returns the template of a message.
func (c *Client) template(sms providers.SMS) string {
	if isAbroad(sms.To) {
		return c.abroad
	}
	return c.Vendor.Templates().For(sms.Purpose)
}

// impossible is no number, so that a message to it is refused and costs nothing.
const impossible = "1"

// Probe implements [providers.Prober] by a send to a number that cannot exist: it fails whenever sends fail, which is
// not true of a query.
func (c *Client) Probe(ctx context.Context) error {
	_, err := c.sendTo(ctx, impossible, providers.SMS{Code: "000000", Product: wire.ProbeProduct})
	return wire.Usable(err)
}

func (c *Client) sendTo(ctx context.Context, number string, sms providers.SMS) (providers.Receipt, error) {
	req, err := c.request(ctx, number, sms)
	return wire.Exchange(&c.Vendor, req, err, sms, c.receipt)
}

// request is the signed request for one message.
func (c *Client) request(ctx context.Context, number string, sms providers.SMS) (*http.Request, error) {
	// The variable has to be a JSON string: a bare 012345 is no JSON number and would lose its zero.
	variables := map[string]string{c.param: sms.Code}
	if c.product != "" {
		variables[c.product] = sms.Product
	}
	params, err := json.Marshal(variables)
	if err != nil {
		return nil, err
	}
	return c.sign(ctx, c.send[c.template(sms)],
		map[string]string{"PhoneNumbers": number, "TemplateParam": string(params), "OutId": sms.ID})
}

// receipt reads the answer to a send.
func (c *Client) receipt(sms providers.SMS, answer wire.Answer) (providers.Receipt, error) {
	var sent struct{ BizId bizID }
	if err := c.read(answer, &sent, numberOf(sms.To), sms.Code); err != nil {
		return providers.Receipt{}, err
	}
	return providers.Receipt{Provider: Name, ID: wire.ID(string(sent.BizId), numberOf(sms.To))}, nil
}
