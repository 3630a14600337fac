package prove_test

import (
	"testing"
	"time"

	"usher/internal/testkit"
)

// stopGrace is USHER_SHUTDOWN_GRACE: a part that was told to end has ended by then.
const stopGrace = 20 * time.Second

func TestRow17_orderly_stops_under_load_lose_nothing(t *testing.T) {
	t.Parallel()
	r := newRow(t, 17, "SIGTERM under load of API and workers")
	rounds := size(1, 20)
	d := newDeployment(t, plan{apis: 2, sms: 2, email: 2, environ: map[string]string{
		"USHER_SHUTDOWN_GRACE": stopGrace.String(), "USHER_WORKER_CONCURRENCY_SMS": "8",
	}})
	d.up()
	slow := map[string]any{"delay_ms": 200} // so that something is in flight at every moment
	d.faults(partVendors, map[string]any{"aliyun": slow})
	d.faults(partMail, map[string]any{"smtp": slow})
	l := newLoad(d, 8)
	var stops, failed int
	var longest time.Duration
	random := chance(17)
	for range rounds {
		for _, kind := range []string{"api", "sms", "email"} {
			kin := d.kin(kind)
			victim := kin[random.IntN(len(kin))]
			l.more(6)
			want := l.done.Load() + 3
			testkit.Eventually(t, patience, func() bool { return l.done.Load() >= want }, "people sign up")
			start := time.Now()
			if err := d.stop(victim); err != nil {
				t.Errorf("%s after SIGTERM: %v", victim, err)
				failed++
			}
			longest = max(longest, time.Since(start))
			stops++
			d.start(victim)
		}
	}
	l.finish()
	d.drain()

	r.tried("%d registrations, %d stops", l.done.Load(), stops)
	r.exactly("exit codes other than 0", failed, 0)
	r.within("exit", longest, stopGrace)
	r.exactly("accounts lost", len(l.missing(d.usernames())), 0)
	r.judge(l.ledger.judge(d.journal.since(0), time.Now()), map[string]int{sms: 0, email: 0})
}
