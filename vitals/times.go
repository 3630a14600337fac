package vitals

import (
	"maps"
	"math"
	"slices"
	"time"
)

// Times counts messages by the time they took. Stores round the times before they count, so that there are few different
// ones: to 10 ms below a second, else to two digits. A negative time, which a wrong clock makes, is 0.
type Times map[time.Duration]int

// Count returns how many messages are counted.
func (t Times) Count() int {
	n := 0
	for _, count := range t {
		n += count
	}
	return n
}

// Percentile returns the time within which this share of the messages was done; false when there are none.
func (t Times) Percentile(percent float64) (time.Duration, bool) {
	n := t.Count()
	if n == 0 {
		return 0, false
	}
	rank := max(int(math.Ceil(percent/100*float64(n))), 1)
	times := slices.Sorted(maps.Keys(t))
	for _, d := range times {
		if rank -= t[d]; rank <= 0 {
			return d, true
		}
	}
	return times[len(times)-1], true
}

func (t Times) plus(o Times) Times {
	if len(o) == 0 {
		return t
	}
	if t == nil {
		t = Times{}
	}
	for d, count := range o {
		t[d] += count
	}
	return t
}
