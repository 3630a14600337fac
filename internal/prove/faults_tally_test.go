package prove_test

import (
	"sync"
	"testing"
	"time"
)

// trial is what a row consists of: a deployment of its own, and one kind of fault.
type trial func(t *testing.T) outcome

// outcome is what a trial has come to.
type outcome struct {
	verdict

	lies    int                      // answers that were not true
	counts  map[string]int           // of the row, added up
	longest map[string]time.Duration // of the row, the longest of all trials
}

// lasted notes a time.
func (o *outcome) lasted(name string, d time.Duration) {
	if o.longest == nil {
		o.longest = map[string]time.Duration{}
	}
	o.longest[name] = max(o.longest[name], d)
}

// counted notes a number.
func (o *outcome) counted(name string, n int) {
	if o.counts == nil {
		o.counts = map[string]int{}
	}
	o.counts[name] += n
}

// together runs a row's trials at the same time, whatever -parallel says, for they spend it waiting, and adds up
// what they come to.
func (r *row) together(t *testing.T, trials map[string]trial) (sum outcome) {
	t.Helper()
	var running sync.WaitGroup
	var mu sync.Mutex
	for name, run := range trials {
		running.Go(func() {
			t.Run(name, func(t *testing.T) {
				o := run(t)
				t.Logf("%d acknowledged, %d delivered, twice %v", o.acknowledged, o.delivered, o.twice)
				mu.Lock()
				defer mu.Unlock()
				sum.add(o)
			})
		})
	}
	running.Wait()
	r.note("%d acknowledged", sum.acknowledged)
	return sum
}

func (o *outcome) add(other outcome) {
	o.requested += other.requested
	o.acknowledged += other.acknowledged
	o.delivered += other.delivered
	o.lost = append(o.lost, other.lost...)
	o.expired = append(o.expired, other.expired...)
	o.unasked = append(o.unasked, other.unasked...)
	o.changed = append(o.changed, other.changed...)
	if o.twice == nil {
		o.twice = map[string]int{}
	}
	for channel, n := range other.twice {
		o.twice[channel] += n
	}
	o.lies += other.lies
	for name, n := range other.counts {
		o.counted(name, n)
	}
	for name, d := range other.longest {
		o.lasted(name, d)
	}
}
