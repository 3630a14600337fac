package sandbox_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/sandbox"
)

func TestFaults_refusing_ones_keep_nothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault    sandbox.Fault
		status   int
		contains string
	}{
		"business code": {sandbox.Fault{Code: "isp.SYSTEM_ERROR"}, 200, `"Code":"isp.SYSTEM_ERROR"`},
		"gateway code":  {sandbox.Fault{Code: "Throttling.User"}, 400, `"HostId"`},
		"code and status": {
			sandbox.Fault{Code: "ServiceUnavailable", Status: 500},
			500,
			`"Code":"ServiceUnavailable"`,
		},
		"status alone": {sandbox.Fault{Status: 503}, 503, "<html>"},
		"redirect":     {sandbox.Fault{Status: 307}, 307, "<html>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.fault(t, sandbox.Faults{Aliyun: &c.fault})
			params := b.aliyunParams("POST", "SendSms", smsPairs("13800000011", "123456")...)
			status, header, body := b.do(t, b.request(t, "POST", "/aliyun/?"+params.Encode(), ""))
			if status != c.status || !strings.Contains(body, c.contains) {
				t.Errorf("got %d %s, want %d with %s", status, body, c.status, c.contains)
			}
			if (header.Get("Location") != "") != (c.status == 307) {
				t.Errorf("Location: got %q", header.Get("Location"))
			}
			if n := len(b.Messages("")); n != 0 {
				t.Errorf("messages: got %d, want 0", n)
			}
		})
	}
}

func TestFaults_ronglian_code_is_answered_as_the_vendor_does(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fault(t, sandbox.Faults{Ronglian: &sandbox.Fault{Code: "160000"}})
	got := b.sendRonglian(t, b.ronglianJSON("13800000011", ""))
	if got.StatusCode != "160000" || got.StatusMsg == "" || len(b.Messages("")) != 0 {
		t.Errorf("got %+v, kept %d", got, len(b.Messages("")))
	}
}

func TestFaults_lost_answer_keeps_the_message(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fault(t, sandbox.Faults{
		Aliyun: &sandbox.Fault{Reset: true, Count: 1}, Ronglian: &sandbox.Fault{Reset: true, Count: 1},
	})
	params := b.aliyunParams("POST", "SendSms", smsPairs("13800000011", "123456")...)
	if response, err := b.client.Do(b.request(t, "POST", "/aliyun/?"+params.Encode(), "")); err == nil {
		response.Body.Close()
		t.Errorf("aliyun: got an answer")
	}
	ronglian := b.ronglianRequest(t, "TemplateSMS", "json", b.ronglianJSON("13800000012", `,"reqId":"r1"`))
	if response, err := b.client.Do(ronglian); err == nil {
		response.Body.Close()
		t.Errorf("ronglian: got an answer")
	}
	if n := len(b.Messages("")); n != 2 {
		t.Fatalf("messages: got %d, want 2", n)
	}
	// Both vendors can be asked for its outcome.
	if got := b.details(t, "13800000011"); len(got) != 1 || got[0].OutId != "job-1" {
		t.Errorf("aliyun query: got %+v", got)
	}
	if got := b.sendRonglian(t, b.ronglianJSON("13800000012", `,"reqId":"r1"`)); got.StatusCode != "160054" {
		t.Errorf("ronglian repeat: got %s, want 160054", got.StatusCode)
	}
}

func TestFaults_magic_number_loses_the_answer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	params := b.aliyunParams("POST", "SendSms", smsPairs("13800990003", "123456")...)
	if response, err := b.client.Do(b.request(t, "POST", "/aliyun/?"+params.Encode(), "")); err == nil {
		response.Body.Close()
		t.Errorf("got an answer")
	}
	b.only(t)
}

func TestFaults_garbage_keeps_the_message(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fault(t, sandbox.Faults{Ronglian: &sandbox.Fault{Garbage: true}})
	_, _, body := b.do(t, b.ronglianRequest(t, "TemplateSMS", "json", b.ronglianJSON("13800000011", "")))
	if strings.Contains(body, "000000") {
		t.Errorf("got a readable answer %s", body)
	}
	b.only(t)
}

