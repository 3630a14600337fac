package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"usher/messages"
)

// Aliyun is the provider's name.
const Aliyun = "aliyun"

var errBody = errors.New("body is not what this vendor pushes")

// aliyun is SmsReport: a POST with a JSON array. Aliyun looks for a number in code; after another status
// than 200 it pushes the same again 1, 5 and 10 minutes later.
//
// https://help.aliyun.com/zh/sms/developer-reference/smsreport-2
func aliyun() Format {
	return Format{
		Provider:    Aliyun,
		ContentType: "application/json; charset=utf-8",
		Accepted:    `{"code":0,"msg":"成功"}`,
		Parse:       parseAliyun,
	}
}

// aliyunReport is one entry. The number it names and what the message cost are of no use here.
type aliyunReport struct {
	Success    *bool  `json:"success"`
	ErrCode    string `json:"err_code"`
	BizID      string `json:"biz_id"`
	OutID      string `json:"out_id"`
	ReportTime string `json:"report_time"`
}

// parseAliyun reads entry by entry, so that one that makes no sense costs the others nothing.
func parseAliyun(body []byte) (Batch, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if open, err := decoder.Token(); err != nil || open != json.Delim('[') {
		return Batch{}, errBody
	}
	var batch Batch
	for decoder.More() {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return Batch{}, errBody
		}
		var entry aliyunReport
		err := json.Unmarshal(raw, &entry)
		batch.add(entry.report(), err == nil && entry.Success != nil)
	}
	if _, err := decoder.Token(); err != nil {
		return Batch{}, errBody
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Batch{}, errBody
	}
	return batch, nil
}

func (r aliyunReport) report() Report {
	report := Report{
		Provider: Aliyun, MessageID: cleanID(r.OutID), ProviderID: cleanID(r.BizID),
		State: messages.Undelivered, Code: cleanCode(r.ErrCode), At: timeOf(r.ReportTime),
	}
	switch {
	case report.Code == aliyunWaits:
		report.State = messages.Sent
	case r.Success != nil && *r.Success:
		report.State = messages.Delivered
	}
	return report
}
