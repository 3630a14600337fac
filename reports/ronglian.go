package reports

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"usher/messages"
)

// Ronglian is the provider's name.
const Ronglian = "ronglian"

// The values of smsType and of status that matter.
const (
	ronglianUpstream  = "0" // an SMS that a person sent to us
	ronglianDelivered = "0"
)

// ronglianFormat is SMSArrived: a POST with one report in an element Request, in XML or JSON. The answer is XML
// either way.
var ronglianFormat = Format{
	Provider:    Ronglian,
	ContentType: "application/xml; charset=utf-8",
	Accepted:    `<?xml version="1.0" encoding="UTF-8"?><Response><statuscode>000000</statuscode></Response>`,
	Parse:       parseRonglian,
}

// ronglianReport is one report, pushed or pulled.
type ronglianReport struct {
	Action      string `json:"action" xml:"action"`
	SMSType     text   `json:"smsType" xml:"smsType"`
	SID         string `json:"content" xml:"content"` // the smsMessageSid
	RecvTime    text   `json:"recvTime" xml:"recvTime"`
	Status      text   `json:"status" xml:"status"`
	DeliverCode string `json:"deliverCode" xml:"deliverCode"`
	ReqID       string `json:"reqId" xml:"reqId"`
}

// text is a value that the vendor writes as a string or as a bare number.
type text string

// UnmarshalJSON accepts both.
func (t *text) UnmarshalJSON(raw []byte) error {
	var number json.Number // accepts a string with a number too
	if err := json.Unmarshal(raw, &number); err == nil {
		*t = text(number)
		return nil
	}
	return json.Unmarshal(raw, (*string)(t))
}

func parseRonglian(body []byte) (Batch, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	read := readRonglianJSON
	if bytes.HasPrefix(body, []byte("<")) {
		read = readRonglianXML
	}
	entry, err := read(body)
	if err != nil {
		return Batch{}, errBody
	}
	var batch Batch
	batch.add(entry.report())
	return batch, nil
}

func readRonglianXML(body []byte) (entry ronglianReport, err error) {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(&entry); err != nil {
		return entry, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return entry, errBody
	}
	return entry, nil
}

// readRonglianJSON accepts the report with and without Request around it.
func readRonglianJSON(body []byte) (ronglianReport, error) {
	var push struct {
		Request *ronglianReport `json:"Request"`
		ronglianReport
	}
	if err := json.Unmarshal(body, &push); err != nil || !bytes.HasPrefix(body, []byte("{")) {
		return ronglianReport{}, errBody
	}
	if push.Request != nil {
		return *push.Request, nil
	}
	return push.ronglianReport, nil
}

// PulledRonglian reads the rows of Ronglian's GetArrived.
func PulledRonglian(rows []json.RawMessage) Batch {
	return parseRows[ronglianReport](rows)
}

// report is false for an SMS that a person sent, and for an entry without a status.
func (r ronglianReport) report() (report Report, ok bool) {
	status, kind := strings.TrimSpace(string(r.Status)), strings.TrimSpace(string(r.SMSType))
	report = Report{
		Provider: Ronglian, MessageID: cleanID(r.ReqID), ProviderID: cleanID(r.SID),
		State: messages.Undelivered, Code: cleanCode(r.DeliverCode), At: timeOf(strings.TrimSpace(string(r.RecvTime))),
	}
	if status == ronglianDelivered {
		report.State = messages.Delivered
	}
	return report, status != "" && kind != ronglianUpstream
}
