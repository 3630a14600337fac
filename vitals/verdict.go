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
	Amber       // to be fixed today
	Red         // codes do not arrive, or will stop arriving soon
)

// String returns the level's name.
func (l Level) String() string { return [...]string{"green", "amber", "red"}[l] }

// The thresholds of the rules. docs/operations.md has them too.
const (
	enough     = 10               // messages that a rate is judged from
	enoughDead = 3                // lost messages, with none accepted, that are no coincidence
	fewPercent = 95               // below it something is wrong
	badPercent = 80               // below it codes do not arrive
	enoughUsed = 50               // accepted codes that the share of entered ones is judged from
	fewUsed    = 30               // percent of them; the conversion guard has the same
	budgetLow  = 20               // percent of the budget
	slowAccept = 5 * time.Second  // within which 95 of 100 codes should be accepted
	stuckCode  = 5 * time.Second  // that a pending code waits
	stuckMail  = time.Minute      // that a pending mail waits
	deadCode   = 30 * time.Second // that a pending code waits where no worker runs any more
	oldMail    = 5 * time.Minute  // that a mail is in the outbox
	oldOutcome = 30 * time.Second // that an outcome waits: the figures are late

	oldEvent      = time.Minute        // that an event to an endpoint that works waits; the alert EventsBehind has the same
	longFail      = 10 * time.Minute   // that an endpoint fails: the first three attempts of an event have failed by then
	newDisable    = 5 * 24 * time.Hour // since an endpoint was disabled: what waits for it is given up then
	mostEndpoints = 3                  // that are named
)

// Finding is one sentence of the verdict. Rule is the key of its text, Args are the arguments of that text: numbers,
// texts, [Percent], [Reason], [Advice] and [time.Duration].
type Finding struct {
	Level Level
	Rule  string
	Args  []any
}

// Reason is a word of package reasons in a finding: pages show its text.
type Reason string

// Advice is what to do about the reason of this word.
type Advice string

// Judge returns what is wrong, the worst first, or one finding that tells that codes arrive. It never returns none.
func (f Facts) Judge() []Finding {
	v := &verdict{Facts: f}
	v.stores()
	v.workers()
	v.queues()
	v.codes()
	v.breakers()
	v.budget()
	v.mails()
	if f.Outcomes != nil && f.Outcomes.Age(f.At) > oldOutcome {
		v.add(Amber, "outcomes_wait", f.Outcomes.Count, f.Outcomes.Age(f.At))
	}
	v.events()
	slices.SortStableFunc(v.found, func(a, b Finding) int { return int(b.Level) - int(a.Level) })
	if len(v.found) == 0 {
		v.healthy()
	}
	return v.found
}

// verdict collects findings.
type verdict struct {
	Facts

	found []Finding
}

func (v *verdict) add(level Level, rule string, args ...any) {
	v.found = append(v.found, Finding{level, rule, args})
}

// healthy is the finding when nothing is wrong. The traffic is known then.
func (v *verdict) healthy() {
	recent := v.Traffic.SMS.Recent
	if rate, ok := recent.DeliveredRate(); ok {
		p95, _ := recent.Delivery.Percentile(95)
		v.add(Green, "arrive", rate, recent.Reported(), p95)
	} else if rate, ok := recent.AcceptedRate(); ok {
		p95, _ := recent.Acceptance.Percentile(95)
		v.add(Green, "accepted", rate, recent.Ended(), p95)
	} else if recent.Waiting > 0 {
		v.add(Green, "under_way", recent.Waiting)
	} else {
		v.add(Green, "quiet")
	}
}

// stores is red for every store that does not answer: without one of them no code can be issued.
func (v *verdict) stores() {
	for _, store := range v.Unavailable {
		v.add(Red, store+"_unavailable")
	}
	if v.Traffic == nil && !slices.Contains(v.Unavailable, "database") {
		v.add(Amber, "no_figures")
	}
}

// workers says nothing of mail workers as long as no mail was requested: a deployment may send SMS only.
func (v *verdict) workers() {
	if v.Lacks(SourceWorkers) {
		return
	}
	if len(v.having(messages.SMS)) == 0 {
		v.add(Red, "no_sms_worker")
	}
	mails := v.Outbox != nil && v.Outbox.Count > 0 || v.Traffic != nil && v.Traffic.Mail.Whole.Asked > 0
	if mails && len(v.having(messages.Email)) == 0 {
		v.add(Amber, "no_mail_worker")
	}
}

// having returns the workers of a channel.
func (f Facts) having(channel messages.Channel) []Worker {
	return slices.DeleteFunc(slices.Clone(f.Workers), func(w Worker) bool { return !w.Has(channel) })
}

