package tasks

import (
	"encoding/json"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/trace"

	"usher/queue"
	"usher/secrets"
)

// Enqueuer puts tasks on their queues. It is safe for concurrent use.
type Enqueuer struct {
	Client    *asynq.Client
	Keys      *secrets.Keys
	Namespace queue.Namespace // of the deployment
	SMSShards int             // queues that codes are spread over; 0 and 1 are one
	Clock     Clock
	Tracer    trace.Tracer // nil makes no spans

	Composer *queue.Composer // for [Enqueuer.ComposeCode] only
}

// Register lists which handler works which type. Asynq matches types by prefix, so no name may begin
// with another one; a test checks all of them. A nil handler leaves its types to other workers.
func Register(mux *asynq.ServeMux, sms *SMSCodeHandler, email *EmailHandler, event *EventHandler) {
	if sms != nil {
		mux.Handle(TypeSMSCode, sms)
	}
	if email != nil {
		mux.Handle(TypeEmailActivation, email)
		mux.Handle(TypeEmailNotice, email)
		if email.Codes != nil {
			mux.HandleFunc(TypeEmailCode, email.processCode)
		}
	}
	if event != nil {
		mux.Handle(TypeEventDeliver, event)
	}
}

// Types lists every task type.
func Types() []string {
	return []string{TypeSMSCode, TypeEmailActivation, TypeEmailNotice, TypeEmailCode, TypeEventDeliver}
}

// FormatPayload shows a payload to operators: masked contacts and ids, without the sealed number, which
// must not be copied and cannot be read without the keys, and without fields that a newer release may add. It fits asynqmon's
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
