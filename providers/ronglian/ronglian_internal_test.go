package ronglian

import (
	"net/http"
	"strings"
	"testing"

	"usher/providers"
	"usher/providers/internal/wire"
	"usher/providers/providertest"
)

// TestSig holds the signature against the MD5 of RFC 1321 and against a value of md5sum's.
func TestSig(t *testing.T) {
	t.Parallel()
	if got, want := sig("", "", ""), "D41D8CD98F00B204E9800998ECF8427E"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got := sig("aaf98f8900000000000000000000beef", "0123456789abcdef0123456789abcdef", "20260102030405")
	if want := "44A43604059284DD2A0B909A515DE25F"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSpans_areSortedAndApart(t *testing.T) {
	t.Parallel()
	last := 0
	for _, s := range spans {
		if s.first <= last || s.last < s.first {
			t.Errorf("span %d to %d is out of order", s.first, s.last)
		}
		last = s.last
	}
}

// FuzzClient_receipt feeds answers of any shape: only 000000 with a 2xx is an acceptance, and nothing but a
// bounded code comes out.
func FuzzClient_receipt(f *testing.F) {
	for _, body := range []string{
		"", "null", "{}", "[]", `"000000"`, `{"statusCode":"000000","templateSMS":{"smsMessageSid":"ff80"}}`,
		`{"statusCode":0}`, `{"statusCode":"000000","templateSMS":[]}`, `{"statusCode":"160038"`,
		`{"statusCode":"13800138000"}`, "<?xml version='1.0'?><Response><statusCode>000000</statusCode></Response>",
		strings.Repeat("[", 20000),
	} {
		f.Add(http.StatusOK, body)
		f.Add(http.StatusBadRequest, body)
	}
	sms := providertest.SMS(f)
	client := &Client{Vendor: wire.NewVendor(Name, wire.Bounds{}, providers.Templates{}, "sid", "token")}
	f.Fuzz(func(t *testing.T, status int, body string) {
		receipt, err := client.receipt(sms, wire.Answer{Status: status, Body: []byte(body)})
		if err == nil {
			if status/100 != 2 || len(receipt.ID) > 64 {
				t.Errorf("status %d, %q: accepted with id %q", status, body, receipt.ID)
			}
			return
		}
		if e := err.(*providers.Error); len(e.Code) > 64 || e.Provider != Name { //nolint:errorlint // the type promised
			t.Errorf("got %#v", e)
		}
		for _, private := range []string{sms.To.Reveal(), sms.Code} {
			if strings.Contains(err.Error(), private) {
				t.Errorf("the error shows %q: %v", private, err)
			}
		}
	})
}
