package tasks

import "github.com/hibiken/asynq"

// Register lists which handler works which type. Asynq matches types by prefix, so no name may begin
// with another one; a test walks them. A nil handler leaves its type to other workers.
func Register(mux *asynq.ServeMux, sms *SMSCodeHandler, activation *EmailActivationHandler) {
	if sms != nil {
		mux.Handle(TypeSMSCode, sms)
	}
	if activation != nil {
		mux.Handle(TypeEmailActivation, activation)
	}
}

// Types lists every task type.
func Types() []string { return []string{TypeSMSCode, TypeEmailActivation} }
