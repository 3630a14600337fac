package aliyun

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"usher/messages"
	"usher/providers"
	"usher/providers/internal/wire"
)

// signInfo is what is read of the answer to GetSmsSign.
type signInfo struct {
	SignStatus json.Number
	Carriers   []filing `json:"SignIspRegisterDetailList"`
}

// filing is how far a carrier is with the real-name filing (实名制报备) of a sign name.
type filing struct {
	OperatorCode          string
	RegisterStatus        json.Number
	RegisterStatusReasons []struct{ ReasonCode string }
}

// stateOf is a value of the vendor's: what it says, what to do, and whether messages are lost meanwhile.
type stateOf struct {
	text, help string
	blocks     bool
}

// audits are the values of SignStatus.
var audits = map[json.Number]stateOf{
	"0":  {"is still being audited", "wait for the vendor's audit", true},
	"1":  {text: "is approved"},
	"2":  {"was refused by the audit", "read the reason in the console (国内消息, 签名管理), correct the application and hand it in again", true},
	"10": {"was withdrawn from the audit", "apply for the sign name again, or set another one", true},
}

// filings are the values of RegisterStatus.
var filings = map[json.Number]stateOf{
	"3": {text: "is filed, and messages arrive"},
	"1": {
		text: "is filed, and not tried yet",
		help: "send a few codes to numbers of this carrier (admin canary), and look at their reports before you send many",
	},
	"-1": {
		text: "is being filed",
		help: "wait: carriers take 5 to 10 working days. Until then messages to numbers of this carrier may be blocked",
	},
	"-2": {
		text: "is not filed", blocks: true,
		help: "complete the qualification (资质) of the sign name in the console, or bind another one: that starts the filing",
	},
	"0": {
		text: "was refused by the carrier", blocks: true,
		help: "read the reason in the console, correct the qualification (资质) or the sign name, and have it filed again",
	},
	"2": {
		text: "is no longer filed: no message was sent for six months", blocks: true,
		help: "have it filed again in the console",
	},
}

// carriers are the values of OperatorCode, in the order in which they are shown.
var carriers = []struct{ code, name string }{
	{"mobile", "China Mobile (中国移动)"}, {"unicom", "China Unicom (中国联通)"}, {"telecom", "China Telecom (中国电信)"},
}

// CheckSigns implements [providers.SignChecker] by GetSmsSign.
//
// https://help.aliyun.com/zh/sms/developer-reference/api-dysmsapi-2017-05-25-getsmssign
func (c *Client) CheckSigns(ctx context.Context) ([]providers.SignState, error) {
	var found signInfo
	err := c.call(ctx, c.audit, &found, nil, map[string]string{"SignName": c.signName})
	refused, ok := errors.AsType[*providers.Error](err)
	if ok && strings.HasPrefix(refused.Code, isv) && strings.Contains(refused.Code, "SIGN") {
		return []providers.SignState{{
			Sign: c.signName, State: "is not a sign name of this account", Blocks: true,
			Help: "copy the sign name from the console (国内消息, 签名管理), without brackets",
		}}, nil
	}
	if err != nil {
		return nil, wire.WithPermission(err, lacksPermission)
	}
	audit, known := audits[found.SignStatus]
	if !known {
		return nil, wire.Unreadable(&c.Vendor, wire.Answer{Status: 200})
	}
	states := []providers.SignState{{Sign: c.signName, State: audit.text, Help: audit.help, Blocks: audit.blocks}}
	for _, carrier := range carriers {
		states = append(states, found.filedWith(carrier.code, carrier.name, c.signName))
	}
	return states, nil
}

// filedWith is the state of the filing with one carrier. A carrier that the answer lacks, or a state that a later version of
// the API has, says nothing for certain.
func (i signInfo) filedWith(code, name, sign string) providers.SignState {
	result := providers.SignState{
		Sign: sign, Carrier: name, State: "has no state of its filing that is known here",
		Help: "look it up in the console (国内消息, 签名管理)",
	}
	for _, f := range i.Carriers {
		state, known := filings[f.RegisterStatus]
		if f.OperatorCode != code || !known {
			continue
		}
		result.State, result.Help, result.Blocks = state.text, state.help, state.blocks
		if reasons := f.reasons(); reasons != "" && state.help != "" {
			result.State += " (" + reasons + ")"
		}
	}
	return result
}

// maxReason bounds a code of the vendor's in a finding, and maxReasons their number.
const (
	maxReason  = 40
	maxReasons = 3
)

// reasons are the vendor's codes for the state.
func (f filing) reasons() string {
	var codes []string
	for _, reason := range f.RegisterStatusReasons {
		if code := messages.Keep(reason.ReasonCode, maxReason, "_"); code != "" && len(codes) < maxReasons {
			codes = append(codes, code)
		}
	}
	return strings.Join(codes, ", ")
}
