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
)

const (
	// answerTime is how long a client waits for an answer before it takes the request for lost.
	answerTime = 10 * time.Second
	// breather is the pause of a client whose request failed.
	breather = 100 * time.Millisecond
	// errnoOverload is the errno of a request that the API refuses because it has too many.
	errnoOverload = "4301"
	// codeLife is the life of a code that the settings of a deployment give it.
	codeLife = 5 * time.Minute
)

// load is people who sign up, by number, by address or by both in turn, until each has an account. A request
// that fails is forgotten: the client tries again as another person, so that every number, address and name is
// used by one request only.
type load struct {
	t       testing.TB
	people  []*testclient.Client
	ledger  *ledger
	journal *journal

	group  sync.WaitGroup
	places chan struct{}                                                        // one for each registration that is wanted
	then   func(ctx context.Context, p *testclient.Client, form map[string]any) // after each registration; may be nil
	wanted int64                                                                // places so far; of the test's goroutine
	next   atomic.Int64
	done   atomic.Int64 // acknowledged registrations
	failed atomic.Int64 // requests without an answer, or with 503
	broken atomic.Int64 // those of them with 503 for another reason than too many requests

	mu    sync.Mutex
	names []string // of the acknowledged accounts
}

// newLoad starts clients that wait for places. They give up when the test ends.
func newLoad(d *deployment, clients int) *load {
	l := &load{
		t: d.t, people: d.people(), ledger: newLedger(), journal: d.journal, places: make(chan struct{}, 1<<20),
	}
	ctx, cancel := context.WithCancel(d.t.Context())
	for i := range clients {
		l.group.Go(func() { l.client(ctx, i) })
	}
	d.t.Cleanup(func() {
		cancel()
		l.group.Wait()
	})
	return l
}

// more makes room for so many registrations.
func (l *load) more(n int) {
	l.wanted += int64(n)
	for range n {
		l.places <- struct{}{}
	}
}

// finish waits until every registration is done and every client has ended.
func (l *load) finish() {
	close(l.places)
	l.group.Wait()
}

func (l *load) client(ctx context.Context, i int) {
	for l.place(ctx) {
		for !l.signUp(ctx, l.people[i%len(l.people)]) {
			i++ // the next API
			select {
			case <-ctx.Done():
				return
			case <-time.After(breather):
			}
		}
		l.done.Add(1)
	}
}

// place waits for a place, and reports whether there is one.
func (l *load) place(ctx context.Context) bool {
	select {
	case _, open := <-l.places:
		return open
	case <-ctx.Done():
		return false
	}
}

// signUp is one try of a new person, and reports whether it ended with an acknowledged account.
func (l *load) signUp(ctx context.Context, p *testclient.Client) bool {
	n := l.next.Add(1)
	body := map[string]any{
		"username": fmt.Sprintf("user_%08d", n), "agree": true,
		"password": longPassword, "password_repeat": longPassword,
	}
	if n%3 != 1 {
		mobile := number(n)
		code, ok := l.code(ctx, p, mobile)
		if !ok {
			return false
		}
		body["mobile"], body["sms_code"] = mobile, code
	}
	address := ""
	if n%3 != 2 {
		address = fmt.Sprintf("user_%08d@example.com", n)
		body["email"] = address
		l.ledger.ask(email, address)
	}
	if !l.send(ctx, p, "/v1/registrations", body, http.StatusCreated) {
		return false
	}
	if address != "" {
		l.ledger.acknowledge(address, 0)
	}
	l.mu.Lock()
	l.names = append(l.names, body["username"].(string))
	l.mu.Unlock()
	if l.then != nil {
		l.then(ctx, p, body)
	}
	return true
}

// number is the nth mobile number.
func number(n int64) string { return fmt.Sprintf("138%08d", n) }

// code requests a code and waits until it arrives or expires.
func (l *load) code(ctx context.Context, p *testclient.Client, mobile string) (string, bool) {
	if !l.ask(ctx, p, mobile) {
		return "", false
	}
	dead := time.After(codeLife)
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		if arrived := l.journal.to(mobile); len(arrived) > 0 {
			return arrived[0].Code, true
		}
		select {
		case <-poll.C:
		case <-dead:
			return "", false
		case <-ctx.Done():
			return "", false
		}
	}
}

// ask asks for a code, and reports whether it was promised.
func (l *load) ask(ctx context.Context, p *testclient.Client, mobile string) bool {
	l.ledger.ask(sms, mobile)
	if !l.send(ctx, p, "/v1/sms-codes", map[string]any{"mobile": mobile, "purpose": "register"}, http.StatusAccepted) {
		return false
	}
	l.ledger.acknowledge(mobile, codeLife)
	return true
}

// send sends one request and reports whether it was acknowledged. No fault of a part makes a right request wrong, or is
// a mistake of ours: an answer of another 4xx, or of 500, fails the test.
func (l *load) send(ctx context.Context, p *testclient.Client, path string, body map[string]any, want int) bool {
	within, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	answer, err := p.Try(within, http.MethodPost, path, body)
	switch {
	case ctx.Err() != nil:
	case err != nil || answer.Status == http.StatusServiceUnavailable:
		l.failed.Add(1)
		if err == nil && answer.Errno != errnoOverload {
			l.broken.Add(1)
		}
	case answer.Status == want:
		return true
	default:
		l.t.Errorf("POST %s = %d %s", path, answer.Status, answer.Body)
	}
	return false
}

// missing returns the acknowledged accounts that are not among the names.
func (l *load) missing(names map[string]bool) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []string
	for _, name := range l.names {
		if !names[name] {
			list = append(list, name)
		}
	}
	return list
}
