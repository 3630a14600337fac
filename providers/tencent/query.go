package tencent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"usher/messages"
	"usher/providers"
	"usher/providers/internal/wire"
	"usher/reports"
)

const (
	// pulledAtOnce is how many reports one request asks for: as many as the vendor returns, and their text fits the bound of
	// an answer.
	pulledAtOnce = 100

	// clockSlack is how far the vendor's clock may differ from ours. It is shorter than the pause between two messages to one
	// number.
	clockSlack = 5 * time.Second
)

// errNoReport is the answer of a vendor whose list has only messages with a report. It does not show whether the message was
// accepted.
var errNoReport = errors.New("the vendor has no report of it yet")

// byNumber is the body of PullSmsSendStatusByPhoneNumber. Times are seconds since 1970.
type byNumber struct {
	PhoneNumber        string
	SDKAppID           string `json:"SmsSdkAppId"`
	BeginTime, EndTime int64
	Offset, Limit      int
}

// status is one entry of the answer.
type status struct {
	SerialNo        string
	ReportStatus    string // SUCCESS or FAIL
	Description     string
	UserReceiveTime int64  // seconds since 1970
	SessionContext  string // ours; empty unless support has enabled it
}

// QuerySMS implements [providers.Querier] by PullSmsSendStatusByPhoneNumber. Where the vendor returns SessionContext, an entry
// with another one is another message's. Elsewhere an entry since the time of the send is taken for the message's: the pause
// between two messages to one number is longer than the slack of clocks. Of a message that was sent twice it returns the
// better result.
//
// https://www.tencentcloud.com/document/product/382/40518
func (c *Client) QuerySMS(ctx context.Context, query providers.Query) (providers.QueryResult, error) {
	found, err := c.statuses(ctx, query.To.E164(), query.SentAt)
	if err != nil {
		return providers.QueryResult{}, err
	}
	var result providers.QueryResult
	for _, s := range found {
		if !s.isOf(query) {
			continue
		}
		c.note(ctx, wire.ID(s.SerialNo, query.To.Reveal()), query.ID)
		if r := c.resultOf(s, query); result.State != messages.Delivered {
			result = r
		}
	}
	if result.State == "" {
		return result, &providers.Error{Provider: Name, Kind: providers.Unknown, Err: errNoReport}
	}
	return result, nil
}

// statuses returns the reports of the messages to one number since a time.
func (c *Client) statuses(ctx context.Context, number string, since time.Time) ([]status, error) {
	return pull[status](ctx, c, "PullSmsSendStatusByPhoneNumber", byNumber{
		PhoneNumber: number, SDKAppID: c.config.SDKAppID, Limit: pulledAtOnce,
		BeginTime: since.Add(-clockSlack).Unix(), EndTime: c.Now().Unix(),
	}, strings.TrimPrefix(number, "+86"))
}

// pull makes the request of one of the actions that list reports. An answer without a list is unreadable.
func pull[T any](ctx context.Context, c *Client, action string, document any, private ...string) ([]T, error) {
	var found struct{ PullSmsSendStatusSet *[]T }
	err := c.call(ctx, action, document, &found, private...)
	switch {
	case err != nil:
		return nil, err
	case found.PullSmsSendStatusSet == nil:
		return nil, wire.Unreadable(&c.Vendor, wire.Answer{Status: 200})
	}
	return *found.PullSmsSendStatusSet, nil
}

// isOf reports whether the entry is about the message. An entry without a time lies in the queried period.
func (s status) isOf(query providers.Query) bool {
	if s.SessionContext != "" {
		return s.SessionContext == query.ID
	}
	return s.UserReceiveTime == 0 || s.UserReceiveTime >= query.SentAt.Add(-clockSlack).Unix()
}

// resultOf says what one entry means. What the carrier could not deliver is not sent again: another message to the same number
// would not arrive either, and the person may ask for one.
func (c *Client) resultOf(s status, query providers.Query) providers.QueryResult {
	switch s.ReportStatus {
	case "SUCCESS":
		return providers.QueryResult{State: messages.Delivered}
	case "FAIL":
		code := cmp.Or(wire.Code(s.Description, query.To.Reveal()), s.ReportStatus)
		return providers.QueryResult{State: messages.Undelivered, Refusal: wire.Refusal(&c.Vendor, providers.Rejected, code)}
	default:
		return providers.QueryResult{State: messages.Sent}
	}
}

