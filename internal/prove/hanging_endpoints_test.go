package prove_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"usher/accounts"
	"usher/contact"
	"usher/store/sqlstore"
)

// Row 32: a quarter of the endpoints accept requests and never answer. The others get their events as soon as before.
func TestRow32_endpoints_that_hang_delay_no_others(t *testing.T) {
	t.Parallel()
	r := newRow(t, 32, "5 of 20 endpoints hang")
	const endpoints, hang = 20, 5
	deliveries, rate := size(400, 100_000), size(100, 400) // deliveries, and deliveries a second
	d := newDeployment(t, plan{events: 1, environ: map[string]string{allowReceivers: "127.0.0.0/8"}})
	d.up("events1")
	stored := d.stored()
	blocked := newBlockedAccounts(t, sqlstore.NewAccounts(stored, d.keys()))
	var receivers []*receiver
	for i := range endpoints {
		inbox := newReceiver(t)
		inbox.hangs = i < hang
		inbox.start()
		receivers = append(receivers, inbox)
	}
	d.subscribe(stored, receivers...)

	began := time.Now()
	blocked.tell(t, deliveries/endpoints, time.Second*endpoints/time.Duration(rate))
	took := time.Since(began)
	well := receivers[hang:]
	wanted := deliveries / endpoints * len(well)
	until(patience, func() bool { return len(delays(well)) >= wanted }) // else they are missing
	late := delays(well)
	r.tried("%d deliveries, %.0f a second, to %d endpoints of which %d never answer", deliveries, float64(deliveries)/took.Seconds(), endpoints, hang)
	r.exactly("deliveries missing at the others", wanted-len(late), 0)
	if len(late) == 0 {
		return
	}
	r.within("p95 from the change to the arrival", late[len(late)*95/100], size(10*time.Second, 2*time.Second))
	r.note("p50 %.2f s, p99 %.2f s, longest %.2f s", late[len(late)/2].Seconds(), late[len(late)*99/100].Seconds(), late[len(late)-1].Seconds())
	tried := 0
	for _, inbox := range receivers[:hang] {
		inbox.mu.Lock()
		tried += inbox.asked
		inbox.mu.Unlock()
	}
	r.note("%d requests to those that hang", tried)
}

// delays returns how long after their changes events arrived first at the receivers, in ascending order.
func delays(receivers []*receiver) []time.Duration {
	var list []time.Duration
	for _, inbox := range receivers {
		inbox.mu.Lock()
		for _, event := range inbox.told {
			list = append(list, event.at.Sub(event.Timestamp))
		}
		inbox.mu.Unlock()
	}
	slices.Sort(list)
	return list
}

// blockedAccounts are accounts that are blocked and unblocked in turn, since each of these changes writes one event.
type blockedAccounts struct {
	store *sqlstore.Accounts
	ids   []string
}

func newBlockedAccounts(t testing.TB, store *sqlstore.Accounts) *blockedAccounts {
	t.Helper()
	b := &blockedAccounts{store: store}
	for i := range 50 {
		mobile, err := contact.ParseMobile(number(int64(i)))
		if err != nil {
			t.Fatal(err)
		}
		account := accounts.Account{
			ID: uuid.NewString(), Username: fmt.Sprint("member_", i), Mobile: mobile, Active: true,
			ActivationGeneration: 1, SessionGeneration: 1, CreatedAt: time.Now(), UpdatedAt: time.Now(),
		}
		if err := store.Create(t.Context(), account, nil); err != nil {
			t.Fatal(err)
		}
		b.ids = append(b.ids, account.ID)
	}
	return b
}

// tell makes so many changes, one in each interval.
func (b *blockedAccounts) tell(t testing.TB, changes int, interval time.Duration) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(len(b.ids) / 2) // so that no account has two changes at a time
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for i := range changes {
		<-tick.C
		group.Go(func() error { return b.change(ctx, i) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

func (b *blockedAccounts) change(ctx context.Context, i int) error {
	change := b.store.Block
	if i/len(b.ids)%2 == 1 {
		change = b.store.Unblock
	}
	_, err := change(ctx, b.ids[i%len(b.ids)], time.Now())
	return err
}
