package verify_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"usher/contact"
	"usher/secrets"
	"usher/verify"
)

// memory keeps one code in memory. The stores of the service are in store/redisstore and store/sqlstore.
type memory struct {
	verify.Codes // nil: the example needs only the methods below

	code verify.Issue
	used bool
}

func (m *memory) Enqueues() bool { return false }

func (m *memory) Issue(_ context.Context, issue verify.Issue) error {
	m.code = issue
	return nil
}

func (m *memory) Try(context.Context, string, verify.Purpose) (verify.Pending, error) {
	m.code.MaxAttempts--
	return verify.Pending{KeyID: m.code.KeyID, MAC: m.code.MAC, AttemptsLeft: m.code.MaxAttempts, Used: m.used}, nil
}

func (m *memory) Confirm(context.Context, string, verify.Pending) error { return nil }

func (m *memory) Use(context.Context, string) (bool, error) {
	m.used = true
	return true, nil
}

// outbox stands for the queue. It derives the digits as a worker does, which sends them.
type outbox struct {
	keys *secrets.Keys
	sms  string
}

func (o *outbox) EnqueueCode(_ context.Context, q verify.Queued) (err error) {
	o.sms, err = o.keys.Code(secrets.Derivation{
		KeyID: q.KeyID, ID: q.ID, To: q.To.Reveal(), Purpose: string(q.Purpose), Length: q.Length,
	})
	return err
}

// A code is issued, checked while a form is filled in, and spent by the request that needs it.
func Example() {
	ctx := context.Background()
	keys, err := secrets.ParseKeys("k1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	if err != nil {
		fmt.Println(err)
		return
	}
	mobile, err := contact.ParseMobile("+86 138 0013 8000")
	if err != nil {
		fmt.Println(err)
		return
	}
	queue := &outbox{keys: keys}
	service := &verify.Service{
		Codes: &memory{}, Queue: queue, Keys: keys, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		Policy: verify.Policy{CodeLength: 6, CodeTTL: 5 * time.Minute, ResendInterval: time.Minute, MaxAttempts: 5},
	}

	issued, err := service.Issue(ctx, verify.Request{To: mobile, Purpose: verify.Login})
	fmt.Println("to", mobile, "valid for", issued.ExpiresIn, err)

	result, err := service.Check(ctx, mobile, verify.Login, issued.ID, queue.sms)
	fmt.Println("right:", result.Valid, "guesses left:", result.AttemptsLeft, err)

	fmt.Println("spent:", service.Spend(ctx, mobile, verify.Login, issued.ID, queue.sms))
	fmt.Println("spent again:", service.Spend(ctx, mobile, verify.Login, issued.ID, queue.sms))
	// Output:
	// to 138****8000 valid for 5m0s <nil>
	// right: true guesses left: 4 <nil>
	// spent: <nil>
	// spent again: no code is pending, or it has expired: it was used
}
