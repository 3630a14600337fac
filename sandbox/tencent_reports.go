package sandbox

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

const (
	maxTencentReports = 100 // in one answer and in one push
	tencentHistory    = 7 * 24 * time.Hour

	// tencentRetries is how often a push is repeated that was not accepted. The vendor's waits are not known.
	tencentRetries = 2
)

// tencentReport is one entry of the answers to queries.
type tencentReport struct {
	UserReceiveTime  int64
	CountryCode      string
	SubscriberNumber string
	PhoneNumber      string
	SerialNo         string
	ReportStatus     string
	Description      string
	SessionContext   *string // null: support enables it for single accounts
}

// The values of a report.
const (
	tencentDelivered   = "SUCCESS"
	tencentUndelivered = "FAIL"
)

func tencentReportOf(r *record) tencentReport {
	country, subscriber := splitNumber(r.To)
	report := tencentReport{
		UserReceiveTime: r.reportedAt.Unix(), CountryCode: country, SubscriberNumber: subscriber, PhoneNumber: "+" + country + subscriber,
		SerialNo: r.vendorID, ReportStatus: tencentDelivered, Description: "DELIVRD",
	}
	if r.report == reportsUndelivered {
		report.ReportStatus, report.Description = tencentUndelivered, "UNDELIV"
	}
	return report
}

// splitNumber returns the country code and the rest of a number in normal form. Of numbers abroad it knows the codes of three
// digits that the mainland's neighbours have, and takes one digit of others.
func splitNumber(number string) (country, subscriber string) {
	if mainland(number) {
		return "86", number
	}
	for _, code := range []string{"852", "853", "886"} {
		if rest, ok := strings.CutPrefix(number, code); ok {
			return code, rest
		}
	}
	return number[:1], number[1:]
}

func (c *tencentCall) answerReports(found []record) answer {
	reports := make([]tencentReport, len(found))
	for i := range found {
		reports[i] = tencentReportOf(&found[i])
	}
	return c.answer(struct {
		PullSmsSendStatusSet []tencentReport
		RequestID            string `json:"RequestId"`
	}{reports, c.requestID})
}

// tencentQuery is the body of PullSmsSendStatusByPhoneNumber.
type tencentQuery struct {
	BeginTime, EndTime, Offset, Limit int64
	PhoneNumber                       string
	SDKAppID                          string `json:"SmsSdkAppId"`
}

// period is the queried one. Without an end it ends now.
func (q tencentQuery) period(now time.Time) (begin, end time.Time) {
	if q.EndTime != 0 {
		now = time.Unix(q.EndTime, 0)
	}
	return time.Unix(q.BeginTime, 0), now
}

// wrong returns what is wrong with the query, or "".
func (q tencentQuery) wrong(now time.Time) string {
	begin, end := q.period(now)
	switch {
	case !dialable(normalNumber(q.PhoneNumber)):
		return "IncorrectPhoneNumber"
	case q.BeginTime <= 0 || now.Sub(begin) > tencentHistory:
		return "BeginTimeVerifyFail"
	case q.EndTime < 0 || end.Before(begin):
		return "EndTimeVerifyFail"
	case q.Offset != 0:
		return "OffsetVerifyFail"
	case q.Limit < 1 || q.Limit > maxTencentReports:
		return "LimitVerifyFail"
	}
	return ""
}

// tencentByNumber is the action PullSmsSendStatusByPhoneNumber: the reports of the messages to one number that were sent in a
// period, newest first. A message without a report is not listed.
func (s *Server) tencentByNumber(c *tencentCall) answer {
	var query tencentQuery
	refusal, refused := c.read(&query, 5, "BeginTime", "Offset", "Limit", "PhoneNumber", "SmsSdkAppId", "EndTime")
	now := s.config.Now()
	switch {
	case refused:
		return c.refuse(refusal)
	case query.SDKAppID != s.config.Credentials.Tencent.SDKAppID:
		return c.refuse(foreignApp)
	case query.wrong(now) != "":
		return c.refuse(tencentRefusal{"InvalidParameterValue." + query.wrong(now), "a parameter has a wrong value"})
	}
	begin, end := query.period(now)
	found := s.mailbox.choose(func(r *record) bool {
		return r.Provider == vendorTencent && r.To == normalNumber(query.PhoneNumber) && r.reported(now) &&
			!r.ReceivedAt.Before(begin) && r.ReceivedAt.Before(end.Add(time.Second))
	})
	return c.answerReports(found[:min(len(found), int(query.Limit))])
}

