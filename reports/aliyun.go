package reports

import (
	"encoding/json"

	"usher/messages"
)

// Aliyun is the provider's name.
const Aliyun = "aliyun"

// aliyunFormat is SmsReport: a POST with a JSON array. Aliyun expects a number in code. After another status than 200 it repeats the
// push 1, 5 and 10 minutes later.
//
// https://help.aliyun.com/zh/sms/developer-reference/smsreport-2
var aliyunFormat = Format{
	Provider:    Aliyun,
	ContentType: "application/json; charset=utf-8",
	Accepted:    `{"code":0,"msg":"成功"}`,
	Parse:       parseAliyun,
}

// aliyunReport is one entry, without the number and the price.
type aliyunReport struct {
	Success    *bool  `json:"success"`
	ErrCode    string `json:"err_code"`
	BizID      string `json:"biz_id"`
	OutID      string `json:"out_id"`
	ReportTime string `json:"report_time"`
}

func parseAliyun(body []byte) (Batch, error) {
	var rows []json.RawMessage
	if json.Unmarshal(body, &rows) != nil || rows == nil {
		return Batch{}, errBody
	}
	return parseRows[aliyunReport](rows), nil
}

func (r aliyunReport) report() (report Report, ok bool) {
	report = Report{
		Provider: Aliyun, MessageID: cleanID(r.OutID), ProviderID: cleanID(r.BizID),
		State: messages.Undelivered, Code: cleanCode(r.ErrCode), At: timeOf(r.ReportTime),
	}
	switch {
	case report.Code == aliyunWaits:
		report.State = messages.Sent
	case r.Success != nil && *r.Success:
		report.State = messages.Delivered
	}
	return report, r.Success != nil
}
