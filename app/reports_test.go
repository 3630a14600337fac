package app_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"usher/internal/testclient"
	"usher/internal/testkit"
	"usher/sandbox"
)

const reportSecret = "the-secret-of-reports"

// wantStatus waits for the state of a code to be what a waiting person should see.
func wantStatus(t *testing.T, p *testclient.Client, id, want string) {
	t.Helper()
	var last string
	testkit.Eventually(t, testkit.Patience, func() bool {
		last = p.Must(http.StatusOK, http.MethodGet, "/v1/sms-codes/"+id, nil).Text("status")
		return last == want
	}, "status %s, last %s", want, last)
}

// metricsOf returns the metrics of an operations port.
func metricsOf(t *testing.T, addr string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What the carrier said reaches the person, whichever vendor sent and whichever way its report came, and
// although every push comes twice.
func TestReports_reach_the_waiting_person(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings map[string]string
		pushed   bool
	}{
		"aliyun pushes":        {map[string]string{"USHER_SMS_PROVIDERS": "aliyun"}, true},
		"aliyun_verify pushes": {map[string]string{"USHER_SMS_PROVIDERS": "aliyun_verify"}, true},
		"ronglian pushes":      {map[string]string{"USHER_SMS_PROVIDERS": "ronglian", "USHER_REPORT_PULL_INTERVAL": "0"}, true},
		"http pushes":          {map[string]string{"USHER_SMS_PROVIDERS": "http"}, true},
		"ronglian is asked": {map[string]string{
			"USHER_SMS_PROVIDERS": "ronglian", "USHER_REPORT_PULL_INTERVAL": "1s",
		}, false},
		"tencent pushes": {map[string]string{"USHER_SMS_PROVIDERS": "tencent"}, true},
		"tencent is asked": {map[string]string{
			"USHER_SMS_PROVIDERS": "tencent", "USHER_TENCENT_PULL_REPORTS": "true", "USHER_REPORT_PULL_INTERVAL": "1s",
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.settings["USHER_REPORT_SECRET"], c.settings["USHER_LIMITS"] = reportSecret, "status_ip=off"
			d := deploy(t, testkit.Redis(t), testkit.SQLite(t), c.settings)
			counts := d.worker.OpsAddr()
			if c.pushed {
				counts = d.api.OpsAddr()
				base := "http://" + d.api.HTTPAddr() + "/v1/reports/"
				if err := d.sandbox.PushReports(sandbox.ReportURLs{
					Aliyun: base + "aliyun/" + reportSecret, AliyunVerify: base + "aliyun_verify/" + reportSecret, Ronglian: base + "ronglian/" + reportSecret,
					Tencent: base + "tencent/" + reportSecret,
					HTTP:    base + "http",
				}); err != nil {
					t.Fatal(err)
				}
				if err := d.sandbox.SetFaults(sandbox.Faults{Reports: &sandbox.Fault{Double: true}}); err != nil {
					t.Fatal(err)
				}
			}
			p := d.person(t)
			arrives, never := p.AskCode("13800138000", "register"), p.AskCode("13800990001", "register")
			wantStatus(t, p, arrives, "delivered")
			wantStatus(t, p, never, "undelivered")
			provider := c.settings["USHER_SMS_PROVIDERS"]
			for _, want := range []string{
				`usher_reports_total{provider="` + provider + `",state="delivered"} 1`,
				`usher_reports_total{provider="` + provider + `",state="undelivered"} 1`,
				`usher_delivery_seconds_count{provider="` + provider + `"} 1`,
			} {
				// The state is seen a moment before it is counted.
				testkit.Eventually(t, testkit.Patience, func() bool {
					return strings.Contains(metricsOf(t, counts), want)
				}, "metrics lack %s", want)
			}
			if found := testkit.FindSecrets(d.log.Bytes(), reportSecret, "13800138000", "13800990001"); len(found) > 0 {
				t.Errorf("the log at debug level shows %q", found)
			}
		})
	}
}

// SMS authentication cannot be asked for an outcome: a code whose answer was lost waits for its report, and is not sent twice.
func TestReports_settle_a_lost_answer_where_no_query_can(t *testing.T) {
	t.Parallel()
	d := deploy(t, testkit.Redis(t), testkit.SQLite(t), map[string]string{
		"USHER_SMS_PROVIDERS": "aliyun_verify,ronglian", "USHER_REPORT_SECRET": reportSecret, "USHER_LIMITS": "status_ip=off",
		"USHER_SEND_TIMEOUT": "1s",
	})
	address := "http://" + d.api.HTTPAddr() + "/v1/reports/aliyun_verify/" + reportSecret
	lost, late := sandbox.Fault{Reset: true}, sandbox.Fault{DelayMS: 8000} // a claim ends five seconds after its send
	if err := errors.Join(d.sandbox.PushReports(sandbox.ReportURLs{AliyunVerify: address}),
		d.sandbox.SetFaults(sandbox.Faults{AliyunVerify: &lost, Reports: &late})); err != nil {
		t.Fatal(err)
	}
	p := d.person(t)
	arrives, never := p.AskCode("13800138000", "register"), p.AskCode("13800990001", "register")
	wantStatus(t, p, arrives, "delivered")
	wantStatus(t, p, never, "undelivered")
	if !strings.Contains(d.log.String(), `"decision":"awaiting"`) {
		t.Error("no attempt had to wait: the reports came before the claims ended")
	}
	for _, number := range []string{"13800138000", "13800990001"} {
		if got := d.sandbox.Messages(number); len(got) != 1 || got[0].Provider != "aliyun_verify" {
			t.Errorf("got messages %+v, want one", got)
		}
	}
}

// The report is there before the vendor's answer to the send, which comes late.
func TestReports_may_overtake_the_answer(t *testing.T) {
	t.Parallel()
	late := &sandbox.Fault{DelayMS: 4000}
	for provider, faults := range map[string]sandbox.Faults{"aliyun": {Aliyun: late}, "tencent": {Tencent: late}} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			overtakes(t, provider, faults)
		})
	}
}

func overtakes(t *testing.T, provider string, faults sandbox.Faults) {
	t.Helper()
	d := deploy(t, testkit.Miniredis(t), testkit.SQLite(t), map[string]string{
		"USHER_SMS_PROVIDERS": provider, "USHER_REPORT_SECRET": reportSecret, "USHER_LIMITS": "status_ip=off",
	})
	base := "http://" + d.api.HTTPAddr() + "/v1/reports/"
	if err := d.sandbox.PushReports(sandbox.ReportURLs{Aliyun: base + "aliyun/" + reportSecret, Tencent: base + "tencent/" + reportSecret}); err != nil {
		t.Fatal(err)
	}
	if err := d.sandbox.SetFaults(faults); err != nil {
		t.Fatal(err)
	}
	p := d.person(t)
	id := p.AskCode("13800138000", "register")
	wantStatus(t, p, id, "delivered")
	testkit.Eventually(t, testkit.Patience, func() bool {
		return strings.Contains(metricsOf(t, d.worker.OpsAddr()), `usher_tasks_total{result="ok",type="sms:code"} 1`)
	}, "the send ends well")
	wantStatus(t, p, id, "delivered")
	testkit.Eventually(t, testkit.Patience, func() bool {
		return strings.Contains(metricsOf(t, d.worker.OpsAddr()),
			fmt.Sprintf(`usher_provider_recent_messages{carrier="mobile",provider=%q,state="delivered"} 1`, provider))
	}, "the report counts for the provider's score")
	if n := len(d.sandbox.Messages("13800138000")); n != 1 {
		t.Errorf("%d messages", n)
	}
}
