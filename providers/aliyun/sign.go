package aliyun

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
)

// The parameters that the SDK makes anew for every request.
const (
	paramNonce     = "SignatureNonce"
	paramTimestamp = "Timestamp"
	paramSignature = "Signature"
)

// param is a parameter with its value percent-encoded. The API's names need no encoding.
type param struct{ name, value string }

func newParam(name, value string) param { return param{name: name, value: escape(value)} }

// action is what all requests for one action of the API share. It does not change once it is made.
type action struct {
	method string
	header http.Header
	params []param
}

// newAction has the SDK build and sign the request once and keeps all that it put in but for what every
// request has of its own.
func newAction(r requests.AcsRequest, keys credentials.CredentialsProvider) (action, error) {
	if err := requests.InitParams(r); err != nil {
		return action{}, err
	}
	if err := auth.Sign(r, nil, region, keys); err != nil { // keys sign; the signer is for older styles
		return action{}, err
	}
	a := action{method: r.GetMethod(), header: http.Header{}}
	for name, value := range r.GetHeaders() {
		a.header.Set(name, value)
	}
	for name, value := range r.GetQueryParams() {
		if name != paramNonce && name != paramTimestamp && name != paramSignature {
			a.params = append(a.params, newParam(name, value))
		}
	}
	return a, nil
}

// sign returns the action's request with the parameters of its own. Every value it changes is made for this one call.
func (c *Client) sign(ctx context.Context, a action, own ...param) (*http.Request, error) {
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
func (a action) query(own []param, nonce string, now time.Time) string {
	params := make([]param, 0, len(a.params)+len(own)+2)
	params = append(params, a.params...)
	for _, p := range own {
		if p.value != "" {
			params = append(params, p)
		}
	}
	params = append(params, newParam(paramNonce, nonce),
		newParam(paramTimestamp, now.UTC().Format("2006-01-02T15:04:05Z")))
	return canonical(params)
}

func canonical(params []param) string {
	slices.SortFunc(params, func(a, b param) int { return strings.Compare(a.name, b.name) })
	size := 0
	for _, p := range params {
		size += len(p.name) + len(p.value) + len("=&")
	}
	var b strings.Builder
	b.Grow(size)
	for i, p := range params {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name)
		b.WriteByte('=')
		b.WriteString(p.value)
	}
	return b.String()
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
