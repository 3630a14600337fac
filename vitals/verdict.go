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
	mostPrefixes  = 3                  // that are named

	memoryHigh = 80 // percent of maxmemory; the alert RedisMemoryHigh has the same
	memoryFull = 97 // percent from which on Redis may refuse the next write

	fewExpired = 5                      // codes that expired before they were sent; the alert CodesExpired has the same
	clockOff   = 250 * time.Millisecond // of a machine; the alert ClockOff has the same
	newForeign = 10 * time.Minute       // since a worker left a task to others
	lateJob    = 5 * time.Minute        // beyond twice its interval, that a periodic job has not been done
)

// Reason is a word of package reasons in a finding: pages show its text.
type Reason string

// Judge returns what is wrong, the worst first and of equals the cause before its consequences, or one finding that tells
// that codes arrive. It never returns none. What another finding explains is left out.
func (f Facts) Judge() []Finding {
	v := &verdict{Facts: f}
	v.memory()
	v.stores()
	v.workers()
	v.queues()
	v.breakers()
	v.mails()
	v.budget()
	v.codes()
	v.outcomes()
	v.events()
	v.jobs()
	v.clocks()
	v.process()
	v.found = causes(v.found)
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

// add adds a finding; its sentence has the arguments. The first text among them tells findings of one rule apart.
func (v *verdict) add(level Level, rule string, args ...any) *Finding {
	found := Finding{Level: level, Rule: rule, Args: args, Hit: rules[rule].Hit, Runbook: rules[rule].Runbook}
	if len(args) > 0 {
		found.About, _ = args[0].(string)
	}
	v.found = append(v.found, found)
	return &v.found[len(v.found)-1]
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

// memory is red when Redis is about to refuse writes. INFO is answered even then.
func (v *verdict) memory() {
	if v.Memory == nil || v.Memory.Most <= 0 {
		return
	}
	used, _ := share(int(v.Memory.Used>>10), int(v.Memory.Most>>10))
	switch {
	case used >= memoryFull:
		v.add(Red, "redis_full", used)
	case used >= memoryHigh:
		v.add(Amber, "redis_memory", used)
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
	served := slices.ContainsFunc(v.Workers, func(w Worker) bool { return slices.ContainsFunc(w.Queues, isEvents) })
	if v.Events != nil && v.Events.Waiting > 0 && !served {
		v.add(Amber, "no_event_worker", v.Events.Waiting)
	}
	if at := v.latest(func(w Worker) time.Time { return w.ForeignAt }); !at.IsZero() && v.At.Sub(at) < newForeign {
		v.add(Amber, "foreign_tasks")
	}
}

// latest returns the latest of a time of all workers.
func (v *verdict) latest(of func(Worker) time.Time) (latest time.Time) {
	for _, w := range v.Workers {
		if at := of(w); at.After(latest) {
			latest = at
		}
	}
	return latest
}

// eventsQueue is the queue of events, as package queue names it; the name of a deployment may precede it.
const eventsQueue = "events"

func isEvents(queue string) bool {
	return queue == eventsQueue || strings.HasSuffix(queue, "."+eventsQueue)
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
			v.add(Red, "paused", q.Name).Hit = "sms"
		case q.Paused:
			v.add(Amber, "paused", q.Name).Hit = hitOf(q.Name)
		case codes && q.Oldest > deadCode:
			v.waits(Red, q)
		case codes && q.Oldest > stuckCode || q.Oldest > stuckMail:
			v.waits(Amber, q)
		}
	}
}

// waits says that a queue is behind, since when its oldest task has waited.
func (v *verdict) waits(level Level, q Queue) {
	found := v.add(level, "queue_waits", q.Name, q.Oldest)
	found.Since, found.Hit = v.At.Add(-q.Oldest), hitOf(q.Name)
	if q.Name == string(messages.SMS) {
		found.Hit = "sms_late"
	}
}

// hitOf is the effect on people when a queue does not move.
func hitOf(queue string) string {
	switch queue {
	case string(messages.Email):
		return "mail_late"
	case eventsQueue:
		return "receivers"
	default:
		return "operators"
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
			v.hits(v.add(Red, rule, rate, of))
		case of >= enough && rate < fewPercent:
			v.hits(v.add(Amber, rule, rate, of))
		}
	}
	accepted, _ := recent.AcceptedRate()
	before := len(v.found)
	rate("few_accepted", accepted, recent.Accepted, recent.Ended())
	if len(v.found) > before && recent.Accepted == 0 {
		v.found[before].Runbook, v.found[before].Hit = "CodesNotSent", "sms"
	}
	delivered, _ := recent.DeliveredRate()
	rate("few_delivered", delivered, recent.Delivered, recent.Reported())
	v.codesInUse(recent)
}

// codesInUse judges how many accepted codes are used, how soon they were accepted, and how many expired.
func (v *verdict) codesInUse(recent Tally) {
	if used, ok := recent.UsedRate(); ok && recent.Accepted >= enoughUsed && used < fewUsed {
		v.add(Amber, "few_used", used, recent.Accepted)
	}
	if p95, _ := recent.Acceptance.Percentile(95); p95 > slowAccept && recent.Acceptance.Count() >= enough {
		v.add(Amber, "slow", p95)
	}
	if recent.Expired > fewExpired {
		v.add(Amber, "codes_expired", recent.Expired)
	}
}

