package aliyun

import (
	"net/http"
	"strings"
	"testing"

	"usher/providers"
	"usher/providers/internal/wire"
	"usher/providers/providertest"
)

// FuzzClient_receipt feeds answers of any shape: the SDK's parser must not bring the worker down, only OK
// is an acceptance, and nothing but a bounded code comes out.
func FuzzClient_receipt(f *testing.F) {
	for _, body := range []string{
		"", "null", "{}", "[]", `"OK"`, `{"Code":"OK","BizId":"900619746936498440^0"}`, `{"Code":"OK","BizId":{}}`,
		`{"Code":400}`, `{"Code":["x"]}`, `{"Code":"isv.BUSINESS_LIMIT_CONTROL"`, `{"Code":"13800138000"}`,
		"<html>", "{\"Code\":\"\xff\xfe\"}", strings.Repeat("[", 10000),
	} {
		f.Add(http.StatusOK, body)
		f.Add(http.StatusBadRequest, body)
	}
	sms := providertest.SMS(f)
	client := &Client{rpc: newRPC(smsProduct, Name, wire.Bounds{}, providers.Templates{}, Keys{"key", "secret"}, "")}
	f.Fuzz(func(t *testing.T, status int, body string) {
		receipt, err := client.receipt(sms, wire.Answer{Status: status, Body: []byte(body)})
		checkReceipt(t, Name, sms, status, body, receipt, err)
	})
}

// checkReceipt fails when an answer counts as accepted without a 2xx, or when more than bounded ids and codes come out of it.
func checkReceipt(t *testing.T, provider string, sms providers.SMS, status int, body string, receipt providers.Receipt, err error) {
	t.Helper()
	if err == nil {
		if status/100 != 2 || len(receipt.ID) > 64 || strings.Contains(receipt.ID, sms.To.Reveal()) {
			t.Errorf("status %d, %q: accepted with id %q", status, body, receipt.ID)
		}
		return
	}
	if e := err.(*providers.Error); len(e.Code) > 64 || e.Provider != provider { //nolint:errorlint // the type promised
		t.Errorf("got %#v", e)
	}
	for _, private := range []string{sms.To.Reveal(), sms.Code} {
		if strings.Contains(err.Error(), private) {
			t.Errorf("the error shows %q: %v", private, err)
		}
	}
}
