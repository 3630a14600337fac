package sandbox

import (
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// The values of SendStatus.
	statusWaiting   = 1
	statusFailed    = 2
	statusDelivered = 3

	maxPageSize  = 50
	queryHistory = 30 * 24 * time.Hour
)

// beijing is the time zone of the SMS vendors' dates.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// aliyunDetails is the answer to QuerySendDetails.
type aliyunDetails struct {
	XMLName    xml.Name         `json:"-" xml:"QuerySendDetailsResponse"`
	TotalCount string           `json:"TotalCount,omitempty" xml:"TotalCount,omitempty"`
	Message    string           `json:"Message" xml:"Message"`
	RequestID  string           `json:"RequestId" xml:"RequestId"`
	Details    aliyunDetailList `json:"SmsSendDetailDTOs" xml:"SmsSendDetailDTOs"`
	Code       string           `json:"Code" xml:"Code"`
}

type aliyunDetailList struct {
	Details []aliyunDetail `json:"SmsSendDetailDTO" xml:"SmsSendDetailDTO"`
}

type aliyunDetail struct {
	PhoneNum     string `json:"PhoneNum" xml:"PhoneNum"`
	SendStatus   int    `json:"SendStatus" xml:"SendStatus"`
	ErrCode      string `json:"ErrCode" xml:"ErrCode"`
	TemplateCode string `json:"TemplateCode" xml:"TemplateCode"`
	Content      string `json:"Content" xml:"Content"`
	SendDate     string `json:"SendDate" xml:"SendDate"`
	ReceiveDate  string `json:"ReceiveDate,omitempty" xml:"ReceiveDate,omitempty"`
	OutID        string `json:"OutId,omitempty" xml:"OutId,omitempty"`
}

// aliyunQuery is the action QuerySendDetails: the outcomes of the messages to one number on one day in Beijing, newest first.
func (s *Server) aliyunQuery(c *aliyunCall) answer {
	for _, name := range []string{"PhoneNumber", "SendDate", "PageSize", "CurrentPage"} {
		if c.params.Get(name) == "" {
			return c.refuse(missing(name))
		}
	}
	now := s.config.Now()
	size, sizeErr := strconv.Atoi(c.params.Get("PageSize"))
	page, pageErr := strconv.Atoi(c.params.Get("CurrentPage"))
	day, dayErr := time.ParseInLocation("20060102", c.params.Get("SendDate"), beijing)
	number := normalNumber(c.params.Get("PhoneNumber"))
	switch {
	case !dialable(number):
		return c.refuse(business("isv.MOBILE_NUMBER_ILLEGAL", "非法手机号"))
	case sizeErr != nil, size < 1, size > maxPageSize, pageErr != nil, page < 1, page > 1e6,
		dayErr != nil, now.Sub(day) > queryHistory+24*time.Hour:
		return c.refuse(business("isv.INVALID_PARAMETERS", "参数异常"))
	}
	bizID := c.params.Get("BizId")
	found := s.mailbox.choose(func(r *record) bool {
		return r.Provider == vendorAliyun && r.To == number && (bizID == "" || r.vendorID == bizID) &&
			r.ReceivedAt.In(beijing).Format("20060102") == day.Format("20060102")
	})
	details := aliyunDetails{
		TotalCount: strconv.Itoa(len(found)), Message: "OK", Code: "OK", RequestID: c.requestID,
		Details: aliyunDetailList{Details: []aliyunDetail{}},
	}
	start := min((page-1)*size, len(found))
	for _, r := range found[start:min(start+size, len(found))] {
		details.Details.Details = append(details.Details.Details, aliyunDetailOf(&r, now))
	}
	return c.answer(http.StatusOK, details)
}

func aliyunDetailOf(r *record, now time.Time) aliyunDetail {
	const layout = "2006-01-02 15:04:05"
	d := aliyunDetail{
		PhoneNum: r.To, SendStatus: statusWaiting, TemplateCode: r.template, Content: r.Text,
		SendDate: r.ReceivedAt.In(beijing).Format(layout), OutID: r.reference,
	}
	if !r.reported(now) {
		return d
	}
	d.ReceiveDate = r.reportedAt.In(beijing).Format(layout)
	d.SendStatus, d.ErrCode = statusDelivered, "DELIVERED"
	if r.report == reportsUndelivered {
		d.SendStatus, d.ErrCode = statusFailed, "MOBILE_NOT_ON_SERVICE"
	}
	return d
}

// The values of TemplateStatus, and the endings of template codes that have another one than approved, or texts as variables.
const (
	templateInAudit  = "0"
	templateApproved = "1"
	templateRefused  = "2"

	endsInAudit = "990001"
	endsRefused = "990002"
	endsText    = "990003" // at Tencent: not of the type 验证码
)

func templateStatus(code string) string {
	switch {
	case strings.HasSuffix(code, endsInAudit):
		return templateInAudit
	case strings.HasSuffix(code, endsRefused):
		return templateRefused
	}
	return templateApproved
}

// aliyunTemplateInfo is the answer to GetSmsTemplate, in part.
type aliyunTemplateInfo struct {
	XMLName        xml.Name `json:"-" xml:"GetSmsTemplateResponse"`
	TemplateCode   string   `json:"TemplateCode" xml:"TemplateCode"`
	TemplateStatus string   `json:"TemplateStatus" xml:"TemplateStatus"`
	TemplateType   string   `json:"TemplateType" xml:"TemplateType"`
	Message        string   `json:"Message" xml:"Message"`
	RequestID      string   `json:"RequestId" xml:"RequestId"`
	Code           string   `json:"Code" xml:"Code"`
}

// aliyunTemplate is the action GetSmsTemplate. Every code of the right form is an approved template of the account, except those
// with one of the endings above.
func (s *Server) aliyunTemplate(c *aliyunCall) answer {
	code := c.params.Get("TemplateCode")
	switch {
	case code == "":
		return c.refuse(missing("TemplateCode"))
	case !templateCodePattern.MatchString(code):
		return c.refuse(business("isv.SMS_TEMPLATE_ILLEGAL", "该账号下找不到对应模板"))
	}
	return c.answer(http.StatusOK, aliyunTemplateInfo{
		TemplateCode: code, TemplateStatus: templateStatus(code), TemplateType: "0",
		Message: "OK", RequestID: c.requestID, Code: "OK",
	})
}
