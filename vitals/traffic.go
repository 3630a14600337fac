package vitals

import (
	"time"

	"usher/messages"
)

// Window is the time that is looked at, in slots of one length, of which the last may still run.
type Window struct {
	Since, Until time.Time
	Slot         time.Duration
	Recent       time.Time // what was asked for since then is recent
}

// Slots is how many slots there are.
func (w Window) Slots() int {
	return int((w.Until.Sub(w.Since) + w.Slot - 1) / w.Slot)
}

// Start is when a slot begins.
func (w Window) Start(slot int) time.Time { return w.Since.Add(time.Duration(slot) * w.Slot) }

// Tally counts messages by what became of them. What is delivered or undelivered is among the accepted ones;
// Asked has all.
type Tally struct {
	Asked       int `json:"asked,omitzero"`
	Accepted    int `json:"accepted,omitzero"`    // a provider took it
	Delivered   int `json:"delivered,omitzero"`   // the carrier reported that it arrived
	Undelivered int `json:"undelivered,omitzero"` // the carrier reported that it will not
	Used        int `json:"used,omitzero"`        // the code was entered
	Failed      int `json:"failed,omitzero"`      // refused for good, or out of attempts
	Expired     int `json:"expired,omitzero"`     // never sent: too late, or it could not be queued
	Idle        int `json:"idle,omitzero"`        // never sent and no loss: another took its place, or it was used or proved
	Waiting     int `json:"waiting,omitzero"`     // queued or being sent
	Refused     int `json:"refused,omitzero"`     // those of the waiting ones that a mail server has refused so far

	Acceptance Times `json:"acceptance,omitempty"` // from the click until a provider took it
	Delivery   Times `json:"delivery,omitempty"`   // from the click until it arrived
}

// Lost is what nobody got and nothing replaced.
func (t Tally) Lost() int { return t.Undelivered + t.Failed + t.Expired }

// Ended is what a provider took, what will not be taken by any, and what was refused so far.
func (t Tally) Ended() int { return t.Accepted + t.Failed + t.Expired + t.Refused }

// Reported is what the carriers said something of.
func (t Tally) Reported() int { return t.Delivered + t.Undelivered }

// Unreported is what was accepted and not heard of since.
func (t Tally) Unreported() int { return max(t.Accepted-t.Reported(), 0) }

// AcceptedRate is the share of accepted ones among those that have ended; false when there are none.
func (t Tally) AcceptedRate() (Percent, bool) { return share(t.Accepted, t.Ended()) }

// DeliveredRate is the share of delivered ones among those that were reported; false when there are none.
func (t Tally) DeliveredRate() (Percent, bool) { return share(t.Delivered, t.Reported()) }

// UsedRate is the share of entered codes among the accepted ones; false when there are none.
func (t Tally) UsedRate() (Percent, bool) { return share(t.Used, t.Accepted) }

// Percent is a share of a hundred.
type Percent float64

// share is at most 100: what is counted is read from rows that change meanwhile.
func share(part, whole int) (Percent, bool) {
	if whole <= 0 {
		return 0, false
	}
	return min(Percent(100*float64(part)/float64(whole)), 100), true
}

// add counts other messages too.
func (t *Tally) add(o Tally) {
	t.Asked += o.Asked
	t.Accepted += o.Accepted
	t.Delivered += o.Delivered
	t.Undelivered += o.Undelivered
	t.Used += o.Used
	t.Failed += o.Failed
	t.Expired += o.Expired
	t.Idle += o.Idle
	t.Waiting += o.Waiting
	t.Refused += o.Refused
	t.Acceptance = t.Acceptance.plus(o.Acceptance)
	t.Delivery = t.Delivery.plus(o.Delivery)
}

// Flow is the messages of one channel. As JSON it has what [Traffic.Merge] needs.
type Flow struct {
	Whole     Tally
	Recent    Tally             `json:"-"` // of those asked for since [Window.Recent]
	Slots     []Tally           `json:"-"` // the oldest first
	Providers map[string]*Tally // without those that no provider was asked to send
	Prefixes  map[string]*Tally // by the first three digits of a number; no times
}

// Traffic is the messages of a window, by when they were asked for.
type Traffic struct {
	Window    Window `json:"-"`
	SMS, Mail Flow
	Dead      []DeadGroup   // the most frequent first
	LastDead  []DeadMessage `json:"-"` // the newest first
}

// NewTraffic returns the traffic of a window in which nothing happened.
func NewTraffic(w Window) *Traffic {
	flow := func() Flow {
		return Flow{Slots: make([]Tally, w.Slots()), Providers: map[string]*Tally{}, Prefixes: map[string]*Tally{}}
	}
	return &Traffic{Window: w, SMS: flow(), Mail: flow()}
}

// Part says which messages a tally is of.
type Part struct {
	Channel  messages.Channel
	Slot     int
	Provider string // empty when nobody was asked
	Prefix   string // empty when it is not to be counted by prefixes
	Recent   bool
}

// Add counts messages of a part. What lies outside the window is left out of the slots.
func (t *Traffic) Add(part Part, tally Tally) {
	flow := &t.SMS
	if part.Channel == messages.Email {
		flow = &t.Mail
	}
	flow.Whole.add(tally)
	if part.Recent {
		flow.Recent.add(tally)
	}
	if part.Slot >= 0 && part.Slot < len(flow.Slots) {
		flow.Slots[part.Slot].add(tally)
	}
	addTo(flow.Providers, part.Provider, tally)
	addTo(flow.Prefixes, part.Prefix, tally)
}

func addTo(tallies map[string]*Tally, name string, tally Tally) {
	if name == "" {
		return
	}
	if tallies[name] == nil {
		tallies[name] = &Tally{}
	}
	tallies[name].add(tally)
}

// DeadGroup is messages that did not reach anybody for the same reason.
type DeadGroup struct {
	Channel  messages.Channel
	State    messages.State
	Reason   string // of dropped ones
	Provider string
	Code     string // the provider's
	Count    int
	Last     time.Time // when the newest was asked for
}

// DeadMessage is a message that did not reach anybody.
type DeadMessage struct {
	ID       string
	Channel  messages.Channel
	To       string // masked
	State    messages.State
	Reason   string
	Provider string
	Code     string
	At       time.Time // when it was asked for
}
