package redisstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"usher/contact"
	"usher/internal/testkit"
	"usher/limits"
	"usher/messages"
	"usher/verify"
)

// emailCodeTests check what is different with codes by mail.
var emailCodeTests = behaviours{
	"the spellings of a mailbox share one pause":         emailPause,
	"the spellings of a mailbox share their limits":      emailLimits,
	"a mail taken back gives its units back":             emailVoid,
	"an outcome says that it is of a mail":               emailOutcome,
	"neither address nor code are in Redis":              emailSecrets,
	"a mail's use counts for no provider's score":        emailScore,
	"a code of a number is stored as in former releases": numberFields,
}

func (b *fixture) mail(t *testing.T, text string, standing verify.Standing) (verify.Issued, error) {
	t.Helper()
	email, err := contact.ParseEmail(text)
	if err != nil {
		t.Fatal(err)
	}
	return b.service.Issue(t.Context(), verify.Request{To: email, Purpose: verify.Login, Standing: standing, RequestID: "r1"})
}

func emailPause(t *testing.T, b *fixture) {
	box := numberOf(t.Name())
	if _, err := b.mail(t, box+"@gmail.com", verify.Stranger); err != nil {
		t.Fatal(err)
	}
	for _, spelling := range []string{box + "@gmail.com", "1." + box[1:] + "+x@googlemail.com"} {
		_, err := b.mail(t, spelling, verify.Stranger)
		if limit, ok := errors.AsType[*verify.LimitError](err); !ok || limit.Name != verify.EmailResendLimit || limit.RetryAfter <= 0 {
			t.Errorf("another code at once for %s: %v", spelling, err)
		}
	}
	// A number's pause is not that of any mailbox.
	if _, err := b.service.Issue(t.Context(), verify.Request{To: b.mobile, Purpose: verify.Login}); err != nil {
		t.Error(err)
	}
}

func emailLimits(t *testing.T, b *fixture) {
	box := numberOf(t.Name())
	for _, step := range []struct {
		standing verify.Standing
		codes    int
		refused  limits.Name
	}{
		{verify.Stranger, 3, limits.EmailCodeStrangerHour},
		{verify.Payer, 1, limits.EmailCodeUnknownHour},
		{verify.Known, 1, limits.EmailCodeHour},
	} {
		for i := range step.codes {
			if _, err := b.mail(t, fmt.Sprintf("%s+%d@example.com", box, i), step.standing); err != nil {
				t.Fatalf("standing %d, code %d: %v", step.standing, i, err)
			}
			b.clock.Advance(time.Minute)
		}
		_, err := b.mail(t, box+"@example.com", step.standing)
		if limit, ok := errors.AsType[*verify.LimitError](err); !ok || limit.Name != string(step.refused) {
			t.Errorf("standing %d: %v, want %s", step.standing, err, step.refused)
		}
	}
}

func emailVoid(t *testing.T, b *fixture) {
	address := numberOf(t.Name()) + "@example.com"
	for range 10 { // more than any limit allows in an hour
		b.queue.fail(errors.New("queue is unavailable"))
		if _, err := b.mail(t, address, verify.Stranger); !errors.Is(err, verify.ErrQueue) {
			t.Fatal(err)
		}
	}
	b.queue.fail(nil)
	if _, err := b.mail(t, address, verify.Stranger); err != nil {
		t.Errorf("units or the pause were not given back: %v", err)
	}
}

func emailOutcome(t *testing.T, b *fixture) {
	address := numberOf(t.Name()) + "@example.com"
	issued, err := b.mail(t, address, verify.Stranger)
	if err != nil {
		t.Fatal(err)
	}
	claim := b.claim(t, issued.ID)
	if err := b.codes.Record(t.Context(), claim, messages.Outcome{State: messages.Sent, Provider: "smtp", At: b.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	entries, _, err := b.store.Outcomes().Read(t.Context(), 64_000)
	if err != nil {
		t.Fatal(err)
	}
	states := map[messages.State]int{}
	for _, entry := range entries {
		if entry.Record.ID != issued.ID {
			continue
		}
		states[entry.Record.State]++
		if entry.Err != nil || entry.Record.Channel != messages.Email || entry.Record.To != "1***@example.com" {
			t.Errorf("entry %+v", entry)
		}
	}
	if states[messages.Queued] != 1 || states[messages.Sent] != 1 {
		t.Errorf("entries by state: %v", states)
	}
}

func emailSecrets(t *testing.T, b *fixture) {
	address := numberOf(t.Name()) + "@example.com"
	if _, err := b.mail(t, address, verify.Stranger); err != nil {
		t.Fatal(err)
	}
	queued := b.queue.queued[len(b.queue.queued)-1]
	code, err := b.keys.Code(queued.Derivation())
	if err != nil {
		t.Fatal(err)
	}
	if found := testkit.FindSecrets(testkit.DumpRedis(t, b.client), address, code); len(found) > 0 {
		t.Errorf("Redis has %v", found)
	}
}

func emailScore(t *testing.T, b *fixture) {
	issued, err := b.mail(t, numberOf(t.Name())+"@example.com", verify.Stranger)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.codes.Record(t.Context(), b.claim(t, issued.ID), messages.Outcome{State: messages.Sent, Provider: "smtp", At: b.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	if first, err := b.codes.Use(t.Context(), issued.ID); err != nil || !first {
		t.Fatalf("Use = %v, %v", first, err)
	}
	if keys := b.client.Keys(t.Context(), "*{score:smtp}*").Val(); len(keys) > 0 {
		t.Errorf("scores of a mail server: %v", keys)
	}
}

func numberFields(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	key := b.client.Keys(t.Context(), "*code:"+issued.ID).Val()
	if len(key) != 1 {
		t.Fatalf("keys %v", key)
	}
	if b.client.HExists(t.Context(), key[0], "channel").Val() {
		t.Error("a code by SMS has a channel, which former releases do not write into outcomes")
	}
}
