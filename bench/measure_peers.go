package main

import (
	"context"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"usher/captcha/challenge"
	"usher/store/redisstore"
)

// The peers of -peer. River and Asynq have no web server and no mails: they only clear queues of codes.
const (
	peerDjango = "django"
	peerRiver  = "river"
	peerAsynq  = "asynq"
)

var startedPeers = []string{peerDjango, peerRiver, peerAsynq}

// openPeers prepares the peers of -peer.
func (b *bench) openPeers(ctx context.Context) (err error) {
	if len(b.with) > 0 {
		b.report.file = "peers.md"
	}
	if slices.Contains(b.with, peerDjango) {
		if b.django, err = openDjango(ctx, b.testbed, b.captcha); err != nil {
			return err
		}
		if err := b.chooseGunicorn(ctx); err != nil {
			return err
		}
		b.report.about = append(b.report.about, fmt.Sprintf("%s; %s, the quickest of %v", b.django.about, b.django.web, gunicorns))
	}
	if slices.Contains(b.with, peerRiver) {
		return buildQueues(ctx, b.testbed)
	}
	return nil
}

// chooseGunicorn tries each setting of gunicorn in turns, and keeps that with the most codes a second.
func (b *bench) chooseGunicorn(ctx context.Context) error {
	rates := make([]sample, len(gunicorns))
	for range b.rounds {
		for i, g := range gunicorns {
			b.django.web = g
			web, err := b.django.serve(ctx, "PBKDF2")
			if err != nil {
				return err
			}
			rate, err := b.codesPerSecond(ctx, b.django.codes(web.addr, captchaText))
			web.stop()
			if err != nil {
				return err
			}
			rates[i] = append(rates[i], rate)
		}
	}
	best := 0
	for i := range rates {
		b.sayf("%s: %s", gunicorns[i], rates[i].text(perSec))
		if rates[i].median() > rates[best].median() {
			best = i
		}
	}
	b.django.web = gunicorns[best]
	return nil
}

// codesPerSecond is the rate of a side alone, once it is warm.
func (b *bench) codesPerSecond(ctx context.Context, of caller) (float64, error) {
	c := comparison{callers: [sides]caller{thePeer: of}, levels: busiest}
	if err := b.warmUp(ctx, c); err != nil {
		return 0, err
	}
	o, err := b.runSide(ctx, c, thePeer, busiest[0], b.duration/2)
	if err != nil {
		return 0, err
	}
	return o.rate(), nil
}

// peerMeasures take turns with the peers of -peer; they run in place of the others.
func peerMeasures(with []string) []measure {
	var all []measure
	if slices.Contains(with, peerDjango) {
		all = []measure{
			{"send", "requests for codes, limits off", (*bench).besideSend},
			{"send-limits", "requests for codes, limits counted", (*bench).besideSendLimited},
			{"lookup", "look-ups of user names and mobile numbers", (*bench).besideLookUp},
			{"register", "registrations", (*bench).besideRegister},
			{"endtoend", "codes from the first request to the vendor", (*bench).besideEndToEnd},
			{"mail", "queue of mails", (*bench).besideMail},
		}
	}
	return append(all,
		measure{"drain", "queue of codes, vendor answers at once", (*bench).besideDrain},
		measure{"drain-50ms", "queue of codes, vendor takes 50 ms", (*bench).besideDrainSlow})
}

// busiest is the number of connections beside a peer.
var busiest = []int{64}

// captchaKind is the setting for our side: captchas are checked by both sides or by none.
func (b *bench) captchaKind() map[string]string {
	if b.captcha {
		return map[string]string{"USHER_CAPTCHA_KIND": "digits"}
	}
	return map[string]string{"USHER_CAPTCHA_KIND": "off"}
}

func (b *bench) captchaWord() string {
	if b.captcha {
		return "captchas checked"
	}
	return "captchas off"
}

// ourCodes returns our caller that asks for codes, with the text of a captcha.
func (b *bench) ourCodes(addr, text string) caller {
	c := caller{addr: addr, make: codeRequest, want: http.StatusAccepted}
	if b.captcha || text != captchaText {
		c.make = func(n int) request {
			return post("/v1/sms-codes", `{"mobile":"`+mobileOf(n)+`","purpose":"register","captcha_id":"`+captchaID(n)+`","captcha":"`+text+`"}`)
		}
	}
	if b.captcha {
		c.seed = b.fileCaptchas
	}
	return c
}

