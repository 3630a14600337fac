package prove_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
)

// A worker that is stopped while it sends does not hold up its messages, and sends none twice when it continues: the
// other worker asks for their outcome or sends them, and the stopped worker's claims have expired.
func TestRow02_a_frozen_worker_sends_nothing_twice(t *testing.T) {
	t.Parallel()
	r := newRow(t, 2, "worker frozen while it sends, then continued")
	const concurrency, life = 20, 30 * time.Minute
	codes, times := size(300, 3000), size(1, 10)
	d := newDeployment(t, plan{apis: 1, sms: 2, environ: map[string]string{
		"USHER_SMS_CODE_TTL": life.String(), "USHER_SEND_TIMEOUT": "1s", "USHER_SMS_PROVIDERS": "aliyun",
		"USHER_WORKER_CONCURRENCY_SMS": strconv.Itoa(concurrency),
	}})
	d.up("api1")
	d.faults(partVendors, map[string]any{"aliyun": map[string]any{"delay_ms": 100}})
	l := newLedger()
	acknowledge(t, d.people()[0], l, codes, life)

	client := d.redis()
	defer client.Close()
	d.start("sms1", "sms2")
	start := time.Now()
	for i := range times {
		share := codes / times
		testkit.Eventually(t, patience, func() bool { return d.journal.count() >= i*share+concurrency }, "the workers are sending")
		d.freeze("sms1")
		testkit.Eventually(t, patience, func() bool {
			return d.journal.count() >= min((i+1)*share, codes-concurrency) && d.claimed(client) == 0
		}, "the other one has taken over")
		d.thaw("sms1")
	}
	until(patience, func() bool { return len(l.open(d.journal, start)) == 0 })
	d.drain()

	r.tried("%d codes, %d times frozen with %d at a time", codes, times, concurrency)
	r.judge(l.judge(d.journal.since(0), time.Now()), map[string]int{sms: 0})
}

// claimed counts the codes that a worker is sending.
func (d *deployment) claimed(client *redis.Client) (n int) {
	d.t.Helper()
	ctx := d.t.Context()
	keys := client.Scan(ctx, 0, "usher:{*}:*:code:*", 10_000).Iterator()
	for keys.Next(ctx) {
		if client.HGet(ctx, keys.Val(), "state").Val() == "sending" {
			n++
		}
	}
	if err := keys.Err(); err != nil {
		d.t.Fatal(err)
	}
	return n
}
