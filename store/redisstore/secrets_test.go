package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/captcha"
	"usher/captcha/challenge"
	"usher/internal/testkit"
	"usher/limits"
	"usher/messages"
	"usher/verify"
)

// keepsNoSecret stores something of every kind: each key has a time to live, and no key or value contains a number, an
// address, a code or a token in the clear.
func keepsNoSecret(t *testing.T, url string) {
	t.Helper()
	b := newFixture(t, url)
	const address, token = "203.0.113.77", "session-token-of-a-person"
	id := captcha.NewID()
	first := b.issue(t, verify.Register)
	code := b.code(t, first.ID, verify.Register)
	if result, err := b.service.Check(t.Context(), b.mobile, verify.Register, first.ID, code); err != nil || !result.Valid {
		t.Fatalf("Check = %+v, %v", result, err)
	}
	b.record(t, b.claim(t, first.ID), messages.Sent)
	if err := b.service.Spend(t.Context(), b.mobile, verify.Register, first.ID, code); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(time.Minute)
	second := b.issue(t, verify.Login)
	b.record(t, b.claim(t, second.ID), messages.Queued)

	for _, captchaID := range []string{id, captcha.NewID(), captcha.NewID()} {
		if err := b.store.Captchas().Put(t.Context(), captchaID, challenge.Asked{Medium: challenge.Image, Price: challenge.Normal, Answer: "42"}, time.Minute); err != nil {
			t.Fatal(err)
		}
		b.wantPeek(t, captchaID, "42")
	}
	if err := b.store.Captchas().Fail(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	spends := []limits.Spend{{Limit: limits.Defaults()[limits.SMSIPHour], Subject: address}}
	if _, _, err := b.store.Gate().Admit(t.Context(), id, spends); err != nil {
		t.Fatal(err)
	}
	const login, network = "li_lei@example.com", "203.0.113.0/24"
	err := errors.Join(b.store.Gate().Know(t.Context(), time.Hour, network, login), b.store.Gate().Entered(t.Context(), b.mobile))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.store.Sessions().Commit(token, sessionData, b.clock.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}

	const requestKey, requestBody, answer = "the-client's-own-key", "password=battery", "l***@example.com"
	b.keep(t, b.wantBegin(t, "busy body", "begun"), answer)
	run, _, _, err := b.store.Answers().Begin(t.Context(), requestKey, requestBody)
	if err != nil || run == "" {
		t.Fatalf("Begin = %q, %v", run, err)
	}

	unknown := verify.NewID(b.subject)
	if err := errors.Join(b.codes.Restore(t.Context(), unknown), b.codes.Void(t.Context(), messages.SMS, unknown, "")); err != nil {
		t.Fatal(err)
	}

	const reference = "a-vendor's-name-of-a-message"
	if _, err := b.store.Reports().Remember(t.Context(), "ronglian", reference, second.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.Reports().TryLock(t.Context(), reference, time.Minute); err != nil {
		t.Fatal(err)
	}

	const vendorToken = "a-captcha-vendor's-token"
	if _, err := b.store.Captchas().UseToken(t.Context(), vendorToken, time.Minute); err != nil {
		t.Fatal(err)
	}

	dump := dumpRedis(t, b.client)
	secrets := []string{
		b.mobile.Reveal(), code, b.code(t, second.ID, verify.Login), address, login, network, token, id,
		requestKey, requestBody, answer, reference, vendorToken,
	}
	if found := testkit.FindSecrets(dump, secrets...); len(found) > 0 {
		t.Errorf("Redis holds %v in:\n%s", found, dump)
	}
	for _, part := range []string{":code:", ":pause", ":window:", ":captcha", ":token", ":tries", ":networks", ":entered", ":session", ":answer", ":reference", ":turn", ":outcomes"} {
		if !bytes.Contains(dump, []byte(part)) {
			t.Errorf("no %s key was looked at in:\n%s", part, dump)
		}
	}
}

// dumpRedis is [testkit.DumpRedis], and complains of a key without a time to live.
func dumpRedis(t *testing.T, client redis.UniversalClient) []byte {
	t.Helper()
	ctx := context.Background()
	keys := client.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		if ttl := client.PTTL(ctx, keys.Val()).Val(); ttl <= 0 {
			t.Errorf("%s has no time to live", keys.Val())
		}
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	return testkit.DumpRedis(t, client)
}