func TestFaults_delay_holds_the_answer_but_keeps_the_message(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fault(t, sandbox.Faults{Aliyun: &sandbox.Fault{DelayMS: 60_000}})
	ctx, cancel := context.WithCancel(t.Context())
	params := b.aliyunParams("POST", "SendSms", smsPairs("13800000011", "123456")...)
	request := b.request(t, "POST", "/aliyun/?"+params.Encode(), "").WithContext(ctx)
	done := make(chan error, 1)
	go func() {
		response, err := b.client.Do(request)
		if err == nil {
			response.Body.Close()
		}
		done <- err
	}()
	waitFor(t, func() bool { return len(b.Messages("")) == 1 })
	select {
	case err := <-done:
		t.Fatalf("answered at once: %v", err)
	default:
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
}

func TestFaults_delay_ends_with_the_server(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fault(t, sandbox.Faults{Aliyun: &sandbox.Fault{DelayMS: 60_000}})
	params := b.aliyunParams("POST", "SendSms", smsPairs("13800000011", "123456")...)
	request := b.request(t, "POST", "/aliyun/?"+params.Encode(), "")
	done := make(chan error, 1)
	go func() {
		response, err := b.client.Do(request)
		if err == nil {
			response.Body.Close()
		}
		done <- err
	}()
	waitFor(t, func() bool { return len(b.Messages("")) == 1 })
	if err := b.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := <-done; err == nil {
		t.Errorf("got an answer from a closed server")
	}
}

func TestFaults_count_and_probability(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	b.fault(t, sandbox.Faults{Aliyun: &sandbox.Fault{Code: "isp.SYSTEM_ERROR", Count: 2}})
	var codes []any
	for range 3 {
		_, got := b.sendAliyun(t, smsPairs("13800000011", "123456")...)
		codes = append(codes, got["Code"])
	}
	if diff := cmp.Diff([]any{"isp.SYSTEM_ERROR", "isp.SYSTEM_ERROR", "OK"}, codes); diff != "" {
		t.Errorf("count (-want +got):\n%s", diff)
	}
	if b.Faults().Aliyun != nil {
		t.Errorf("a spent fault is still shown")
	}
	b.fault(t, sandbox.Faults{Aliyun: &sandbox.Fault{Code: "isp.SYSTEM_ERROR", Probability: 0.5}})
	seen := map[any]int{}
	for range 200 { // all alike by chance: 2^-199
		_, got := b.sendAliyun(t, smsPairs("13800000011", "123456")...)
		seen[got["Code"]]++
	}
	if len(seen) != 2 {
		t.Errorf("probability: got %v, want both outcomes", seen)
	}
}

func TestFaults_undelivered_by_prefix(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited, func(c *sandbox.Config) { c.DeliveryDelay = -1 })
	b.fault(t, sandbox.Faults{Aliyun: &sandbox.Fault{Undelivered: true, Prefixes: []string{"130", "186"}, Count: 2}})
	const delivered, undelivered = 3, 2
	for _, step := range []struct {
		number string
		want   int
	}{
		{"13800000011", delivered},
		{"13000000012", undelivered},
		{"13900000013", delivered},
		{"18600000014", undelivered},
		{"18600000015", delivered}, // the fault is spent
	} {
		if _, got := b.sendAliyun(t, smsPairs(step.number, "123456")...); got["Code"] != "OK" {
			t.Errorf("%s: %v, want it accepted", step.number, got)
		}
		if got := b.details(t, step.number); len(got) != 1 || got[0].SendStatus != step.want {
			t.Errorf("%s: %+v, want status %d", step.number, got, step.want)
		}
	}
	b.fault(t, sandbox.Faults{Aliyun: &sandbox.Fault{Undelivered: true}})
	_, _ = b.sendAliyun(t, smsPairs("13800000016", "123456")...)
	if got := b.details(t, "13800000016"); len(got) != 1 || got[0].SendStatus != undelivered {
		t.Errorf("without prefixes: %+v, want it undelivered", got)
	}
}

func TestFaults_api(t *testing.T) {
	t.Parallel()
	b := setup(t)
	put := func(body string) (int, string) {
		status, _, answer := b.do(t, b.request(t, "PUT", "/api/faults", body))
		return status, answer
	}
	status, body := put(`{"aliyun":{"delay_ms":5,"code":"isp.SYSTEM_ERROR","probability":0.5,"count":3}}`)
	if want := `{"aliyun":{"delay_ms":5,"code":"isp.SYSTEM_ERROR","probability":0.5,"count":3},"aliyun_verify":null,"ronglian":null,"tencent":null,"http":null,"geetest":null,"smtp":null,"reports":null}`; status != 200 || strings.TrimSpace(body) != want {
		t.Errorf("got %d %s, want 200 %s", status, body, want)
	}
	for name, body := range map[string]string{
		"unknown field":     `{"aliyun":{"speed":1}}`,
		"unknown vendor":    `{"huawei":{"reset":true}}`,
		"no effect":         `{"aliyun":{}}`,
		"two effects":       `{"aliyun":{"reset":true,"garbage":true}}`,
		"code of another":   `{"ronglian":{"code":"isp.SYSTEM_ERROR"}}`,
		"success as a code": `{"ronglian":{"code":"000000"}}`,
		"http for smtp":     `{"smtp":{"status":503}}`,
		"status":            `{"aliyun":{"status":200}}`,
		"probability":       `{"aliyun":{"reset":true,"probability":1.5}}`,
		"count":             `{"aliyun":{"reset":true,"count":-1}}`,
		"delay":             `{"aliyun":{"delay_ms":999999999}}`,
		"mail undelivered":  `{"smtp":{"undelivered":true}}`,
		"late undelivered":  `{"aliyun":{"undelivered":true,"delay_ms":5}}`,
		"lost undelivered":  `{"aliyun":{"undelivered":true,"reset":true}}`,
		"prefixes alone":    `{"aliyun":{"prefixes":["130"]}}`,
		"prefixes of reset": `{"aliyun":{"reset":true,"prefixes":["130"]}}`,
		"no prefix":         `{"aliyun":{"undelivered":true,"prefixes":["+852"]}}`,
		"many prefixes":     `{"aliyun":{"undelivered":true,"prefixes":["1"` + strings.Repeat(`,"1"`, 100) + `]}}`,
		"not json":          `reset`,
		"two documents":     `{}{}`,
		"too long":          `{"aliyun":` + strings.Repeat(" ", 20_000) + `null}`,
	} {
		if status, answer := put(body); status != 400 || !strings.Contains(answer, `"error"`) {
			t.Errorf("%s: got %d %s, want 400 with an error", name, status, answer)
		}
	}
	if b.Faults().Aliyun == nil {
		t.Errorf("a refused change ended the fault")
	}
	if status, _ := put(`{}`); status != 200 || b.Faults() != (sandbox.Faults{}) {
		t.Errorf("empty object: got %d, %+v", status, b.Faults())
	}
}

// waitFor waits until a condition holds.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the condition did not come true in time")
		}
	}
}
