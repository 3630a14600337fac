package main

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"

	"usher/accounts"
	"usher/contact"
	"usher/store/sqlstore"
	"usher/tasks"
)

const (
	password = "Quite-a-l0ng-password"
	// people is how many want their passwords hashed at once; who waits for a second is told to come back.
	people = 32
)

// register signs people up by email: each costs a hash, a transaction and a task.
func (b *bench) register(ctx context.Context) error {
	peer, err := b.peers["register"].caller()
	if err != nil {
		return err
	}
	return b.hashing(ctx, "register", "registration", ofFloor(0.90), peer,
		func(api string) func(n int) []byte {
			return func(n int) []byte {
				return post(api, "/v1/registrations", `{"username":"`+usernameOf(n)+`","email":"`+emailOf(n)+
					`","password":"`+password+`","password_repeat":"`+password+`","agree":true}`)
			}
		})
}

func (b *bench) signIn(ctx context.Context) error {
	const owners = 200
	hash, err := accounts.NewHasher(1).Hash(ctx, password)
	if err != nil {
		return err
	}
	first, err := b.seed(ctx, owners, hash)
	if err != nil {
		return err
	}
	return b.hashing(ctx, "signin", "sign-in", target{}, caller{},
		func(api string) func(n int) []byte {
			return func(n int) []byte {
				return post(api, "/v1/sessions",
					`{"login":"`+usernameOf(first+n%owners)+`","password":"`+password+`"}`)
			}
		})
}

// hashing compares requests that each cost a password hash with hashes alone.
func (b *bench) hashing(
	ctx context.Context, name, what string, t target, peer caller, request func(api string) func(n int) []byte,
) error {
	api, err := b.stage.api(ctx, nil)
	if err != nil {
		return err
	}
	defer api.stop()
	r := row{measure: name, what: what + ", " + connections(people), unit: perSec, floor: "argon2id on all cores", target: t}
	c := contest{callers: [sides]caller{ours: {api.addr, request(api.addr), http.StatusCreated}, thePeer: peer}}
	for round := range b.rounds {
		for _, s := range []side{ours, theFloor, thePeer} {
			var rate float64
			switch {
			case s == theFloor:
				rate, err = floor{Kind: floorHash, Duration: b.duration}.measure(ctx, b.stage)
			case c.callers[s].addr == "":
				continue
			default:
				var o *outcome
				l := b.load(c, s, people)
				l.busy = http.StatusServiceUnavailable
				if o, err = l.run(ctx); err == nil {
					rate = o.rate()
					r.times[s].add(o)
					b.sayf("  %d of %d were told to come back", o.busy, o.busy+o.done)
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

// seed files so many active accounts and returns the number of the first; the others follow it. A hash of ""
// lets nobody in.
func (b *bench) seed(ctx context.Context, count int, hash string) (first int, err error) {
	store := sqlstore.NewAccounts(b.stage.db, b.stage.keys)
	for i := range count {
		n := b.numbers.next()
		if i == 0 {
			first = n
		}
		account, err := accountOf(n)
		if err != nil {
			return 0, err
		}
		account.Active, account.PasswordHash = true, hash
		if err := store.Create(ctx, account, nil); err != nil {
			return 0, err
		}
	}
	return first, nil
}

func accountOf(n int) (accounts.Account, error) {
	mobile, err := contact.ParseMobile(mobileOf(n))
	if err != nil {
		return accounts.Account{}, err
	}
	email, err := contact.ParseEmail(emailOf(n))
	now := time.Now()
	return accounts.Account{
		ID: uuid.Must(uuid.NewV7()).String(), Username: usernameOf(n), Mobile: mobile, Email: email,
		CreatedAt: now, UpdatedAt: now,
	}, err
}

// fileMails files so many activation mails and puts their tasks on the queue, as registrations do.
func (b *bench) fileMails(ctx context.Context, count int) error {
	store := sqlstore.NewAccounts(b.stage.db, b.stage.keys)
	client := asynq.NewClientFromRedisClient(b.stage.client)
	enqueuer := &tasks.Enqueuer{Client: client, Keys: b.stage.keys}
	for range count {
		account, err := accountOf(b.numbers.next())
		if err != nil {
			return err
		}
		now := time.Now()
		letter := accounts.Mail{
			ID: uuid.Must(uuid.NewV7()).String(), Purpose: accounts.MailActivation, KeyID: b.stage.keys.SigningID(),
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
