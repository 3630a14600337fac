package aliyun

import (
	"net/http"
	"strings"
	"testing"

	"usher/providers"
	"usher/providers/internal/wire"
	"usher/providers/providertest"
)

// FuzzVerifyClient_receipt feeds answers of any shape; see checkReceipt.
func FuzzVerifyClient_receipt(f *testing.F) {
	for _, body := range []string{
		"", "null", "{}", "[]", `{"Code":"OK","Model":{"BizId":"112231421412414124123^4"}}`, `{"Code":"OK","Model":null}`,
		`{"Code":"OK","Model":[]}`, `{"Code":"biz.FREQUENCY","Message":"check frequency failed"}`, `{"Code":"isv."}`,
		`{"Code":"isv.13800138000"}`, `{"Code":400}`, "<html>", "{\"Code\":\"\xff\xfe\"}", strings.Repeat("[", 10000),
	} {
		f.Add(http.StatusOK, body)
		f.Add(http.StatusBadRequest, body)
	}
	sms := providertest.SMS(f)
	client := &VerifyClient{rpc: newRPC(verifyProduct, VerifyName, wire.Bounds{}, providers.Templates{}, Keys{"key", "secret"}, "")}
	f.Fuzz(func(t *testing.T, status int, body string) {
		receipt, err := client.receipt(sms, wire.Answer{Status: status, Body: []byte(body)})
		checkReceipt(t, VerifyName, sms, status, body, receipt, err)
	})
}

// FuzzClient_CheckSigns feeds answers of any shape: every state has words of ours and at most bounded codes of the vendor's.
func FuzzClient_CheckSigns(f *testing.F) {
	f.Add(http.StatusOK, `{"Code":"OK","SignStatus":1,"SignIspRegisterDetailList":[{"OperatorCode":"mobile","RegisterStatus":-2,`+
		`"RegisterStatusReasons":[{"ReasonCode":"UNBINDING_QUA"},{"ReasonCode":"A\nB"},null]},null]}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		c, err := New(benchConfig())
		if err != nil {
			t.Fatal(err)
		}
		c.HTTP = answering(status, body)
		states, err := c.CheckSigns(t.Context())
		if (err == nil) != (len(states) == 1 || len(states) == 4) {
			t.Errorf("%q: %v, %v", body, states, err)
		}
		for _, s := range states {
			if s.State == "" || len(s.State) > 250 || strings.Contains(s.State, "\n") || s.Blocks && s.Help == "" {
				t.Errorf("%q: %+v", body, s)
			}
		}
	})
}
