package aliyun

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"usher/providers"
	"usher/providers/internal/wire"
)

var _ providers.TemplateChecker = (*Client)(nil)

// The values of TemplateStatus.
var templateStates = map[json.Number]string{
	"0": "is still being audited", "1": "", "2": "was refused by the audit", "10": "was withdrawn from the audit",
}

// CheckTemplates implements [providers.TemplateChecker] by GetSmsTemplate.
//
// https://help.aliyun.com/zh/sms/developer-reference/api-dysmsapi-2017-05-25-getsmstemplate
func (c *Client) CheckTemplates(ctx context.Context) error {
	var wrong []string
	for _, template := range slices.Sorted(maps.Keys(c.send)) {
		if template == "" {
			continue
		}
		is, err := c.templateState(ctx, template)
		if err != nil {
			return err
		}
		if is != "" {
			wrong = append(wrong, template+" "+is)
		}
	}
	if len(wrong) > 0 {
		return &providers.Error{
			Provider: Name, Kind: providers.Misconfigured, Err: fmt.Errorf("%w: %s", providers.ErrTemplate, strings.Join(wrong, ", ")),
		}
	}
	return nil
}

// templateState says what is wrong with a template, or "".
func (c *Client) templateState(ctx context.Context, template string) (string, error) {
	req, err := c.sign(ctx, c.describe, newParam("TemplateCode", template))
	if err != nil {
		return "", &providers.Error{Provider: Name, Kind: providers.Misconfigured, Err: errRequest}
	}
	answer, failure := wire.Do(c.HTTP, req)
	if failure != nil {
		failure.Provider = Name
		return "", failure
	}
	var found struct {
		Code           string
		TemplateStatus json.Number
	}
	err = json.Unmarshal(answer.Body, &found)
	state, known := templateStates[found.TemplateStatus]
	switch {
	case err != nil, found.Code == "", found.Code == accepted && (!answer.OK() || !known):
		return "", &providers.Error{Provider: Name, Kind: providers.Unknown, Err: answer.Err()}
	case found.Code == accepted:
		return state, nil
	case strings.HasPrefix(found.Code, "isv.") && strings.Contains(found.Code, "TEMPLATE"):
		return "is not a template of this account", nil
	}
	refused := c.refusal(found.Code, answer.Status)
	if slices.Contains(lacksPermission, refused.Code) {
		refused.Err = providers.ErrPermission
	}
	return "", refused
}
