package redisstore_test

import (
	"testing"
	"time"

	"usher/internal/testkit"
	"usher/limits"
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
