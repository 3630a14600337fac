package sandbox_test

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"usher/sandbox"
)

// customer is a server that reports are pushed to. It refuses the first requests.
type customer struct {
	*httptest.Server
	pushes chan string // bodies, also of those that were refused
	refuse chan int    // statuses of the refusals
	answer string
}

func newCustomer(t *testing.T, answer string, refusals ...int) *customer {
	t.Helper()
	c := &customer{pushes: make(chan string, 100), refuse: make(chan int, len(refusals)), answer: answer}
	for _, status := range refusals {
		c.refuse <- status
	}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.pushes <- r.Header.Get("Content-Type") + " " + string(body)
		select {
		case status := <-c.refuse:
			w.WriteHeader(status)
		default:
			_, _ = io.WriteString(w, c.answer)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *customer) next(t *testing.T) string {
	t.Helper()
	select {
	case push := <-c.pushes:
		return push
	case <-time.After(time.Minute):
		t.Fatal("nothing was pushed")
		return ""
	}
}

// wantNoMore fails when something more is pushed before a report of another message, which is pushed last.
func (b *bundle) wantNoMore(t *testing.T, c *customer, number string) {
	t.Helper()
	b.mustSendAliyun(t, number, "123456")
	if push := c.next(t); !strings.Contains(push, number) {
		t.Errorf("pushed once more: %s", push)
	}
}

func (b *bundle) mustSendRonglian(t *testing.T, number string) {
	t.Helper()
	if got := b.sendRonglian(t, b.ronglianJSON(number, "")); got.StatusCode != "000000" {
		t.Fatalf("got %+v", got)
	}
}

const (
	aliyunTakes   = `{"code":0,"msg":"成功"}`
	ronglianTakes = `<?xml version="1.0"?><Response><statuscode>000000</statuscode></Response>`
)

func pushing(c *sandbox.Config) {
	unlimited(c)
	c.DeliveryDelay = -1
	c.ReportRetries = []time.Duration{time.Millisecond, time.Millisecond}
}

func TestPushes_of_Aliyun_are_arrays(t *testing.T) {
	t.Parallel()
	c := newCustomer(t, aliyunTakes)
	b := setup(t, pushing, func(config *sandbox.Config) { config.Reports.Aliyun = c.URL })
	type entry struct {
		Success bool   `json:"success"`
		ErrCode string `json:"err_code"`
		BizID   string `json:"biz_id"`
		Number  string `json:"phone_number"`
		At      string `json:"report_time"`
	}
	for number, want := range map[string]entry{
		"13800000011": {Success: true, ErrCode: "DELIVERED"},
		"13800990001": {ErrCode: "MOBILE_NOT_ON_SERVICE"},
	} {
		b.mustSendAliyun(t, number, "123456")
		kind, body, _ := strings.Cut(c.next(t), " ")
		entries := decode[[]entry](t, body)
		if !strings.HasPrefix(kind, "application/json") || len(entries) != 1 {
			t.Fatalf("%s %s", kind, body)
		}
		got := entries[0]
		if got.Success != want.Success || got.ErrCode != want.ErrCode || got.Number != number || got.BizID == "" || len(got.At) != 19 {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	b.mustSendAliyun(t, "13800990002", "123456") // never reported
	b.wantNoMore(t, c, "13800000012")
}

func TestPushes_of_Ronglian_are_XML(t *testing.T) {
	t.Parallel()
	c := newCustomer(t, ronglianTakes)
	b := setup(t, pushing)
	b.mustSendRonglian(t, "13800990001")
	if err := b.PushReports(sandbox.ReportURLs{Ronglian: c.URL}); err != nil { // reports that exist already are pushed too
		t.Fatal(err)
	}
	kind, body, _ := strings.Cut(c.next(t), " ")
	var push struct {
		XMLName     xml.Name `xml:"Request"`
		Action      string   `xml:"action"`
		SMSType     string   `xml:"smsType"`
		Status      string   `xml:"status"`
		DeliverCode string   `xml:"deliverCode"`
		Number      string   `xml:"fromNum"`
	}
	if err := xml.Unmarshal([]byte(body), &push); err != nil || !strings.HasPrefix(kind, "application/xml") {
		t.Fatalf("%s %s: %v", kind, body, err)
	}
	if push.Action != "SMSArrived" || push.SMSType != "1" || push.Status != "1" || push.DeliverCode != "UNDELIV" || push.Number != "13800990001" {
		t.Errorf("got %+v", push)
	}
}

func TestPushes_are_repeated_until_taken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		customer *customer
		want     int
	}{
		"taken at the third try":    {newCustomer(t, aliyunTakes, 500, 404), 3},
		"given up after the last":   {newCustomer(t, aliyunTakes, 500, 500, 500), 3},
		"a redirect is no answer":   {newCustomer(t, aliyunTakes, 307), 2},
		"an answer with another":    {newCustomer(t, `{"code":1}`), 3},
		"a text in place of a code": {newCustomer(t, `{"code":"0"}`), 3},
		"an answer that is no JSON": {newCustomer(t, `ok`), 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, pushing, func(config *sandbox.Config) { config.Reports.Aliyun = c.customer.URL })
			b.mustSendAliyun(t, "13800000011", "123456")
			for range c.want {
				if push := c.customer.next(t); !strings.Contains(push, "13800000011") {
					t.Errorf("got %s", push)
				}
			}
			b.wantNoMore(t, c.customer, "13800000012")
		})
	}
}

