package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"golang.org/x/sync/errgroup"

	"usher/accounts"
	"usher/contact"
	"usher/passwords"
	"usher/store/sqlstore"
	"usher/tasks"
)

const (
	password = "Quite-a-l0ng-password"
	// people is how many clients register or sign in at once. A request that has waited for a second gets 503.
	people = 32
)

// register signs people up by email: each costs a hash, a transaction and a task.
func (b *bench) register(ctx context.Context) error {
	peer, err := b.peers["register"].caller(ctx, b.numbers.next())
	if err != nil {
		return err
	}
	if err := b.hashing(ctx, "register", "registration", ofFloor(0.90), peer, registration); err != nil {
		return err
	}
	return b.lookUpBesides(ctx)
}

// registration is by email only: a code would have to be read from the sandbox first.
func registration(n int) request {
	return post("/v1/registrations", `{"username":"`+usernameOf(n)+`","email":"`+emailOf(n)+
		`","password":"`+password+`","password_repeat":"`+password+`","agree":true}`)
}

// lookUpBesides compares look-ups while registrations keep every core busy with look-ups in peace.
func (b *bench) lookUpBesides(ctx context.Context) error {
	api, err := b.testbed.api(ctx, nil)
	if err != nil {
		return err
	}
	defer api.stop()
	lookUps := load{
		addr: api.addr, conns: 8, duration: b.duration, next: b.numbers.next, want: http.StatusOK,
		make: func(n int) request { return get("/v1/usernames/" + usernameOf(n)) },
	}
	r := row{
		measure: "register", what: "look-up beside registrations, 8 connections, p99", unit: millis,
		floor: "the same in peace", target: atMostTimes(3),
	}
	for round := range b.rounds {
		quiet, err := lookUps.run(ctx)
		if err != nil {
			return err
		}
		busy, err := b.whileRegistering(ctx, api.addr, lookUps)
		if err != nil {
			return err
		}
		r.add(theFloor, inMillis(quiet.quantile(99)))
		r.add(ours, inMillis(busy.quantile(99)))
		b.sayf("  round %d: look-ups %.0f/s, p99 %v, in peace %.0f/s, p99 %v", round+1,
			busy.rate(), busy.quantile(99), quiet.rate(), quiet.quantile(99))
	}
	b.report.add(r)
	return nil
}

// whileRegistering runs a load in the middle of one of registrations.
func (b *bench) whileRegistering(ctx context.Context, api string, l load) (*outcome, error) {
	registrations := load{
		addr: api, conns: people, duration: l.duration + time.Second, next: b.numbers.next,
		make: registration, want: http.StatusCreated, busy: http.StatusServiceUnavailable,
	}
	registered := make(chan error, 1)
	go func() { _, err := registrations.run(ctx); registered <- err }()
	err := pause(ctx, 500*time.Millisecond)
	var o *outcome
	if err == nil {
		o, err = l.run(ctx)
	}
	return o, errors.Join(err, <-registered)
}

// signIn signs in to accounts that exist, with the right password.
func (b *bench) signIn(ctx context.Context) error {
	const owners = 200
	first, err := b.seedPeople(ctx, owners)
	if err != nil {
		return err
	}
	return b.hashing(ctx, "signin", "sign-in", target{}, caller{},
		func(n int) request {
			return post("/v1/sessions", `{"login":"`+usernameOf(first+n%owners)+`","password":"`+password+`"}`)
		})
}

// hashing compares requests that each cost a password hash with hashes alone.
func (b *bench) hashing(
	ctx context.Context, name, what string, t target, peer caller, build func(n int) request,
) error {
	api, err := b.testbed.api(ctx, nil)
	if err != nil {
		return err
	}
	defer api.stop()
	r := row{measure: name, what: what + ", " + connections(people), unit: perSec, floor: "argon2id on all cores", target: t}
	c := comparison{
		callers: [sides]caller{ours: {addr: api.addr, make: build, want: http.StatusCreated}, thePeer: peer},
		busy:    http.StatusServiceUnavailable,
	}
	for round := range b.rounds {
		for _, s := range []side{ours, theFloor, thePeer} {
			var rate float64
			switch {
			case s == theFloor:
				rate, err = floor{Kind: floorHash, Duration: b.duration}.measure(ctx, b.testbed)
			case c.callers[s].addr == "":
				continue
			default:
				var o *outcome
				if o, err = b.runSide(ctx, c, s, people, b.duration); err == nil {
					rate = o.rate()
					r.times[s].add(o)
					if s == thePeer {
						r.refused = append(r.refused, o.refusals())
					}
					b.sayf("  %d of %d got 503", o.busy, o.busy+o.done)
				}
			}
			if err != nil {
				return err
			}
			r.add(s, rate)
			b.sayf("  round %d, %s: %.1f/s", round+1, s, rate)
		}
	}
	b.report.add(r)
	return nil
}

// seedPeople is seed for accounts that [password] opens. All have the same hash: making many would take seconds.
func (b *bench) seedPeople(ctx context.Context, count int) (first int, err error) {
	hash, err := passwords.NewHasher(1).Hash(ctx, password, passwords.First)
	if err != nil {
		return 0, err
	}
	return b.seed(ctx, count, hash)
}

// seed files so many active accounts and returns the number of the first; the others follow it. With a hash
// of "" no password is right.
func (b *bench) seed(ctx context.Context, count int, hash string) (first int, err error) {
	store := sqlstore.NewAccounts(b.testbed.db, b.testbed.keys)
	first = int(b.numbers.last.Add(int64(count))) - count + 1
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for n := first; n < first+count; n++ {
		group.Go(func() error {
			account, err := accountOf(n)
			if err != nil {
				return err
			}
			account.Active, account.PasswordHash = true, hash
			return store.Create(ctx, account, nil)
		})
	}
	return first, group.Wait()
}

// accountOf is the account of the nth number, name and address, as a registration files it.
func accountOf(n int) (accounts.Account, error) {
	mobile, err := contact.ParseMobile(mobileOf(n))
	if err != nil {
		return accounts.Account{}, err
	}
	email, err := contact.ParseEmail(emailOf(n))
	now := time.Now()
	return accounts.Account{
		ID: uuid.Must(uuid.NewV7()).String(), Username: usernameOf(n), Mobile: mobile, PendingEmail: email,
		CreatedAt: now, UpdatedAt: now,
	}, err
}

// fileMails files so many activation mails and puts their tasks on the queue, as registrations do.
func (b *bench) fileMails(ctx context.Context, count int) error {
	store := sqlstore.NewAccounts(b.testbed.db, b.testbed.keys)
	client := asynq.NewClientFromRedisClient(b.testbed.client)
	enqueuer := &tasks.Enqueuer{Client: client, Keys: b.testbed.keys}
	for range count {
		account, err := accountOf(b.numbers.next())
		if err != nil {
			return err
		}
		now := time.Now()
		letter := accounts.Mail{
			ID: uuid.Must(uuid.NewV7()).String(), Purpose: accounts.MailActivation, KeyID: b.testbed.keys.SigningID(),
			CreatedAt: now, NotAfter: now.Add(time.Hour),
		}
		if err := store.Create(ctx, account, &letter); err != nil {
			return err
		}
		if err := enqueuer.EnqueueMail(ctx, letter); err != nil {
			return err
		}
	}
	return nil
}
