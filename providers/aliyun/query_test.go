package aliyun_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/messages"
	"usher/providers"
	"usher/providers/providertest"
)

// entry is one message as the vendor lists it.
func entry(outID string, status int, code string) string {
	return fmt.Sprintf(`{"PhoneNum":"13800138000","SendStatus":%d,"ErrCode":%q,"TemplateCode":"SMS_1","OutId":%q,`+
		`"Content":"code 739105","SendDate":"2031-05-06 07:08:09"}`, status, code, outID)
}

func listing(entries ...string) string {
	return fmt.Sprintf(`{"Code":"OK","Message":"OK","RequestId":"R-1","TotalCount":"%d","SmsSendDetailDTOs":{"SmsSendDetailDTO":[%s]}}`,
		len(entries), strings.Join(entries, ","))
}

func query(t *testing.T) providers.Query {
	t.Helper()
	sms := providertest.SMS(t)
	return providers.Query{ID: sms.ID, To: sms.To, SentAt: time.Now()}
}

func TestClient_QuerySMS(t *testing.T) {
	t.Parallel()
	const id = "01JD5V6Z8Q-suite_1"
	undelivered := func(kind providers.Kind, code string) providers.QueryResult {
		return providers.QueryResult{State: messages.Undelivered, Refusal: &providers.Error{Provider: "aliyun", Kind: kind, Code: code}}
	}
	providertest.RunQuery(t, providertest.QueryCase{
		Provider: "aliyun",
		New:      func(t testing.TB, endpoint string) providers.Querier { return open(t, endpoint) },
		Secrets:  []string{keyID, keySecret},
		Query:    query(t),
		Answers: map[string]providertest.QueryResult{
			"no message":         {Body: listing()},
			"others only":        {Body: listing(entry("another", 3, "DELIVERED"), entry("", 1, ""))},
			"on its way":         {Body: listing(entry("another", 3, ""), entry(id, 1, "")), QueryResult: providers.QueryResult{State: messages.Sent}},
			"delivered":          {Body: listing(entry(id, 3, "DELIVERED")), QueryResult: providers.QueryResult{State: messages.Delivered}},
			"a status to come":   {Body: listing(entry(id, 4, "")), QueryResult: providers.QueryResult{State: messages.Sent}},
			"undelivered":        {Body: listing(entry(id, 2, "MOBILE_NOT_ON_SERVICE")), QueryResult: undelivered(providers.Rejected, "MOBILE_NOT_ON_SERVICE")},
			"a code of its send": {Body: listing(entry(id, 2, "isp.SYSTEM_ERROR")), QueryResult: undelivered(providers.Rejected, "isp.SYSTEM_ERROR")},
			"limit of the carrier": {
				Body: listing(entry(id, 2, "MOBILE_SEND_LIMIT")), QueryResult: undelivered(providers.RateLimited, "MOBILE_SEND_LIMIT"),
			},
			"sent twice, lost once": {
				Body: listing(entry(id, 2, "IS_CLOSE"), entry(id, 1, "")), QueryResult: providers.QueryResult{State: messages.Sent},
			},
			"a status as text": {
				Body:        strings.Replace(listing(entry(id, 3, "")), `"SendStatus":3`, `"SendStatus":"3"`, 1),
				QueryResult: providers.QueryResult{State: messages.Delivered},
			},
		},
		Refusals: []providertest.Refusal{
			business("isv.INVALID_PARAMETERS", providers.Rejected),
			business("isp.RAM_PERMISSION_DENY", providers.Misconfigured),
			gateway("Throttling.User", http.StatusBadRequest, providers.Temporary),
		},
		Echo: refusal,
	})
}

func TestClient_QuerySMS_request(t *testing.T) {
	t.Parallel()
	var got []map[string]string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		params := flat(r.URL.Query())
		if signature := sign(r.Method, params, keySecret); params["Signature"] != signature {
			t.Errorf("got signature %q, want %q", params["Signature"], signature)
		}
		got = append(got, params)
		fmt.Fprint(w, listing())
	}))
	defer server.Close()
	q := query(t)
	if fate, err := open(t, server.URL).QuerySMS(t.Context(), q); err != nil || fate != (providers.QueryResult{}) {
		t.Fatalf("got %+v, %v", fate, err)
	}
	if len(got) == 0 {
		t.Fatal("no request")
	}
	for _, changing := range []string{"Signature", "SignatureNonce", "Timestamp", "SendDate"} {
		if got[0][changing] == "" {
			t.Errorf("%s is missing", changing)
		}
		delete(got[0], changing)
	}
	want := map[string]string{
		"AccessKeyId": keyID, "Action": "QuerySendDetails", "Format": "JSON", "PhoneNumber": "13800138000",
		"PageSize": "20", "CurrentPage": "1", "RegionId": "cn-hangzhou", "SignatureMethod": "HMAC-SHA1",
		"SignatureType": "", "SignatureVersion": "1.0", "Version": "2017-05-25",
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

// transport answers in this process, so that the clock of a bubble stands still meanwhile.
type transport func(params map[string]string) string

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	fmt.Fprint(recorder, f(flat(r.URL.Query())))
	return recorder.Result(), nil
}

func TestClient_QuerySMS_asks_for_the_days_in_beijing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		age  time.Duration
		want []string
	}{
		{"the same day", time.Minute, []string{"20310507"}},
		{"around midnight", 20 * time.Minute, []string{"20310507", "20310506"}},
		{"long ago", 100 * time.Hour, []string{"20310507", "20310506"}},
		{"a clock that is ahead", -20 * time.Minute, []string{"20310507"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				now := time.Date(2031, 5, 6, 16, 10, 0, 0, time.UTC) // 00:10 in Beijing
				time.Sleep(time.Until(now))                          //nolint:forbidigo // synthetic time
				client := open(t, "https://dysmsapi.aliyuncs.com")
				var days []string
				client.HTTP.Transport = transport(func(params map[string]string) string {
					days = append(days, params["SendDate"])
					return listing()
				})
				q := query(t)
				q.SentAt = now.Add(-test.age)
				if _, err := client.QuerySMS(t.Context(), q); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, days); diff != "" {
					t.Errorf("days (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestClient_QuerySMS_turns_a_bounded_number_of_pages(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		total, position, pages int
		found                  bool
	}{
		"on the second page": {total: 30, position: 25, pages: 2, found: true},
		"on no page":         {total: 30, position: 1000, pages: 2},
		"beyond the last":    {total: 1000, position: 999, pages: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, q, pages := open(t, "https://dysmsapi.aliyuncs.com"), query(t), 0
			q.SentAt = time.Now().Add(time.Hour) // one day only
			client.HTTP.Transport = transport(func(params map[string]string) string {
				pages++
				page, err := strconv.Atoi(params["CurrentPage"])
				if err != nil {
					t.Error(err)
				}
				var entries []string
				for i := (page - 1) * 20; i < min(page*20, row.total); i++ {
					id := "another"
					if i == row.position {
						id = q.ID
					}
					entries = append(entries, entry(id, 1, ""))
				}
				return listing(entries...)
			})
			fate, err := client.QuerySMS(t.Context(), q)
			if err != nil || (fate.State == messages.Sent) != row.found || pages != row.pages {
				t.Errorf("got %+v, %v after %d pages", fate, err, pages)
			}
		})
	}
}