func TestPushes_late_and_double(t *testing.T) {
	t.Parallel()
	c := newCustomer(t, aliyunTakes)
	b := setup(t, pushing, func(config *sandbox.Config) { config.Reports.Aliyun = c.URL })
	b.fault(t, sandbox.Faults{Reports: &sandbox.Fault{DelayMS: 100, Double: true, Count: 1}})
	start := time.Now()
	b.mustSendAliyun(t, "13800000011", "123456")
	if first, second := c.next(t), c.next(t); first != second || !strings.Contains(first, "13800000011") {
		t.Errorf("got %s, then %s", first, second)
	}
	if took := time.Since(start); took < 100*time.Millisecond {
		t.Errorf("pushed after %v", took)
	}
	b.wantNoMore(t, c, "13800000012")
}

func TestPushes_faults_and_addresses_are_checked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, f := range map[string]sandbox.Faults{
		"double sends":       {Aliyun: &sandbox.Fault{Double: true}},
		"refused reports":    {Reports: &sandbox.Fault{Code: "isp.SYSTEM_ERROR"}},
		"reports of 503":     {Reports: &sandbox.Fault{Status: 503}},
		"garbage reports":    {Reports: &sandbox.Fault{Garbage: true, Double: true}},
		"no effect at all":   {Reports: &sandbox.Fault{}},
		"double probability": {Reports: &sandbox.Fault{Double: true, Probability: 2}},
	} {
		if err := b.SetFaults(f); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, address := range []string{"x", "ftp://127.0.0.1/", "http://", "://", "http://127.0.0.1:x/SECRET"} {
		if err := b.PushReports(sandbox.ReportURLs{Aliyun: address}); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", address, err)
		}
	}
	_, err := sandbox.Open(t.Context(), sandbox.Config{HTTPAddr: "127.0.0.1:0", SMTPAddr: "127.0.0.1:0", Reports: sandbox.ReportURLs{Ronglian: "x"}})
	if err == nil {
		t.Error("a sandbox that pushes nowhere")
	}
}

func TestPushes_log_no_address(t *testing.T) {
	t.Parallel()
	c := newCustomer(t, aliyunTakes, 500)
	var b *bundle
	t.Cleanup(func() { // when no goroutine writes any more
		log := b.log.String()
		if !strings.Contains(log, "report not accepted") || strings.Contains(log, "secret") || strings.Contains(log, "13800000011") {
			t.Errorf("log: %s", log)
		}
	})
	b = setup(t, pushing)
	if err := b.PushReports(sandbox.ReportURLs{Aliyun: c.URL + "/a-secret-path", Ronglian: "http://127.0.0.1:1/a-secret-path"}); err != nil {
		t.Fatal(err)
	}
	b.mustSendRonglian(t, "13800000012")
	b.mustSendAliyun(t, "13800000011", "123456")
	c.next(t)
	c.next(t)
}
