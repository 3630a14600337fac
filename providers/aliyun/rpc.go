package aliyun

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
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

// region is signed into every request. All mainland accounts share the central endpoint that it names.
const region = "cn-hangzhou"

// version is that of both products.
const version = "2017-05-25"

// accepted is the only code of an answer that is not a refusal.
const accepted = "OK"

// Keys sign the requests to both products. One access key may have the permissions of both.
type Keys struct {
	AccessKeyID     config.Secret `env:"ALIYUN_ACCESS_KEY_ID" prod:"set" desc:"Aliyun: id of an access key with the permission dysms:SendSms, and for aliyun_verify dypns:SendSmsVerifyCode."`
	AccessKeySecret config.Secret `env:"ALIYUN_ACCESS_KEY_SECRET" prod:"set" desc:"Aliyun: secret of that access key."`
}

// check adds the mistakes in the keys.
func (k Keys) check(check *wire.Check) {
	check.Text("ALIYUN_ACCESS_KEY_ID", k.AccessKeyID.Reveal())
	check.Text("ALIYUN_ACCESS_KEY_SECRET", k.AccessKeySecret.Reveal())
}

// product is one of the vendor's RPC interfaces.
type product struct {
	name, code string // as the SDK calls it
	// kindOf returns the kind of a code that is neither empty nor OK.
	kindOf func(code string, status int) providers.Kind
}

// rpc makes signed requests to one product. It is safe for concurrent use.
type rpc struct {
	wire.Vendor

	product  product
	endpoint string
	keys     credentials.CredentialsProvider
	signer   *signers.AccessKeySigner
}

// newRPC returns an rpc for settings that were validated.
func newRPC(p product, name string, bounds wire.Bounds, templates providers.Templates, keys Keys, endpoint string) rpc {
	address, _ := config.Endpoint(endpoint) // Validate has read it
	id, secret := keys.AccessKeyID.Reveal(), keys.AccessKeySecret.Reveal()
	return rpc{
		Vendor:  wire.NewVendor(name, bounds, templates, keys.AccessKeyID, keys.AccessKeySecret),
		product: p, endpoint: address, keys: credentials.NewStaticAKCredentialsProvider(id, secret),
		signer: signers.NewAccessKeySigner(credentials.NewAccessKeyCredential(id, secret)),
	}
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
func (c *rpc) call(ctx context.Context, a action, into any, private []string, own map[string]string) error {
	req, err := c.sign(ctx, a, own)
	answer, err := wire.Call(&c.Vendor, req, err)
	if err != nil {
		return err
	}
	return c.read(answer, into, private...)
}

// read decodes an answer that says OK. Every other answer is a [providers.Error], which does not quote the private texts.
// An answer without a Code, such as a gateway's HTML page or an empty 200, is of kind Unknown.
func (c *rpc) read(answer wire.Answer, into any, private ...string) error {
	var head struct{ Code string }
	switch err := json.Unmarshal(answer.Body, &head); {
	case err == nil && head.Code != "" && head.Code != accepted:
		return wire.Refusal(&c.Vendor, c.product.kindOf(head.Code, answer.Status), head.Code, private...)
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
	params []string // see pair
}

// newAction has the SDK build and sign the request once. It keeps all of it except the parameters that each request has
// of its own.
func (c *rpc) newAction(name string, params map[string]string) (action, error) {
	r := new(requests.RpcRequest)
	r.InitWithApiInfo(c.product.name, version, name, c.product.code, "openAPI")
	maps.Copy(r.QueryParams, params)
	if err := auth.Sign(r, nil, region, c.keys); err != nil { // keys sign; the signer is for older styles
		return action{}, wire.ErrRequest // the SDK's text may quote the parameters
	}
	a := action{method: r.GetMethod(), header: http.Header{}}
	for name, value := range r.GetHeaders() {
		a.header.Set(name, value)
	}
	for name, value := range r.GetQueryParams() {
		if name != paramNonce && name != paramTimestamp && name != paramSignature {
			a.params = append(a.params, pair(name, value))
		}
	}
	return a, nil
}

// newActions makes an action for each template of the vendor, and for the further ones.
func (c *rpc) newActions(name, signName string, further ...string) (map[string]action, error) {
	actions, templates := map[string]action{}, c.Vendor.Templates()
	for _, template := range slices.Concat(slices.Collect(maps.Values(templates.ByPurpose)), []string{templates.Default}, further) {
		if template == "" {
			continue
		}
		a, err := c.newAction(name, map[string]string{"SignName": signName, "TemplateCode": template})
		if err != nil {
			return nil, err
		}
		actions[template] = a
	}
	return actions, nil
}

// sign returns the action's request with the given parameters. It changes only values that are made for this call.
func (c *rpc) sign(ctx context.Context, a action, own map[string]string) (*http.Request, error) {
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

// query is the canonical query. Own parameters are those that the action does not have; ones without a value are left out, as the
// SDK does.
func (a action) query(own map[string]string, nonce string, now time.Time) string {
	pairs := append(make([]string, 0, len(a.params)+len(own)+2), a.params...)
	for name, value := range own {
		if value != "" {
			pairs = append(pairs, pair(name, value))
		}
	}
	pairs = append(pairs, pair(paramNonce, nonce), pair(paramTimestamp, now.UTC().Format("2006-01-02T15:04:05Z")))
	return canonical(pairs)
}

// pair is a parameter in a query, its value percent-encoded by the vendor's rules. The API's names need no encoding.
func pair(name, value string) string { return name + "=" + escape(value) }

// canonical is the query of the pairs by name. The API's names consist of letters, before which the = stands in order.
func canonical(pairs []string) string {
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

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
