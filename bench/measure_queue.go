package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// timeFor bounds how long so many messages may take from the first request until the vendor has the last one.
func timeFor(count int) time.Duration { return 5*time.Minute + time.Duration(count)*2*time.Millisecond }

// queue is a number of messages for one vendor, with what queues them and what sends them.
type queue struct {
	vendor string
	count  int
	fill   func(ctx context.Context, count int) error
	worker starter
	used   usage // gets the processor time of all processes
}

// codeQueue is a queue of codes through a provider.
func (b *bench) codeQueue(provider string, count int, used usage) queue {
	worker := b.testbed.workerOf("sms", map[string]string{"USHER_SMS_PROVIDERS": provider})
	return queue{provider, count, b.requested(b.testbed.apiOf(nil), plainCodes), worker, used}
}

// mailQueue is a queue of activation mails.
func (b *bench) mailQueue(used usage) queue {
	return queue{"smtp", b.size.mails, b.fileMails, b.testbed.workerOf("email", nil), used}
}

// requested has a server queue so many codes, and stops it.
func (b *bench) requested(from starter, codes func(addr string) caller) func(ctx context.Context, count int) error {
	return func(ctx context.Context, count int) error {
		server, err := from(ctx)
		if err != nil {
			return err
		}
		defer server.stop()
		_, err = b.request(ctx, codes(server.addr), count)
		return err
	}
}

// request has exactly so many codes issued, and returns when the first was asked for. Instead of requests that are answered 503,
// as a cold server does under load, it makes others.
func (b *bench) request(ctx context.Context, from caller, count int) (began time.Time, err error) {
	c := comparison{callers: [sides]caller{ours: from}, busy: http.StatusServiceUnavailable}
	for missing := count; missing > 0; {
		c.count = missing
		o, err := b.runSide(ctx, c, ours, busiest[0], timeFor(count))
		if err == nil && o.refused+o.failed > 0 {
			err = fmt.Errorf("of %d codes %d were refused, %d failed", missing, o.refused, o.failed)
		}
		if err != nil {
			return began, err
		}
		if missing == count {
			began = time.Now().Add(-o.elapsed) // seeding took its time before
		}
		missing -= o.done
	}
	return began, nil
}

// drain fills a queue, starts its worker and measures from the vendor's first message to its last.
func (b *bench) drain(q queue) rate {
	return func(ctx context.Context) (float64, error) {
		if err := b.testbed.clear(ctx); err != nil {
			return 0, err
		}
		if err := q.fill(ctx, q.count); err != nil {
			return 0, err
		}
		return b.work(ctx, q)
	}
}

// work does the same with a queue that is filled.
func (b *bench) work(ctx context.Context, q queue) (float64, error) {
	before := b.usage(nil, nil) // the worker's start counts as well
	worker, err := q.worker(ctx)
	if err != nil {
		return 0, err
	}
	defer worker.stop()
	tally, err := b.testbed.vendor.await(ctx, q.vendor, q.count)
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, worker.LastOutput())
	}
	q.used.add(before, b.usage(worker, nil))
	return perSecond(tally), nil
}

// drainFast shows the worker's own cost: the vendor answers at once.
func (b *bench) drainFast(ctx context.Context) error {
	return b.drainCodes(ctx, "drain", "queue of codes, vendor answers at once", b.size.drain, 0)
}

// drainSlow shows whether the worker keeps enough requests open: with 50 ms each, 8,000/s need 400.
func (b *bench) drainSlow(ctx context.Context) error {
	return b.drainCodes(ctx, "drain-50ms", "queue of codes, vendor takes 50 ms", b.size.drainSlow, 50*time.Millisecond)
}

// contender clears a queue of codes beside ours. Its row names it, and has its target.
type contender struct {
	row   row
	side  side
	drain rate
}

// drainCodes takes turns between our worker and the floors, or all peers of -peer.
func (b *bench) drainCodes(ctx context.Context, name, what string, count int, delay time.Duration) error {
	if err := b.testbed.vendor.delay(ctx, delay); err != nil {
		return err
	}
	others := b.queueFloors(count, delay)
	if len(b.with) > 0 {
		others = b.queuePeers(count, delay)
	}
	used := usage{}
	turns := []turn{{name: "ours", side: ours, measure: b.drain(b.codeQueue("aliyun", count, used))}}
	for _, other := range others {
		r := &other.row
		r.measure, r.what, r.unit = name, cmp.Or(r.what, what), perSec
		turns[0].rows = append(turns[0].rows, r)
		turns = append(turns, turn{r.floor + r.peer, other.side, other.drain, []*row{r}})
	}
	if err := b.takeTurns(ctx, turns...); err != nil || len(b.with) > 0 {
		return err
	}
	b.report.use("one code from the queue to the vendor, "+what, used, count*b.rounds)
	return nil
}

// queueFloors are Asynq alone, which calls the vendor, and against one that answers at once also Asynq with tasks that do nothing.
func (b *bench) queueFloors(count int, delay time.Duration) []contender {
	f := b.queueFloor(count, delay)
	calls := contender{row{floor: "Asynq, one call signed by hand"}, theFloor, f.measure(b.testbed)}
	if delay > 0 {
		return []contender{calls}
	}
	calls.row.target = ofFloor(0.70)
	f.VendorURL = ""
	return []contender{calls, {row{what: "the same, against tasks that do nothing", floor: "Asynq alone"}, theFloor, f.measure(b.testbed)}}
}

