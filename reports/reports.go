// Package reports reads the delivery reports of vendors and stores their outcomes.
//
// A vendor pushes its reports to the API, or returns them to a worker that asks. Vendors do not sign them; the receiver of the
// signed HTTP sender does. Reports come late, more
// than once, in any order, and even before the answer to the request that sent the message. So a report only sets a state, and
// a repeated or unknown one changes nothing.
//
//	push: body ──[Format.Parse]──▶ [Batch] ──[Service.Take]──▶ [Store]
//	pull: asked by a worker   ────▶ [Batch] ──[Service.Take]──▶ [Store]
package reports

import (
	"encoding/json"
	"errors"
	"time"

	"usher/messages"
)

// Report is the outcome of one accepted message, as the vendor reports it.
type Report struct {
	Provider   string
	MessageID  string         // our id, or the reference that was sent in its place to a vendor with shorter ids
	ProviderID string         // the vendor's own id
	State      messages.State // Delivered, Undelivered, or Sent while the carrier has not answered the vendor
	Code       string         // the vendor's code, bounded and free of personal data; may be empty
	At         time.Time      // by the vendor's clock, to the second; zero when the report has no time
}

// Batch is the content of one request with reports.
type Batch struct {
	Reports []Report
	Skipped int  // entries that are not a report of our message, or cannot be read
	More    bool // the vendor has more reports
}

// parseRows reads each row by itself, so that an unreadable row does not affect the others.
func parseRows[T interface{ report() (Report, bool) }](rows []json.RawMessage) (batch Batch) {
	for _, row := range rows {
		var entry T
		err := json.Unmarshal(row, &entry)
		report, ok := entry.report()
		batch.add(report, ok && err == nil)
	}
	return batch
}

// parseArray reads a body that is a JSON array.
func parseArray[T interface{ report() (Report, bool) }](body []byte) (Batch, error) {
	var rows []json.RawMessage
	if json.Unmarshal(body, &rows) != nil || rows == nil {
		return Batch{}, errBody
	}
	return parseRows[T](rows), nil
}

func (b *Batch) add(report Report, ok bool) {
	if !ok || report.MessageID == "" {
		b.Skipped++
		return
	}
	b.Reports = append(b.Reports, report)
}

// Format is how one vendor pushes reports and which answer it expects.
type Format struct {
	Provider    string
	ContentType string // of the answer
	Accepted    string // the answer after which the vendor does not push the same reports again
	// Parse reads a body, whose size the caller has bounded. It skips entries that it cannot read. The error is for a body
	// of another form, and does not quote it.
	Parse func(body []byte) (Batch, error)
}

// formats are those of the vendors that push reports.
var formats = map[string]Format{
	Aliyun:       aliyunFormat(Aliyun),
	AliyunVerify: aliyunFormat(AliyunVerify),
	Ronglian:     ronglianFormat,
	Tencent:      tencentFormat,
}

// FormatOf returns the format of a provider; ok is false for one that pushes no reports.
func FormatOf(provider string) (format Format, ok bool) {
	format, ok = formats[provider]
	return format, ok
}

// errBody is the error of [Format].Parse.
var errBody = errors.New("body is not what this vendor pushes")

// beijing is the time zone of the vendors' times.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// timeOf reads a vendor's time. It is zero when the text is no time.
func timeOf(text string) time.Time {
	for _, layout := range []string{time.DateTime, "20060102150405"} {
		if at, err := time.ParseInLocation(layout, text, beijing); err == nil {
			return at
		}
	}
	return time.Time{}
}

const (
	maxID     = 64
	maxCode   = 32
	maxDigits = 6 // of a code: more could be a number
)

// cleanID bounds an id and removes characters that could end a key or a line.
func cleanID(text string) string { return messages.Keep(text, maxID, "._-^:") }

// cleanCode bounds a code. It is empty when the code has as many digits as a phone number.
func cleanCode(text string) string {
	code, digits := messages.Keep(text, maxCode, "._-:"), 0
	for i := range len(code) {
		if code[i] >= '0' && code[i] <= '9' {
			digits++
		}
	}
	if digits > maxDigits {
		return ""
	}
	return code
}
