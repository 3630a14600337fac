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
	"regexp"
	"slices"
	"strings"
	"time"

	"usher/config"
	"usher/contact"
	"usher/providers"
	"usher/providers/internal/wire"
	"usher/reports"
)

// Name is the provider's name in settings, logs and metrics.
const Name = "ronglian"

const (
	accepted  = "000000"
	duplicate = "160054" // reqId was used before on the same day
	noReports = "112351" // no report has arrived since the last request for them
)

// pulledAtOnce is how many reports one request asks for, of the 500 that the vendor allows: their text must fit the bound
// of an answer.
const pulledAtOnce = 100

// Config is how Ronglian is reached. Every field without a default must be set, except the templates for a purpose.
type Config struct {
	AccountSID     config.Secret `env:"RONGLIAN_ACCOUNT_SID" prod:"set" desc:"Ronglian: ACCOUNT SID of the console."`
	AuthToken      config.Secret `env:"RONGLIAN_AUTH_TOKEN" prod:"set" desc:"Ronglian: AUTH TOKEN of the console."`
	AppID          string        `env:"RONGLIAN_APP_ID" prod:"set" desc:"Ronglian: APP ID of an application that is online."`
	TemplateID     string        `env:"RONGLIAN_TEMPLATE_ID" prod:"set" desc:"Ronglian: approved template with the variables of USHER_RONGLIAN_TEMPLATE_PARAMS, for every purpose without its own."`
	wire.Templates `envPrefix:"RONGLIAN_TEMPLATE_ID_"`
	TemplateParams []string `env:"RONGLIAN_TEMPLATE_PARAMS" envDefault:"code,minutes" desc:"Ronglian: values of the variables {1}, {2} of all templates in their order, of code, minutes and product; see docs/sms-providers.md."`
	Endpoint       string   `env:"RONGLIAN_ENDPOINT" envDefault:"https://app.cloopen.com:8883" desc:"Ronglian: address of the API; http:// is accepted for loopback only."`
	wire.Bounds    `envPrefix:"RONGLIAN_"`
}

var (
	alphanumeric = regexp.MustCompile(`^[0-9A-Za-z]*$`)
	numeric      = regexp.MustCompile(`^[0-9]*$`)
)

// Validate returns every mistake by the name of its variable, without the prefix that all variables have.
func (c Config) Validate() config.Mistakes {
	var check wire.Check
	check.Match("RONGLIAN_ACCOUNT_SID", c.AccountSID.Reveal(), alphanumeric, "letters and digits only")
	check.Match("RONGLIAN_AUTH_TOKEN", c.AuthToken.Reveal(), alphanumeric, "letters and digits only")
	check.Match("RONGLIAN_APP_ID", c.AppID, alphanumeric, "letters and digits only")
	check.Templates("RONGLIAN_TEMPLATE_ID", c.Templates.With(c.TemplateID), numeric, "digits only")
	check.Params("RONGLIAN_TEMPLATE_PARAMS", c.TemplateParams)
	check.Endpoint("RONGLIAN_ENDPOINT", c.Endpoint)
	check.Bounds("RONGLIAN_", c.Bounds)
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
	_ providers.CredentialChecker = (*Client)(nil)
	_ providers.Prober            = (*Client)(nil)
	_ providers.Puller            = (*Client)(nil)
	_ providers.Referencer        = (*Client)(nil)
	_ providers.Regional          = (*Client)(nil)
	_ providers.ProductNamer      = (*Client)(nil)
)

// New returns a client. The error for a wrong setting is of type [config.Mistakes].
func New(cfg Config) (*Client, error) {
	if mistakes := cfg.Validate(); len(mistakes) > 0 {
		return nil, mistakes
	}
	endpoint, _ := config.Endpoint(cfg.Endpoint) // Validate has read it
	vendor := wire.NewVendor(Name, cfg.Bounds, cfg.Templates.With(cfg.TemplateID), cfg.AccountSID, cfg.AuthToken)
	return &Client{Vendor: vendor, Now: time.Now, config: cfg, endpoint: endpoint}, nil
}

// OnReference implements [providers.Referencer]: a reqId is shorter than our ids.
func (c *Client) OnReference(remember func(ctx context.Context, reference, id string)) {
	c.remember = remember
}

// Serves implements [providers.Regional].
func (c *Client) Serves(region string) bool { return region == contact.Mainland }

