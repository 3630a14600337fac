package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"usher/app"
	"usher/audit"
	"usher/internal/testkit"
	"usher/messages"
)

// tail starts a tail of an id, and returns what it prints and its end.
func (b *messageBench) tail(t *testing.T, id string) (out *testkit.Buffer, ended <-chan error) {
	t.Helper()
	out = new(testkit.Buffer)
	tail := newTailer(out)
	tail.id, tail.quiet = id, tailEvery
	desk, err := openDesk(t.Context(), app.Process{Environ: b.environ})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(desk.close)
	tail.desk = desk
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	t.Cleanup(cancel)
	follow := tail.one
	if id == "" {
		follow = tail.all
	}
	go func() { done <- tail.run(ctx, app.Process{Stdout: out, Stderr: out}, follow) }()
	return out, done
}

func waitText(t *testing.T, out *testkit.Buffer, text string) {
	t.Helper()
	testkit.Eventually(t, testkit.Patience, func() bool { return strings.Contains(out.String(), text) }, text+" is printed")
}

func TestTail_prints_each_step_when_it_happens_and_ends_with_the_outcome(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		code := b.issue(t)
		out, ended := b.tail(t, code)
		waitText(t, out, "queued")
		claim, err := b.redis.Codes().Claim(t.Context(), code, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		waitText(t, out, "claimed") // known to Redis alone
		outcome := messages.Outcome{State: messages.Sent, Provider: "aliyun", ProviderID: "biz-1", At: time.Now()}
		if err := b.redis.Codes().Record(t.Context(), claim, outcome); err != nil {
			t.Fatal(err)
		}
		waitText(t, out, "accepted")
		select {
		case err := <-ended:
			t.Fatalf("ended before the report: %v\n%s", err, out)
		default:
		}
		if _, err := b.redis.Codes().Use(t.Context(), code); err != nil {
			t.Fatal(err)
		}
		b.save(t)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		told := out.String()
		want(t, told, nil, "138****8000", "code used", "Outcome: #1 register used")
		for _, step := range []string{"queued", "claimed", "accepted", "code used"} {
			if n := strings.Count(told, ": "+step); n > 1 {
				t.Errorf("%q is printed %d times:\n%s", step, n, told)
			}
		}
		if found := testkit.FindSecrets([]byte(told), b.hidden...); found != nil {
			t.Errorf("shows %v", found)
		}
	})
}

func TestTail_without_an_id_prints_what_finishes_now(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		_, _, before := b.signUp(t)
		out, _ := b.tail(t, "")
		code := b.issueTo(t, "13900139000")
		b.attempt(t, code, messages.Outcome{State: messages.Failed, Provider: "aliyun", Code: "isv.OUT_OF_SERVICE"})
		waitText(t, out, code+" sms register 139****9000: failed in attempt 1 by aliyun: isv.OUT_OF_SERVICE")
		if strings.Contains(out.String(), before) {
			t.Errorf("shows what was finished before:\n%s", out)
		}
	})
}

func TestTail_reads_the_person_from_its_input(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		b.signUp(t)
		ctx := audit.With(t.Context(), audit.Cause{Kind: audit.Operator, Actor: "operator"})
		b.environ["USHER_SECRET_KEYS"] = "t1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
		b.environ["USHER_PUBLIC_URL"] = "https://signup.example.com"
		for _, login := range []string{b.mobile.Reveal(), b.email.Reveal(), "lilei_1380"} {
			var out bytes.Buffer
			p := app.Process{Args: []string{"-person", "-json", "-for", "2s"}, Environ: b.environ, Stdout: &out, Stderr: io.Discard}
			if err := tailFrom(ctx, p, strings.NewReader(login+"\n"), false); err != nil {
				t.Fatal(err)
			}
			var events []string
			for line := range strings.Lines(out.String()) {
				var e event
				if err := json.Unmarshal([]byte(line), &e); err != nil {
					t.Fatalf("%v: %s", err, line)
				}
				events = append(events, string(e.Channel)+" "+e.Event)
			}
			if got := strings.Join(events, ", "); !strings.Contains(got, "sms used") || !strings.Contains(got, "email accepted") {
				t.Errorf("by %s: got %s", login, got)
			}
			if found := testkit.FindSecrets(out.Bytes(), b.hidden...); found != nil {
				t.Errorf("shows %v", found)
			}
		}
	})
}

func TestTail_refuses_wrong_flags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"a", "b"}, {"-person", "a"}, {"-for", "0s"}, {"-for", "25h"}, {"-person"}} {
		err := tailFrom(t.Context(), app.Process{Args: args}, strings.NewReader("\n"), false)
		if _, usage := errors.AsType[*app.UsageError](err); !usage {
			t.Errorf("%v: %v, want a usage error", args, err)
		}
	}
}
