package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"

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
	r := []*row{{
		measure: "register", what: "look-up beside registrations, 8 connections, p99", unit: millis,
		floor: "the same in peace", target: atMostTimes(3),
	}}
	p99 := func(run func(context.Context) (*outcome, error)) rate {
		return func(ctx context.Context) (float64, error) {
			o, err := run(ctx)
			if err != nil {
				return 0, err
			}
			return inMillis(o.quantile(99)), nil
		}
	}
	return b.takeTurns(ctx, turn{"p99 of look-ups in peace", theFloor, p99(lookUps.run), r},
		turn{"beside registrations", ours, p99(func(ctx context.Context) (*outcome, error) { return b.whileRegistering(ctx, api.addr, lookUps) }), r})
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
		func(n int) request { return signInOf(first + n%owners) })
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
	turns := b.sidesOf(comparison{
		callers: [sides]caller{ours: {addr: api.addr, make: build, want: http.StatusCreated}, thePeer: peer},
		busy:    http.StatusServiceUnavailable,
	}, people, &r)
	bare := turn{"floor", theFloor, floor{Kind: floorHash, Duration: b.duration}.measure(b.testbed), []*row{&r}}
	return b.takeTurns(ctx, slices.Insert(turns, 1, bare)...)
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
	const batch = 500
	store := sqlstore.NewAccounts(b.testbed.db, b.testbed.keys)
	first, next := b.numbers.block(count)
	for filed := 0; filed < count; filed += batch {
		list := make([]accounts.Account, min(batch, count-filed))
		for i := range list {
			if list[i], err = accountOf(next()); err != nil {
				return 0, err
			}
			list[i].Active, list[i].PasswordHash = true, hash
		}
		if created, err := store.CreateAll(ctx, list, true); err != nil || len(created) != len(list) {
			return 0, errors.Join(err, fmt.Errorf("%d of %d accounts are filed", len(created), len(list)))
		}
	}
	return first, nil
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
