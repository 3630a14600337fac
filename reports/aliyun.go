package reports

import (
	"usher/messages"
)

// The names of Aliyun's two providers.
const (
	Aliyun       = "aliyun"
	AliyunVerify = "aliyun_verify"
)

// aliyunFormat is SmsReport of SMS and DypnsSmsVerifyReport of SMS authentication: a POST with a JSON array. Aliyun expects a
// number in code. After another status than 200 it repeats the push 1, 5 and 10 minutes later. SMS authentication waits 700
// milliseconds for the answer.
//
// https://help.aliyun.com/zh/sms/developer-reference/smsreport-2
func aliyunFormat(provider string) Format {
	return Format{
		Provider:    provider,
		ContentType: "application/json; charset=utf-8",
		Accepted:    `{"code":0,"msg":"成功"}`,
		Parse:       func(body []byte) (Batch, error) { return parseAliyun(provider, body) },
	}
}

// aliyunReport is one entry, without the number and the price.
type aliyunReport struct {
	Success    *bool  `json:"success"`
	ErrCode    string `json:"err_code"`
	BizID      string `json:"biz_id"`
	OutID      string `json:"out_id"`
	ReportTime string `json:"report_time"`
}

func parseAliyun(provider string, body []byte) (Batch, error) {
	batch, err := parseArray[aliyunReport](body)
	for i := range batch.Reports {
		batch.Reports[i].Provider = provider
	}
	return batch, err
}

func (r aliyunReport) report() (report Report, ok bool) {
	report = Report{
		MessageID: cleanID(r.OutID), ProviderID: cleanID(r.BizID),
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
