package redisstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/limits"
	"usher/messages"
	"usher/secrets"
	"usher/verify"
)

// recordTests check the limits of a number's codes, which are in one key.
var recordTests = behaviours{
	"random codes agree with a model":                   recordModel,
	"what an earlier release counted still counts":      recordCountsEarlier,
	"a code of an earlier release is taken back":        recordRefundsEarlier,
	"a record lives as long as its longest limit":       recordLives,
	"a code that is taken back leaves no record":        recordEmpty,
	"a limit with another period counts anew":           recordOtherPeriod,
	"a better standing keeps the windows of strangers":  recordKeepsStrangers,
	"limits of a number that are off are not in record": recordOff,
}

func TestRecords(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, recordTests.on)
}

func TestRecords_where_scripts_must_name_their_keys(t *testing.T) {
	t.Parallel()
	recordTests.on(t, testkit.StrictRedis{}.Before(t, testkit.Redis(t)))
}

// codeAs stores a code of the number, and returns its id and the limit that refuses it.
func (b *fixture) codeAs(t *testing.T, standing verify.Standing) (id string, refused *verify.LimitError) {
	t.Helper()
	now := b.clock.Now()
	issue := verify.Issue{
		ID: verify.NewID(b.subject), Subject: b.subject, Purpose: verify.Login, KeyID: "k1", MAC: "mac", Standing: standing,
		IssuedAt: now, ExpiresAt: now.Add(5 * time.Minute), MaxAttempts: 5,
	}
	err := b.codes.Issue(t.Context(), issue)
	if err != nil && !errors.As(err, &refused) {
		t.Fatal(err)
	}
	return issue.ID, refused
}

// recordModel: for every limit never more than the count in any period, forgotten at most a sixtieth late, and what is taken back
// counts no more.
func recordModel(t *testing.T, b *fixture) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	counted := map[verify.Standing][]limits.Name{
		verify.Known:    {limits.SMSMobileHour, limits.SMSMobileDay},
		verify.Payer:    {limits.SMSMobileHour, limits.SMSMobileDay, limits.SMSUnknownHour, limits.SMSUnknownDay},
		verify.Stranger: {limits.SMSMobileHour, limits.SMSMobileDay, limits.SMSUnknownHour, limits.SMSUnknownDay, limits.SMSStrangerHour, limits.SMSStrangerDay},
	}
	type spent struct {
		id       string
		at       time.Time
		standing verify.Standing
	}
	var sent []spent
	within := func(name limits.Name, span time.Duration) int {
		return testkit.Count(sent, func(s spent) bool {
			return b.clock.Now().Sub(s.at) < span && slices.Contains(counted[s.standing], name)
		})
	}
	for range 300 {
		b.clock.Advance(time.Duration(r.Int64N(int64(20 * time.Minute))).Truncate(time.Millisecond))
		standing := []verify.Standing{verify.Known, verify.Payer, verify.Stranger}[r.IntN(3)]
		id, refused := b.codeAs(t, standing)
		if refused != nil {
			limit := b.store.Rules.Set[limits.Name(refused.Name)]
			if n := within(limit.Name, limit.Period+limit.Period/60+time.Millisecond); n < limit.Count || !slices.Contains(counted[standing], limit.Name) {
				t.Fatalf("%v of %v refused with %d in the last period and a slot", limit, standing, n)
			}
			continue
		}
		sent = append(sent, spent{id, b.clock.Now(), standing})
		for _, name := range counted[standing] {
			if limit := b.store.Rules.Set[name]; within(name, limit.Period) > limit.Count {
				t.Fatalf("%d of %v in one period", within(name, limit.Period), limit)
			}
		}
		if r.IntN(4) == 0 {
			if err := b.codes.Void(t.Context(), messages.SMS, id, ""); err != nil {
				t.Fatal(err)
			}
			sent = sent[:len(sent)-1]
		}
	}
	if len(sent) < 10 {
		t.Errorf("only %d codes", len(sent))
	}
}

// earlier writes a window of the number as releases did before there were records.
func (b *fixture) earlier(t *testing.T, name limits.Name, units int) {
	t.Helper()
	period := b.store.Rules.Set[name].Period.Milliseconds()
	text := fmt.Sprintf("%d %d", units, b.clock.Now().UnixMilli()*60/period)
	key := fmt.Sprintf("usher:{%s}:%s:window:%s:%d", strings.Repeat(b.subject[:1], 2), b.subject, name, period)
	if err := b.client.Set(t.Context(), key, text, 25*time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
}

// recordText returns the key and the text of the number's record.
func (b *fixture) recordText(t *testing.T) (key, text string) {
	t.Helper()
	key = fmt.Sprintf("usher:{%s}:%s:record", strings.Repeat(b.subject[:1], 2), b.subject)
	text, err := b.client.Get(t.Context(), key).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		t.Fatal(err)
	}
	return key, text
}

func recordCountsEarlier(t *testing.T, b *fixture) {
	b.earlier(t, limits.SMSMobileHour, 3)
	b.earlier(t, limits.SMSMobileDay, 9)
	b.earlier(t, limits.SMSStrangerDay, 5)
	b.earlier(t, limits.SMSStrangerHour, 2)
	if _, refused := b.codeAs(t, verify.Known); refused != nil { // the record begins with what strangers have used, too
		t.Fatalf("the tenth of a day: %v", refused)
	}
	if _, refused := b.codeAs(t, verify.Known); refused == nil || refused.Name != string(limits.SMSMobileDay) {
		t.Errorf("the eleventh of a day: %v", refused)
	}
	b.clock.Advance(24*time.Hour + 24*time.Minute + time.Second)
	if _, refused := b.codeAs(t, verify.Stranger); refused != nil {
		t.Errorf("on the next day: %v", refused)
	}
}

