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
	var turns []turn
	for _, g := range gunicorns {
		turns = append(turns, turn{g.String(), thePeer, func(ctx context.Context) (float64, error) {
			b.django.web = g
			return b.codesPerSecond(ctx)
		}, []*row{{unit: perSec}}})
	}
	if err := b.inTurns(ctx, b.rounds, turns...); err != nil {
		return err
	}
	rate := func(i int) float64 { return turns[i].rows[0].samples[thePeer].median() }
	best := 0
	for i := range gunicorns {
		if rate(i) > rate(best) {
			best = i
		}
	}
	b.django.web = gunicorns[best]
	return nil
}

// codesPerSecond is Django's rate alone, once it is warm.
func (b *bench) codesPerSecond(ctx context.Context) (float64, error) {
	web, err := b.django.serving("PBKDF2")(ctx)
	if err != nil {
		return 0, err
	}
	defer web.stop()
	c := comparison{callers: [sides]caller{thePeer: b.django.codes(web.addr, captchaText)}, levels: busiest}
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
			{"send", "requests for codes, limits off", (*bench).send},
			{"send-limits", "requests for codes, limits counted", (*bench).sendLimited},
			{"lookup", "look-ups of user names and mobile numbers", (*bench).besideLookUp},
			{"register", "registrations", (*bench).besideRegister},
			{"endtoend", "codes from the first request to the vendor", (*bench).besideEndToEnd},
			{"mail", "queue of mails", (*bench).besideMail},
		}
	}
	return append(all,
		measure{"drain", "queue of codes, vendor answers at once", (*bench).drainFast},
		measure{"drain-50ms", "queue of codes, vendor takes 50 ms", (*bench).drainSlow})
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
	c := plainCodes(addr)
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

// solved are callers with the right text.
func solved(codes func(addr, text string) caller) func(addr string) caller {
	return func(addr string) caller { return codes(addr, captchaText) }
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
	for s, c := range map[side]caller{ours: b.ourCodes(api, wrong), thePeer: b.django.codes(web, wrong)} {
		n := b.numbers.next()
		if c.seed != nil {
			if err := c.seed(ctx, n, 1); err != nil {
				return err
			}
		}
		refused, err := c.refuses(n)
		if err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
		if refused != b.captcha {
			return fmt.Errorf("%s: a wrong captcha is refused: %v, want %v", s, refused, b.captcha)
		}
	}
	b.sayf("  %s by both: a wrong one is refused: %v", b.captchaWord(), b.captcha)
	return nil
}

// besideSend has the limits of ours in the settings; the peer has only its pause, which both measures have.
func (b *bench) besideSend(ctx context.Context, name, what string, settings map[string]string) error {
	environ := b.captchaKind()
	maps.Copy(environ, settings)
	return b.against(ctx, environ, b.django.serving("PBKDF2"), func(api, web *server) error {
		if err := b.sameCaptcha(ctx, api.addr, web.addr); err != nil {
			return err
		}
		return b.compare(ctx, comparison{
			name: name, what: what + ", " + b.captchaWord(), levels: busiest, target: ofPeer(8), peer: "Django",
			callers: [sides]caller{ours: b.ourCodes(api.addr, captchaText), thePeer: b.django.codes(web.addr, captchaText)},
		})
	})
}

// besideLookUp asks both for names and numbers.
func (b *bench) besideLookUp(ctx context.Context) error {
	first, err := b.seed(ctx, lookedUp, "")
	if err != nil {
		return err
	}
	if err := b.django.fileUsers(ctx, first, lookedUp); err != nil {
		return err
	}
	return b.against(ctx, nil, b.django.serving("PBKDF2"), func(api, web *server) error {
		c := comparison{name: "lookup", what: "look up a user name", levels: busiest, target: ofPeer(7), peer: "Django"}
		c.callers[ours] = lookUps(api, "/v1/usernames/", usernameOf, first)
		c.callers[thePeer] = b.django.at(web.addr, func(n int) request {
			return get("/usernames/" + usernameOf(first+seeded(n, lookedUp)) + "/count/")
		})
		if err := b.compare(ctx, c); err != nil {
			return err
		}
		c.what, c.callers[ours] = "look up a mobile number", lookUps(api, "/v1/mobiles/", mobileOf, first)
		c.callers[thePeer].make = func(n int) request { return get("/mobiles/" + mobileOf(first+seeded(n, lookedUp)) + "/count/") }
		return b.compare(ctx, c)
	})
}

// besideRegister compares with both of Django's hashes; each registration queues a mail.
func (b *bench) besideRegister(ctx context.Context) error {
	for _, hasher := range []string{"PBKDF2", "Argon2"} {
		err := b.against(ctx, nil, b.django.serving(hasher), func(api, web *server) error {
			return b.compare(ctx, comparison{
				name: "register", what: "registration", levels: []int{people}, peer: "Django with " + hasher, busy: http.StatusServiceUnavailable,
				callers: [sides]caller{
					ours: {addr: api.addr, make: registration, want: http.StatusCreated}, thePeer: b.django.at(web.addr, djangoRegistration),
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
	r := []*row{{
		measure: "endtoend", what: b.sizeText(0) + ", " + b.captchaWord(), unit: perSec, peer: "Django and Celery " + manyProcesses.String(),
		target: ofPeer(8),
	}}
	return b.takeTurns(ctx,
		turn{"ours", ours, b.through(b.testbed.apiOf(b.captchaKind()), b.testbed.workerOf("sms", nil), solved(b.ourCodes), usage{}), r},
		turn{"Django", thePeer, b.through(b.django.serving("PBKDF2"), b.django.working(manyProcesses), solved(b.django.codes), usage{}), r})
}

// besideMail clears queues of mails; Celery's tasks connect for each, as Django does, so that it gets fewer.
func (b *bench) besideMail(ctx context.Context) error {
	r := []*row{{measure: "mail", what: "queue of mails, STARTTLS", unit: perSec, peer: "Celery " + manyProcesses.String(), target: ofPeer(5)}}
	theirs := queue{"smtp", b.size.mails / 8, b.django.queueMails, b.django.working(manyProcesses), usage{}}
	return b.takeTurns(ctx, turn{"ours", ours, b.drain(b.mailQueue(usage{})), r}, turn{"Celery", thePeer, b.drain(theirs), r})
}

// queuePeers are the chosen peers. Celery gets fewer codes: it would take minutes for ours.
func (b *bench) queuePeers(count int, delay time.Duration) (all []contender) {
	of, least, fewer := manyProcesses, 6.0, count/5
	if delay > 0 {
		of, least, fewer = manyThreads, 20, count/10
	}
	if b.django != nil {
		codes := queue{"aliyun", fewer, b.requested(b.django.serving("PBKDF2"), solved(b.django.codes)), b.django.working(of), usage{}}
		all = append(all, contender{row{peer: "Celery " + of.String(), target: ofPeer(least)}, thePeer, b.drain(codes)})
	}
	if slices.Contains(b.with, peerRiver) {
		all = append(all, b.river(count, delay, false), b.river(count, delay, true))
	}
	if slices.Contains(b.with, peerAsynq) {
		bare := row{peer: "bare Asynq, calls signed by hand", target: ofPeer(0.8)}
		all = append(all, contender{bare, thePeer, b.queueFloor(count, delay).measure(b.testbed)})
	}
	return all
}
