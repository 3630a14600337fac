package prove_test

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"usher/internal/testkit"
)

const (
	// sendTimeout is USHER_SEND_TIMEOUT of this row; a time-out is known no sooner.
	sendTimeout = 3 * time.Second
	// shortLife is the shortest life that a code may be given.
	shortLife = time.Minute
	// opens and recovers bound how soon a breaker opens, counted from the first failure that is known, and
	// closes after the provider is back: it rests for half a minute.
	opens    = 5 * time.Second
	recovers = 35 * time.Second
)

// Row 9: a provider that fails in any way gets no more messages within seconds, the other one sends meanwhile, and
// the first gets messages again after it has recovered, without an operator.
func TestRow09_a_provider_that_fails_is_spared_and_comes_back(t *testing.T) {
	t.Parallel()
	r := newRow(t, 9, "provider away, slow, HTML, 10 MB, truncated")
	r.tried("%d each with a code every %v, and codes that end in an outage", outages(), every)
	sum := r.together(t, map[string]trial{
		"away": spareProvider(nil), "10 s answers": spareProvider(saySlowly), "HTML": spareProvider(sayHTML),
		"10 MB": spareProvider(say10MB), "truncated": spareProvider(sayHalf), "ended": outliveCodes,
	})
	r.judge(sum.verdict, map[string]int{sms: sum.counts["unresolved"]})
	r.exactly("sent after their end", sum.counts["late"], 0)
	// In the quick form the rows share the machine with one another, and with the tests of others.
	r.within("breaker open", sum.longest["open"], size(2*opens, opens))
	r.within("breaker closed again", sum.longest["closed"], recovers)
	r.note("%d by the other one meanwhile, %d unresolved", sum.counts["others"], sum.counts["unresolved"])
}

func outages() int { return size(1, 5) }

// every is the pause between two codes that are asked for.
const every = 100 * time.Millisecond

// spareProvider replaces Aliyun's answers, or closes its port, under a steady load.
func spareProvider(spoil spoiler) trial {
	return func(t *testing.T) (result outcome) {
		t.Helper()
		changes := testkit.PatientTimes() // the stores are well
		changes["USHER_SMS_CODE_TTL"], changes["USHER_SEND_TIMEOUT"] = shortLife.String(), sendTimeout.String()
		s := newFaultySetup(t, changes)
		g := s.gated(t, "USHER_ALIYUN_ENDPOINT")
		s.codeLife = shortLife
		api, worker := s.api(t), s.worker(t, sms)
		for range outages() {
			stop, already := s.steadily(t, api), s.journal.count()
			testkit.Eventually(t, patience, func() bool { return s.journal.count() > already+5 }, "codes are sent")
			began := time.Now()
			g.fail(spoil)
			worker.awaitBreaker(t, "open")
			result.lasted("open", time.Since(began))

			before := s.sentBy(t)["ronglian"]
			<-time.After(size(3*time.Second, 30*time.Second)) // the outage
			others := s.sentBy(t)["ronglian"] - before
			if others == 0 {
				t.Error("no other provider sends while the breaker is open")
			}
			result.counted("others", others)

			began = time.Now()
			g.mend(spoil)
			worker.awaitBreaker(t, "closed")
			result.lasted("closed", time.Since(began))
			stop()
			s.allArrived(t)
		}
		result.counted("unresolved", worker.metric(t, unresolvedAttempts))
		result.counted("late", s.late())
		result.verdict = s.verdict()
		return result
	}
}

// unresolvedAttempts is the metric of attempts whose outcome is unknown.
const unresolvedAttempts = `usher_messages_attempts_total{channel="sms",provider="aliyun",state="sending"}`

// awaitBreaker waits until Aliyun's breaker on the worker is in a state.
func (m *member) awaitBreaker(t testing.TB, state string) {
	t.Helper()
	testkit.Eventually(t, patience, func() bool {
		return m.metric(t, fmt.Sprintf(`usher_provider_breaker{provider="aliyun",state=%q}`, state)) == 1
	}, "the breaker is %s", state)
}

// outliveCodes lets codes wait for vendors that are down until every second one has expired. Time is made to pass by
// writing another end into the store.
func outliveCodes(t *testing.T) (result outcome) {
	t.Helper()
	s := newFaultySetup(t, nil)
	g := s.gated(t, "USHER_ALIYUN_ENDPOINT", "USHER_RONGLIAN_ENDPOINT")
	g.away()
	api, worker, client := s.api(t), s.worker(t, sms), s.client(t)
	for i := range crowd {
		mobile, id := s.mustAskCode(t, api)
		if i%2 == 0 {
			continue
		}
		keys, err := client.Keys(t.Context(), "usher:*:code:"+id).Result()
		if err != nil || len(keys) != 1 {
			t.Fatalf("keys of a code: %q, %v", keys, err)
		}
		client.HSet(t.Context(), keys[0], "expires_at", time.Now().Add(-time.Second).UnixMilli())
		s.ledger.acknowledge(mobile, time.Nanosecond)
	}
	testkit.Eventually(t, patience, func() bool {
		return client.ZCard(t.Context(), "asynq:{sms}:retry").Val() > 0
	}, "a worker has tried")
	if err := worker.Stop(syscall.SIGTERM); err != nil { // the breakers of the next one are closed
		t.Errorf("stop a worker: %v", err)
	}
	g.back()
	s.worker(t, sms)
	s.allArrived(t)
	drained(t, client, sms)
	result.counted("late", s.late())
	if result.verdict = s.verdict(); len(result.expired) != crowd/2 {
		t.Errorf("%d codes were over and not sent, want %d", len(result.expired), crowd/2)
	}
	return result
}

// steadily asks for a code again and again until the returned function is called.
func (s *faultySetup) steadily(t testing.TB, api *member) (stop func()) {
	t.Helper()
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-end:
				return
			case <-ticker.C:
			}
			mobile := s.number()
			s.ledger.ask(sms, mobile)
			answer, err := api.post("/v1/sms-codes", "", codeFor(mobile))
			if err != nil || answer.Status != http.StatusAccepted {
				t.Errorf("ask for a code: %d %s, %v", answer.Status, answer.Body, err)
				continue
			}
			s.ledger.acknowledge(mobile, s.codeLife)
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}

// late returns how many messages were sent after their end.
func (s *faultySetup) late() int {
	late := 0
	for _, a := range s.journal.since(0) {
		if s.ledger.over(a.To, a.ReceivedAt) {
			late++
		}
	}
	return late
}

// over reports whether an acknowledged message was of no use any more at a time.
func (l *ledger) over(to string, at time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.promises[to].expired(at)
}
