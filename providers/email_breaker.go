package providers

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"usher/reasons"
)

// The pauses between two probes of a mail server. They double from the first to the last. What an operator must correct is
// tried seldom, because servers lock a mailbox after some wrong logins.
const (
	firstProbe, lastProbe         = time.Second, 8 * time.Second       // it is unavailable, and may be back at any moment
	firstCalmProbe, lastCalmProbe = 10 * time.Second, time.Minute      // it says "not now"
	firstSlowProbe, lastSlowProbe = 30 * time.Second, 10 * time.Minute // an operator has to correct it
)

// EmailBreaker stops mails to a mail server that fails, as a router's breakers stop SMS. [reasons.Effect] tells which
// outcomes open it. While it is open, one mail at a time tries the server. The others wait, and are neither claimed nor
// attempted.
//
// It is safe for concurrent use; make it with [NewEmailBreaker].
type EmailBreaker struct {
	name   string
	logger *slog.Logger

	waiting atomic.Int64 // mails in Enter

	mu      sync.Mutex
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	last    *Error        // the last failure
	pause   time.Duration // before the next probe; 0 while closed
	probeAt time.Time     // no probe before
	since   time.Time     // when it opened
	changed chan struct{} // closed when waiting mails should check the breaker again
}

// NewEmailBreaker returns a closed breaker of a provider.
func NewEmailBreaker(provider string, logger *slog.Logger) *EmailBreaker {
	b := &EmailBreaker{name: provider, logger: logger, changed: make(chan struct{})}
	b.Reset()
	return b
}

// Reset closes the breaker, as after new settings.
func (b *EmailBreaker) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         b.name,
		MaxRequests:  1,
		Timeout:      time.Nanosecond, // probeAt decides when a probe may pass
		IsExcluded:   saysNothing,
		IsSuccessful: func(err error) bool { return err == nil || isAnswer(err) },
		ReadyToTrip: func(counts gobreaker.Counts) bool {
			return effectOf(b.last) == reasons.Opens || counts.ConsecutiveFailures >= breakerFailures
		},
	})
	b.closed()
}

// ErrNotAsked is the outcome of a mail that passed the breaker and was not sent to the server.
var ErrNotAsked = errors.New("the provider was not asked")

func effectOf(err error) reasons.Effect {
	reason, _ := reasons.Of(string(ReasonOf(err)))
	return reason.Effect
}

// isAnswer reports whether an error is a refusal of one mail, which shows that the server works.
func isAnswer(err error) bool {
	kind := KindOf(err)
	return kind == RateLimited || kind == Rejected || ReasonOf(err) == reasons.NotNow
}

// saysNothing reports whether an outcome says nothing about the server.
func saysNothing(err error) bool {
	if err == nil || isAnswer(err) {
		return false
	}
	return errors.Is(err, ErrNotAsked) || errors.Is(err, context.Canceled) || effectOf(err) == reasons.None
}

// Enter waits until a mail may be sent. The caller must call done once, with the outcome. When ctx ends first, the error is an
// [Error]: certainly not sent.
func (b *EmailBreaker) Enter(ctx context.Context) (done func(error), err error) {
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	for {
		done, wait, changed := b.try()
		if done != nil {
			return done, nil
		}
		select {
		case <-time.After(wait):
		case <-changed:
		case <-ctx.Done():
			return nil, &Error{
				Provider: b.name, Kind: Temporary, Code: BreakerOpen.OwnCode(), Err: &notAskedError{BreakerOpen, b.cause()},
			}
		}
	}
}

func (b *EmailBreaker) cause() *Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

// try lets a mail pass, or returns how long to wait at most and a channel that ends the wait.
func (b *EmailBreaker) try() (done func(error), wait time.Duration, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	wait = time.Until(b.probeAt)
	if wait <= 0 {
		tell, err := b.breaker.Allow()
		if err == nil {
			breaker := b.breaker
			return func(err error) { b.done(breaker, tell, err) }, 0, nil
		}
		wait = time.Minute // another mail tries: its outcome ends the wait
	}
	return nil, wait, b.changed
}

func (b *EmailBreaker) done(breaker *gobreaker.TwoStepCircuitBreaker[struct{}], tell func(error), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if breaker != b.breaker { // the settings have changed since
		return
	}
	before := breaker.State()
	if e, ok := errors.AsType[*Error](err); ok && !saysNothing(err) && !isAnswer(err) {
		b.last = e
	}
	tell(err)
	after := breaker.State() // half open where it has just opened, because its own pause is over at once
	switch {
	case after == gobreaker.StateClosed && before != gobreaker.StateClosed:
		b.logger.Warn("mail server accepts mails again", "provider", b.name, "after", time.Since(b.since).Round(time.Second).String())
		b.closed()
	case after == gobreaker.StateClosed:
	case before == gobreaker.StateClosed:
		b.since = time.Now()
		b.open()
	case saysNothing(err): // the probe did not reach the server
		b.notify()
	case err != nil && !isAnswer(err): // a probe failed, or a mail that was under way when the breaker opened
		if !time.Now().Before(b.probeAt) {
			b.open()
		}
	}
}

// open sets the time of the next probe. The caller has the lock.
func (b *EmailBreaker) open() {
	first, last := firstProbe, lastProbe
	switch {
	case effectOf(b.last) == reasons.Opens || b.last.Kind == Misconfigured:
		first, last = firstSlowProbe, lastSlowProbe
	case b.last.Code != "":
		first, last = firstCalmProbe, lastCalmProbe
	}
	b.pause = min(max(2*b.pause, first), last)
	b.probeAt = time.Now().Add(b.pause)
	reason, _ := reasons.Of(string(b.last.Reason()))
	b.logger.Error("breaker of the mail server opened: mails wait in the database", "provider", b.name, "reason", reason.Word,
		"error", b.last, "next_try_in", b.pause.String(), "do", reason.Do)
	b.notify()
}

// closed forgets the outage. The caller has the lock.
func (b *EmailBreaker) closed() {
	b.last, b.pause, b.probeAt, b.since = nil, 0, time.Time{}, time.Time{}
	b.notify()
}

// notify has waiting mails check the breaker again. The caller has the lock.
func (b *EmailBreaker) notify() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// untriedFor is how long after the time of a probe the breaker still counts as open although no mail has tried.
const untriedFor = time.Minute

// Outage returns why mails wait, and since when. It is false while the breaker is closed, and when there is no mail that could
// show whether the server works again.
func (b *EmailBreaker) Outage() (why reasons.Word, since time.Time, out bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.since.IsZero() || b.waiting.Load() == 0 && time.Since(b.probeAt) > untriedFor {
		return "", time.Time{}, false
	}
	return b.last.Reason(), b.since, true
}
