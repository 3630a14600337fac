package prove_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// Every acknowledged code reaches its number although workers are killed while they send, and it goes out
// twice only where a kill found it in flight.
func TestRow02_no_acknowledged_code_is_lost_under_kills(t *testing.T) {
	t.Parallel()
	r := newRow(t, 2, "SMS drain with kill -9 of the worker")
	concurrency := size(50, 100)
	codes := sizeFrom(t, "USHER_PROVE_CODES", 5000, 100_000)
	kills := sizeFrom(t, "USHER_PROVE_KILLS", 3, 20)
	const life = 30 * time.Minute
	d := newDeployment(t, plan{apis: 1, sms: 1, environ: map[string]string{
		"USHER_SMS_CODE_TTL": life.String(), "USHER_SEND_TIMEOUT": size("1s", "8s"),
		"USHER_WORKER_CONCURRENCY_SMS": strconv.Itoa(concurrency),
	}})
	d.up("api1")
	d.faults(partVendors, map[string]any{"aliyun": map[string]any{"delay_ms": 100}})
	l := newLedger()
	acknowledge(t, d.people()[0], l, codes, life)

	random := chance(2)
	d.start("sms1")
	start := time.Now()
	for kill := range kills {
		// Somewhere between a kill and the next, of which every one finds messages in flight.
		share := codes / (kills + 1)
		target := min(kill*share+concurrency+random.IntN(share), codes-2*concurrency)
		testkit.Eventually(t, patience, func() bool { return d.journal.count() >= target }, "the worker is sending")
		d.kill("sms1")
		d.start("sms1")
	}
	until(size(patience/2, 5*patience), func() bool { return len(l.open(d.journal, start)) == 0 }) // else they are lost
	took := time.Since(start)
	d.drain()

	r.tried("%d codes, %d kills, %d at a time", codes, kills, concurrency)
	r.judge(l.judge(d.journal.since(0), time.Now()), map[string]int{sms: kills * concurrency})
	r.note("%.0f codes/s", float64(codes)/took.Seconds())
}

// Codes by mail are claimed like those by SMS, on the queue of mails.
func TestRow02_no_acknowledged_code_by_mail_is_lost_under_kills(t *testing.T) {
	t.Parallel()
	r := newRow(t, 2, "drain of codes by mail with kill -9 of the worker")
	const concurrency, life = 8, 30 * time.Minute
	codes, kills := size(400, 5000), size(3, 10)
	d := newDeployment(t, plan{apis: 1, email: 1, environ: map[string]string{
		"USHER_EMAIL_CODE_TTL": life.String(), "USHER_SEND_TIMEOUT": size("1s", "8s"),
		"USHER_WORKER_CONCURRENCY_EMAIL": strconv.Itoa(concurrency),
	}})
	d.up("api1")
	d.faults(partMail, map[string]any{"smtp": map[string]any{"delay_ms": 50}})
	l := newLedger()
	acknowledgeMails(t, d.people()[0], l, codes, life)

	random := chance(2)
	d.start("email1")
	start := time.Now()
	for kill := range kills {
		share := codes / (kills + 1)
		target := min(kill*share+concurrency+random.IntN(share), codes-2*concurrency)
		testkit.Eventually(t, patience, func() bool { return d.journal.count() >= target }, "the worker is sending")
		d.kill("email1")
		d.start("email1")
	}
	until(size(patience/2, 5*patience), func() bool { return len(l.open(d.journal, start)) == 0 }) // else they are lost
	took := time.Since(start)
	d.drain()

	r.tried("%d codes by mail, %d kills, %d at a time", codes, kills, concurrency)
	r.judge(l.judge(d.journal.since(0), time.Now()), map[string]int{email: kills * concurrency})
	r.note("%.0f codes by mail/s", float64(codes)/took.Seconds())
}

// acknowledge asks for a code for so many numbers, and ends the test unless each is acknowledged.
func acknowledge(t *testing.T, p *testclient.Client, l *ledger, codes int, life time.Duration) {
	t.Helper()
	acknowledgeEach(t, p, l, codes, life, func(i int) (channel, to, path string) {
		return sms, number(int64(i)), "/v1/sms-codes"
	})
}

// acknowledgeMails asks for a code by mail for so many addresses.
func acknowledgeMails(t *testing.T, p *testclient.Client, l *ledger, codes int, life time.Duration) {
	t.Helper()
	acknowledgeEach(t, p, l, codes, life, func(i int) (channel, to, path string) {
		return email, fmt.Sprintf("reader-%d@example.com", i), "/v1/email-codes"
	})
}

func acknowledgeEach(
	t *testing.T, p *testclient.Client, l *ledger, codes int, life time.Duration, ask func(i int) (channel, to, path string),
) {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(32)
	for i := range codes {
		group.Go(func() error {
			channel, to, path := ask(i)
			field := map[string]string{sms: "mobile", email: "email"}[channel]
			l.ask(channel, to)
			var answer testclient.Answer
			var err error
			for range 10 { // a busy machine may refuse; what it refused it has not sent
				answer, err = p.Try(t.Context(), http.MethodPost, path, map[string]any{field: to, "purpose": "register"})
				if err != nil || answer.Status != http.StatusServiceUnavailable {
					break
				}
			}
			if err == nil && answer.Status != http.StatusAccepted {
				err = fmt.Errorf("%s %d: %d %s", field, i, answer.Status, answer.Body)
			}
			if err == nil {
				l.acknowledge(to, life)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}
