package app_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/internal/testkit"
	"usher/sandbox"
)

// soon is how long a test waits for what takes some seconds.
// routed starts everything with one fault of Aliyun.
func routed(t *testing.T, fault sandbox.Fault, settings map[string]string) *deployment {
	t.Helper()
	d := deploy(t, testkit.Redis(t), testkit.SQLite(t), settings)
	if err := d.sandbox.SetFaults(sandbox.Faults{Aliyun: &fault}); err != nil {
		t.Fatal(err)
	}
	return d
}

// wantMetrics waits until the worker's metrics have all of the lines.
func (d *deployment) wantMetrics(t *testing.T, lines ...string) {
	t.Helper()
	var body []byte
	testkit.Eventually(t, testkit.Patience, func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+d.worker.OpsAddr()+"/metrics", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		if body, err = io.ReadAll(response.Body); err != nil {
			t.Fatal(err)
		}
		return !slices.ContainsFunc(lines, func(line string) bool { return !strings.Contains(string(body), line+"\n") })
	}, "the metrics have "+strings.Join(lines, " and "))
}

func TestRouting_asks_what_became_of_a_lost_answer_instead_of_sending_again(t *testing.T) {
	t.Parallel()
	d := routed(t, sandbox.Fault{Reset: true, Count: 1}, map[string]string{"USHER_SEND_TIMEOUT": "1s"})
	p, mobile := d.person(t), "13800138101"
	id := p.AskCode(mobile, "register")
	d.wantMetrics(t, `usher_messages_attempts_total{channel="sms",provider="aliyun",state="sending"} 1`,
		`usher_messages_attempts_total{channel="sms",provider="aliyun",state="sent"} 1`,
		`usher_routing_total{decision="preferred",provider="aliyun"} 1`,
		`usher_routing_total{decision="asked",provider="aliyun"} 1`)
	testkit.Eventually(t, testkit.Patience, func() bool {
		return p.Do(http.MethodGet, "/v1/sms-codes/"+id, nil).Text("status") != "queued"
	}, "the person is told")
	if got := p.Inbox(mobile); len(got) != 1 {
		t.Errorf("the person got %d messages, want 1", len(got))
	}
	if found := testkit.FindSecrets(d.log.Bytes(), mobile, p.ReadCode(mobile, 1)); len(found) > 0 {
		t.Errorf("the log holds %v", found)
	}
}

func TestRouting_spares_a_provider_whose_account_is_to_be_mended(t *testing.T) {
	t.Parallel()
	d := routed(t, sandbox.Fault{Code: "isv.AMOUNT_NOT_ENOUGH", Count: 1}, nil)
	p := d.person(t)
	for _, mobile := range []string{"13800138102", "13800138103"} {
		p.AskCode(mobile, "register")
		p.ReadCode(mobile, 1)
		if got := d.sandbox.Messages(mobile); len(got) != 1 || got[0].Provider != "ronglian" {
			t.Errorf("the person got %+v, want one message by the other provider", got)
		}
	}
	d.wantMetrics(t, `usher_provider_breaker{provider="aliyun",state="open"} 1`,
		`usher_provider_breaker{provider="aliyun",state="closed"} 0`,
		`usher_provider_breaker{provider="ronglian",state="closed"} 1`,
		`usher_routing_total{decision="misconfigured",provider="aliyun"} 1`,
		`usher_routing_total{decision="breaker_open",provider="aliyun"} 1`,
		`usher_routing_total{decision="failover",provider="ronglian"} 2`)
}

func TestRouting_keeps_to_a_providers_bound_per_second_across_workers(t *testing.T) {
	t.Parallel()
	d := deploy(t, testkit.Redis(t), testkit.SQLite(t), map[string]string{
		"USHER_ALIYUN_QPS": "1", "USHER_LIMITS": "sms_ip_hour=off,sms_prefix=off",
	})
	logger, _ := testkit.Logger(t)
	second := *d
	second.startWorker(t, logger)
	p, providers := d.person(t), map[string]int{}
	start := time.Now()
	const people = 6
	for i := range people {
		p.AskCode("1380013820"+string(rune('0'+i)), "register")
	}
	for i := range people {
		mobile := "1380013820" + string(rune('0'+i))
		p.ReadCode(mobile, 1)
		providers[d.sandbox.Messages(mobile)[0].Provider]++
	}
	took := time.Since(start)
	if most := 2 + int(took/time.Second); providers["aliyun"] > most || providers["aliyun"] < 1 {
		t.Errorf("messages went to %v within %v, want at most %d to the bounded one", providers, took, most)
	}
}
