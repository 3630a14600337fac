package redisstore_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/contact"
	"usher/internal/testkit"
	"usher/limits"
	"usher/secrets"
	"usher/verify"
)

// BenchmarkGate_Admit_limits spends as much as a code costs beside the limits of its number.
func BenchmarkGate_Admit_limits(b *testing.B) {
	gate := setup(b, testkit.Redis(b)).store.Gate()
	spend := func(name limits.Name, subject string) limits.Spend {
		return limits.Spend{Limit: limits.Limit{Name: name, Count: 1 << 40, Period: time.Hour}, Subject: subject}
	}
	spends := []limits.Spend{
		spend(limits.SMSIPHour, "192.0.2.1"), spend(limits.SMSIPDay, "192.0.2.1"), spend(limits.SMSIPHour.Net(), "192.0.2.0/24"),
		spend(limits.SMSPrefix, "1380013"), spend(limits.SMSTotal, limits.Everybody),
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, decision, err := gate.Admit(b.Context(), "", spends); err != nil || !decision.Allowed() {
			b.Fatal(decision, err)
		}
	}
}

// BenchmarkCode_in_Redis sends codes to ever more numbers from ever more addresses, with every default limit, and measures Redis: the
// processor time of the server and of its scripts, the round trips, and the memory that stays.
func BenchmarkCode_in_Redis(b *testing.B) {
	server := testkit.RedisServer(b)
	server.Start(b)
	bundle := setup(b, server.URL())
	if _, err := bundle.store.ProbeAll(b.Context()); err != nil {
		b.Fatal(err)
	}
	sender := newSender(b, bundle)
	sender.send(b, 0) // scripts are sent in full
	before, trips := serverUse(b, server.URL()), bundle.trips.n.Load()
	sent := 0
	for b.Loop() {
		sent++
		sender.send(b, sent)
	}
	after := serverUse(b, server.URL())
	each := func(name, unit string) { b.ReportMetric((after[name]-before[name])/float64(sent), unit) }
	each("cpu", "redis-µs/op")
	each("scripts", "scripts-µs/op")
	each("calls", "scripts/op")
	each("memory", "B-redis/op")
	b.ReportMetric(float64(bundle.trips.n.Load()-trips)/float64(sent), "trips/op")
}

// sender sends codes as the API does.
type sender struct {
	*bundle

	keys *secrets.Keys
	set  limits.Set
}

func newSender(t testing.TB, b *bundle) *sender {
	t.Helper()
	keys, err := secrets.ParseKeys("k1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	if err != nil {
		t.Fatal(err)
	}
	set := limits.Defaults()
	for _, name := range []limits.Name{limits.SMSTotal, limits.SMSBudgetDay, limits.SMSBudgetUnknown, limits.SMSPrefix, limits.SMSConversion} {
		limit := set[name]
		limit.Count = 1 << 30
		set[name] = limit
	}
	return &sender{bundle: b, keys: keys, set: set}
}

func (s *sender) send(t testing.TB, i int) {
	t.Helper()
	ctx := context.Background()
	to, err := contact.ParseMobile(fmt.Sprintf("138%08d", i))
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.AddrFrom4([4]byte{10, byte(i >> 12), byte(i >> 4), byte(i)})
	prefix := to.Prefix()
	spends := slices.Concat(s.set.ByAddress(addr, limits.SMSIPHour, limits.SMSIPDay), []limits.Spend{
		{Limit: s.set[limits.SMSPrefix], Subject: prefix},
		{Limit: s.set[limits.SMSConversion], Subject: prefix},
		{Limit: s.set[limits.SMSTotal], Subject: limits.Everybody},
		{Limit: s.set[limits.SMSBudgetDay], Subject: limits.Everybody},
		{Limit: s.set[limits.SMSBudgetUnknown], Subject: limits.Everybody},
	})
	if _, decision, err := s.store.Gate().Admit(ctx, "", spends); err != nil || !decision.Allowed() {
		t.Fatal(decision, err)
	}
	subject, now := s.keys.Index("mobile", to.Reveal()), time.Now()
	if err := s.store.Codes().Issue(ctx, verify.Issue{
		ID: verify.NewID(subject), Subject: subject, Purpose: verify.Login, KeyID: "k1", MAC: strings.Repeat("m", 43),
		To: "138****8000", RequestID: secrets.Random(16), Sealed: strings.Repeat("s", 60),
		IssuedAt: now, ExpiresAt: now.Add(5 * time.Minute), ResendAfter: time.Minute, MaxAttempts: 5,
	}); err != nil {
		t.Fatal(err)
	}
}

// serverUse reads what a server has used: microseconds of its processor and of scripts, scripts run, and bytes of its data.
func serverUse(t testing.TB, url string) map[string]float64 {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	info, err := client.Info(context.Background(), "cpu", "commandstats", "memory").Result()
	if err != nil {
		t.Fatal(err)
	}
	use := map[string]float64{}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		number, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "used_cpu_sys", "used_cpu_user":
			use["cpu"] += number * 1e6
		case "used_memory_dataset":
			use["memory"] = number
		case "cmdstat_evalsha":
			for pair := range strings.SplitSeq(value, ",") {
				key, text, _ := strings.Cut(pair, "=")
				number, _ := strconv.ParseFloat(text, 64)
				switch key {
				case "calls":
					use["calls"] = number
				case "usec":
					use["scripts"] = number
				}
			}
		}
	}
	return use
}