// captchaID returns a different id of the usual form for each n.
func captchaID(n int) string {
	id := make([]byte, 16)
	binary.BigEndian.PutUint64(id, uint64(n))
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(id)
}

// fileCaptchas files a captcha for so many numbers. The high price covers all others.
func (b *bench) fileCaptchas(ctx context.Context, first, count int) error {
	kept := redisstore.New(b.testbed.client, b.testbed.keys, time.Now).Captchas()
	asked := challenge.Asked{Medium: challenge.Image, Price: challenge.High, Answer: captchaText}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for n := first; n < first+count; n++ {
		group.Go(func() error { return kept.Put(ctx, captchaID(n), asked, 5*time.Minute) })
	}
	return group.Wait()
}

// sameCaptcha fails unless a request with a wrong captcha is refused by both sides where captchas are on, and by none
// where they are off.
func (b *bench) sameCaptcha(ctx context.Context, api, web string) error {
	const wrong = "97531"
	for s, c := range [sides]caller{ours: b.ourCodes(api, wrong), thePeer: b.django.codes(web, wrong)} {
		if c.addr == "" {
			continue
		}
		n := b.numbers.next()
		if c.seed != nil {
			if err := c.seed(ctx, n, 1); err != nil {
				return err
			}
		}
		refused, err := c.refuses(n)
		if err != nil {
			return fmt.Errorf("%s: %w", side(s), err)
		}
		if refused != b.captcha {
			return fmt.Errorf("%s: a wrong captcha is refused: %v, want %v", side(s), refused, b.captcha)
		}
	}
	b.sayf("  %s by both: a wrong one is refused: %v", b.captchaWord(), b.captcha)
	return nil
}

func (b *bench) besideSend(ctx context.Context) error {
	return b.besideSendWith(ctx, "send", "send-code, limits off", nil)
}

// besideSendLimited counts our limits; the peer has only its pause, which both measures have.
func (b *bench) besideSendLimited(ctx context.Context) error {
	return b.besideSendWith(ctx, "send-limits", "send-code, limits counted",
		map[string]string{"USHER_LIMITS": everyLimit("1000000000/24h")})
}

func (b *bench) besideSendWith(ctx context.Context, name, what string, settings map[string]string) error {
	environ := b.captchaKind()
	maps.Copy(environ, settings)
	return b.withDjango(ctx, environ, "PBKDF2", func(api, web string) error {
		if err := b.sameCaptcha(ctx, api, web); err != nil {
			return err
		}
		return b.compare(ctx, comparison{
			name: name, what: what + ", " + b.captchaWord(), levels: busiest, target: ofPeer(8), peer: "Django",
			callers: [sides]caller{ours: b.ourCodes(api, captchaText), thePeer: b.django.codes(web, captchaText)},
		})
	})
}

// withDjango runs a comparison between our API and Django's, both on empty stores.
func (b *bench) withDjango(ctx context.Context, settings map[string]string, hasher string, hold func(api, web string) error) error {
	if err := b.testbed.clear(ctx); err != nil {
		return err
	}
	api, err := b.testbed.api(ctx, settings)
	if err != nil {
		return err
	}
	defer api.stop()
	web, err := b.django.serve(ctx, hasher)
	if err != nil {
		return err
	}
	defer web.stop()
	return hold(api.addr, web.addr)
}

// besideLookUp asks both for names and numbers, of which one in eleven has no account.
func (b *bench) besideLookUp(ctx context.Context) error {
	const people = 1_000
	first, err := b.seed(ctx, people, "")
	if err != nil {
		return err
	}
	if err := b.django.fileUsers(ctx, first, people); err != nil {
		return err
	}
	return b.withDjango(ctx, nil, "PBKDF2", func(api, web string) error {
		c := comparison{name: "lookup", what: "look up a user name", levels: busiest, target: ofPeer(7), peer: "Django"}
		c.callers[ours] = caller{addr: api, want: http.StatusOK, make: func(n int) request {
			return get("/v1/usernames/" + usernameOf(first+seeded(n, people)))
		}}
		c.callers[thePeer] = b.django.at(web, func(n int) request {
			return get("/usernames/" + usernameOf(first+seeded(n, people)) + "/count/")
		})
		if err := b.compare(ctx, c); err != nil {
			return err
		}
		c.what = "look up a mobile number"
		c.callers[ours].make = func(n int) request { return get("/v1/mobiles/" + mobileOf(first+seeded(n, people))) }
		c.callers[thePeer].make = func(n int) request { return get("/mobiles/" + mobileOf(first+seeded(n, people)) + "/count/") }
		return b.compare(ctx, c)
	})
}

