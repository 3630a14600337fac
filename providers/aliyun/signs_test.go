package aliyun_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/providers"
)

// signAnswer is an answer to GetSmsSign.
func signAnswer(status string, carriers ...string) string {
	return `{"Code":"OK","Message":"OK","RequestId":"R-1","SignName":"测试","SignStatus":` + status +
		`,"SignIspRegisterDetailList":[` + strings.Join(carriers, ",") + `]}`
}

func carrier(code, status, reason string) string {
	return `{"OperatorCode":"` + code + `","OperatorCompleteTime":"2025-06-13 15:55:26","RegisterStatus":` + status +
		`,"RegisterStatusReasons":[{"ReasonCode":"` + reason + `","ReasonDescList":["为 13800138000"]}]}`
}

func TestClient_CheckSigns(t *testing.T) {
	t.Parallel()
	type state struct {
		carrier, state string
		blocks, well   bool
	}
	unknown := func(carrier string) state {
		return state{carrier, "has no state of its filing that is known here", false, false}
	}
	const mobile, unicom, telecom = "China Mobile (中国移动)", "China Unicom (中国联通)", "China Telecom (中国电信)"
	for name, row := range map[string]struct {
		body string
		want []state
	}{
		"all is well": {
			signAnswer("1", carrier("telecom", "3", "DETECT_SUCCESS"), carrier("mobile", "3", ""), carrier("unicom", "3", "")),
			[]state{
				{"", "is approved", false, true},
				{mobile, "is filed, and messages arrive", false, true},
				{unicom, "is filed, and messages arrive", false, true},
				{telecom, "is filed, and messages arrive", false, true},
			},
		},
		"in audit": {
			signAnswer("0"), []state{{"", "is still being audited", true, false}, unknown(mobile), unknown(unicom), unknown(telecom)},
		},
		"refused": {
			signAnswer(`"2"`, carrier("mobile", "1", ""), carrier("unicom", "-1", "REGISTERING"), carrier("telecom", "-2", "UNBINDING_QUA")),
			[]state{
				{"", "was refused by the audit", true, false},
				{mobile, "is filed, and not tried yet", false, false},
				{unicom, "is being filed (REGISTERING)", false, false},
				{telecom, "is not filed (UNBINDING_QUA)", true, false},
			},
		},
		"withdrawn": {
			signAnswer("10", carrier("mobile", "0", "QUALIFICATION_ERROR"), carrier("unicom", "2", "NO_SEND_RECORD"), carrier("telecom", "7", "")),
			[]state{
				{"", "was withdrawn from the audit", true, false},
				{mobile, "was refused by the carrier (QUALIFICATION_ERROR)", true, false},
				{unicom, "is no longer filed: no message was sent for six months (NO_SEND_RECORD)", true, false},
				unknown(telecom),
			},
		},
		"not of this account": {refusal("isv.SMS_SIGNATURE_ILLEGAL"), []state{{"", "is not a sign name of this account", true, false}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			endpoint, params := verified(t, row.body)
			states, err := open(t, endpoint).CheckSigns(t.Context())
			var got []state
			for _, s := range states {
				if s.Sign != "测试 签名*~" || params()["SignName"] != s.Sign || params()["Action"] != "GetSmsSign" {
					t.Errorf("asked %v, got %+v", params(), s)
				}
				got = append(got, state{s.Carrier, s.State, s.Blocks, s.Help == ""})
			}
			if diff := cmp.Diff(row.want, got, cmp.AllowUnexported(state{})); err != nil || diff != "" {
				t.Errorf("%v, states (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestClient_CheckSigns_tells_why_it_learnt_nothing(t *testing.T) {
	t.Parallel()
	for body, permission := range map[string]bool{
		refusal("isp.RAM_PERMISSION_DENY"): true, refusal("SignatureDoesNotMatch"): false, `<html>`: false, signAnswer("5"): false,
		`{"Code":"OK"}`: false, signAnswer("1", `{"RegisterStatus":[]}`): false,
	} {
		endpoint, _ := verified(t, body)
		states, err := open(t, endpoint).CheckSigns(t.Context())
		if _, ok := errors.AsType[*providers.Error](err); len(states) > 0 || !ok || errors.Is(err, providers.ErrPermission) != permission {
			t.Errorf("%s: got %v, %v", body, states, err)
		}
	}
}
