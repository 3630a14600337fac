package main

import (
	"context"
	"strconv"
	"time"
)

// drainLimit bounds the time until the vendor has the last message.
const drainLimit = 15 * time.Minute

// drainFast shows the worker's own cost: the vendor answers at once.
func (b *bench) drainFast(ctx context.Context) error {
	return b.drain(ctx, "drain", "queue of codes, vendor answers at once", b.size.drain, 0, ofFloor(0.70))
}

// drainSlow shows whether the worker keeps enough requests open: with 50 ms each, 8,000/s need 400.
func (b *bench) drainSlow(ctx context.Context) error {
	return b.drain(ctx, "drain-50ms", "queue of codes, vendor takes 50 ms", b.size.drainSlow, 50*time.Millisecond, target{})
}

// drain fills a queue, starts the worker and measures from the vendor's first code to its last.
func (b *bench) drain(ctx context.Context, name, what string, count int, delay time.Duration, t target) error {
	if err := b.testbed.vendor.delay(ctx, delay); err != nil {
		return err
	}
	defer func() { _ = b.testbed.vendor.delay(context.WithoutCancel(ctx), 0) }() // the testbed may be closing
	with := row{measure: name, what: what, unit: perSec, floor: "Asynq, one call signed by hand", target: t}
	without := row{
		measure: name, what: "the same, against tasks that do nothing", unit: perSec, floor: "Asynq alone",
	}
	used := usage{}
	calls := b.queueFloor(count, delay)
	floors := calls
	floors.VendorURL = ""
	for round := range b.rounds {
		rate, err := b.drainOnce(ctx, "aliyun", count, used)
		if err != nil {
			return err
		}
		with.add(ours, rate)
		without.add(ours, rate)
		calling, err := calls.measure(ctx, b.testbed)
		if err != nil {
			return err
		}
		with.add(theFloor, calling)
		b.sayf("  round %d: ours %.0f/s, floor %.0f/s", round+1, rate, calling)
		if delay == 0 {
			idle, err := floors.measure(ctx, b.testbed)
			if err != nil {
				return err
			}
			without.add(theFloor, idle)
		}
	}
	b.report.add(with)
	if delay == 0 {
		b.report.add(without)
	}
	b.report.use("one code from the queue to the vendor, "+what, used, count*b.rounds)
	return nil
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

// drainTencent compares the ways to two vendors: signing a body against signing parameters.
func (b *bench) drainTencent(ctx context.Context) error {
	return b.drainThrough(ctx, "drain-tencent", "tencent", "Tencent")
}

// drainHTTP compares the signed HTTP sender with Aliyun's client.
func (b *bench) drainHTTP(ctx context.Context) error {
	return b.drainThrough(ctx, "drain-http", "http", "the signed HTTP sender")
}

// drainThrough compares a provider with Aliyun, which takes the place of the floor.
func (b *bench) drainThrough(ctx context.Context, name, provider, called string) error {
	r := row{
		measure: name, what: "queue of codes through " + called + ", vendor answers at once", unit: perSec,
		floor: "the same through Aliyun", target: ofFloor(0.85),
	}
	for round := range b.rounds {
		for s, through := range []string{provider, "aliyun"} {
			rate, err := b.drainOnce(ctx, through, b.size.drain, usage{})
			if err != nil {
				return err
			}
			r.add(side(s), rate)
			b.sayf("  round %d, %s: %.0f/s", round+1, through, rate)
		}
	}
	b.report.add(r)
	return nil
}

// fill has the API queue so many codes, and stops it.
func (b *bench) fill(ctx context.Context, count int) error {
	api, err := b.testbed.api(ctx, nil)
	if err != nil {
		return err
	}
	defer api.stop()
	_, err = b.issue(ctx, api.addr, count)
	return err
}

// drainOnce is one round of ours through a provider, and adds the processor time of all processes to used.
func (b *bench) drainOnce(ctx context.Context, provider string, count int, used usage) (float64, error) {
	if err := b.testbed.clear(ctx); err != nil {
		return 0, err
	}
	if err := b.fill(ctx, count); err != nil {
		return 0, err
	}
	before := b.usage(nil, nil) // the worker's start counts as well
	worker, err := b.testbed.worker(ctx, "sms", map[string]string{"USHER_SMS_PROVIDERS": provider})
	if err != nil {
		return 0, err
	}
	defer worker.stop()
	tally, err := b.testbed.vendor.await(ctx, provider, count, drainLimit)
	used.add(before, b.usage(worker, nil))
	return perSecond(tally), err
}

// mail does the same with activation mails.
func (b *bench) mail(ctx context.Context) error {
	r := row{
		measure: "mail", what: "queue of mails, STARTTLS, 4 connections", unit: perSec,
		floor: "go-mail, 4 live connections", target: ofFloor(0.60),
	}
	f := floor{
		Kind: floorMail, Count: b.size.mails, Concurrency: 4, SMTPAddr: b.testbed.vendor.smtp,
		CAFile: b.testbed.environ["USHER_SMTP_CA_FILE"], Username: b.testbed.environ["USHER_SMTP_USERNAME"], Password: b.testbed.environ["USHER_SMTP_PASSWORD"],
	}
	used := usage{}
	for round := range b.rounds {
		rate, err := b.mailOnce(ctx, used)
		if err != nil {
			return err
		}
		bare, err := f.measure(ctx, b.testbed)
		if err != nil {
			return err
		}
		r.add(ours, rate)
		r.add(theFloor, bare)
		b.sayf("  round %d: ours %.0f/s, floor %.0f/s", round+1, rate, bare)
	}
	b.report.add(r)
	b.report.use("one mail from the queue to the server", used, b.size.mails*b.rounds)
	return nil
}

// mailOnce is one round of ours, and adds the processor time of all processes to used.
func (b *bench) mailOnce(ctx context.Context, used usage) (float64, error) {
	if err := b.testbed.clear(ctx); err != nil {
		return 0, err
	}
	if err := b.fileMails(ctx, b.size.mails); err != nil {
		return 0, err
	}
	before := b.usage(nil, nil) // the worker's start counts as well
	worker, err := b.testbed.worker(ctx, "email", nil)
	if err != nil {
		return 0, err
	}
	defer worker.stop()
	tally, err := b.testbed.vendor.await(ctx, "smtp", b.size.mails, drainLimit)
	used.add(before, b.usage(worker, nil))
	return perSecond(tally), err
}

// endToEnd measures both programs at work at the same time.
func (b *bench) endToEnd(ctx context.Context) error {
	for _, delay := range []time.Duration{0, 50 * time.Millisecond} {
		r := row{measure: "endtoend", what: b.sizeText(delay), unit: perSec}
		used := usage{}
		for round := range b.rounds {
			rate, err := b.throughBoth(ctx, delay, used)
			if err != nil {
				return err
			}
			r.add(ours, rate)
			b.sayf("  round %d, vendor %v: %.0f/s", round+1, delay, rate)
		}
		b.report.add(r)
		b.report.use("one code from request to vendor, "+r.what, used, b.size.sends*b.rounds)
	}
	return nil
}

func (b *bench) sizeText(delay time.Duration) string {
	return strconv.Itoa(b.size.sends) + " codes end to end, 64 connections, vendor takes " + delay.String()
}

// throughBoth returns the rate from the first request to the vendor's last message.
func (b *bench) throughBoth(ctx context.Context, delay time.Duration, used usage) (float64, error) {
	pair, err := b.both(ctx, delay)
	if err != nil {
		return 0, err
	}
	defer pair.stop()
	before, began := b.usage(pair.worker, pair.api), time.Now()
	if _, err := b.issue(ctx, pair.api.addr, b.size.sends); err != nil {
		return 0, err
	}
	tally, err := b.testbed.vendor.await(ctx, "aliyun", b.size.sends, drainLimit)
	used.add(before, b.usage(pair.worker, pair.api))
	return float64(tally.Count) / time.Unix(0, tally.Last).Sub(began).Seconds(), err
}

// pair is both programs, ready.
type pair struct{ api, worker *server }

// both starts both programs on an empty testbed.
func (b *bench) both(ctx context.Context, delay time.Duration) (*pair, error) {
	if err := b.testbed.vendor.delay(ctx, delay); err != nil {
		return nil, err
	}
	if err := b.testbed.clear(ctx); err != nil {
		return nil, err
	}
	api, err := b.testbed.api(ctx, nil)
	if err != nil {
		return nil, err
	}
	worker, err := b.testbed.worker(ctx, "sms", nil)
	if err != nil {
		api.stop()
		return nil, err
	}
	return &pair{api, worker}, nil
}

func (p *pair) stop() {
	p.api.stop()
	p.worker.stop()
}
