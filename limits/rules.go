package limits

import (
	"context"
	"math"
	"time"
)

// Set holds limits by their names. A name that is not in it is off.
type Set map[Name]Limit

// Defaults returns every limit as it is without settings.
func Defaults() Set {
	set := Set{}
	for _, limit := range defaults() {
		set[limit.Name] = limit
	}
	return set
}

// Names returns the name of every limit, in the order in which they are explained.
func Names() []Name {
	all := defaults()
	names := make([]Name, len(all))
	for i, limit := range all {
		names[i] = limit.Name
	}
	return names
}

// Budget returns [SMSBudgetDay] as it is with so much money for a day at so much a message, in the same
// currency. Without money, or when messages are free, it is off.
func Budget(money, price float64) Limit {
	limit := Defaults()[SMSBudgetDay]
	if money > 0 && price > 0 {
		// The tiny part makes up for 45 / 0.045 being a little less than 1000.
		limit.Count = int(min(math.Floor(money/price+1e-6), maxCount))
		limit.Count = max(limit.Count, 1)
	}
	return limit
}

// Off reports whether the limit refuses nothing.
func (l Limit) Off() bool { return l.Count <= 0 || l.Period <= 0 }

// Mode says what becomes of a spend that a limit refuses. The zero value enforces.
type Mode string

// The modes.
const (
	// Enforce refuses it.
	Enforce Mode = "enforce"
	// Record counts and reports it and lets it pass, to see what limits would do before they do it.
	Record Mode = "record"
)

// Valid reports whether the mode is one of the known ones.
func (m Mode) Valid() bool { return m == Enforce || m == Record }

// Rules is what a limiter goes by. The zero value refuses nothing.
type Rules struct {
	Set  Set
	Mode Mode

	// Report is told of every spend that only Record let pass; nil tells nobody. It must not block.
	Report func(ctx context.Context, name Name, retryAfter time.Duration)
}
