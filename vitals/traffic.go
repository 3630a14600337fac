package vitals

import (
	"cmp"
	"slices"
	"time"

	"usher/messages"
)

// Window is a time span in slots of one length. The last slot may not be over yet.
type Window struct {
	Since, Until time.Time
	Slot         time.Duration
	Recent       time.Time // messages that were requested since then are recent
}

// Slots returns the number of slots.
func (w Window) Slots() int {
	return int((w.Until.Sub(w.Since) + w.Slot - 1) / w.Slot)
}

// Start returns when a slot begins.
func (w Window) Start(slot int) time.Time { return w.Since.Add(time.Duration(slot) * w.Slot) }

// Tally counts messages by outcome. Those delivered or undelivered are among the accepted ones; Asked counts all. As JSON
// it is stored in the table of rollups.
type Tally struct {
	Asked       int `json:"asked,omitzero"`
	Accepted    int `json:"accepted,omitzero"`    // by a provider
	Delivered   int `json:"delivered,omitzero"`   // the carrier reported that they arrived
	Undelivered int `json:"undelivered,omitzero"` // the carrier reported that they will not
	Used        int `json:"used,omitzero"`        // codes that were entered
	Failed      int `json:"failed,omitzero"`      // permanently refused, or out of attempts
	Expired     int `json:"expired,omitzero"`     // not sent: too late, or they could not be enqueued
	Idle        int `json:"idle,omitzero"`        // not sent and no loss: a newer one replaced them, or the address was proved
	Waiting     int `json:"waiting,omitzero"`     // queued or being sent
	Refused     int `json:"refused,omitzero"`     // of the waiting ones: refused by a mail server so far

	Acceptance Times `json:"acceptance,omitempty"` // from the request until a provider accepted it
	Delivery   Times `json:"delivery,omitempty"`   // from the request until it arrived
}

// Lost counts messages that did not arrive and that nothing replaced.
func (t Tally) Lost() int { return t.Undelivered + t.Failed + t.Expired }

// Ended counts the messages whose acceptance is decided: accepted, given up, or refused so far.
func (t Tally) Ended() int { return t.Accepted + t.Failed + t.Expired + t.Refused }

// Reported counts messages with a delivery report.
func (t Tally) Reported() int { return t.Delivered + t.Undelivered }

// AcceptedRate is the share of accepted messages among [Tally.Ended]; false when there are none.
func (t Tally) AcceptedRate() (Percent, bool) { return share(t.Accepted, t.Ended()) }

// DeliveredRate is the share of delivered messages among [Tally.Reported]; false when there are none.
func (t Tally) DeliveredRate() (Percent, bool) { return share(t.Delivered, t.Reported()) }

// UsedRate is the share of entered codes among the accepted ones; false when there are none.
func (t Tally) UsedRate() (Percent, bool) { return share(t.Used, t.Accepted) }

// Percent is a share in percent, 0 to 100.
type Percent float64

// share is at most 100, although rows that change while they are counted could make it more.
func share(part, whole int) (Percent, bool) {
	if whole <= 0 {
		return 0, false
	}
	return min(Percent(100*float64(part)/float64(whole)), 100), true
}

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

// Flow counts the messages of one channel. As JSON it has what [Traffic.Merge] needs.
type Flow struct {
	Whole     Tally
	Recent    Tally             `json:"-"` // of the messages requested since [Window.Recent]
	Slots     []Tally           `json:"-"` // the oldest first
	Providers map[string]*Tally // without messages that were passed to no provider
	Prefixes  map[string]*Tally // by the first three digits of a number, abroad with the plus sign; no times

	RecentPrefixes map[string]*Tally `json:"-"` // the same, of the recent messages
}

// Traffic counts the messages of a window, by the time they were requested.
type Traffic struct {
	Window    Window `json:"-"`
	SMS, Mail Flow
	Dead      []DeadGroup // the most frequent first
}

// NewTraffic returns the empty traffic of a window.
func NewTraffic(w Window) *Traffic {
	flow := func() Flow {
		return Flow{Slots: make([]Tally, w.Slots()), Providers: map[string]*Tally{}, Prefixes: map[string]*Tally{}, RecentPrefixes: map[string]*Tally{}}
	}
	return &Traffic{Window: w, SMS: flow(), Mail: flow()}
}

// Part is which messages a tally counts.
type Part struct {
	Channel  messages.Channel
	Slot     int
	Provider string // empty without one
	Prefix   string // empty to leave prefixes out
	Recent   bool
}

// Add adds a tally. A slot outside the window is left out of the slots only.
func (t *Traffic) Add(part Part, tally Tally) {
	flow := &t.SMS
	if part.Channel == messages.Email {
		flow = &t.Mail
	}
	flow.Whole.add(tally)
	if part.Recent {
		flow.Recent.add(tally)
		addTo(flow.RecentPrefixes, part.Prefix, tally)
	}
	if part.Slot >= 0 && part.Slot < len(flow.Slots) {
		flow.Slots[part.Slot].add(tally)
	}
	addTo(flow.Providers, part.Provider, tally)
	addTo(flow.Prefixes, part.Prefix, tally)
}

// addTo adds a tally under a name, and nothing under the empty name.
func addTo(tallies map[string]*Tally, name string, tally Tally) {
	if name == "" {
		return
	}
	if tallies[name] == nil {
		tallies[name] = &Tally{}
	}
	tallies[name].add(tally)
}

// DeadGroup counts messages that did not arrive for the same cause.
type DeadGroup struct {
	Channel  messages.Channel
	State    messages.State
	Reason   string // of dropped ones
	Provider string
	Code     string // the provider's
	Count    int
	Last     time.Time // when the newest was requested
}

// Merge adds the traffic of one past slot, as the table of rollups has it, to a slot of this one. The
// recent tally is left out: a past slot has none.
func (t *Traffic) Merge(slot int, o *Traffic) {
	t.SMS.merge(slot, o.SMS)
	t.Mail.merge(slot, o.Mail)
	for _, group := range o.Dead {
		t.AddDead(group)
	}
}

func (f *Flow) merge(slot int, o Flow) {
	f.Whole.add(o.Whole)
	if slot >= 0 && slot < len(f.Slots) {
		f.Slots[slot].add(o.Whole)
	}
	for name, tally := range o.Providers {
		addTo(f.Providers, name, *tally)
	}
	for name, tally := range o.Prefixes {
		addTo(f.Prefixes, name, *tally)
	}
}

// AddDead adds a group of messages that did not arrive to the group of the same cause.
func (t *Traffic) AddDead(group DeadGroup) {
	for i := range t.Dead {
		if known := &t.Dead[i]; known.cause() == group.cause() {
			known.Count += group.Count
			if group.Last.After(known.Last) {
				known.Last = group.Last
			}
			return
		}
	}
	t.Dead = append(t.Dead, group)
}

// cause is the group without its count and time.
func (g DeadGroup) cause() DeadGroup {
	return DeadGroup{Channel: g.Channel, State: g.State, Reason: g.Reason, Provider: g.Provider, Code: g.Code}
}

// CutDead sorts the groups, the largest first and of equals the newest, and keeps at most so many.
func (t *Traffic) CutDead(most int) {
	slices.SortFunc(t.Dead, func(a, b DeadGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), b.Last.Compare(a.Last))
	})
	t.Dead = t.Dead[:min(len(t.Dead), most)]
}
