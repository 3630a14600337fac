package tencent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/messages"
	"usher/providers"
	"usher/providers/providertest"
	"usher/providers/tencent"
)

// entry is one report as the vendor lists it; session is JSON.
func entry(status, description, session string, at time.Time) string {
	return fmt.Sprintf(`{"UserReceiveTime":%d,"CountryCode":"86","SubscriberNumber":"13800138000","PhoneNumber":"+8613800138000",`+
		`"SerialNo":%q,"ReportStatus":%q,"Description":%q,"SessionContext":%s}`, at.Unix(), serial, status, description, session)
}

func listing(entries ...string) string {
	return `{"Response":{"PullSmsSendStatusSet":[` + strings.Join(entries, ",") + `],"RequestId":"r-1"}}`
}

func query(t *testing.T) providers.Query {
	t.Helper()
	sms := providertest.SMS(t)
	return providers.Query{ID: sms.ID, To: sms.To, SentAt: time.Now().Add(-time.Minute)}
}

func TestClient_QuerySMS(t *testing.T) {
	t.Parallel()
	const ours, another = `"01JD5V6Z8Q-suite_1"`, `"01JD5V6Z8Q-other"`
	now, before := time.Now(), time.Now().Add(-3*time.Minute)
	delivered := providers.QueryResult{State: messages.Delivered}
	undelivered := func(code string) providers.QueryResult {
		return providers.QueryResult{
			State: messages.Undelivered, Refusal: &providers.Error{Provider: "tencent", Kind: providers.Rejected, Code: code},
		}
	}
	providertest.RunQuery(t, providertest.QueryCase{
		Provider: "tencent",
		New:      func(t testing.TB, endpoint string) providers.Querier { return open(t, endpoint) },
		Secrets:  []string{secretID, secretKey},
		Query:    query(t),
		Answers: map[string]providertest.QueryResult{
			"by its session":        {Body: listing(entry("FAIL", "x", another, now), entry("SUCCESS", "DELIVRD", ours, before)), QueryResult: delivered},
			"by number and time":    {Body: listing(entry("FAIL", "UNDELIV", "null", before), entry("SUCCESS", "DELIVRD", "null", now)), QueryResult: delivered},
			"with an empty session": {Body: listing(entry("SUCCESS", "DELIVRD", `""`, now)), QueryResult: delivered},
			"undelivered":           {Body: listing(entry("FAIL", "UNDELIV", ours, now)), QueryResult: undelivered("UNDELIV")},
			"undelivered, in words": {Body: listing(entry("FAIL", "用户短信接收失败", ours, now)), QueryResult: undelivered("FAIL")},
			"undelivered, a number": {Body: listing(entry("FAIL", "x13800138000", ours, now)), QueryResult: undelivered("FAIL")},
			"sent twice, lost once": {Body: listing(entry("SUCCESS", "DELIVRD", ours, now), entry("FAIL", "UNDELIV", ours, now)), QueryResult: delivered},
			"lost, then delivered":  {Body: listing(entry("FAIL", "UNDELIV", ours, now), entry("SUCCESS", "DELIVRD", ours, now)), QueryResult: delivered},
			"a status to come":      {Body: listing(entry("WAITING", "", ours, now)), QueryResult: providers.QueryResult{State: messages.Sent}},
			"without a time of it":  {Body: listing(entry("FAIL", "EXPIRED", "null", time.Unix(0, 0))), QueryResult: undelivered("EXPIRED")},
			"a second before by the vendor's clock": {
				Body: listing(entry("SUCCESS", "DELIVRD", "null", now.Add(-time.Minute-time.Second))), QueryResult: delivered,
			},
		},
		Refusals: []providertest.Refusal{
			{Name: "permission", Body: whole("AuthFailure.UnauthorizedOperation"), Kind: providers.Misconfigured, Code: "AuthFailure.UnauthorizedOperation"},
			{Name: "slow down", Body: whole("RequestLimitExceeded"), Kind: providers.Temporary, Code: "RequestLimitExceeded"},
			{Name: "not reported", Body: listing(), Kind: providers.Unknown},
			{Name: "others only", Body: listing(entry("SUCCESS", "DELIVRD", another, now), entry("SUCCESS", "DELIVRD", "null", before)), Kind: providers.Unknown},
			{Name: "no list", Body: `{"Response":{"RequestId":"r"}}`, Kind: providers.Unknown},
		},
		Echo: whole,
	})
}

