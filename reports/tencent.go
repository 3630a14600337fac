package reports

import (
	"cmp"
	"encoding/json"
	"time"

	"usher/messages"
)

// Tencent is the provider's name.
const Tencent = "tencent"

// tencentFormat is the callback for SMS states: a POST with a JSON array of at most 100 reports. After another answer Tencent
// repeats it twice; its documents give neither the waits nor the time-out.
//
// https://cloud.tencent.com/document/product/382/59178
var tencentFormat = Format{
	Provider:    Tencent,
	ContentType: "application/json; charset=utf-8",
	Accepted:    `{"result":0,"errmsg":"OK"}`,
	Parse:       parseArray[tencentReport],
}

// The values of a report's status.
const (
	tencentDelivered   = "SUCCESS"
	tencentUndelivered = "FAIL"
)

// tencentReport is one pushed entry, without the number. Its time has no zone; it is taken for that of Beijing.
type tencentReport struct {
	SID             string `json:"sid"` // the SerialNo
	Ext             string `json:"ext"` // our SessionContext, for accounts for which support has enabled it
	ReportStatus    string `json:"report_status"`
	ErrMsg          string `json:"errmsg"` // the carrier's code
	UserReceiveTime string `json:"user_receive_time"`
}

func (r tencentReport) report() (Report, bool) {
	return reportOfTencent(r.SID, r.Ext, r.ReportStatus, r.ErrMsg, timeOf(r.UserReceiveTime))
}

// tencentPulled is one entry of PullSmsSendStatus.
type tencentPulled struct {
	SerialNo        string
	SessionContext  string
	ReportStatus    string
	Description     string // the carrier's code, or words
	UserReceiveTime int64  // seconds since 1970
}

// PulledTencent reads the entries of Tencent's PullSmsSendStatus.
func PulledTencent(rows []json.RawMessage) Batch { return parseRows[tencentPulled](rows) }

func (r tencentPulled) report() (Report, bool) {
	var at time.Time
	if r.UserReceiveTime > 0 {
		at = time.Unix(r.UserReceiveTime, 0)
	}
	return reportOfTencent(r.SerialNo, r.SessionContext, r.ReportStatus, r.Description, at)
}

// reportOfTencent names the message by our id, or else by the vendor's, which is a reference to ours.
func reportOfTencent(serial, session, status, code string, at time.Time) (report Report, ok bool) {
	id := cleanID(serial)
	report = Report{
		Provider: Tencent, MessageID: cmp.Or(cleanID(session), id), ProviderID: id,
		State: messages.Undelivered, Code: cleanCode(code), At: at,
	}
	if status == tencentDelivered {
		report.State = messages.Delivered
	}
	return report, status == tencentDelivered || status == tencentUndelivered
}
