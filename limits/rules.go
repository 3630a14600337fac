package limits

import (
	"cmp"
	"context"
	"maps"
	"math"
	"time"
)

// Set is limits by their names. A limit that is not in it is off.
type Set map[Name]Limit

// Defaults returns all limits with their default values.
func Defaults() Set {
	set := Set{}
	for _, limit := range defaults() {
		set[limit.Name] = limit
	}
	return set
}

// Names returns the names of all limits, in the order in which they are documented.
func Names() []Name {
	all := defaults()
	names := make([]Name, len(all))
	for i, limit := range all {
		names[i] = limit.Name
	}
	return names
}

// Parts of a budget.
const (
	unknownPercent = 80 // of the codes of a day, for networks that the number's owner has not signed in from
	hourPercent    = 30 // of the codes of a day, in an hour
	hourLeast      = 20 // codes in an hour, for any budget
)

// WithBudget returns the set with the limits that follow from the money for 24 hours and the price of a message, in the same
// currency: [SMSBudgetDay], [SMSBudgetUnknown] and [SMSTotal]. Without money, or when messages are free, it returns the set
// unchanged.
func (s Set) WithBudget(money, price float64) Set {
	if money <= 0 || price <= 0 {
		return s
	}
	set := maps.Clone(s)
	set.setCount(SMSBudgetDay, unitsFor(money, price))
	set.followBudget()
	set.setCount(SMSTotal, max(hourLeast, percentOf(set[SMSBudgetDay].Count, hourPercent)))
	return set
}

// ForApp returns the limits of one app: [AppRate] and [AppBudgetDay], with its own rate a minute and its own money for 24 hours in place
// of the common ones; 0 is the common one. The price is that of a message that costs one unit.
func (s Set) ForApp(rate int, money, price float64) (perMinute, budget Limit) {
	perMinute, budget = s[AppRate], s[AppBudgetDay]
	if rate > 0 {
		perMinute.Count, perMinute.Period = rate, time.Minute
	}
	if money > 0 && price > 0 {
		budget.Count, budget.Period = unitsFor(money, price), 24*time.Hour
	}
	return perMinute, budget
}

// unitsFor returns how many messages of a price the money pays for, at least one. The small addend corrects rounding: 45 / 0.045 is
// slightly less than 1000.
func unitsFor(money, price float64) int {
	return max(1, int(min(math.Floor(money/price+1e-6), maxCount)))
}

// followBudget sets the part of the budget for unknown networks from the budget of the day.
func (s Set) followBudget() {
	limit := s[SMSBudgetDay]
	limit.Name, limit.Count = SMSBudgetUnknown, percentOf(limit.Count, unknownPercent)
	s[SMSBudgetUnknown] = limit
}

// luckyADay returns the number of guesses a day of which one in a year is right, on average, for codes of that many digits.
func luckyADay(digits int) int { return int(math.Pow10(digits)) / 365 }

// WithCodeLength returns the set with [CodeWrongAll] as it follows from the number of digits and the budget. Each code that is sent
// has a first guess in any case; strangers get [SMSBudgetUnknown] codes a day, or without a budget half of the guesses that make
// one lucky guess a year. The guesses after the first ones make up the rest of one lucky guess a year, but are at least a tenth
// of all: a budget that leaves less is too large for codes this short, see [Set.LuckyGuesses].
func (s Set) WithCodeLength(digits int) Set {
	set, lucky := maps.Clone(s), luckyADay(digits)
	set.setCount(CodeWrongAll, max(lucky-s.firstGuesses(digits), lucky/10, 1))
	return set
}

// firstGuesses returns how many codes a day strangers can request and guess at.
func (s Set) firstGuesses(digits int) int {
	if limit := s[SMSBudgetUnknown]; !limit.Off() {
		return limit.Count
	}
	return luckyADay(digits) / 2
}

// LuckyGuesses returns how many guesses at codes of that many digits are right in a year, on average, when strangers use up the
// budget and [CodeWrongAll] on every day. Without a budget, or with CodeWrongAll off, there is no bound and it returns +Inf.
func (s Set) LuckyGuesses(digits int) float64 {
	if s[SMSBudgetUnknown].Off() || s[CodeWrongAll].Off() {
		return math.Inf(1)
	}
	return float64(s.firstGuesses(digits)+s[CodeWrongAll].Count) * 365 / math.Pow10(digits)
}

// setCount changes the count of one limit.
func (s Set) setCount(name Name, count int) {
	limit := s[name]
	limit.Count = count
	s[name] = limit
}

// percentOf rounds up.
func percentOf(count, percent int) int { return (count*percent + 99) / 100 }

// Judged returns the period over which a guard judges: History, or Period where that is not set.
func (l Limit) Judged() time.Duration { return cmp.Or(l.History, l.Period) }

// Off reports whether the limit refuses nothing.
func (l Limit) Off() bool { return l.Count <= 0 || l.Period <= 0 }

// Mode says what happens to a spend that a limit refuses. The zero value enforces.
type Mode string

// The modes.
const (
	// Enforce refuses it.
	Enforce Mode = "enforce"
	// Record counts it, reports it and lets it pass, to observe the effect of limits before they are enforced.
	Record Mode = "record"
)

// Rules configure a limiter. The zero value refuses nothing.
type Rules struct {
	Set  Set
	Mode Mode

	// Report is called for each refused spend that [Record] let pass; nil is not called. It must not block.
	Report func(ctx context.Context, name Name, retryAfter time.Duration)
}