// vendor answers every request with the body and notes the last one.
func vendor(t *testing.T, body string) (*tencent.Client, *http.Request, map[string]any) {
	t.Helper()
	got, params := new(http.Request), map[string]any{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*got = *r
		if err := json.NewDecoder(r.Body).Decode(&params); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return open(t, server.URL), got, params
}

func TestClient_QuerySMS_request(t *testing.T) {
	t.Parallel()
	client, got, params := vendor(t, listing(entry("SUCCESS", "DELIVRD", "null", time.Unix(1_767_323_100, 0))))
	client.Now = func() time.Time { return time.Unix(1_767_323_200, 0) }
	q := query(t)
	q.SentAt = time.Unix(1_767_323_045, 0)
	remembered := ""
	client.OnReference(func(_ context.Context, reference, id string) { remembered = reference + " " + id })
	if _, err := client.QuerySMS(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"PhoneNumber": "+8613800138000", "SmsSdkAppId": appID, "Offset": 0.0, "Limit": 100.0,
		"BeginTime": 1_767_323_040.0, "EndTime": 1_767_323_200.0,
	}
	if diff := cmp.Diff(want, params); diff != "" || got.Header.Get("X-TC-Action") != "PullSmsSendStatusByPhoneNumber" {
		t.Errorf("%s (-want +got):\n%s", got.Header.Get("X-TC-Action"), diff)
	}
	if remembered != serial+" "+q.ID {
		t.Errorf("remembered %q", remembered)
	}
}

func TestPuller_Pull(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_767_323_100, 0)
	for name, c := range map[string]struct {
		body    string
		reports int
		skipped int
		more    bool
		kind    providers.Kind
		fails   bool
	}{
		"nothing":         {body: listing()},
		"two":             {body: listing(entry("SUCCESS", "DELIVRD", "null", at), entry("FAIL", "MK:0012", `"id"`, at)), reports: 2},
		"one unreadable":  {body: listing(entry("SUCCESS", "DELIVRD", "null", at), `{"SerialNo":1}`), reports: 1, skipped: 1},
		"a hundred":       {body: listing(strings.Split(strings.Repeat(entry("SUCCESS", "DELIVRD", "null", at)+"\n", 100), "\n")[:100]...), reports: 100, more: true},
		"not opened":      {body: whole("UnauthorizedOperation.RequestPermissionDeny"), kind: providers.Misconfigured, fails: true},
		"no list":         {body: `{"Response":{}}`, kind: providers.Unknown, fails: true},
		"a gateway's 200": {body: `<html>`, kind: providers.Unknown, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, got, params := vendor(t, c.body)
			batch, err := tencent.Puller{Client: client}.Pull(t.Context())
			if len(batch.Reports) != c.reports || batch.Skipped != c.skipped || batch.More != c.more || (err != nil) != c.fails ||
				err != nil && providers.KindOf(err) != c.kind {
				t.Errorf("got %d reports, %d skipped, more %v, %v", len(batch.Reports), batch.Skipped, batch.More, err)
			}
			if got.Header.Get("X-TC-Action") != "PullSmsSendStatus" || params["Limit"] != 100.0 || params["SmsSdkAppId"] != appID {
				t.Errorf("%s %v", got.Header.Get("X-TC-Action"), params)
			}
		})
	}
}