func recordRefundsEarlier(t *testing.T, b *fixture) {
	id, _ := b.codeAs(t, verify.Stranger)
	key, _ := b.recordText(t)
	if err := b.client.Del(t.Context(), key).Err(); err != nil { // as if an earlier release had stored the code
		t.Fatal(err)
	}
	for _, name := range []limits.Name{limits.SMSMobileHour, limits.SMSMobileDay, limits.SMSStrangerHour} {
		b.earlier(t, name, b.store.Rules.Set[name].Count)
	}
	if _, refused := b.codeAs(t, verify.Stranger); refused == nil {
		t.Fatal("not refused")
	}
	if err := b.codes.Void(t.Context(), messages.SMS, id, ""); err != nil {
		t.Fatal(err)
	}
	if _, refused := b.codeAs(t, verify.Stranger); refused != nil {
		t.Errorf("its unit did not come back: %v", refused)
	}
	if _, refused := b.codeAs(t, verify.Stranger); refused == nil {
		t.Error("more than its unit came back")
	}
}

func recordLives(t *testing.T, b *fixture) {
	const day = 24*time.Hour + 24*time.Minute
	for range 2 {
		began := time.Now()
		if _, refused := b.codeAs(t, verify.Known); refused != nil {
			t.Fatal(refused)
		}
		key, _ := b.recordText(t)
		if ttl := b.client.PTTL(t.Context(), key).Val(); ttl <= day-time.Since(began) {
			t.Errorf("it lives for %v", ttl)
		}
		b.client.PExpire(t.Context(), key, time.Hour) // as if the first code were a day ago
		b.clock.Advance(10 * time.Second)
	}
}

func recordEmpty(t *testing.T, b *fixture) {
	id, _ := b.codeAs(t, verify.Stranger)
	if _, text := b.recordText(t); strings.Count(text, ";") != 5 {
		t.Errorf("record %q, want six windows", text)
	}
	for range 2 { // the second time there is no code
		if err := b.codes.Void(t.Context(), messages.SMS, id, ""); err != nil {
			t.Fatal(err)
		}
		if _, text := b.recordText(t); text != "" {
			t.Errorf("record %q is left", text)
		}
	}
}

func recordOtherPeriod(t *testing.T, b *fixture) {
	only := func(period time.Duration) {
		b.store.Rules.Set = limits.Set{limits.SMSMobileHour: {Name: limits.SMSMobileHour, Count: 1, Period: period}}
	}
	for _, period := range []time.Duration{time.Hour, 2 * time.Hour} {
		only(period)
		if _, refused := b.codeAs(t, verify.Stranger); refused != nil {
			t.Errorf("the first in %v: %v", period, refused)
		}
	}
	only(time.Hour)
	if _, refused := b.codeAs(t, verify.Stranger); refused == nil {
		t.Error("the window of the first period was forgotten")
	}
}

func recordKeepsStrangers(t *testing.T, b *fixture) {
	for range 3 {
		if _, refused := b.codeAs(t, verify.Stranger); refused != nil {
			t.Fatal(refused)
		}
	}
	for _, standing := range []verify.Standing{verify.Payer, verify.Known} {
		if _, refused := b.codeAs(t, verify.Stranger); refused == nil {
			t.Error("a fourth code of strangers in an hour")
		}
		if _, refused := b.codeAs(t, standing); refused != nil {
			t.Errorf("standing %d: %v", standing, refused)
		}
	}
}

func recordOff(t *testing.T, b *fixture) {
	b.unlimited()
	for range 20 {
		if _, refused := b.codeAs(t, verify.Stranger); refused != nil {
			t.Fatal(refused)
		}
	}
	if _, text := b.recordText(t); text != "" {
		t.Errorf("record %q without limits", text)
	}
}

// The script of the previous release and today's spend the same windows: neither grants what the other has spent.
func TestLimits_are_shared_with_the_previous_release(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/limit_spend_previous.lua")
	if err != nil {
		t.Fatal(err)
	}
	testkit.EachRedis(t, func(t *testing.T, url string) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 3))
		b, previous := newFixture(t, url), redis.NewScript(string(text))
		b.probe(t)
		spend := on(t, secrets.Random(8), "budget", 7, time.Hour)
		subject := b.keys.Index("limit", spend.Subject)
		keys := []string{fmt.Sprintf("usher:{%s}:%s:window:budget:3600000", strings.Repeat(subject[:1], 2), subject)}
		var granted []time.Time
		within := func(span time.Duration) int {
			return testkit.Count(granted, func(at time.Time) bool { return b.clock.Now().Sub(at) < span })
		}
		for range 400 {
			b.clock.Advance(time.Duration(r.Int64N(int64(8 * time.Minute))).Truncate(time.Millisecond))
			var isGranted bool
			by := r.IntN(2)
			if by == 0 {
				isGranted = b.spend(t, spend).Allowed()
			} else {
				reply, err := previous.Run(t.Context(), b.client, keys, b.clock.Now().UnixMilli(), false, 0, 1, 7, 3_600_000).Int64Slice()
				if err != nil {
					t.Fatal(err)
				}
				isGranted = reply[0] == 0
			}
			switch {
			case isGranted:
				granted = append(granted, b.clock.Now())
				if n := within(time.Hour); n > 7 {
					t.Fatalf("%d granted in one period, the last by %d", n, by)
				}
			case within(time.Hour+time.Minute+time.Millisecond) < 7:
				t.Fatalf("refused by %d although units are left", by)
			}
			if isGranted && r.IntN(5) == 0 {
				if err := b.store.Gate().Refund(t.Context(), []limits.Spend{spend}); err != nil {
					t.Fatal(err)
				}
				granted = granted[:len(granted)-1]
			}
		}
	})
}
