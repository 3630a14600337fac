package app_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"usher/internal/testkit"
	"usher/sandbox"
)

// A person whose message does not arrive presses once more: the same digits come by the other provider, or where there is only one by
// that one, although it knows the id of the first message; and the reports of both messages are told apart.
func TestSecondWay_sends_the_same_code_by_another_provider(t *testing.T) {
	t.Parallel()
	never := &sandbox.Fault{Undelivered: true}
	once := &sandbox.Fault{Undelivered: true, Count: 1}
	for name, c := range map[string]struct {
		providers string
		faults    sandbox.Faults
		want      []string
	}{
		"aliyun, then tencent": {"aliyun,tencent", sandbox.Faults{Aliyun: never}, []string{"aliyun", "tencent"}},
		"tencent, then http":   {"tencent,http", sandbox.Faults{Tencent: never}, []string{"tencent", "http"}},
		"ronglian alone":       {"ronglian", sandbox.Faults{Ronglian: once}, []string{"ronglian", "ronglian"}},
		"http alone":           {"http", sandbox.Faults{HTTP: once}, []string{"http", "http"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const number = "13800138000"
			d := deploy(t, testkit.Redis(t), testkit.SQLite(t), map[string]string{
				"USHER_SMS_PROVIDERS": c.providers, "USHER_REPORT_SECRET": reportSecret, "USHER_LIMITS": "status_ip=off",
				"USHER_SMS_RESEND_INTERVAL": "1s", "USHER_REPORT_PULL_INTERVAL": "0",
			})
			base := "http://" + d.api.HTTPAddr() + "/v1/reports/"
			if err := d.sandbox.PushReports(sandbox.ReportURLs{
				Aliyun: base + "aliyun/" + reportSecret, Ronglian: base + "ronglian/" + reportSecret,
				Tencent: base + "tencent/" + reportSecret, HTTP: base + "http",
			}); err != nil {
				t.Fatal(err)
			}
			if err := d.sandbox.SetFaults(c.faults); err != nil {
				t.Fatal(err)
			}
			p := d.person(t)
			id := p.AskCode(number, "register")
			wantStatus(t, p, id, "undelivered")
			testkit.Eventually(t, testkit.Patience, func() bool {
				answer := p.Do(http.MethodPost, "/v1/sms-codes/"+id+"/resend", map[string]any{"via": "sms"})
				return answer.Status == http.StatusAccepted
			}, "the pause is over")
			wantStatus(t, p, id, "delivered")
			var sent []string
			codes := map[string]bool{}
			for _, message := range d.sandbox.Messages(number) {
				sent, codes[message.Code] = append(sent, message.Provider), true
			}
			slices.Sort(sent)
			slices.Sort(c.want)
			if !slices.Equal(sent, c.want) || len(codes) != 1 {
				t.Errorf("sent by %v with %d codes, want %v with one", sent, len(codes), c.want)
			}
			if !strings.Contains(d.log.String(), `"decision":"second_way"`) {
				t.Error("no log line tells that the person asked for another way")
			}
			if found := testkit.FindSecrets(d.log.Bytes(), reportSecret, number); len(found) > 0 {
				t.Errorf("the log at debug level shows %q", found)
			}
		})
	}
}