func TestClient_CheckCredentials(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		body       string
		proved     bool
		permission bool
	}{
		"a list":              {listing(), true, false},
		"a refused number":    {whole("InvalidParameterValue.IncorrectPhoneNumber"), true, false},
		"wrong key":           {whole("AuthFailure.SignatureFailure"), false, false},
		"wrong id":            {whole("AuthFailure.SecretIdNotFound"), false, false},
		"another application": {whole("UnauthorizedOperation.SmsSdkAppIdVerifyFail"), false, false},
		"no permission":       {whole("AuthFailure.UnauthorizedOperation"), false, true},
		"too many":            {whole("RequestLimitExceeded"), false, false},
		"a gateway's page":    {`{"html":1}`, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, got, _ := vendor(t, row.body)
			err := client.CheckCredentials(t.Context())
			if (err == nil) != row.proved || errors.Is(err, providers.ErrPermission) != row.permission {
				t.Errorf("got %v", err)
			}
			if got.Header.Get("X-TC-Action") != "PullSmsSendStatusByPhoneNumber" {
				t.Errorf("asked %s", got.Header.Get("X-TC-Action"))
			}
		})
	}
}

func TestClient_CheckTemplates(t *testing.T) {
	t.Parallel()
	state := func(id, code int) string {
		return fmt.Sprintf(`{"Response":{"DescribeTemplateStatusSet":[{"TemplateId":%d,"StatusCode":%d}],"RequestId":"r"}}`, id, code)
	}
	for name, row := range map[string]struct {
		body  string
		want  string // in the error
		cause error
	}{
		"approved":           {body: state(1110, 0)},
		"in audit":           {state(1110, 1), "1110 is still being audited", providers.ErrTemplate},
		"not in effect":      {state(1110, 2), "1110 is approved and does not take effect yet", providers.ErrTemplate},
		"refused":            {state(1110, -1), "1110 was refused", providers.ErrTemplate},
		"another's":          {state(1111, 0), "1110 is not a template of this account", providers.ErrTemplate},
		"none":               {`{"Response":{"DescribeTemplateStatusSet":[]}}`, "not a template of this account", providers.ErrTemplate},
		"unknown to them":    {whole("FailedOperation.TemplateIdNotExist"), "not a template of this account", providers.ErrTemplate},
		"a sub-account":      {whole("FailedOperation.ProhibitSubAccountUse"), "lack a permission", providers.ErrPermission},
		"a personal account": {whole("FailedOperation.NotEnterpriseCertification"), "lack a permission", providers.ErrPermission},
		"another answer":     {`{"Response":{}}`, "cannot be read", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, got, params := vendor(t, row.body)
			err := client.CheckTemplates(t.Context())
			if row.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), row.want) || row.cause != nil && !errors.Is(err, row.cause) {
				t.Errorf("got %v, want %q", err, row.want)
			}
			if diff := cmp.Diff(map[string]any{"International": 0.0, "TemplateIdSet": []any{1110.0}}, params); diff != "" ||
				got.Header.Get("X-TC-Action") != "DescribeSmsTemplateList" {
				t.Errorf("asked %s (-want +got):\n%s", got.Header.Get("X-TC-Action"), diff)
			}
		})
	}
}

// TestClient_CheckTemplates_abroad: the vendor keeps the templates of the two kinds in two lists.
func TestClient_CheckTemplates_abroad(t *testing.T) {
	t.Parallel()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var list struct {
			International int
			TemplateIDSet []int `json:"TemplateIdSet"`
		}
		if err := json.NewDecoder(r.Body).Decode(&list); err != nil || len(list.TemplateIDSet) != 1 {
			t.Errorf("asked for %+v, %v", list, err)
			return
		}
		asked = append(asked, fmt.Sprint(list.International, list.TemplateIDSet[0]))
		fmt.Fprintf(w, `{"Response":{"DescribeTemplateStatusSet":[{"TemplateId":%d,"StatusCode":%d}]}}`, list.TemplateIDSet[0], list.International)
	}))
	defer server.Close()
	cfg := settings(server.URL)
	cfg.TemplateAbroad = "852"
	client, err := tencent.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.HTTP.CloseIdleConnections()
	err = client.CheckTemplates(t.Context())
	if !errors.Is(err, providers.ErrTemplate) || !strings.Contains(err.Error(), "852 is still being audited") || strings.Contains(err.Error(), "1110") {
		t.Errorf("got %v", err)
	}
	if want := []string{"0 1110", "1 852"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}
