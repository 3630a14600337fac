package reports

import (
	"bytes"
	"encoding/json"
	"time"

	"usher/messages"
)

// HTTP is the name of the signed HTTP sender, whose receiver pushes reports in our own form. Each push is signed and has an id.
const HTTP = "http"

// httpReport is one report. Our id is the webhook-id of the send.
type httpReport struct {
	ID         string         `json:"id"`
	State      messages.State `json:"state"` // delivered, undelivered or sent
	ProviderID string         `json:"provider_id"`
	Code       string         `json:"code"`
	At         time.Time      `json:"at"` // RFC 3339; may be missing
}

// ParseHTTP reads one report or an array of them, from a body whose size the caller has bounded. It keeps the promises of
// [Format].Parse.
func ParseHTTP(body []byte) (Batch, error) {
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) && json.Valid(body) {
		return parseRows[httpReport]([]json.RawMessage{body}), nil
	}
	return parseArray[httpReport](body)
}

func (r httpReport) report() (report Report, ok bool) {
	switch r.State {
	case messages.Delivered, messages.Undelivered, messages.Sent:
		ok = true
	default:
	}
	return Report{
		Provider: HTTP, MessageID: cleanID(r.ID), ProviderID: cleanID(r.ProviderID), State: r.State, Code: cleanCode(r.Code), At: r.At,
	}, ok
}