// Puller is a [Client] of an account for which the vendor has opened PullSmsSendStatus. It is safe for concurrent use.
type Puller struct{ *Client }

// pullAll is the body of PullSmsSendStatus.
type pullAll struct {
	SDKAppID string `json:"SmsSdkAppId"`
	Limit    int
}

// Pull implements [providers.Puller] by PullSmsSendStatus.
//
// https://cloud.tencent.com/document/product/382/55977
func (p Puller) Pull(ctx context.Context) (reports.Batch, error) {
	rows, err := pull[json.RawMessage](ctx, p.Client, "PullSmsSendStatus", pullAll{SDKAppID: p.config.SDKAppID, Limit: pulledAtOnce})
	batch := reports.PulledTencent(rows)
	batch.More = len(rows) >= pulledAtOnce
	return batch, err
}

// call makes the request of one action and reads the answer.
func (c *Client) call(ctx context.Context, action string, document, into any, private ...string) error {
	req, err := c.post(ctx, action, document)
	answer, err := wire.Call(&c.Vendor, req, err)
	if err != nil {
		return err
	}
	return c.read(answer, into, private...)
}

// lacksPermission are the codes for a right signature without the right to this action. They do not tell whether the key may
// send.
var lacksPermission = []string{
	"AuthFailure.UnauthorizedOperation", "UnauthorizedOperation", "UnauthorizedOperation.RequestPermissionDeny",
	"FailedOperation.ProhibitSubAccountUse", "FailedOperation.NotEnterpriseCertification",
}

// anyNumber is the number whose messages a check of the credentials asks for. Any number would do: an account sees its own
// messages only.
const anyNumber = "+8613000000000"

// CheckCredentials implements [providers.CredentialChecker] by PullSmsSendStatusByPhoneNumber, which removes no report. It
// proves the key and that the application belongs to it.
func (c *Client) CheckCredentials(ctx context.Context) error {
	_, err := c.statuses(ctx, anyNumber, c.Now().Add(-time.Minute))
	return wire.Usable(wire.WithPermission(err, lacksPermission))
}

// The values of StatusCode, with what is wrong with the template.
var templateStates = map[int]string{
	0: "", 1: "is still being audited", 2: "is approved and does not take effect yet", -1: "was refused by the audit",
}

// CheckTemplates implements [providers.TemplateChecker] by DescribeSmsTemplateList. The vendor answers it to keys of an
// enterprise account's owner, not to those of sub-accounts.
//
// https://www.tencentcloud.com/document/product/382/40524
func (c *Client) CheckTemplates(ctx context.Context) error {
	ask := func(template string) (string, error) { return c.templateState(ctx, template) }
	return wire.CheckTemplates(&c.Vendor, ask, c.config.TemplateAbroad)
}

// listTemplates is the body of DescribeSmsTemplateList.
type listTemplates struct {
	International int      // 0: for the mainland, 1: for all other numbers
	TemplateIDSet []uint64 `json:"TemplateIdSet"`
}

// templateState says what is wrong with a template, or "".
func (c *Client) templateState(ctx context.Context, template string) (string, error) {
	var found struct {
		DescribeTemplateStatusSet *[]struct {
			TemplateID uint64 `json:"TemplateId"`
			StatusCode int
		}
	}
	id, _ := strconv.ParseUint(template, 10, 64) // Validate lets digits pass only
	list := listTemplates{TemplateIDSet: []uint64{id}}
	if template == c.config.TemplateAbroad {
		list.International = 1
	}
	err := c.call(ctx, "DescribeSmsTemplateList", list, &found)
	if refused, ok := errors.AsType[*providers.Error](err); ok && strings.HasSuffix(refused.Code, "TemplateIdNotExist") {
		return wire.NotOurs, nil
	}
	if err != nil {
		return "", wire.WithPermission(err, lacksPermission)
	}
	if found.DescribeTemplateStatusSet == nil {
		return "", wire.Unreadable(&c.Vendor, wire.Answer{Status: 200})
	}
	for _, t := range *found.DescribeTemplateStatusSet {
		state, known := templateStates[t.StatusCode]
		if t.TemplateID == id && known {
			return state, nil
		}
	}
	return wire.NotOurs, nil
}
