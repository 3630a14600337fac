package ronglian

import (
	"context"
	"encoding/json"

	"usher/providers"
	"usher/providers/internal/wire"
	"usher/reports"
)

const (
	// pulledAtOnce is how many reports one request asks for, of the 500 that the vendor allows: their text
	// must fit the bound of an answer.
	pulledAtOnce = 100

	// nothingArrived is the status code of an answer without reports.
	nothingArrived = "112351"
)

var (
	_ providers.Puller     = (*Client)(nil)
	_ providers.Referencer = (*Client)(nil)
)

// Refer implements [providers.Referencer]: a reqId is shorter than our ids.
func (c *Client) OnReference(remember func(ctx context.Context, reference, id string)) {
	c.remember = remember
}

type getArrived struct {
	AppID   string `json:"appId"`
	SMSType string `json:"smsType"` // "1": reports
	Count   int    `json:"count"`
}

// Pull implements [providers.Puller] with GetArrived.
func (c *Client) Pull(ctx context.Context) (reports.Batch, error) {
	req, err := c.post(ctx, "GetArrived", getArrived{AppID: c.config.AppID, SMSType: "1", Count: pulledAtOnce})
	if err != nil {
		return reports.Batch{}, &providers.Error{Provider: Name, Kind: providers.Misconfigured, Err: errRequest}
	}
	answer, failure := wire.Do(c.HTTP, req)
	if failure != nil {
		failure.Provider = Name
		return reports.Batch{}, failure
	}
	var arrived struct {
		StatusCode string            `json:"statusCode"`
		Reports    []json.RawMessage `json:"reports"`
	}
	if json.Unmarshal(answer.Body, &arrived) != nil || arrived.StatusCode == "" {
		return reports.Batch{}, &providers.Error{Provider: Name, Kind: providers.Unknown, Err: answer.Err()}
	}
	switch arrived.StatusCode {
	case accepted, nothingArrived:
		batch := reports.PulledRonglian(arrived.Reports)
		batch.More = len(arrived.Reports) >= pulledAtOnce
		return batch, nil
	default:
		return reports.Batch{}, &providers.Error{
			Provider: Name, Kind: kindOf(arrived.StatusCode),
			Code: wire.Code(arrived.StatusCode, c.config.AccountSID.Reveal(), c.config.AuthToken.Reveal()),
		}
	}
}
