package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	pushInterval  = 50 * time.Millisecond
	pushTimeout   = 5 * time.Second
	verifyTimeout = 700 * time.Millisecond // of SMS authentication, as its documents say
	pushesAtOnce  = 64
	maxPushAnswer = 4 << 10

	// aliyunBatch is how many reports one push carries. The vendor's own number is not known.
	aliyunBatch = 100

	// httpBatch is the same for the receiver of the signed HTTP sender.
	httpBatch = 20
)

// pushRetries is Aliyun's schedule of 1, 5 and 10 minutes, sixty times faster. Those of Ronglian and Tencent are not known and
// assumed to be the same, except that Tencent repeats a push twice only.
func pushRetries() []time.Duration {
	return []time.Duration{time.Second, 5 * time.Second, 10 * time.Second}
}

// ReportURLs are the addresses that delivery reports are pushed to, as they stand in the consoles of the vendors. An empty one
// gets none. They may hold secrets.
type ReportURLs struct {
	Aliyun       string
	AliyunVerify string
	Ronglian     string
	Tencent      string
	HTTP         string
}

// validate returns an error that quotes no address.
func (u ReportURLs) validate() error {
	for _, address := range []string{u.Aliyun, u.AliyunVerify, u.Ronglian, u.Tencent, u.HTTP} {
		parsed, err := url.Parse(address)
		if address != "" && (err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https") {
			return errors.New("want an http or https address to push reports to")
		}
	}
	return nil
}

// targets are the addresses in force.
type targets struct {
	mu   sync.Mutex
	urls ReportURLs
}

// PushReports makes the server push delivery reports to the addresses from now on. Reports that exist already are pushed too. The
// error does not quote an address.
func (s *Server) PushReports(to ReportURLs) error {
	if err := to.validate(); err != nil {
		return err
	}
	s.targets.mu.Lock()
	defer s.targets.mu.Unlock()
	s.targets.urls = to
	return nil
}

// A reportPush is one request to a customer's server.
type reportPush struct {
	vendor      string
	address     string
	contentType string
	body        []byte
	understood  func(answer []byte) bool
	sign        func(http.Header) // of each try; nil: reports are not signed
}

// pushDue pushes each report when it is due, until ctx ends.
func (s *Server) pushDue(ctx context.Context) {
	client := &http.Client{
		Timeout:       pushTimeout,
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	var group errgroup.Group
	group.SetLimit(pushesAtOnce)
	for s.pause(ctx, pushInterval) {
		for _, push := range s.duePushes() {
			group.Go(func() error { s.push(ctx, client, push); return nil })
		}
	}
	_ = group.Wait() // pushes have no error
}

// duePushes takes the reports that are due and have an address. Each is taken once.
func (s *Server) duePushes() []reportPush {
	s.targets.mu.Lock()
	to := s.targets.urls
	s.targets.mu.Unlock()
	var pushes []reportPush
	now, pushed := s.config.Now(), func(r *record) *bool { return &r.pushed }
	for vendor, address := range map[string]string{vendorAliyun: to.Aliyun, vendorAliyunVerify: to.AliyunVerify} {
		for address != "" {
			due := s.mailbox.takeReports(vendor, now, aliyunBatch, pushed)
			if len(due) == 0 {
				break
			}
			pushes = append(pushes, aliyunPush(vendor, address, due))
		}
	}
	for to.Ronglian != "" {
		due := s.mailbox.takeReports(vendorRonglian, now, 1, pushed)
		if len(due) == 0 {
			break
		}
		pushes = append(pushes, ronglianPush(to.Ronglian, due[0]))
	}
	for to.Tencent != "" {
		due := s.mailbox.takeReports(vendorTencent, now, maxTencentReports, pushed)
		if len(due) == 0 {
			break
		}
		pushes = append(pushes, tencentPush(to.Tencent, due))
	}
	for to.HTTP != "" {
		due := s.mailbox.takeReports(vendorHTTP, now, httpBatch, pushed)
		if len(due) == 0 {
			break
		}
		pushes = append(pushes, s.httpPush(to.HTTP, due))
	}
	return pushes
}

// push delivers one request, later or twice when a fault asks for it.
func (s *Server) push(ctx context.Context, client *http.Client, p reportPush) {
	fault, _ := s.faults.draw(faultReports, nil)
	if !s.pause(ctx, fault.delay()) {
		return
	}
	s.deliver(ctx, client, p)
	if fault.Double {
		s.deliver(ctx, client, p)
	}
}

// deliver tries until the customer's server answers as expected, or the schedule ends.
func (s *Server) deliver(ctx context.Context, client *http.Client, p reportPush) {
	waits := s.config.ReportRetries
	if p.vendor == vendorTencent {
		waits = waits[:min(len(waits), tencentRetries)]
	}
	for _, wait := range slices.Concat(waits, []time.Duration{-1}) {
		status, err := p.post(ctx, client)
		if err == nil {
			s.config.Logger.Debug("report pushed", "provider", p.vendor)
			return
		}
		s.config.Logger.Warn("report not accepted: the server did not give the answer that the vendor expects", "provider", p.vendor, "status", status, "last_try", wait < 0)
		if wait < 0 || !s.pause(ctx, wait) {
			return
		}
	}
}

// post sends the request once. The status is 0 without an answer. Errors of the transport quote the address, so they are
// replaced.
func (p reportPush) post(ctx context.Context, client *http.Client) (status int, err error) {
	if p.vendor == vendorAliyunVerify {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, verifyTimeout)
		defer cancel()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.address, bytes.NewReader(p.body))
	if err != nil {
		return 0, errors.New("address is unusable")
	}
	r.Header.Set("Content-Type", p.contentType)
	if p.sign != nil {
		p.sign(r.Header)
	}
	response, err := client.Do(r)
	if err != nil {
		return 0, errors.New("no answer")
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxPushAnswer))
	good := response.StatusCode == http.StatusOK || p.sign != nil && response.StatusCode/100 == 2 // Standard Webhooks: any 2xx
	if err != nil || !good || !p.understood(answer) {
		return response.StatusCode, errors.New("not the expected answer")
	}
	return response.StatusCode, nil
}

