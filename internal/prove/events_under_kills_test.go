package prove_test

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"usher/events"
	"usher/internal/testclient"
	"usher/internal/testkit"
)

// Accounts are registered, activated and blocked while all parts of the way of an event are killed, the receiver too. What
// the receiver got is compared with the accounts that there are: each change has exactly one event, and each event a change.
func TestRow31_each_change_of_an_account_has_its_event_under_random_kills(t *testing.T) {
	t.Parallel()
	r := newRow(t, 31, "events of accounts under random kills of API, events worker, Redis, PostgreSQL, receiver")
	registrations, kills := size(60, 1000), sizeFrom(t, "USHER_PROVE_KILLS", 5, 50)
	d := newDeployment(t, plan{apis: 1, sms: 1, email: 1, events: 2, environ: map[string]string{allowReceivers: "127.0.0.0/8"}})
	inbox := newReceiver(t)
	inbox.think = 20 * time.Millisecond
	d.add(partReceiver, &part{outside: inbox})
	d.up(partReceiver)
	d.subscribe(d.stored(), inbox)
	d.start(d.names...)

	w := &eventWitness{d: d, admin: testkit.BuildCommand(t, "admin"), home: t.TempDir(), every: size(6, 10)}
	s := &storm{
		load: newLoad(d, 8), d: d, random: chance(31), outage: size(time.Second, 4*time.Second),
		twice: map[string]int{}, victims: map[string]int{},
		kinds: []string{"api", "events", partRedis, partPostgres, partReceiver},
	}
	s.then = w.change
	for done := 0; done < kills; {
		n := min(1+s.random.IntN(2), kills-done)
		s.more(registrations*(done+n)/kills - registrations*done/kills)
		done += s.strike(n)
	}
	s.finish()
	d.deliverAll()

	r.tried("%d registrations, %d proved addresses, %d blocks, %d kills (%s)",
		s.done.Load(), len(w.proved), len(w.blocked), kills, counts(s.victims))
	w.judge(r, inbox, s.missing(d.usernames()))
}

// deliverAll waits until every delivery has arrived. It ends the pauses of those that failed and the claims of killed
// workers, instead of five minutes and half a minute later. All parts must be alive.
func (d *deployment) deliverAll() {
	d.t.Helper()
	for _, name := range d.kin("events") {
		if err := d.stop(name); err != nil {
			d.t.Errorf("%s after SIGTERM: %v", name, err)
		}
	}
	db := d.sql()
	defer func() { _ = db.Close() }()
	for _, statement := range []string{
		"update deliveries set next_at = now() where state = 'waiting'",
		"update deliveries set lease_until = now() where state in ('queued', 'sending')",
		"update endpoints set paused_until = null",
	} {
		if _, err := db.ExecContext(d.t.Context(), statement); err != nil {
			d.t.Fatal(err)
		}
	}
	d.start(d.kin("events")...)
	testkit.Eventually(d.t, patience, func() bool {
		var left int
		err := db.QueryRowContext(d.t.Context(), "select count(*) from deliveries where state <> 'done'").Scan(&left)
		return err == nil && left == 0
	}, "all events have arrived")
}

// eventWitness changes accounts after their registration, and remembers which changes were acknowledged.
type eventWitness struct {
	d           *deployment
	admin, home string // the program, and its directory
	every       int    // of so many accounts one is blocked

	mu              sync.Mutex
	proved, blocked []string // names of accounts
}

// change proves the address of an account that has one, and blocks some accounts. It gives up when the load ends.
func (w *eventWitness) change(ctx context.Context, p *testclient.Client, form map[string]any) {
	name := form["username"].(string)
	address, _ := form["email"].(string)
	if address != "" && again(ctx, func() bool { return w.prove(ctx, p, address) }) {
		w.mu.Lock()
		w.proved = append(w.proved, name)
		w.mu.Unlock()
	}
	n, _ := strconv.Atoi(name[len(name)-4:])
	if n%w.every == 0 && again(ctx, func() bool { return w.block(name) }) {
		w.mu.Lock()
		w.blocked = append(w.blocked, name)
		w.mu.Unlock()
	}
}

// again repeats a change until it is acknowledged, and reports false when the load ends before.
func again(ctx context.Context, change func() bool) bool {
	for !change() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(breather):
		}
	}
	return true
}

// prove opens the link of the mail to the address, when it has arrived. Opening it again changes nothing.
func (w *eventWitness) prove(ctx context.Context, p *testclient.Client, address string) bool {
	arrived := w.d.journal.to(address)
	if len(arrived) == 0 || len(arrived[0].Links) == 0 {
		return false
	}
	link, err := url.Parse(arrived[0].Links[0])
	if err != nil {
		w.d.t.Errorf("link of the mail to %s: %v", address, err)
		return true
	}
	within, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	answer, err := p.Try(within, http.MethodPost, "/v1/activations", map[string]any{
		"token": link.Query().Get("token"), "password": longPassword, "password_repeat": longPassword,
	})
	switch {
	case err != nil, answer.Status == http.StatusServiceUnavailable:
		return false
	case answer.Status != http.StatusOK:
		w.d.t.Errorf("activation = %d %s", answer.Status, answer.Body)
	}
	return true
}

// block blocks an account, as an operator does.
func (w *eventWitness) block(name string) bool {
	return testkit.Command(w.home, w.d.settings(), w.admin, "accounts", "block", "-login", name, "-reason", "spam").Run() == nil
}

