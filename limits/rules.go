package limits

import (
	"context"
	"maps"
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

// Parts of a budget.
const (
	unknownPercent = 80 // of a day's codes for networks that the number's owner has not signed in from
	hourPercent    = 30 // of a day's codes in an hour
	hourLeast      = 20 // codes in an hour, however small the budget is
)

// WithBudget returns the set with the limits that follow from so much money for 24 hours at so much a message, in the
// same currency: [SMSBudgetDay], [SMSBudgetUnknown] and [SMSTotal]. Without money, or when messages are free, it returns
// the set as it is.
func (s Set) WithBudget(money, price float64) Set {
	if money <= 0 || price <= 0 {
		return s
	}
	set := maps.Clone(s)
	// The tiny part makes up for 45 / 0.045 being a little less than 1000.
	set.setCount(SMSBudgetDay, max(1, int(min(math.Floor(money/price+1e-6), maxCount))))
	set.followBudget()
	set.setCount(SMSTotal, max(hourLeast, percentOf(set[SMSBudgetDay].Count, hourPercent)))
	return set
}

// followBudget makes the strangers' part fit the day's budget.
func (s Set) followBudget() {
	limit := s[SMSBudgetDay]
	limit.Name, limit.Count = SMSBudgetUnknown, percentOf(limit.Count, unknownPercent)
	s[SMSBudgetUnknown] = limit
}

// luckyADay is how many guesses a day at codes of so many digits are right once in a year, on average.
func luckyADay(digits int) int { return int(math.Pow10(digits)) / 365 }

// WithCodeLength returns the set with [CodeWrongAll] as it follows from codes of so many digits and from the budget.
// Each code that is sent has its first guess in any case, and strangers get as many codes a day as [SMSBudgetUnknown]
// says, or without a budget as many as there may be lucky guesses in two years. The guesses after the first ones are as
// many as make all together one lucky guess a year, but a tenth of all that at least: a budget that leaves less is too
// large for codes as short as these, see [Set.LuckyGuesses].
func (s Set) WithCodeLength(digits int) Set {
	set, lucky := maps.Clone(s), luckyADay(digits)
	set.setCount(CodeWrongAll, max(lucky-s.firstGuesses(digits), lucky/10, 1))
	return set
}

// firstGuesses is how many codes a day strangers can have sent to guess at.
func (s Set) firstGuesses(digits int) int {
	if limit := s[SMSBudgetUnknown]; !limit.Off() {
		return limit.Count
	}
	return luckyADay(digits) / 2
}

// LuckyGuesses returns how many guesses at codes of so many digits are right in a year, on average, when strangers use up
// the budget and [CodeWrongAll] every day of it. Without a budget, or with CodeWrongAll off, it knows no bound and
// returns +Inf.
func (s Set) LuckyGuesses(digits int) float64 {
	if s[SMSBudgetUnknown].Off() || s[CodeWrongAll].Off() {
		return math.Inf(1)
	}
	return float64(s.firstGuesses(digits)+s[CodeWrongAll].Count) * 365 / math.Pow10(digits)
}

func (s Set) setCount(name Name, count int) {
	limit := s[name]
	limit.Count = count
	s[name] = limit
}

// percentOf rounds up.
func percentOf(count, percent int) int { return (count*percent + 99) / 100 }

// Judged returns the time by which a guard judges: History, or Period where that is not set.
func (l Limit) Judged() time.Duration {
	if l.History > 0 {
		return l.History
	}
	return l.Period
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
