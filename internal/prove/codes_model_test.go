package prove_test

import (
	"strconv"
	"time"

	"usher/limits"
	"usher/messages"
	"usher/verify"
)

// The limits of the codes of row 12.
const (
	maxAttempts = 5
	resendPause = time.Minute
	claimLease  = 12 * time.Second
	toldOfDelay = 5 * time.Second // of a code that is still not sent
	lastResend  = time.Minute     // before its end a code is not sent again
	perHour     = 3               // codes of a number
	// blur is how much later than promised a window may forget a unit: a sixtieth of its hour.
	blur = time.Minute
)

// modelLimits are the limits of a number that are in force here.
func modelLimits() limits.Set {
	return limits.Set{
		limits.SMSMobileHour: {Name: limits.SMSMobileHour, Count: perHour, Period: time.Hour},
	}
}

// modelCode is all that the model knows of a code.
type modelCode struct {
	unresolved bool // an attempt may have gone out, and its provider is known
	id, text   string
	number     int
	purpose    verify.Purpose
	expires    time.Time
	queued     time.Time // when its message was enqueued
	resends    int       // that its person has asked for
	claimed    int       // resends at the last claim

	guesses  int
	replaced bool
	used     bool
	state    messages.State
	reason   string // of a dropped one
	attempt  int
	lease    time.Time
	doubts   int
	recorded string // attempt and outcome
	claims   []messages.Claim
}

// modelNumber is what the model knows of a number.
type modelNumber struct {
	newest map[verify.Purpose]*modelCode
	pause  time.Time
	issued []time.Time
}

// within counts the events in the time before now. An event exactly that long ago does not count.
func within(times []time.Time, now time.Time, period time.Duration) int {
	n := 0
	for _, at := range times {
		if now.Sub(at) < period {
			n++
		}
	}
	return n
}

// mustRefuse and mayRefuse bound a window that forgets late, never early.
func mustRefuse(times []time.Time, now time.Time, count int) bool {
	return within(times, now, time.Hour) >= count
}

func mayRefuse(times []time.Time, now time.Time, count int) bool {
	return within(times, now, time.Hour+blur) >= count
}

func (c *modelCode) over(now time.Time) bool { return !now.Before(c.expires) }

func (c *modelCode) open() bool { return c.state == messages.Queued || c.state == messages.Sending }

// drop is a claim of a code that is of no use any more. A code that is being sent stays as it is.
func (c *modelCode) drop(reason string, now time.Time) string {
	if c.open() && !c.lease.After(now) {
		if c.state == messages.Sending {
			c.doubts++
		}
		c.state, c.reason = messages.Dropped, reason
	}
	return reason
}

// refusal returns the reason for which a claim is dropped, or "".
func (c *modelCode) refusal(now time.Time) string {
	switch {
	case c.state == messages.Dropped:
		return c.reason
	case c.used:
		return c.drop("used", now)
	case c.state == messages.Failed:
		return "failed"
	case !c.open():
		return "sent"
	case c.over(now):
		return c.drop("expired", now)
	case c.replaced:
		return c.drop("superseded", now)
	default:
		return ""
	}
}

// file is the record of a claim, and reports whether it counts.
func (c *modelCode) file(claim messages.Claim, state messages.State) bool {
	if claim.Attempt != c.attempt {
		return false
	}
	this := func(state messages.State) string { return strconv.Itoa(claim.Attempt) + " " + string(state) }
	switch {
	case c.state == messages.Dropped && !c.lease.IsZero():
		if state != messages.Sent && state != messages.Failed {
			return true
		}
	case c.state != messages.Sending && state == messages.Sending:
		return c.recorded == this(messages.Sent)
	case c.state != messages.Sending:
		return c.recorded == this(state)
	}
	if state != messages.Sending {
		c.state, c.reason, c.lease, c.recorded = state, "", time.Time{}, this(state)
		return true
	}
	c.unresolved = true
	return true
}

// resend is a press of the person for whom nothing came: it returns the refusal, or else for how long the message, or the pause of its
// number, is in the way.
func (c *modelCode) resend(pause, now time.Time) (wait time.Duration, refusal error) {
	switch {
	case c.state == messages.Dropped || c.replaced || c.used || c.expires.Sub(now) < lastResend:
		return 0, verify.ErrExpired
	case c.resends == verify.MaxResends || c.state == messages.Delivered:
		return 0, verify.ErrResent
	case c.state == messages.Sending && c.lease.After(pause):
		pause = c.lease
	case c.state == messages.Queued && c.queued.Add(toldOfDelay).After(pause):
		pause = c.queued.Add(toldOfDelay)
	}
	return max(pause.Sub(now), 0), nil
}

// offered reports whether the status says that the code can be sent again after the pause.
func (c *modelCode) offered(pause, now time.Time) bool {
	wait, refusal := c.resend(time.Time{}, now)
	if pause.Before(now) {
		pause = now
	}
	return refusal == nil && wait == 0 && c.expires.Sub(pause) >= lastResend
}

// hear applies a vendor's report of the message after so many resends, and returns whether it changes the model.
func (c *modelCode) hear(state messages.State, resends int) bool {
	isThis := resends == c.resends && resends == c.claimed
	underWay := isThis && (c.state == messages.Sending || c.state == messages.Sent || c.state == messages.Queued && c.unresolved)
	if c.attempt == 0 || c.state == state || c.state == messages.Delivered || state != messages.Delivered && !underWay {
		return false
	}
	c.state, c.reason, c.lease = state, "", time.Time{}
	c.recorded = strconv.Itoa(c.attempt) + " " + string(messages.Sent)
	return true
}

// shown is the status that the API answers.
func (c *modelCode) shown(now time.Time) messages.State {
	state := c.state
	if state == messages.Dropped && c.reason == "used" {
		state = messages.Sent
	}
	switch {
	case c.used:
		return verify.StateUsed
	case state == messages.Failed, state == messages.Undelivered:
		return state
	case c.replaced, c.over(now), state == messages.Dropped:
		return verify.StateExpired
	case state == messages.Sending, state == messages.Queued:
		if now.Sub(c.queued) >= toldOfDelay {
			return verify.StateDelayed
		}
		return messages.Queued
	default:
		return state
	}
}