// happening is a change of an account.
type happening struct {
	typ     events.Type
	account string
}

// stored returns the changes that the accounts in the database show, and how many events each account has counted. It
// also returns the acknowledged changes that they do not show.
func (w *eventWitness) stored() (happened []happening, counted map[string]int64, missing []string) {
	w.d.t.Helper()
	db := w.d.sql()
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(w.d.t.Context(),
		"select id, username, email_active, mobile_key is not null, blocked_at is not null, event_seq from accounts")
	if err != nil {
		w.d.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	counted = map[string]int64{}
	for rows.Next() {
		var id, name string
		var proved, mobile, blocked bool
		var seq int64
		if err := rows.Scan(&id, &name, &proved, &mobile, &blocked, &seq); err != nil {
			w.d.t.Fatal(err)
		}
		counted[id] = seq
		happened = append(happened, happening{events.AccountCreated, id})
		switch {
		case proved && mobile: // it was active before
			happened = append(happened, happening{events.AccountContactChanged, id})
		case proved:
			happened = append(happened, happening{events.AccountActivated, id})
		case slices.Contains(w.proved, name):
			missing = append(missing, "proof of the address of "+name)
		}
		if blocked {
			happened = append(happened, happening{events.AccountBlocked, id})
		} else if slices.Contains(w.blocked, name) {
			missing = append(missing, "block of "+name)
		}
	}
	if err := rows.Err(); err != nil {
		w.d.t.Fatal(err)
	}
	return happened, counted, missing
}

// judge compares what has arrived with the changes in the database. lost are acknowledged accounts that are not there.
func (w *eventWitness) judge(r *row, inbox *receiver, lost []string) {
	r.t.Helper()
	happened, counted, missing := w.stored()
	inbox.mu.Lock()
	defer inbox.mu.Unlock()
	v := judgeEvents(happened, counted, slices.Collect(maps.Values(inbox.told)))
	r.exactly("acknowledged changes lost", len(lost)+len(missing), 0)
	r.exactly("changes without exactly one event", len(v.untold), 0)
	r.exactly("events without a change", len(v.unfounded), 0)
	r.exactly("accounts whose numbers have a gap", len(v.gaps), 0)
	r.exactly("requests without a valid signature", inbox.unsigned, 0)
	r.exactly("events that came again with another body", inbox.changed, 0)
	r.note("%d events in %d requests", len(inbox.told), inbox.asked)
	if r.t.Failed() {
		r.t.Logf("lost %v, missing %v, %+v", lost, missing, v)
	}
}

// eventVerdict lists what is wrong with events.
type eventVerdict struct {
	untold, unfounded []happening
	gaps              []string // accounts
}

// judgeEvents compares events, each of which is there once, with the changes that happened and the last number of each account.
func judgeEvents(happened []happening, counted map[string]int64, arrived []*told) (v eventVerdict) {
	times, numbers := map[happening]int{}, map[string][]int64{}
	for _, event := range arrived {
		times[happening{event.Type, event.Data.AccountID}]++
		numbers[event.Data.AccountID] = append(numbers[event.Data.AccountID], event.Data.Seq)
	}
	for _, change := range happened {
		if times[change] != 1 {
			v.untold = append(v.untold, change)
		}
		delete(times, change)
	}
	v.unfounded = slices.Collect(maps.Keys(times))
	for account, last := range counted {
		if !slices.Equal(slices.Sorted(slices.Values(numbers[account])), upTo(last)) {
			v.gaps = append(v.gaps, account)
		}
	}
	return v
}

// upTo returns the numbers from 1.
func upTo(last int64) []int64 {
	var numbers []int64
	for n := range last {
		numbers = append(numbers, n+1)
	}
	return numbers
}

func TestJudgeEvents_finds_what_is_wrong(t *testing.T) {
	t.Parallel()
	event := func(typ events.Type, account string, seq int64) *told {
		return &told{Type: typ, Data: events.AccountData{AccountID: account, Seq: seq}}
	}
	created, blocked := event(events.AccountCreated, "a", 1), event(events.AccountBlocked, "a", 2)
	tests := map[string]struct {
		arrived                 []*told
		untold, unfounded, gaps int
	}{
		"all is well":              {[]*told{blocked, created}, 0, 0, 0},
		"lost":                     {[]*told{created}, 1, 0, 1},
		"told twice":               {[]*told{created, blocked, event(events.AccountBlocked, "a", 3)}, 1, 0, 1},
		"a number is missing":      {[]*told{created, event(events.AccountBlocked, "a", 3)}, 0, 0, 1},
		"a number is there twice":  {[]*told{created, event(events.AccountBlocked, "a", 1)}, 0, 0, 1},
		"nothing happened":         {[]*told{created, blocked, event(events.AccountActivated, "a", 3)}, 0, 1, 1},
		"there is no such account": {[]*told{created, blocked, event(events.AccountCreated, "b", 1)}, 0, 1, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			happened := []happening{{events.AccountCreated, "a"}, {events.AccountBlocked, "a"}}
			v := judgeEvents(happened, map[string]int64{"a": 2}, test.arrived)
			if len(v.untold) != test.untold || len(v.unfounded) != test.unfounded || len(v.gaps) != test.gaps {
				t.Errorf("verdict %+v", v)
			}
		})
	}
}
