package vitals

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"usher/messages"
)

// Level is how bad something is.
type Level int

// The levels.
const (
	Green Level = iota
	Amber       // somebody should look at it today
	Red         // codes do not arrive, or are about to stop
)

// String returns the level's name.
func (l Level) String() string { return [...]string{"green", "amber", "red"}[l] }

// The thresholds of the rules. docs/operations.md has them too.
const (
	enough     = 10  // messages that a rate is judged from
	enoughDead = 3   // lost ones, when none got through, that are no coincidence
	fewPercent = 95  // below it something is wrong
	badPercent = 80  // below it codes do not arrive
	enoughUsed = 50  // accepted codes that the share of entered ones is judged from
	fewUsed    = 30  // percent of them; the conversion guard has the same
	budgetLow  = 20  // percent of the budget
	slowAccept = 5   // seconds until 95 of 100 are accepted
	stuckSMS   = 5   // seconds that a pending code waits
	stuckMail  = 60  // seconds that a pending mail waits
	deadSMS    = 30  // seconds: a worker should have had it long ago
	oldMail    = 300 // seconds that a mail is in the outbox
	oldOutcome = 30  // seconds that an outcome waits: the figures lag behind
)

// breakerOpen is the state of a breaker that lets nothing pass, as package providers calls it.
const breakerOpen = "open"

// Finding is something that is worth a sentence. Rule names the sentence, Args are put into it: numbers,
// texts, [Percent] and [time.Duration].
type Finding struct {
	Level Level
	Rule  string
	Args  []any
}

// Judge returns what is to be said, the worst first and at least one sentence: whether codes arrive.
func (f Facts) Judge() []Finding {
	var found []Finding
	rules := []func() []Finding{
		f.judgeStores, f.judgeWorkers, f.judgeQueues, f.judgeRates, f.judgeBreakers,
		f.judgeTimes, f.judgeBudget, f.judgeMails, f.judgeLag,
	}
	for _, rule := range rules {
		found = append(found, rule()...)
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return int(b.Level) - int(a.Level) })
	if len(found) == 0 {
		return []Finding{f.well()}
	}
	return found
}

// well is the sentence when nothing is wrong.
func (f Facts) well() Finding {
	recent := f.Traffic.SMS.Recent
	rate, reported := recent.DeliveredRate()
	p95, _ := recent.Delivery.Percentile(95)
	if reported {
		return Finding{Green, "arrive", []any{rate, recent.Reported(), p95}}
	}
	rate, accepted := recent.AcceptedRate()
	p95, _ = recent.Acceptance.Percentile(95)
	switch {
	case accepted:
		return Finding{Green, "accepted", []any{rate, recent.Ended(), p95}}
	case recent.Waiting > 0:
		return Finding{Green, "under_way", []any{recent.Waiting}}
	default:
		return Finding{Green, "quiet", nil}
	}
}

func (f Facts) judgeStores() []Finding {
	var found []Finding
	for _, store := range f.Away {
		found = append(found, Finding{Red, store + "_away", nil})
	}
	if f.Traffic == nil && !slices.Contains(f.Away, "database") {
		found = append(found, Finding{Amber, "no_figures", nil})
	}
	return found
}

func (f Facts) judgeWorkers() []Finding {
	if f.Lacks(SourceWorkers) {
		return nil
	}
	var found []Finding
	if len(f.having(messages.SMS)) == 0 {
		found = append(found, Finding{Red, "no_sms_worker", nil})
	}
	mails := f.Outbox != nil && f.Outbox.Count > 0 || f.Traffic != nil && f.Traffic.Mail.Whole.Asked > 0
	if mails && len(f.having(messages.Email)) == 0 {
		found = append(found, Finding{Amber, "no_mail_worker", nil})
	}
	return found
}

// having are the workers of a channel.
func (f Facts) having(channel messages.Channel) []Worker {
	return slices.DeleteFunc(slices.Clone(f.Workers), func(w Worker) bool { return !w.Has(channel) })
}

func (f Facts) judgeQueues() []Finding {
	var found []Finding
	for _, q := range f.Queues {
		slow, dead := seconds(stuckMail), time.Duration(0)
		if q.Name == string(messages.SMS) {
			slow, dead = seconds(stuckSMS), seconds(deadSMS)
		}
		switch {
		case q.Paused && dead > 0:
			found = append(found, Finding{Red, "paused", []any{q.Name}})
		case q.Paused:
			found = append(found, Finding{Amber, "paused", []any{q.Name}})
		case dead > 0 && q.Oldest > dead:
			found = append(found, Finding{Red, "queue_waits", []any{q.Name, q.Oldest}})
		case q.Oldest > slow:
			found = append(found, Finding{Amber, "queue_waits", []any{q.Name, q.Oldest}})
		}
	}
	return found
}

