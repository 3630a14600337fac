package aliyun

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"usher/contact"
	"usher/messages"
	"usher/providers"
	"usher/providers/internal/wire"
)

const (
	pageSize = 20 // entries hold the messages' texts, and an answer is bounded
	maxPages = 3  // of one day, newest first: the vendor itself allows one number 40 codes a day
	maxDays  = 2  // a code lives for minutes, so its sends lie on both sides of one midnight at most
)

// The values of SendStatus.
const (
	statusFailed    = "2"
	statusDelivered = "3" // 1 is accepted, without a report so far
)

// beijing is the time zone of the vendor's days.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// QuerySMS implements [providers.Querier] by QuerySendDetails: it looks through the messages to the number for those whose
// OutId is the message's id. Of a message that was sent twice it returns the better result.
//
// https://help.aliyun.com/zh/sms/developer-reference/api-dysmsapi-2017-05-25-querysenddetails
func (c *Client) QuerySMS(ctx context.Context, query providers.Query) (providers.QueryResult, error) {
	var result providers.QueryResult
	for _, day := range days(query.SentAt, time.Now()) {
		for page := 1; page <= maxPages; page++ {
			found, err := c.details(ctx, query, day, page)
			if err != nil {
				return providers.QueryResult{}, err
			}
			for _, d := range found {
				if d.OutID == query.ID {
					result = better(result, c.resultOf(d, query))
				}
			}
			if len(found) < pageSize {
				break
			}
		}
	}
	return result, nil
}

// days lists the vendor's days from one time to another, the last ones when there are too many.
func days(from, to time.Time) []string {
	var list []string
	for d := to.In(beijing); len(list) < maxDays; d = d.AddDate(0, 0, -1) {
		list = append(list, d.Format("20060102"))
		if d.Format("20060102") <= from.In(beijing).Format("20060102") {
			break
		}
	}
	return list
}

// detail is what is read of one message. Its text, which holds the code, is not.
type detail struct {
	OutID      string      `json:"OutId"`
	SendStatus json.Number `json:"SendStatus"`
	ErrCode    string      `json:"ErrCode"`
}

// details returns one page of the messages to the number on one day, newest first.
func (c *Client) details(ctx context.Context, query providers.Query, day string, page int) ([]detail, error) {
	var found struct {
		SmsSendDetailDTOs struct{ SmsSendDetailDTO []detail }
	}
	err := c.call(ctx, c.list, &found, []string{numberOf(query.To)},
		map[string]string{"PhoneNumber": numberOf(query.To), "SendDate": day, "CurrentPage": strconv.Itoa(page)})
	return found.SmsSendDetailDTOs.SmsSendDetailDTO, err
}

// resultOf says what one entry means. What the carrier could not deliver is not sent again: another message to the same
// number would not arrive either, and the person may ask for one.
func (c *Client) resultOf(d detail, query providers.Query) providers.QueryResult {
	switch d.SendStatus {
	case statusDelivered:
		return providers.QueryResult{State: messages.Delivered}
	case statusFailed:
		kind := providers.Rejected
		if d.ErrCode == "MOBILE_SEND_LIMIT" { // the number's limit at its carrier
			kind = providers.RateLimited
		}
		return providers.QueryResult{State: messages.Undelivered, Refusal: wire.Refusal(&c.Vendor, kind, d.ErrCode, numberOf(query.To))}
	default:
		return providers.QueryResult{State: messages.Sent} // the vendor has filed it
	}
}

// better returns the result that is further on the way to delivery.
func better(a, b providers.QueryResult) providers.QueryResult {
	rank := map[messages.State]int{messages.Undelivered: 1, messages.Sent: 2, messages.Delivered: 3}
	if rank[b.State] > rank[a.State] {
		return b
	}
	return a
}

// lacksPermission are the codes for a right signature without the right to this action. They do not tell whether the key
// may send.
var lacksPermission = []string{"isp.RAM_PERMISSION_DENY", "Forbidden.RAM", "NoPermission"}

// anyNumber is the number whose messages a check of the credentials asks for. Any number would do: an account sees its own
// messages only.
const anyNumber = "13000000000"

// CheckCredentials implements [providers.CredentialChecker] by QuerySendDetails. A refusal of the number serves as well as
// a list: the gateway checks key and signature first.
func (c *Client) CheckCredentials(ctx context.Context) error {
	number, err := contact.ParseMobile(anyNumber)
	if err != nil {
		return err
	}
	_, err = c.details(ctx, providers.Query{To: number}, time.Now().In(beijing).Format("20060102"), 1)
	return wire.Usable(wire.WithPermission(err, lacksPermission))
}

// The values of TemplateStatus, with what is wrong with the template.
var templateStates = map[json.Number]string{
	"0": "is still being audited", "1": "", "2": "was refused by the audit", "10": "was withdrawn from the audit",
}

// CheckTemplates implements [providers.TemplateChecker] by GetSmsTemplate.
//
// https://help.aliyun.com/zh/sms/developer-reference/api-dysmsapi-2017-05-25-getsmstemplate
func (c *Client) CheckTemplates(ctx context.Context) error {
	return wire.CheckTemplates(&c.Vendor, func(template string) (string, error) { return c.templateState(ctx, template) })
}

// templateState says what is wrong with a template, or "".
func (c *Client) templateState(ctx context.Context, template string) (string, error) {
	var found struct{ TemplateStatus json.Number }
	err := c.call(ctx, c.describe, &found, nil, map[string]string{"TemplateCode": template})
	refused, ok := errors.AsType[*providers.Error](err)
	if ok && strings.HasPrefix(refused.Code, "isv.") && strings.Contains(refused.Code, "TEMPLATE") {
		return wire.NotOurs, nil
	}
	if err != nil {
		return "", wire.WithPermission(err, lacksPermission)
	}
	state, known := templateStates[found.TemplateStatus]
	if !known {
		return "", wire.Unreadable(&c.Vendor, wire.Answer{Status: 200})
	}
	return state, nil
}