// queueFloor is Asynq alone, which calls the vendor.
func (b *bench) queueFloor(count int, delay time.Duration) floor {
	f := floor{
		Kind: floorQueue, RedisURL: b.testbed.redis.URL() + "/1", Count: count, Concurrency: 50,
		KeyID: b.testbed.environ["USHER_ALIYUN_ACCESS_KEY_ID"], KeySecret: b.testbed.environ["USHER_ALIYUN_ACCESS_KEY_SECRET"],
		VendorURL: "http://" + b.testbed.vendor.http + "/aliyun/",
	}
	if delay > 0 {
		f.Concurrency = 500
	}
	return f
}

// drainVendors compares the ways to other vendors with that to Aliyun, which takes the place of the floor: Tencent's signs a body
// instead of parameters.
func (b *bench) drainVendors(ctx context.Context) error {
	through := func(provider string) rate { return b.drain(b.codeQueue(provider, b.size.drain, usage{})) }
	var turns []turn
	aliyun := turn{name: "aliyun", side: theFloor, measure: through("aliyun")}
	for _, other := range [][2]string{{"tencent", "Tencent"}, {"http", "the signed HTTP sender"}} {
		r := &row{
			measure: "drain-vendors", what: "queue of codes through " + other[1] + ", vendor answers at once", unit: perSec,
			floor: "the same through Aliyun", target: ofFloor(0.85),
		}
		turns = append(turns, turn{other[0], ours, through(other[0]), []*row{r}})
		aliyun.rows = append(aliyun.rows, r)
	}
	return b.takeTurns(ctx, append(turns, aliyun)...)
}

// mail clears a queue of activation mails.
func (b *bench) mail(ctx context.Context) error {
	r := []*row{{
		measure: "mail", what: "queue of mails, STARTTLS, 4 connections", unit: perSec,
		floor: "go-mail, 4 live connections", target: ofFloor(0.60),
	}}
	f := floor{
		Kind: floorMail, Count: b.size.mails, Concurrency: 4, SMTPAddr: b.testbed.vendor.smtp,
		CAFile: b.testbed.environ["USHER_SMTP_CA_FILE"], Username: b.testbed.environ["USHER_SMTP_USERNAME"], Password: b.testbed.environ["USHER_SMTP_PASSWORD"],
	}
	used := usage{}
	if err := b.takeTurns(ctx, turn{"ours", ours, b.drain(b.mailQueue(used)), r}, turn{"floor", theFloor, f.measure(b.testbed), r}); err != nil {
		return err
	}
	b.report.use("one mail from the queue to the server", used, b.size.mails*b.rounds)
	return nil
}

// endToEnd measures both programs at work at the same time.
func (b *bench) endToEnd(ctx context.Context) error {
	for _, delay := range []time.Duration{0, 50 * time.Millisecond} {
		if err := b.testbed.vendor.delay(ctx, delay); err != nil {
			return err
		}
		r, used := row{measure: "endtoend", what: b.sizeText(delay), unit: perSec}, usage{}
		through := b.through(b.testbed.apiOf(nil), b.testbed.workerOf("sms", nil), plainCodes, used)
		if err := b.takeTurns(ctx, turn{"vendor takes " + delay.String(), ours, through, []*row{&r}}); err != nil {
			return err
		}
		b.report.use("one code from request to vendor, "+r.what, used, b.size.sends*b.rounds)
	}
	return nil
}

func (b *bench) sizeText(delay time.Duration) string {
	return strconv.Itoa(b.size.sends) + " codes end to end, 64 connections, vendor takes " + delay.String()
}

// through measures from the first request to the vendor's last message while a server and a worker work.
func (b *bench) through(server, worker starter, codes func(addr string) caller, used usage) rate {
	return func(ctx context.Context) (float64, error) {
		pair, err := b.start(ctx, server, worker)
		if err != nil {
			return 0, err
		}
		defer pair.stop()
		before := b.usage(pair.other, pair.api)
		began, err := b.request(ctx, codes(pair.api.addr), b.size.sends)
		if err != nil {
			return 0, err
		}
		tally, err := b.testbed.vendor.await(ctx, "aliyun", b.size.sends)
		used.add(before, b.usage(pair.other, pair.api))
		return float64(tally.Count) / time.Unix(0, tally.Last).Sub(began).Seconds(), err
	}
}

// pair is the API, ready, with its worker or another server.
type pair struct{ api, other *server }

// both starts both programs on an empty testbed.
func (b *bench) both(ctx context.Context) (*pair, error) {
	return b.start(ctx, b.testbed.apiOf(nil), b.testbed.workerOf("sms", nil))
}

// start starts two programs on an empty testbed.
func (b *bench) start(ctx context.Context, api, other starter) (p *pair, err error) {
	if err := b.testbed.clear(ctx); err != nil {
		return nil, err
	}
	p = &pair{}
	if p.api, err = api(ctx); err != nil {
		return nil, err
	}
	if p.other, err = other(ctx); err != nil {
		p.api.stop()
		return nil, err
	}
	return p, nil
}

func (p *pair) stop() {
	p.api.stop()
	p.other.stop()
}