func (f Facts) judgeRates() []Finding {
	if f.Traffic == nil {
		return nil
	}
	recent := f.Traffic.SMS.Recent
	var found []Finding
	judge := func(rule string, rate Percent, good, of int) {
		none := good == 0 && of >= enoughDead
		switch {
		case none || of >= enough && rate < badPercent:
			found = append(found, Finding{Red, rule, []any{rate, of}})
		case of >= enough && rate < fewPercent:
			found = append(found, Finding{Amber, rule, []any{rate, of}})
		}
	}
	accepted, _ := recent.AcceptedRate()
	judge("few_accepted", accepted, recent.Accepted, recent.Ended())
	delivered, _ := recent.DeliveredRate()
	judge("few_delivered", delivered, recent.Delivered, recent.Reported())
	if used, ok := recent.UsedRate(); ok && recent.Accepted >= enoughUsed && used < fewUsed {
		found = append(found, Finding{Amber, "few_used", []any{used, recent.Accepted}})
	}
	return found
}

// judgeBreakers: when no worker has a provider left, nothing is sent.
func (f Facts) judgeBreakers() []Finding {
	workers := f.having(messages.SMS)
	open, asked, stuck := map[string]int{}, map[string]int{}, 0
	for _, w := range workers {
		left := 0
		for provider, state := range w.Breakers {
			asked[provider]++
			switch state {
			case breakerOpen:
				open[provider]++
			default: // half open: the next message, or the probe before it, finds out. Without messages that is no fault
				left++
			}
		}
		if left == 0 && len(w.Breakers) > 0 {
			stuck++
		}
	}
	var found []Finding
	if stuck > 0 && stuck == len(workers) {
		found = append(found, Finding{Red, "all_breakers", nil})
	}
	for _, provider := range slices.Sorted(maps.Keys(open)) {
		found = append(found, Finding{Amber, "breaker", []any{provider, open[provider], asked[provider]}})
	}
	return found
}

func (f Facts) judgeTimes() []Finding {
	if f.Traffic == nil || f.Traffic.SMS.Recent.Acceptance.Count() < enough {
		return nil
	}
	if p95, _ := f.Traffic.SMS.Recent.Acceptance.Percentile(95); p95 > seconds(slowAccept) {
		return []Finding{{Amber, "slow", []any{p95}}}
	}
	return nil
}

func (f Facts) judgeBudget() []Finding {
	if f.Budget == nil || f.Budget.Left*100 >= f.Budget.Count*budgetLow {
		return nil
	}
	if f.Budget.Left <= 0 {
		return []Finding{{Red, "budget_spent", []any{f.Budget.Count}}}
	}
	left, _ := share(f.Budget.Left, f.Budget.Count)
	return []Finding{{Amber, "budget_low", []any{left, f.Budget.Left}}}
}

// Reason is a word of package reasons in a finding: pages show its text.
type Reason string

// Advice is what to do about the reason of this word.
type Advice string

// judgeMails says red only when no mail leaves: people do not wait in front of a page for a mail that is late.
func (f Facts) judgeMails() []Finding {
	var found []Finding
	if out := f.mailOutages(); len(out) > 0 {
		level, workers := Amber, len(f.having(messages.Email))
		if len(out) == workers {
			level = Red
		}
		found = append(found, Finding{level, "mails_down", []any{Reason(out[0]), len(out), workers, Advice(out[0])}})
	}
	if f.Outbox != nil && f.Outbox.Age(f.At) > seconds(oldMail) {
		found = append(found, Finding{Amber, "outbox_waits", []any{f.Outbox.Count, f.Outbox.Age(f.At)}})
	}
	if f.Traffic != nil {
		recent := f.Traffic.Mail.Recent
		rate, ok := recent.AcceptedRate()
		switch {
		case ok && recent.Accepted == 0 && recent.Ended() >= enoughDead:
			found = append(found, Finding{Red, "few_mails", []any{rate, recent.Ended()}})
		case ok && recent.Ended() >= enough && rate < fewPercent:
			found = append(found, Finding{Amber, "few_mails", []any{rate, recent.Ended()}})
		}
	}
	return found
}

// mailOutages are the reasons of the workers that keep mails back, the most frequent first.
func (f Facts) mailOutages() []string {
	var out []string
	times := map[string]int{}
	for _, w := range f.having(messages.Email) {
		if w.MailOutage != "" {
			out = append(out, w.MailOutage)
			times[w.MailOutage]++
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Or(times[b]-times[a], strings.Compare(a, b)) })
	return out
}

func (f Facts) judgeLag() []Finding {
	if f.Outcomes == nil || f.Outcomes.Age(f.At) <= seconds(oldOutcome) {
		return nil
	}
	return []Finding{{Amber, "outcomes_wait", []any{f.Outcomes.Count, f.Outcomes.Age(f.At)}}}
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
