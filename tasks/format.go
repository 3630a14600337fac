package tasks

import "encoding/json"

// FormatPayload shows a payload to operators: masked contacts and ids, without the sealed number, which
// nobody can read and nobody should copy, and without what a newer release may add. It fits asynqmon's
// PayloadFormatterFunc.
func FormatPayload(_ string, payload []byte) string {
	var shown struct {
		ID        string `json:"id,omitempty"`
		KeyID     string `json:"key_id,omitempty"`
		Purpose   string `json:"purpose,omitempty"`
		To        string `json:"to,omitempty"`
		Length    int    `json:"length,omitempty"`
		ExpiresAt int64  `json:"expires_at,omitempty"`
	}
	if err := json.Unmarshal(payload, &shown); err != nil {
		return "(does not decode)"
	}
	text, err := json.Marshal(shown)
	if err != nil {
		return "(does not decode)"
	}
	return string(text)
}
