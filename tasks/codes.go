package tasks

import (
	"context"
	"errors"
	"time"

	"usher/contact"
	"usher/queue"
	"usher/secrets"
	"usher/verify"
)

// codeTask is the payload of a task that sends a code. Nothing in it opens the code or the recipient.
type codeTask struct {
	ID        string `json:"id"`                 // of the code; see SMSTaskID
	KeyID     string `json:"key_id"`             // key that derives the code
	Purpose   string `json:"purpose"`            // register, login, …
	To        string `json:"to"`                 // masked recipient, for people
	Sealed    string `json:"sealed"`             // the recipient, sealed with type and id
	Length    int    `json:"length"`             // characters of the code
	Alphabet  string `json:"alphabet,omitempty"` // of the code; empty means digits
	ExpiresAt int64  `json:"expires_at"`         // Unix seconds
	Language  string `json:"language,omitempty"` // zh or en; empty means zh

	// Minutes is the whole life of a code by mail, which the mail says.
	Minutes int `json:"minutes,omitempty"`

	App string `json:"app,omitempty"` // name of the app whose code it is; empty for a code of ours
}

// validate refuses what no release of ours has ever queued.
func (p codeTask) validate() error {
	if p.ID == "" || p.Sealed == "" || p.Purpose == "" || p.Length < 4 || p.Length > 8 || p.ExpiresAt <= 0 || secrets.Alphabet(p.Alphabet).Characters() == "" {
		return errors.New("payload lacks a field")
	}
	return nil
}

// payloadAlphabet returns the alphabet as payloads name it. Digits stay unnamed, as in payloads of former releases.
func payloadAlphabet(a secrets.Alphabet) string {
	if a == secrets.Digits {
		return ""
	}
	return string(a)
}

// EnqueueCode puts a code's task on the queue of its channel; it implements [verify.Queue]. See [SMSTaskID] for
// the ids of tasks.
func (e *Enqueuer) EnqueueCode(ctx context.Context, code verify.Queued) error {
	_, err := queue.Enqueue(ctx, e.Client, e.Tracer, e.codeTask(code))
	return err
}

// ComposeCode returns what EnqueueCode sends, for a script that stores the code and enqueues its task in one step.
func (e *Enqueuer) ComposeCode(ctx context.Context, code verify.Queued) (queue.Enqueuing, error) {
	return e.Composer.Compose(ctx, e.Tracer, e.codeTask(code))
}

func (e *Enqueuer) codeTask(code verify.Queued) queue.Task {
	task := queue.Task{ID: SMSTaskID(code.ID, code.Resends), RequestID: code.RequestID, IssuedAt: e.Clock.now()}
	payload := codeTask{
		ID: code.ID, KeyID: code.KeyID, Purpose: string(code.Purpose), To: code.To.String(), Length: code.Length,
		Alphabet: payloadAlphabet(code.Alphabet), ExpiresAt: code.ExpiresAt.Unix(), Language: code.Language,
		App: code.AppName,
	}
	if email, byMail := code.To.(contact.Email); byMail {
		task.Type, task.Queue = TypeEmailCode, e.Namespace.Queue(queue.Email)
		payload.Sealed = verify.SealEmail(e.Keys, code.ID, email)
		payload.Minutes = int(code.ExpiresAt.Sub(task.IssuedAt).Round(time.Minute).Minutes())
	} else {
		task.Type, task.Queue = TypeSMSCode, e.Namespace.Queue(queue.SMSShard(code.ID, e.SMSShards))
		payload.Sealed = e.Keys.Seal(code.To.Reveal(), smsCodeContext(code.ID))
	}
	task.Payload = payload
	return task
}

// queued returns the code of a payload, to derive it for the recipient that it proves.
func (p codeTask) queued(proves verify.Recipient) verify.Queued {
	return verify.Queued{
		ID: p.ID, KeyID: p.KeyID, Purpose: verify.Purpose(p.Purpose), To: proves, Length: p.Length, Alphabet: secrets.Alphabet(p.Alphabet),
		ExpiresAt: time.Unix(p.ExpiresAt, 0),
	}
}
