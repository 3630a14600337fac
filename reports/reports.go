// Package reports reads what vendors report about the messages that they accepted, and files it.
//
// A vendor pushes its reports to the API or hands them out to a worker that asks. Neither way is signed;
// reports come late, more than once, in any order, and before the answer to the very request that sent the
// message. So a report only ever sets a state, and a repeated or unknown one changes nothing.
//
//	push: body ──[Format.Parse]──▶ [Batch] ──[Service.Take]──▶ [Store]
//	pull: asked by a worker  ────▶ [Batch] ──[Service.Take]──▶ [Store]
package reports

import (
	"strings"
	"time"

	"usher/messages"
)

// Report is what a vendor says became of one accepted message.
type Report struct {
	Provider   string
	MessageID  string         // our id, or the reference that a vendor with shorter ids was given instead
	ProviderID string         // the vendor's own id
	State      messages.State // Delivered, Undelivered, or Sent while the vendor itself still waits
	Code       string         // the vendor's code, bounded and free of personal data; may be empty
	At         time.Time      // by the vendor's clock, to the second; zero when it did not say
}

// Batch is what one request brought.
type Batch struct {
	Reports []Report
	Skipped int  // entries that are no report of a message of ours, or make no sense
	More    bool // the vendor has more to hand out
}

func (b *Batch) add(report Report, ok bool) {
	if !ok || report.MessageID == "" {
		b.Skipped++
		return
	}
	b.Reports = append(b.Reports, report)
}

// Format is how one vendor pushes reports and what it wants to hear.
type Format struct {
	Provider    string
	ContentType string // of the answer
	Accepted    string // the answer that keeps the vendor from sending the same reports again
	// Parse reads a body, which the caller has bounded. An entry that makes no sense is skipped; the
	// error, which quotes nothing, is for a body that is not of this form at all.
	Parse func(body []byte) (Batch, error)
}

// FormatOf returns the format of a provider; ok is false for one that pushes nothing.
func FormatOf(provider string) (format Format, ok bool) {
	for _, f := range []Format{aliyun(), ronglian()} {
		if f.Provider == provider {
			return f, true
		}
	}
	return Format{}, false
}

// beijing is the time zone of both vendors' times.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// timeOf reads a vendor's time; what cannot be read counts as not said.
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

// cleanID bounds an id and leaves nothing in it that could end a key or a line.
func cleanID(text string) string { return keep(text, maxID, "._-^") }

// cleanCode bounds a code. One with as many digits as a phone number is not kept at all.
func cleanCode(text string) string {
	code, digits := keep(text, maxCode, "._-:"), 0
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

func keep(text string, length int, punctuation string) string {
	var b strings.Builder
	for i := 0; i < len(text) && b.Len() < length; i++ {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(punctuation, c) >= 0 {
			b.WriteByte(c)
		}
	}
	return b.String()
}
