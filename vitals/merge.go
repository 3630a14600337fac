package vitals

import (
	"cmp"
	"slices"
)

// Merge adds the traffic of one slot, which was counted apart, to a slot of this one. The last dead messages are left
// out, and so is what was recent: a slot that was counted apart is over.
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

// AddDead counts messages that did not arrive, together with those that did not for the same reason.
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

// CutDead keeps the most frequent groups, at most so many, the most frequent first and of equals the newest.
func (t *Traffic) CutDead(most int) {
	slices.SortFunc(t.Dead, func(a, b DeadGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), b.Last.Compare(a.Last))
	})
	t.Dead = t.Dead[:min(len(t.Dead), most)]
}