// aliyunPushed is one entry of SmsReport, and of DypnsSmsVerifyReport.
type aliyunPushed struct {
	PhoneNumber string `json:"phone_number"`
	SendTime    string `json:"send_time"`
	ReportTime  string `json:"report_time"`
	Success     bool   `json:"success"`
	ErrCode     string `json:"err_code"`
	ErrMsg      string `json:"err_msg"`
	SMSSize     string `json:"sms_size"`
	BizID       string `json:"biz_id"`
	OutID       string `json:"out_id"`
}

func aliyunPush(vendor, address string, due []record) reportPush {
	entries := make([]aliyunPushed, len(due))
	for i, r := range due {
		entries[i] = aliyunPushed{
			PhoneNumber: r.To, Success: true, ErrCode: "DELIVERED", ErrMsg: "用户接收成功",
			SendTime:   r.ReceivedAt.In(beijing).Format(time.DateTime),
			ReportTime: r.reportedAt.In(beijing).Format(time.DateTime),
			SMSSize:    "1", BizID: r.vendorID, OutID: r.reference,
		}
		if r.report == reportsUndelivered {
			entries[i].Success, entries[i].ErrCode, entries[i].ErrMsg = false, "MOBILE_NOT_ON_SERVICE", "关机"
		}
	}
	body, _ := json.Marshal(entries) // plain structs cannot fail
	return reportPush{vendor: vendor, address: address, contentType: typeJSON, body: body, understood: func(answer []byte) bool {
		var taken struct {
			Code *float64 `json:"code"`
		}
		return json.Unmarshal(answer, &taken) == nil && taken.Code != nil && *taken.Code == 0
	}}
}

// ronglianPushed is SMSArrived.
type ronglianPushed struct {
	XMLName    xml.Name `xml:"Request"`
	Action     string   `xml:"action"`
	APIVersion string   `xml:"apiVersion"`
	ronglianReport
}

func ronglianPush(address string, r record) reportPush {
	body, _ := xml.Marshal(ronglianPushed{
		Action: "SMSArrived", APIVersion: "2013-12-26", ronglianReport: ronglianReportOf(&r),
	})
	return reportPush{vendor: vendorRonglian, address: address, contentType: typeXML, body: append([]byte(xml.Header), body...), understood: func(answer []byte) bool {
		var taken struct {
			StatusCode string `xml:"statuscode"`
		}
		return xml.Unmarshal(answer, &taken) == nil && taken.StatusCode == ronglianOK
	}}
}

const (
	defaultReportCount = 100
	maxReportCount     = 500
)

// ronglianReport is one delivery report.
type ronglianReport struct {
	SMSType     string `json:"smsType" xml:"smsType"`
	Content     string `json:"content" xml:"content"` // the smsMessageSid
	FromNum     string `json:"fromNum" xml:"fromNum"` // the recipient
	DateSent    string `json:"dateSent" xml:"dateSent"`
	RecvTime    string `json:"recvTime" xml:"recvTime"`
	Status      string `json:"status" xml:"status"` // "0" is delivered
	DeliverCode string `json:"deliverCode" xml:"deliverCode"`
	RequestID   string `json:"reqId,omitempty" xml:"reqId,omitempty"`
	SMSCount    string `json:"smsCount" xml:"smsCount"`
}

// ronglianPoll is the body of GetArrived.
type ronglianPoll struct {
	AppID   string      `json:"appId" xml:"appId"`
	SMSType json.Number `json:"smsType" xml:"smsType"` // a number or a string of one
	Count   json.Number `json:"count" xml:"count"`
}

// ronglianReports is the operation GetArrived. It returns each report once.
func (s *Server) ronglianReports(call *ronglianCall) answer {
	var poll ronglianPoll
	if !parseRonglian(call.body, call.xmlBody, &poll) {
		return call.refuse("112616")
	}
	if strings.TrimSpace(poll.AppID) != s.config.Credentials.Ronglian.AppID {
		return call.refuse("111181")
	}
	count := defaultReportCount
	if text := strings.TrimSpace(poll.Count.String()); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil || count < 1 || count > maxReportCount {
			return call.refuse("112329")
		}
	}
	result := ronglianAnswer{StatusCode: ronglianOK}
	if strings.TrimSpace(poll.SMSType.String()) == "0" {
		return call.answer(result) // messages from people, which the sandbox never receives
	}
	for _, r := range s.mailbox.takeReports(vendorRonglian, s.config.Now(), count, func(r *record) *bool { return &r.pulled }) {
		result.Reports = append(result.Reports, ronglianReportOf(&r))
	}
	return call.answer(result)
}

func ronglianReportOf(r *record) ronglianReport {
	report := ronglianReport{
		SMSType: "1", Content: r.vendorID, FromNum: r.To, RequestID: r.reference, SMSCount: "1",
		DateSent: r.ReceivedAt.In(beijing).Format(ronglianTime),
		RecvTime: r.reportedAt.In(beijing).Format(ronglianTime),
		Status:   "0", DeliverCode: "DELIVRD",
	}
	if r.report == reportsUndelivered {
		report.Status, report.DeliverCode = "1", "UNDELIV"
	}
	return report
}
