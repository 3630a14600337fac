package aliyun

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"usher/messages"
	"usher/providers"
	"usher/providers/internal/wire"
)

const (
	pageSize = 20 // entries hold the messages' texts, and an answer is bounded
	maxPages = 3  // of one day, the last ones first: the vendor itself allows one number 40 codes a day
	maxDays  = 2  // a code lives for minutes, so that its sends lie around one midnight at most
)

// The values of SendStatus.
const (
	statusFailed    = "2"
	statusDelivered = "3" // 1 is accepted, without a report so far
)

// beijing is the time zone of the vendor's days.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// QuerySMS implements [providers.Querier] by QuerySendDetails: it looks through the messages to the number
// for the one whose OutId is the message's id. A message that was sent twice has the better of two fates.
//
// https://help.aliyun.com/zh/sms/developer-reference/api-dysmsapi-2017-05-25-querysenddetails
func (c *Client) QuerySMS(ctx context.Context, query providers.Query) (providers.QueryResult, error) {
	var fate providers.QueryResult
	for _, day := range days(query.SentAt, time.Now()) {
		for page := 1; page <= maxPages; page++ {
			found, err := c.details(ctx, query, day, page)
			if err != nil {
				return providers.QueryResult{}, err
			}
			for _, d := range found {
				if d.OutID == query.ID {
					fate = better(fate, c.fateOf(d, query))
				}
			}
			if len(found) < pageSize {
				break
			}
		}
	}
	return fate, nil
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
	req, err := c.sign(ctx, c.list,
		newParam("PhoneNumber", query.To.Reveal()),
		newParam("SendDate", day),
		newParam("CurrentPage", strconv.Itoa(page)))
	if err != nil {
		return nil, &providers.Error{Provider: Name, Kind: providers.Misconfigured, Err: errRequest}
	}
	answer, failure := wire.Do(c.HTTP, req)
	if failure != nil {
		failure.Provider = Name
		return nil, failure
	}
	var found struct {
		Code              string
		SmsSendDetailDTOs struct{ SmsSendDetailDTO []detail }
	}
	switch err := json.Unmarshal(answer.Body, &found); {
	case err != nil, found.Code == "", found.Code == accepted && !answer.OK():
		return nil, &providers.Error{Provider: Name, Kind: providers.Unknown, Err: answer.Err()}
	case found.Code != accepted:
		return nil, c.refusal(found.Code, answer.Status, query.To.Reveal())
	}
	return found.SmsSendDetailDTOs.SmsSendDetailDTO, nil
}

// fateOf says what one entry means. What the carrier could not deliver stays so: another message to the same
// number would fare no better, and the person may ask for one.
func (c *Client) fateOf(d detail, query providers.Query) providers.QueryResult {
	switch d.SendStatus {
	case statusDelivered:
		return providers.QueryResult{State: messages.Delivered}
	case statusFailed:
		refusal := c.refusal(d.ErrCode, 0, query.To.Reveal())
		if refusal.Kind = providers.Rejected; d.ErrCode == "MOBILE_SEND_LIMIT" { // the number's limit at its carrier
			refusal.Kind = providers.RateLimited
		}
		return providers.QueryResult{State: messages.Undelivered, Refusal: refusal}
	default:
		return providers.QueryResult{State: messages.Sent} // it is in their books
	}
}

// better returns the fate that promises more.
func better(a, b providers.QueryResult) providers.QueryResult {
	rank := map[messages.State]int{messages.Undelivered: 1, messages.Sent: 2, messages.Delivered: 3}
	if rank[b.State] > rank[a.State] {
		return b
	}
	return a
}