// besideRegister compares with both of Django's hashes; each registration queues a mail.
func (b *bench) besideRegister(ctx context.Context) error {
	for _, hasher := range []string{"PBKDF2", "Argon2"} {
		err := b.withDjango(ctx, nil, hasher, func(api, web string) error {
			return b.compare(ctx, comparison{
				name: "register", what: "registration", levels: []int{people}, peer: "Django with " + hasher, busy: http.StatusServiceUnavailable,
				callers: [sides]caller{
					ours: {addr: api, make: registration, want: http.StatusCreated}, thePeer: b.django.at(web, djangoRegistration),
				},
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func djangoRegistration(n int) request {
	const short = "Quite-a-l0ng-passwd" // the form takes twenty characters at most
	return post("/register/", `{"username":"`+usernameOf(n)+`","email":"`+emailOf(n)+`","password":"`+short+`","password2":"`+short+`","allow":true}`)
}

// besideEndToEnd measures web server and worker at work at the same time.
func (b *bench) besideEndToEnd(ctx context.Context) error {
	r := row{
		measure: "endtoend", what: b.sizeText(0) + ", " + b.captchaWord(), unit: perSec, peer: "Django and Celery " + manyProcesses.String(),
		target: ofPeer(8),
	}
	for round := range b.rounds {
		mine, err := b.throughOurs(ctx)
		if err != nil {
			return err
		}
		theirs, err := b.throughDjango(ctx)
		if err != nil {
			return err
		}
		r.add(ours, mine)
		r.add(thePeer, theirs)
		b.sayf("  round %d: ours %.0f/s, Django %.0f/s", round+1, mine, theirs)
	}
	b.report.add(r)
	return nil
}

func (b *bench) throughOurs(ctx context.Context) (float64, error) {
	if err := b.testbed.clear(ctx); err != nil {
		return 0, err
	}
	api, err := b.testbed.api(ctx, b.captchaKind())
	if err != nil {
		return 0, err
	}
	defer api.stop()
	worker, err := b.testbed.worker(ctx, "sms", nil)
	if err != nil {
		return 0, err
	}
	defer worker.stop()
	return b.through(ctx, b.ourCodes(api.addr, captchaText))
}

func (b *bench) throughDjango(ctx context.Context) (float64, error) {
	if err := b.testbed.clear(ctx); err != nil {
		return 0, err
	}
	web, err := b.django.serve(ctx, "PBKDF2")
	if err != nil {
		return 0, err
	}
	defer web.stop()
	worker, err := b.django.worker(ctx, manyProcesses)
	if err != nil {
		return 0, err
	}
	defer worker.stop()
	return b.through(ctx, b.django.codes(web.addr, captchaText))
}

// through returns the rate from the first request to the vendor's last message.
func (b *bench) through(ctx context.Context, c caller) (float64, error) {
	began, err := b.request(ctx, c, b.size.sends)
	if err != nil {
		return 0, err
	}
	tally, err := b.testbed.vendor.await(ctx, "aliyun", b.size.sends, drainLimit)
	return float64(tally.Count) / time.Unix(0, tally.Last).Sub(began).Seconds(), err
}

// request has exactly so many codes issued, and returns when the first was asked for.
func (b *bench) request(ctx context.Context, c caller, count int) (began time.Time, err error) {
	o, err := b.runSide(ctx, comparison{callers: [sides]caller{ours: c}, count: count}, ours, busiest[0], drainLimit)
	if err != nil {
		return began, err
	}
	if o.done != count {
		return began, fmt.Errorf("%d of %d codes were issued, %d refused, %d failed", o.done, count, o.refused, o.failed)
	}
	return time.Now().Add(-o.elapsed), nil // seeding took its time before
}

// besideMail clears queues of mails; Celery's tasks connect for each, as Django does.
func (b *bench) besideMail(ctx context.Context) error {
	r := row{measure: "mail", what: "queue of mails, STARTTLS", unit: perSec, peer: "Celery " + manyProcesses.String(), target: ofPeer(5)}
	for round := range b.rounds {
		mine, err := b.mailOnce(ctx, usage{})
		if err != nil {
			return err
		}
		theirs, err := b.drainDjango(ctx, "smtp", b.size.mails/8, manyProcesses)
		if err != nil {
			return err
		}
		r.add(ours, mine)
		r.add(thePeer, theirs)
		b.sayf("  round %d: ours %.0f/s, Celery %.0f/s", round+1, mine, theirs)
	}
	b.report.add(r)
	return nil
}

// drainDjango fills a queue of codes or mails, then starts Celery, and returns the rate from the first message to the last.
func (b *bench) drainDjango(ctx context.Context, vendor string, count int, of pool) (float64, error) {
	if err := b.testbed.clear(ctx); err != nil {
		return 0, err
	}
	fill := func() error { return b.django.queueMails(ctx, count) }
	if vendor == "aliyun" {
		fill = func() error { return b.fillDjango(ctx, count) }
	}
	if err := fill(); err != nil {
		return 0, err
	}
	worker, err := b.django.worker(ctx, of)
	if err != nil {
		return 0, err
	}
	defer worker.stop()
	tally, err := b.testbed.vendor.await(ctx, vendor, count, drainLimit)
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, worker.LastOutput())
	}
	return perSecond(tally), nil
}

// fillDjango has the web server queue so many codes, and stops it.
func (b *bench) fillDjango(ctx context.Context, count int) error {
	web, err := b.django.serve(ctx, "PBKDF2")
	if err != nil {
		return err
	}
	defer web.stop()
	_, err = b.request(ctx, b.django.codes(web.addr, captchaText), count)
	return err
}

// contender clears a queue of so many codes and returns codes per second.
type contender struct {
	name   string
	target float64
	drain  func(ctx context.Context) (float64, error)
}

func (b *bench) besideDrain(ctx context.Context) error {
	return b.besideDrainWith(ctx, "drain", "queue of codes, vendor answers at once", b.size.drain, 0)
}

func (b *bench) besideDrainSlow(ctx context.Context) error {
	return b.besideDrainWith(ctx, "drain-50ms", "queue of codes, vendor takes 50 ms", b.size.drainSlow, 50*time.Millisecond)
}

// besideDrainWith takes turns between our worker and those of all peers.
func (b *bench) besideDrainWith(ctx context.Context, name, what string, count int, delay time.Duration) error {
	if err := b.testbed.vendor.delay(ctx, delay); err != nil {
		return err
	}
	defer func() { _ = b.testbed.vendor.delay(context.WithoutCancel(ctx), 0) }() // the testbed may be closing
	peers := b.contenders(count, delay)
	rows := make([]row, len(peers))
	for i, p := range peers {
		rows[i] = row{measure: name, what: what, unit: perSec, peer: p.name, target: ofPeer(p.target)}
	}
	for round := range b.rounds {
		mine, err := b.drainOnce(ctx, "aliyun", count, usage{})
		if err != nil {
			return err
		}
		b.sayf("  round %d, ours: %.0f/s", round+1, mine)
		for i, p := range peers {
			theirs, err := p.drain(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			rows[i].add(ours, mine)
			rows[i].add(thePeer, theirs)
			b.sayf("  round %d, %s: %.0f/s", round+1, p.name, theirs)
		}
	}
	for _, r := range rows {
		b.report.add(r)
	}
	return nil
}

// contenders are the chosen peers. Celery gets fewer codes: it would take minutes for ours.
func (b *bench) contenders(count int, delay time.Duration) (all []contender) {
	of, least, fewer := manyProcesses, 6.0, count/5
	if delay > 0 {
		of, least, fewer = manyThreads, 20, count/10
	}
	if b.django != nil {
		all = append(all, contender{"Celery " + of.String(), least, func(ctx context.Context) (float64, error) {
			return b.drainDjango(ctx, "aliyun", fewer, of)
		}})
	}
	if slices.Contains(b.with, peerRiver) {
		for _, tuned := range []bool{false, true} {
			all = append(all, b.river(count, delay, tuned))
		}
	}
	if slices.Contains(b.with, peerAsynq) {
		all = append(all, contender{"bare Asynq, calls signed by hand", 0.8, func(ctx context.Context) (float64, error) {
			return b.queueFloor(count, delay).measure(ctx, b.testbed)
		}})
	}
	return all
}