// queues is red for codes only: people wait for a code in front of a page, and not for a mail.
func (v *verdict) queues() {
	for _, q := range v.Queues {
		codes := q.Name == string(messages.SMS)
		switch {
		case q.Paused && codes:
			v.add(Red, "paused", q.Name)
		case q.Paused:
			v.add(Amber, "paused", q.Name)
		case codes && q.Oldest > deadCode:
			v.add(Red, "queue_waits", q.Name, q.Oldest)
		case codes && q.Oldest > stuckCode || q.Oldest > stuckMail:
			v.add(Amber, "queue_waits", q.Name, q.Oldest)
		}
	}
}

// codes judges the rates and the times of recent codes.
func (v *verdict) codes() {
	if v.Traffic == nil {
		return
	}
	recent := v.Traffic.SMS.Recent
	rate := func(rule string, rate Percent, good, of int) {
		switch {
		case good == 0 && of >= enoughDead || of >= enough && rate < badPercent:
			v.add(Red, rule, rate, of)
		case of >= enough && rate < fewPercent:
			v.add(Amber, rule, rate, of)
		}
	}
	accepted, _ := recent.AcceptedRate()
	rate("few_accepted", accepted, recent.Accepted, recent.Ended())
	delivered, _ := recent.DeliveredRate()
	rate("few_delivered", delivered, recent.Delivered, recent.Reported())
	if used, ok := recent.UsedRate(); ok && recent.Accepted >= enoughUsed && used < fewUsed {
		v.add(Amber, "few_used", used, recent.Accepted)
	}
	if p95, _ := recent.Acceptance.Percentile(95); p95 > slowAccept && recent.Acceptance.Count() >= enough {
		v.add(Amber, "slow", p95)
	}
}

// breakers is red when no worker has a provider left. A breaker that is half open counts as one that is left: the next
// message or the probe before it tells whether the provider is back, and without messages the state stays.
func (v *verdict) breakers() {
	workers := v.having(messages.SMS)
	open, all, stuck := map[string]int{}, map[string]int{}, 0
	for _, w := range workers {
		left := 0
		for provider, state := range w.Breakers {
			all[provider]++
			if state == breakerOpen {
				open[provider]++
			} else {
				left++
			}
		}
		if left == 0 && len(w.Breakers) > 0 {
			stuck++
		}
	}
	if stuck > 0 && stuck == len(workers) {
		v.add(Red, "all_breakers")
	}
	for _, provider := range slices.Sorted(maps.Keys(open)) {
		v.add(Amber, "breaker", provider, open[provider], all[provider])
	}
}

// breakerOpen is the state of a breaker that lets no message pass, as package providers names it.
const breakerOpen = "open"

// budget is red when every code is refused.
func (v *verdict) budget() {
	b := v.Budget
	switch {
	case b == nil || b.Left*100 >= b.Count*budgetLow:
	case b.Left <= 0:
		v.add(Red, "budget_spent", b.Count)
	default:
		left, _ := share(b.Left, b.Count)
		v.add(Amber, "budget_low", left, b.Left)
	}
}

// mails is red only when no mail is sent at all: unlike a code, a mail may be late.
func (v *verdict) mails() {
	if out := v.mailOutages(); len(out) > 0 {
		level, workers := Amber, len(v.having(messages.Email))
		if len(out) == workers {
			level = Red
		}
		v.add(level, "mails_down", Reason(out[0]), len(out), workers, Advice(out[0]))
	}
	if v.Outbox != nil && v.Outbox.Age(v.At) > oldMail {
		v.add(Amber, "outbox_waits", v.Outbox.Count, v.Outbox.Age(v.At))
	}
	if v.Traffic == nil {
		return
	}
	recent := v.Traffic.Mail.Recent
	rate, ok := recent.AcceptedRate()
	switch {
	case ok && recent.Accepted == 0 && recent.Ended() >= enoughDead:
		v.add(Red, "few_mails", rate, recent.Ended())
	case ok && recent.Ended() >= enough && rate < fewPercent:
		v.add(Amber, "few_mails", rate, recent.Ended())
	}
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

// events names the endpoints that need an operator. One that an operator has disabled is meant to be.
func (v *verdict) events() {
	if v.Events == nil {
		return
	}
	if v.Events.Behind > oldEvent {
		v.add(Amber, "events_wait", v.Events.Waiting, v.Events.Behind)
	}
	named, more := len(v.found)+mostEndpoints, 0
	for _, e := range v.Events.Endpoints {
		fails := e.State() == "failing" && v.At.Sub(e.FailingSince) > longFail
		ended := e.State() == "disabled" && e.Disabled != ByOperator && v.At.Sub(e.DisabledAt) <= newDisable
		switch {
		case !fails && !ended:
		case len(v.found) == named:
			more++
		case fails:
			v.add(Amber, "endpoint_fails", e.ID, v.At.Sub(e.FailingSince))
		case e.Disabled == ByAnswer:
			v.add(Amber, "endpoint_gone", e.ID)
		default:
			v.add(Amber, "endpoint_given_up", e.ID)
		}
	}
	if more > 0 {
		v.add(Amber, "endpoints_more", more)
	}
}
