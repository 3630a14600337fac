package tasks

import "github.com/hibiken/asynq"

// Register lists which handler works which type. Asynq matches types by prefix, so no name may begin
// with another one; a test walks them. A nil handler leaves its types to other workers.
func Register(mux *asynq.ServeMux, sms *SMSCodeHandler, email *EmailHandler) {
	if sms != nil {
		mux.Handle(TypeSMSCode, sms)
	}
	if email != nil {
		mux.Handle(TypeEmailActivation, email)
		mux.Handle(TypeEmailNotice, email)
	}
}

// Types lists every task type.
func Types() []string { return []string{TypeSMSCode, TypeEmailActivation, TypeEmailNotice} }
