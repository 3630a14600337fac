package sandbox

import (
	"encoding/json"
	"strconv"
	"strings"
)

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

// ronglianReports is the operation GetArrived. Each report is handed out once.
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
		return call.answer(result) // nobody writes back to a sandbox
	}
	for _, r := range s.mailbox.handOut(s.config.Now(), count) {
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
	if r.fate == fateUndelivered {
		report.Status, report.DeliverCode = "1", "UNDELIV"
	}
	return report
}
