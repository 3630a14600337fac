package prove_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"usher/internal/testkit"
)

// recoveryBound is how long after the end of an outage everything that was acknowledged before has arrived, and
// a new client gets a code and a mail. The longest wait is that of a mail acknowledged while Redis was unavailable
// and of a killed worker's code, until its claim has run out. The quick run shares its machine with all other
// tests.
func recoveryBound() time.Duration { return size(30*time.Second, 15*time.Second) }

// storm kills parts at random under load.
type storm struct {
	*load

	d           *deployment
	random      *rand.Rand
	concurrency int // of each worker
	longest     time.Duration
	outage      time.Duration  // the longest
	twice       map[string]int // what may arrive twice, by channel
	kinds       []string       // of parts that are killed
	bag         []string       // kinds that have not had their turn
	victims     map[string]int // by kind
}

func TestRow01_no_acknowledged_registration_is_lost_under_random_kills(t *testing.T) {
	t.Parallel()
	r := newRow(t, 1, "registrations under random kills of API, worker, Redis, SMTP, PostgreSQL")
	const concurrency = 4
	registrations, kills := size(100, 1000), sizeFrom(t, "USHER_PROVE_KILLS", 8, 50)
	d := newDeployment(t, plan{apis: 2, sms: 2, email: 2, environ: map[string]string{
		"USHER_WORKER_CONCURRENCY_SMS":   strconv.Itoa(concurrency),
		"USHER_WORKER_CONCURRENCY_EMAIL": strconv.Itoa(concurrency),
		"USHER_SEND_TIMEOUT":             size("1s", "8s"),
	}})
	d.up()
	d.faults(partVendors, map[string]any{"aliyun": map[string]any{"delay_ms": 100}})
	s := &storm{
		load: newLoad(d, 8), d: d, random: chance(1), concurrency: concurrency,
		outage: size(time.Second, 8*time.Second), twice: map[string]int{sms: 0, email: 0}, victims: map[string]int{},
		kinds: []string{"api", "sms", "email", partRedis, partPostgres, partMail},
	}
	for done := 0; done < kills && s.longest <= recoveryBound(); {
		n := min(1+s.random.IntN(2), kills-done)
		s.more(registrations*(done+n)/kills - registrations*done/kills)
		done += s.strike(n)
	}
	s.finish()
	d.drain()

	r.tried("%d registrations, %d kills (%s)", s.done.Load(), kills, counts(s.victims))
	r.exactly("accounts lost", len(s.missing(d.usernames())), 0)
	v := s.ledger.judge(d.journal.since(0), time.Now())
	r.judge(v, s.twice)
	r.within("recovery", s.longest, recoveryBound())
	r.note("%d messages acknowledged, %d requests failed", v.acknowledged, s.failed.Load())
}

// strike kills so many parts at once while people sign up, starts them again after a while, and measures how
// long it then takes until all is well. It returns how many it killed: two that are the same are one.
func (s *storm) strike(n int) int {
	s.t.Helper()
	soon := min(s.done.Load()+1+s.random.Int64N(3), s.wanted)
	testkit.Eventually(s.t, patience, func() bool { return s.done.Load() >= soon }, "people sign up")
	victims := s.choose(n)
	for _, victim := range victims {
		s.allow(victim)
		s.d.kill(victim)
		<-time.After(time.Duration(s.random.Int64N(int64(s.outage))))
	}
	s.d.start(victims...)
	took := s.recovery()
	s.t.Logf("%s killed: all was well %.1f s after they were back", strings.Join(victims, " and "), took.Seconds())
	s.longest = max(s.longest, took)
	return len(victims)
}

// choose draws so many parts. Each kind has its turn before one comes again.
func (s *storm) choose(n int) []string {
	var victims []string
	for range n {
		if len(s.bag) == 0 {
			s.bag = slices.Clone(s.kinds)
		}
		i := s.random.IntN(len(s.bag))
		kin := s.d.kin(s.bag[i])
		s.bag = slices.Delete(s.bag, i, i+1)
		victims = append(victims, kin[s.random.IntN(len(kin))])
	}
	slices.Sort(victims)
	return slices.Compact(victims)
}

// allow counts what may go out twice: what was in flight at the kill.
func (s *storm) allow(victim string) {
	kind := strings.TrimRight(victim, "0123456789")
	s.victims[kind]++
	switch kind {
	case "sms", "email":
		s.twice[kind] += s.concurrency
	case partRedis:
		s.twice[sms] += s.concurrency * len(s.d.kin("sms"))
		s.twice[email] += s.concurrency * len(s.d.kin("email"))
	case partPostgres, partMail:
		s.twice[email] += s.concurrency * len(s.d.kin("email"))
	}
}

// recovery returns how long it takes until everything that was acknowledged before now has arrived, and
// a new client gets a code and a mail.
func (s *storm) recovery() time.Duration {
	s.t.Helper()
	start := time.Now()
	s.more(3) // by number, by address, by both
	until(patience, func() bool {
		return s.done.Load() == s.wanted && len(s.ledger.open(s.journal, start)) == 0
	})
	return time.Since(start)
}

func counts(m map[string]int) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, strconv.Itoa(m[name])+" "+name)
	}
	return strings.Join(list, ", ")
}
