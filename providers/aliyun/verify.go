package aliyun

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"usher/config"
	"usher/contact"
	"usher/providers"
	"usher/providers/internal/wire"
)

// VerifyName is the name of the provider of SMS authentication in settings, logs and metrics.
const VerifyName = "aliyun_verify"

// pause is how long the vendor refuses a further message to the same number: its own default, and that of our pause between two
// codes.
const pause = time.Minute

// VerifyConfig is how SMS authentication is reached. Every field without a default must be set, except the templates for a
// purpose. The keys are those of [Config].
type VerifyConfig struct {
	Keys

	SignName       string `env:"ALIYUN_VERIFY_SIGN_NAME" desc:"Aliyun SMS authentication: one of the given sign names (赠送签名) of the console, such as 速通互联验证码."`
	TemplateCode   string `env:"ALIYUN_VERIFY_TEMPLATE_CODE" desc:"Aliyun SMS authentication: given template, such as 100001, for every purpose without its own."`
	wire.Templates `envPrefix:"ALIYUN_VERIFY_TEMPLATE_CODE_"`
	Endpoint       string `env:"ALIYUN_VERIFY_ENDPOINT" envDefault:"https://dypnsapi.aliyuncs.com" desc:"Aliyun SMS authentication: address of the API; http:// is accepted for loopback only."`
	wire.Bounds    `envPrefix:"ALIYUN_VERIFY_"`
}

var (
	givenTemplate = regexp.MustCompile(`^[0-9]{1,20}$`)
	verifyProduct = product{name: "Dypnsapi", code: "dypnsapi", kindOf: verifyKindOf}
)

// Validate returns every mistake by the name of its variable, without the prefix that all variables have.
func (c VerifyConfig) Validate() config.Mistakes {
	var check wire.Check
	c.Keys.check(&check)
	check.SignName("ALIYUN_VERIFY_SIGN_NAME", c.SignName)
	check.Templates("ALIYUN_VERIFY_TEMPLATE_CODE", c.Templates.With(c.TemplateCode), givenTemplate, "the digits of a given template, such as 100001")
	check.Endpoint("ALIYUN_VERIFY_ENDPOINT", c.Endpoint)
	check.Bounds("ALIYUN_VERIFY_", c.Bounds)
	return check.Mistakes
}

// VerifyClient is a [providers.SMSSender] that passes our own codes to SMS authentication, with sign names and templates
// which the vendor gives and which the carriers have on file. It serves mainland numbers only. It is safe for concurrent use.
//
// https://help.aliyun.com/zh/pnvs/developer-reference/api-dypnsapi-2017-05-25-sendsmsverifycode
type VerifyClient struct {
	rpc

	send map[string]action // SendSmsVerifyCode, by template
}

var (
	_ providers.SMSSender         = (*VerifyClient)(nil)
	_ providers.CredentialChecker = (*VerifyClient)(nil)
	_ providers.Prober            = (*VerifyClient)(nil)
	_ providers.ReportAwaiter     = (*VerifyClient)(nil)
	_ providers.Regional          = (*VerifyClient)(nil)
	_ providers.Pausing           = (*VerifyClient)(nil)
)

// NewVerify returns a client. The error for a wrong setting is of type [config.Mistakes].
func NewVerify(cfg VerifyConfig) (*VerifyClient, error) {
	if mistakes := cfg.Validate(); len(mistakes) > 0 {
		return nil, mistakes
	}
	c := &VerifyClient{
		rpc: newRPC(verifyProduct, VerifyName, cfg.Bounds, cfg.Templates.With(cfg.TemplateCode), cfg.Keys, cfg.Endpoint),
	}
	var err error
	c.send, err = c.newActions("SendSmsVerifyCode", cfg.SignName)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AwaitsReport implements [providers.ReportAwaiter]: the vendor is giving up its query of messages (QuerySendDetails), and a
// repeated OutId is a second message.
func (*VerifyClient) AwaitsReport() {}

// Serves implements [providers.Regional].
func (c *VerifyClient) Serves(region string) bool { return region == contact.Mainland }

// Pause implements [providers.Pausing]: sends ask the vendor to refuse a second message for that time.
func (*VerifyClient) Pause() time.Duration { return pause }

// SendSMS implements [providers.SMSSender]. The message's id travels as OutId, which reports repeat. A number abroad is
// refused without a request, as [providers.NotServed].
func (c *VerifyClient) SendSMS(ctx context.Context, sms providers.SMS) (providers.Receipt, error) {
	if !c.Serves(sms.To.Region()) {
		return providers.Receipt{}, providers.NotServed(VerifyName)
	}
	return c.sendTo(ctx, sms.To.Reveal(), sms)
}

// CheckCredentials implements [providers.CredentialChecker] as Probe: the vendor has no query that it will keep.
func (c *VerifyClient) CheckCredentials(ctx context.Context) error { return c.Probe(ctx) }

// unassigned has the form of a mainland number, which the vendor may check as a parameter, and no carrier has it.
const unassigned = "10000000000"

// Probe implements [providers.Prober] by a send to a number that cannot exist.
func (c *VerifyClient) Probe(ctx context.Context) error {
	_, err := c.sendTo(ctx, unassigned, providers.SMS{Code: "000000"})
	return wire.Usable(err)
}

func (c *VerifyClient) sendTo(ctx context.Context, number string, sms providers.SMS) (providers.Receipt, error) {
	req, err := c.request(ctx, number, sms)
	return wire.Exchange(&c.Vendor, req, err, sms, c.receipt)
}

// request is the signed request for one message. AutoRetry is switched off: with it the vendor sends a message once more by
// itself, under another sign name, when a carrier reports a failure.
func (c *VerifyClient) request(ctx context.Context, number string, sms providers.SMS) (*http.Request, error) {
	params, err := json.Marshal(map[string]string{"code": sms.Code, "min": wire.Minutes(sms.TTL)})
	if err != nil {
		return nil, err
	}
	return c.sign(ctx, c.send[c.Vendor.Templates().For(sms.Purpose)], map[string]string{
		"PhoneNumber": number, "CountryCode": "86", "TemplateParam": string(params), "OutId": sms.ID,
		"Interval": strconv.Itoa(int(pause.Seconds())), "AutoRetry": "0",
	})
}

// receipt reads the answer to a send.
func (c *VerifyClient) receipt(sms providers.SMS, answer wire.Answer) (providers.Receipt, error) {
	var sent struct {
		Model struct{ BizId bizID }
	}
	if err := c.read(answer, &sent, sms.To.Reveal(), sms.Code); err != nil {
		return providers.Receipt{}, afterRetry(err, sms.Attempt)
	}
	return providers.Receipt{Provider: VerifyName, ID: wire.ID(string(sent.Model.BizId), sms.To.Reveal())}, nil
}