// tencentPull is the action PullSmsSendStatus. It returns each report once.
func (s *Server) tencentPull(c *tencentCall) answer {
	var poll struct {
		SDKAppID string `json:"SmsSdkAppId"`
		Limit    int
	}
	refusal, refused := c.read(&poll, 2, "Limit", "SmsSdkAppId")
	switch {
	case refused:
		return c.refuse(refusal)
	case poll.SDKAppID != s.config.Credentials.Tencent.SDKAppID:
		return c.refuse(foreignApp)
	case poll.Limit < 1 || poll.Limit > maxTencentReports:
		return c.refuse(tencentRefusal{"InvalidParameterValue.LimitVerifyFail", "Limit is not from 1 to 100"})
	}
	return c.answerReports(s.mailbox.takeReports(vendorTencent, s.config.Now(), poll.Limit, func(r *record) *bool { return &r.pulled }))
}

// tencentTemplate is one entry of DescribeSmsTemplateList.
type tencentTemplate struct {
	TemplateID      uint64 `json:"TemplateId"`
	International   int
	StatusCode      int
	ReviewReply     string
	TemplateName    string
	CreateTime      int64
	TemplateContent string
}

// tencentTemplates is the action DescribeSmsTemplateList. Every id is an approved template of the account, except those with
// one of the endings that templateStatus knows.
func (s *Server) tencentTemplates(c *tencentCall) answer {
	var query struct {
		International int
		TemplateIDSet []uint64 `json:"TemplateIdSet"`
		Limit, Offset int
	}
	if refusal, refused := c.read(&query, 1, "International", "TemplateIdSet", "Limit", "Offset"); refused {
		return c.refuse(refusal)
	}
	if query.International < 0 || query.International > 1 {
		return c.refuse(tencentRefusal{"InvalidParameterValue.InvalidInternational", "International is neither 0 nor 1"})
	}
	templates := []tencentTemplate{}
	for _, id := range query.TemplateIDSet[:min(len(query.TemplateIDSet), maxTencentReports)] {
		status := map[string]int{templateApproved: 0, templateInAudit: 1, templateRefused: -1}[templateStatus(strconv.FormatUint(id, 10))]
		templates = append(templates, tencentTemplate{
			TemplateID: id, International: query.International, StatusCode: status, TemplateName: "验证码",
			CreateTime: 1_600_000_000, TemplateContent: "您的验证码为：{1}，{2}分钟内有效，请勿泄露于他人！",
		})
	}
	return c.answer(struct {
		DescribeTemplateStatusSet []tencentTemplate
		RequestID                 string `json:"RequestId"`
	}{templates, c.requestID})
}

// tencentPushed is one entry of the callback. It has ext only for accounts for which support has enabled it.
type tencentPushed struct {
	UserReceiveTime string `json:"user_receive_time"`
	NationCode      string `json:"nationcode"`
	Mobile          string `json:"mobile"`
	ReportStatus    string `json:"report_status"`
	ErrMsg          string `json:"errmsg"`
	Description     string `json:"description"`
	SID             string `json:"sid"`
}

func tencentPush(address string, due []record) reportPush {
	entries := make([]tencentPushed, len(due))
	for i := range due {
		report := tencentReportOf(&due[i])
		entries[i] = tencentPushed{
			UserReceiveTime: due[i].reportedAt.In(beijing).Format(time.DateTime),
			NationCode:      report.CountryCode, Mobile: report.SubscriberNumber,
			ReportStatus: report.ReportStatus, ErrMsg: report.Description, Description: "用户短信送达成功", SID: report.SerialNo,
		}
		if report.ReportStatus != tencentDelivered {
			entries[i].Description = "用户短信接收失败"
		}
	}
	body, _ := json.Marshal(entries) // plain structs cannot fail
	return reportPush{vendor: vendorTencent, address: address, contentType: typeJSON, body: body, understood: func(answer []byte) bool {
		var taken struct {
			Result *float64 `json:"result"`
		}
		return json.Unmarshal(answer, &taken) == nil && taken.Result != nil && *taken.Result == 0
	}}
}