// hits names the people whose codes are lost: those with the prefixes that lose most, where others lose few.
func (v *verdict) hits(found *Finding) {
	var bad []string
	lost, all, ended := 0, 0, 0
	prefixes := v.Traffic.SMS.RecentPrefixes
	for _, prefix := range slices.Sorted(maps.Keys(prefixes)) {
		t := prefixes[prefix]
		all, ended = all+t.Lost(), ended+t.Ended()
		if t.Ended() >= enoughDead && t.Lost()*2 >= t.Ended() {
			bad, lost = append(bad, prefix), lost+t.Lost()
		}
	}
	if len(bad) > 0 && len(bad) <= mostPrefixes && len(bad) < len(prefixes) && lost*3 >= all*2 {
		found.Hit, found.HitArgs = "prefixes", []any{strings.Join(bad, ", ")}
	}
}

// breakers is red when no worker has a provider left. A breaker that is half open counts as one that is left: the next
// message or the probe before it tells whether the provider is back, and without messages the state stays. A provider that
// refuses our account is one finding, with its code; the states of its breaker follow from that.
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
	v.routes(open, all, stuck > 0 && stuck == len(workers))
}

// routes names the providers whose breakers are open or which refuse our account; down: no worker has another one left.
func (v *verdict) routes(open, all map[string]int, down bool) {
	outages := v.outages()
	if down && len(all) > 1 {
		var why Causes
		var since time.Time // the last breaker opened
		for _, provider := range slices.Sorted(maps.Keys(all)) {
			why = append(why, Cause{provider, outages[provider]})
			since = latest(since, outages[provider].Since)
		}
		v.add(Red, "all_breakers", why).Since = since
	}
	level, hit := Amber, "detour"
	if down {
		level, hit = Red, "sms"
	}
	for _, provider := range slices.Sorted(maps.Keys(all)) {
		outage := outages[provider]
		var found *Finding
		switch {
		case outage.Account:
			topic := TopicOf(outage.Code)
			found = v.add(level, "vendor_refuses", provider, topic, outage.Code)
			found.Topic = string(topic)
		case open[provider] > 0 && down && len(all) == 1:
			found = v.add(Red, "only_breaker", provider, Causes{{provider, outage}})
		case open[provider] > 0:
			found = v.add(Amber, "breaker", provider, open[provider], all[provider])
		default:
			continue
		}
		found.Since, found.Hit = outage.Since, hit
	}
}

// outages are the reasons of breakers that are not closed, of all workers: the earliest of each provider.
func (f Facts) outages() map[string]Outage {
	all := map[string]Outage{}
	for _, w := range f.having(messages.SMS) {
		for provider, outage := range w.Outages {
			if known, ok := all[provider]; !ok || outage.Since.Before(known.Since) {
				all[provider] = outage
			}
		}
	}
	return all
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
		found := v.add(level, "mails_down", Reason(out[0]), len(out), workers)
		found.Topic, found.Since = out[0], v.mailSince()
		if level == Amber {
			found.Hit = "mail_late"
		}
	}
	if v.Outbox != nil && v.Outbox.Age(v.At) > oldMail {
		v.add(Amber, "outbox_waits", v.Outbox.Count, v.Outbox.Age(v.At)).Since = v.Outbox.Oldest
	}
	if v.Traffic != nil {
		v.mailTraffic()
	}
}

// mailTraffic judges the rates of recent mails, and those that wait for an operator.
func (v *verdict) mailTraffic() {
	recent := v.Traffic.Mail.Recent
	rate, ok := recent.AcceptedRate()
	switch {
	case ok && recent.Accepted == 0 && recent.Ended() >= enoughDead:
		v.add(Red, "few_mails", rate, recent.Ended())
	case ok && recent.Ended() >= enough && rate < fewPercent:
		v.add(Amber, "few_mails", rate, recent.Ended())
	}
	held := 0
	for _, group := range v.Traffic.Dead {
		if group.Channel == messages.Email && (group.Reason == setBack || group.Code == setBack) {
			held += group.Count
		}
	}
	if held > 0 {
		v.add(Amber, "mails_held", held)
	}
}

// setBack is the reason of mails that wait for an operator since the database was restored, as package reasons has it.
const setBack = "set_back"

func (v *verdict) outcomes() {
	if v.Outcomes != nil && v.Outcomes.Age(v.At) > oldOutcome {
		v.add(Amber, "outcomes_wait", v.Outcomes.Count, v.Outcomes.Age(v.At)).Since = v.Outcomes.Oldest
	}
}

// mailSince is when the first of the workers began to keep mails back.
func (f Facts) mailSince() (since time.Time) {
	for _, w := range f.having(messages.Email) {
		if w.MailOutage != "" && !w.MailOutageSince.IsZero() && (since.IsZero() || w.MailOutageSince.Before(since)) {
			since = w.MailOutageSince
		}
	}
	return since
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

// events names the endpoints that need an operator. One that an operator has disabled is meant to be: see [Facts.Notes].
func (v *verdict) events() {
	if v.Events == nil {
		return
	}
	if v.Events.Behind > oldEvent {
		v.add(Amber, "events_wait", v.Events.Waiting, v.Events.Behind).Since = v.At.Add(-v.Events.Behind)
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
			v.add(Amber, "endpoint_fails", e.ID).Since = e.FailingSince
		case e.Disabled == ByAnswer:
			v.add(Amber, "endpoint_gone", e.ID).Since = e.DisabledAt
		default:
			v.add(Amber, "endpoint_given_up", e.ID).Since = e.DisabledAt
		}
	}
	if more > 0 {
		v.add(Amber, "endpoints_more", more)
	}
}
