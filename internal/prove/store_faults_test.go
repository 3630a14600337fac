package prove_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// refusedBound is how long a request may take while a store is unavailable or hangs: 1.5 s, and the processor time
// of the crowd itself. Beside all other tests it is more.
func refusedBound() time.Duration { return size(4*time.Second, 2*time.Second) }

// Row 27: while a store is killed, hangs or takes no writes, a request is done, or refused with 503 and Retry-After.
func TestRow27_faults_of_stores_are_answered_with_503(t *testing.T) {
	t.Parallel()
	r := newRow(t, 27, "Redis and PostgreSQL killed, frozen, full, and a standby, under load")
	environ := testkit.DefaultTimes()
	environ["USHER_CAPTCHA_KIND"], environ["USHER_LIMITS"] = "off", noLimits+noLoginLimits+",lookup_all=off"
	d := newDeployment(t, plan{apis: 1, sms: 1, environ: environ})
	d.up(partRedis) // and the schema, which the standby is to have
	redis, one := d.parts[partRedis].server, d.parts[partPostgres].server
	two := testkit.PostgresStandby(t, one)
	d.at.Postgres = one.Addr() + "," + two.Addr()
	d.start(d.names...)
	a := &asker{people: d.people()}
	admin := testkit.RedisForm{}.Client(t, redis)

	span, rounds := size(600*time.Millisecond, 8*time.Second), size(1, 3)
	var healed time.Duration
	for range rounds {
		for name, fault := range map[string]func() (mend func()){
			"Redis killed": func() func() { redis.Kill(); return func() { redis.Start(t) } },
			"Redis frozen": func() func() { return redis.Freeze(t) },
			"Redis full": func() func() {
				configure(t, admin, "maxmemory", "1")
				return func() { configure(t, admin, "maxmemory", "0") }
			},
			"PostgreSQL killed": func() func() { one.Kill(); return func() { one.Start(t) } },
			"PostgreSQL frozen": func() func() { return one.Freeze(t) },
		} {
			healed = max(healed, a.during(t, name, span, fault))
		}
	}
	// The last one, for which there is no way back: the primary becomes a standby, and its standby the primary.
	healed = max(healed, a.during(t, "switch-over", span, func() func() {
		testkit.Demote(t, one)
		return func() { testkit.Promote(t, two) }
	}))
	r.tried("%d requests on 64 connections, %d rounds of faults", a.asked.Load(), rounds)
	r.exactly("answers of 500", int(a.broken.Load()), 0)
	r.exactly("other answers that are not allowed, or without Retry-After", int(a.wrong.Load()), 0)
	r.within("refused", time.Duration(a.slowest.Load()), refusedBound())
	r.within("well again", healed, promisedAgain())
	r.note("%d answers of 503", a.away.Load())
}

// promisedAgain is the time from the end of a fault until everything is done again.
func promisedAgain() time.Duration { return size(30*time.Second, 15*time.Second) }

// asker is a crowd that asks for everything that needs a store.
type asker struct {
	people []*testclient.Client
	next   atomic.Int64

	asked, away, broken, wrong, slowest atomic.Int64
}

// asking is a request, and the answer that says that it was done.
type asking struct {
	method, path string
	body         any
	want         int
}

// during has the crowd ask while a fault lasts, and returns how long everything took to be done again after that.
func (a *asker) during(t *testing.T, name string, span time.Duration, fault func() func()) time.Duration {
	t.Helper()
	var over atomic.Bool // what is under way then is still answered
	var crowd sync.WaitGroup
	for range 64 {
		crowd.Go(func() {
			for !over.Load() {
				a.ask(t.Context(), t, name)
			}
		})
	}
	<-time.After(span / 3)
	mend := fault()
	<-time.After(span)
	over.Store(true)
	crowd.Wait()
	mend()
	repaired := time.Now()
	testkit.Eventually(t, patience, func() bool {
		for range 3 {
			if !a.ask(t.Context(), t, name) {
				return false
			}
		}
		return true
	}, "everything is done again after: %s", name)
	return time.Since(repaired)
}

// ask makes one request of each kind and reports whether all were done.
func (a *asker) ask(ctx context.Context, t *testing.T, fault string) bool {
	t.Helper()
	n := a.next.Add(1)
	p, done := a.people[int(n)%len(a.people)], true
	requests := []asking{
		{http.MethodPost, "/v1/sms-codes", map[string]any{"mobile": number(n), "purpose": "register"}, http.StatusAccepted},
		{http.MethodGet, fmt.Sprintf("/v1/usernames/user_%08d", n), nil, http.StatusOK},
		{http.MethodPost, "/v1/sessions", map[string]any{"login": fmt.Sprintf("user_%08d", n), "password": "a long enough secret"}, http.StatusUnauthorized},
	}
	if n%8 != 0 { // most of what a sign-in costs is the hash
		requests = requests[:2]
	}
	for _, request := range requests {
		began := time.Now()
		within, cancel := context.WithTimeout(ctx, answerTime)
		answer, err := p.Try(within, request.method, request.path, request.body)
		cancel()
		if ctx.Err() != nil {
			return false
		}
		a.asked.Add(1)
		switch {
		case err != nil:
			a.wrong.Add(1)
			t.Errorf("%s: %s %s: %v", fault, request.method, request.path, err)
		case answer.Status == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") != "" &&
			(answer.Errno == "4001" || answer.Errno == "4301"):
			a.away.Add(1)
			for took := int64(time.Since(began)); ; {
				if was := a.slowest.Load(); took <= was || a.slowest.CompareAndSwap(was, took) {
					break
				}
			}
		case answer.Status == request.want:
			continue
		case answer.Status == http.StatusInternalServerError:
			a.broken.Add(1)
			t.Errorf("%s: %s %s = 500 %s", fault, request.method, request.path, answer.Body)
		default:
			a.wrong.Add(1)
			t.Errorf("%s: %s %s = %d %s", fault, request.method, request.path, answer.Status, answer.Body)
		}
		done = false
	}
	return done
}
