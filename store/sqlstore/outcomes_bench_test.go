package sqlstore_test

import (
	"fmt"
	"testing"
	"time"

	"usher/internal/testkit"
	"usher/messages"
	"usher/store/sqlstore"
)

// A thousand codes are written down at once, each for the first time.
func BenchmarkOutcomes_Save_of_1000(b *testing.B) {
	url := testkit.Postgres(b)
	if url == "" {
		b.Skip("no postgres on this machine")
	}
	outcomes := sqlstore.NewOutcomes(migrated(b, url), time.Now)
	records := make([]messages.Record, 1000)
	b.ReportAllocs()
	for round := range b.N {
		now := time.Now()
		for i := range records {
			records[i] = messages.Record{
				ID: fmt.Sprintf("%022d%022d", round, i), Revision: 2, Purpose: "register", To: "138****8000", RequestID: "request",
				State: messages.Sent, Attempt: 1, Provider: "aliyun", ProviderID: "900619746936498440^0",
				CreatedAt: now, NotAfter: now.Add(5 * time.Minute), AcceptedAt: now, UpdatedAt: now,
			}
		}
		if err := outcomes.Save(b.Context(), records); err != nil {
			b.Fatal(err)
		}
	}
}
