package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"usher/messages"
)

// signUp is a person who asked for a code, entered it and was sent a mail; it returns the ids of the story.
func (b *messageBench) signUp(t *testing.T) (code, account, mail string) {
	t.Helper()
	code = b.issue(t)
	b.attempt(t, code, messages.Outcome{State: messages.Sent, Provider: "aliyun", ProviderID: "biz-1"})
	if _, err := b.redis.Codes().Use(t.Context(), code); err != nil {
		t.Fatal(err)
	}
	b.save(t)
	who, filed := b.register(t)
	b.end(t, filed.ID, messages.Sent)
	if _, err := b.accounts.Activate(t.Context(), who, "", time.Now(), nil); err != nil {
		t.Fatal(err)
	}
	return code, who.ID, filed.ID
}

func TestTrace_tells_the_same_story_by_every_id(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		code, account, mail := b.signUp(t)
		told := b.must(t, "trace", account)
		want(t, told, nil, account, code, mail, "138****8000", "l***@example.com", "active, address proved",
			"accepted by aliyun: biz-1", "code used", "accepted by smtp")
		for _, id := range []string{code, mail, "request-of-code", "request-of-sign-up"} {
			if again := b.must(t, "trace", id); again != told {
				t.Errorf("by %s:\n%s\nwant\n%s", id, again, told)
			}
		}

		var events []string
		before := time.Time{}
		for line := range strings.Lines(b.must(t, "trace", "-json", code)) {
			var e event
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.At.Before(before) {
				t.Errorf("%v, or out of order: %s", err, line)
			}
			before = e.At
			events = append(events, string(e.Channel)+" "+e.Event)
		}
		got := strings.Join(events, ", ")
		// The account and its mail are of the same moment.
		if got != "sms queued, sms accepted, sms used,  created, email queued, email accepted,  changed" {
			t.Errorf("got %s", got)
		}
	})
}

func TestTrace_tells_of_a_person_without_an_account(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		code := b.issue(t)
		want(t, b.must(t, "trace", code), nil, "No account", code, "queued")
		b.attempt(t, code, messages.Outcome{State: messages.Failed, Provider: "aliyun", Code: "isv.MOBILE_NUMBER_ILLEGAL"})
		want(t, b.must(t, "trace", "request-of-code"), nil, "No account", "failed in attempt 1 by aliyun: isv.MOBILE_NUMBER_ILLEGAL")
		if out, err := b.run(t, "trace", "unknown-id"); err == nil {
			t.Errorf("an unknown id has a story:\n%s", out)
		}
	})
}

func TestTrace_does_without_Redis_and_says_so(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		code, account, _ := b.signUp(t)
		b.environ["USHER_REDIS_URL"] = "redis://127.0.0.1:1/0"
		for _, id := range []string{code, account, "request-of-code"} {
			want(t, b.must(t, "trace", id), nil, code, "code used")
		}
	})
}