// NamesProduct implements [providers.ProductNamer].
func (c *Client) NamesProduct() bool {
	return slices.Contains(c.config.TemplateParams, wire.ParamProduct)
}

// SendSMS implements [providers.SMSSender]. All attempts of one message carry the same reqId, which Ronglian accepts once
// a day (UTC+8). When a further attempt is refused as a duplicate, an earlier one was accepted, and the receipt has no id. A number
// abroad is refused without a request, as [providers.NotServed]: it needs another product of the vendor.
func (c *Client) SendSMS(ctx context.Context, sms providers.SMS) (providers.Receipt, error) {
	if !c.Serves(sms.To.Region()) {
		return providers.Receipt{}, providers.NotServed(Name)
	}
	req, err := c.request(ctx, sms)
	if err == nil && c.remember != nil {
		c.remember(ctx, reqID(sms.ID), sms.ID)
	}
	return wire.Exchange(&c.Vendor, req, err, sms, c.receipt)
}

// CheckCredentials implements [providers.CredentialChecker] by a send without a number, which the vendor must refuse. It
// does so after it has checked the signature and the application. The vendor's queries cannot serve: they hand reports out,
// once.
func (c *Client) CheckCredentials(ctx context.Context) error {
	req, err := c.post(ctx, "TemplateSMS", templateSMS{
		AppID: c.config.AppID, TemplateID: c.config.TemplateID, Datas: []string{},
	})
	_, err = wire.Exchange(&c.Vendor, req, err, providers.SMS{}, c.receipt)
	return wire.Usable(err)
}

// Probe implements [providers.Prober].
func (c *Client) Probe(ctx context.Context) error { return c.CheckCredentials(ctx) }

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
		TemplateID: c.Vendor.Templates().For(sms.Purpose),
		Datas:      wire.Values(c.config.TemplateParams, sms),
		ReqID:      reqID(sms.ID),
	})
}

// receipt reads the answer to a send. An answer that is no JSON of the vendor's form has no status code and is of kind
// Unknown.
func (c *Client) receipt(sms providers.SMS, answer wire.Answer) (providers.Receipt, error) {
	var sent struct {
		StatusCode  string `json:"statusCode"` // with leading zeros
		TemplateSMS struct {
			SMSMessageSID string `json:"smsMessageSid"`
		} `json:"templateSMS"`
	}
	err := json.Unmarshal(answer.Body, &sent)
	switch {
	case err != nil || sent.StatusCode == "" || sent.StatusCode == accepted && !answer.OK():
		return providers.Receipt{}, wire.Unreadable(&c.Vendor, answer)
	case sent.StatusCode == accepted, sent.StatusCode == duplicate && sms.Attempt > 1:
		return providers.Receipt{Provider: Name, ID: wire.ID(sent.TemplateSMS.SMSMessageSID, sms.To.Reveal())}, nil
	}
	return providers.Receipt{}, wire.Refusal(&c.Vendor, kindOf(sent.StatusCode), sent.StatusCode, sms.To.Reveal(), sms.Code)
}

type getArrived struct {
	AppID   string `json:"appId"`
	SMSType string `json:"smsType"` // "1": reports
	Count   int    `json:"count"`
}

// Pull implements [providers.Puller] with GetArrived.
func (c *Client) Pull(ctx context.Context) (reports.Batch, error) {
	req, err := c.post(ctx, "GetArrived", getArrived{AppID: c.config.AppID, SMSType: "1", Count: pulledAtOnce})
	answer, err := wire.Call(&c.Vendor, req, err)
	if err != nil {
		return reports.Batch{}, err
	}
	var arrived struct {
		StatusCode string            `json:"statusCode"`
		Reports    []json.RawMessage `json:"reports"`
	}
	if json.Unmarshal(answer.Body, &arrived) != nil || arrived.StatusCode == "" {
		return reports.Batch{}, wire.Unreadable(&c.Vendor, answer)
	}
	if arrived.StatusCode != accepted && arrived.StatusCode != noReports {
		return reports.Batch{}, wire.Refusal(&c.Vendor, kindOf(arrived.StatusCode), arrived.StatusCode)
	}
	batch := reports.PulledRonglian(arrived.Reports)
	batch.More = len(arrived.Reports) >= pulledAtOnce
	return batch, nil
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

// reqID turns any id of ours into the 32 letters and digits that a reqId may have.
func reqID(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])[:32]
}
