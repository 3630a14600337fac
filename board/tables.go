package board

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"usher/reasons"
	"usher/vitals"
)

// mostPrefixes is how many prefixes are shown: those with the most codes.
const mostPrefixes = 15

// cell is a value of a table, marked when it is bad.
type cell struct {
	Text, Note string
	Class      string
}

// rateRow is a provider or a prefix.
type rateRow struct {
	Name     string
	Cells    []cell
	Breakers []badge
}

// badge is a word in a colour.
type badge struct{ Class, Text string }

// rateClass marks a share of enough messages.
func rateClass(p vitals.Percent, of int) string {
	switch {
	case of < 10 || p >= 95:
		return ""
	case p >= 80:
		return "amber"
	default:
		return "red"
	}
}

func rateCell(rate func() (vitals.Percent, bool), part, of int, judged bool) cell {
	p, ok := rate()
	if !ok {
		return cell{Text: "–"}
	}
	c := cell{Text: percent(p), Note: grouped(part) + "/" + grouped(of)}
	if judged {
		c.Class = rateClass(p, of)
	}
	return c
}

func timesCell(times vitals.Times) cell {
	p50, ok := times.Percentile(50)
	if !ok {
		return cell{Text: "–"}
	}
	p95, _ := times.Percentile(95)
	return cell{Text: span(p50) + " / " + span(p95)}
}

func rates(t vitals.Tally) []cell {
	return []cell{
		{Text: grouped(t.Asked)},
		rateCell(t.AcceptedRate, t.Accepted, t.Ended(), true),
		rateCell(t.DeliveredRate, t.Delivered, t.Reported(), true),
		{Text: grouped(t.Undelivered)},
		rateCell(t.UsedRate, t.Used, t.Accepted, false),
	}
}

// Providers are those of SMS, the busiest first, also those that workers have and nobody used.
func (v view) Providers() []rateRow {
	tallies := map[string]*vitals.Tally{}
	for _, w := range v.Facts.Workers {
		for provider := range w.Breakers {
			tallies[provider] = &vitals.Tally{}
		}
	}
	if v.Facts.Traffic != nil {
		maps.Copy(tallies, v.Facts.Traffic.SMS.Providers)
	}
	rows := rowsOf(tallies, func(t vitals.Tally) []cell {
		return append(rates(t), timesCell(t.Acceptance), timesCell(t.Delivery))
	})
	for i, row := range rows {
		rows[i].Breakers = v.breakersOf(row.Name)
	}
	return rows
}

// breakersOf counts the workers by the state of a provider's breaker.
func (v view) breakersOf(provider string) []badge {
	states := map[string]int{}
	for _, w := range v.Facts.Workers {
		if state, ok := w.Breakers[provider]; ok {
			states[state]++
		}
	}
	var all []badge
	for _, state := range slices.Sorted(maps.Keys(states)) {
		all = append(all, badge{breakerClass(state), v.Or("breaker.", state) + " × " + strconv.Itoa(states[state])})
	}
	return all
}

func breakerClass(state string) string {
	switch state {
	case "closed":
		return "green"
	case "open":
		return "red"
	default:
		return "amber"
	}
}

// MailProviders are those of mails.
func (v view) MailProviders() []rateRow {
	if v.Facts.Traffic == nil {
		return nil
	}
	return rowsOf(v.Facts.Traffic.Mail.Providers, func(t vitals.Tally) []cell {
		return []cell{{Text: grouped(t.Asked)}, rateCell(t.AcceptedRate, t.Accepted, t.Ended(), true), timesCell(t.Acceptance)}
	})
}

// Prefixes are those with the most codes.
func (v view) Prefixes() []rateRow {
	if v.Facts.Traffic == nil {
		return nil
	}
	rows := rowsOf(v.Facts.Traffic.SMS.Prefixes, rates)
	return rows[:min(len(rows), mostPrefixes)]
}

// MorePrefixes is how many are not shown.
func (v view) MorePrefixes() int {
	if v.Facts.Traffic == nil {
		return 0
	}
	return max(len(v.Facts.Traffic.SMS.Prefixes)-mostPrefixes, 0)
}

func rowsOf(tallies map[string]*vitals.Tally, cells func(vitals.Tally) []cell) []rateRow {
	names := slices.SortedFunc(maps.Keys(tallies), func(a, b string) int {
		return cmp.Or(tallies[b].Asked-tallies[a].Asked, strings.Compare(a, b))
	})
	rows := make([]rateRow, 0, len(names))
	for _, name := range names {
		rows = append(rows, rateRow{Name: name, Cells: cells(*tallies[name])})
	}
	return rows
}

// workerRow is a worker in words.
type workerRow struct {
	ID, Host, Version, Since string
	Channels, Queues         []string
	Breakers                 []badge
}

// Workers are those that live.
func (v view) Workers() []workerRow {
	var rows []workerRow
	for _, w := range v.Facts.Workers {
		row := workerRow{ID: w.ID, Host: w.Host, Version: w.Version, Since: v.ago(w.Since), Queues: w.Queues}
		for _, channel := range w.Channels {
			row.Channels = append(row.Channels, v.Or("channel.", string(channel)))
		}
		for _, provider := range slices.Sorted(maps.Keys(w.Breakers)) {
			state := w.Breakers[provider]
			row.Breakers = append(row.Breakers, badge{breakerClass(state), provider + " " + v.Or("breaker.", state)})
		}
		rows = append(rows, row)
	}
	return rows
}

// queueRow is a queue in words.
type queueRow struct {
	Name   string
	Paused bool
	Cells  []cell
}

// Queues are all queues, those of shards in one.
func (v view) Queues() []queueRow {
	var rows []queueRow
	for _, q := range v.Facts.Queues {
		row := queueRow{Name: q.Name, Paused: q.Paused, Cells: []cell{
			{Text: grouped(q.Pending)},
			{Text: "–"},
			{Text: grouped(q.Active)},
			{Text: grouped(q.Scheduled)},
			{Text: grouped(q.Retry)},
			{Text: grouped(q.Archived)},
		}}
		if q.Shards > 1 {
			row.Name += " × " + strconv.Itoa(q.Shards)
		}
		if q.Pending > 0 {
			row.Cells[1].Text = span(q.Oldest)
		}
		rows = append(rows, row)
	}
	return rows
}

// backlogRow is what waits outside the queues.
type backlogRow struct{ Name, Count, Age string }

// Backlogs are the outbox and the outcomes that are not in the database yet.
func (v view) Backlogs() ([]backlogRow, error) {
	var rows []backlogRow
	for _, b := range []struct {
		source  vitals.Source
		backlog *vitals.Backlog
	}{{vitals.SourceOutbox, v.Facts.Outbox}, {vitals.SourceOutcomes, v.Facts.Outcomes}} {
		if b.backlog == nil {
			continue
		}
		name, err := v.T("source." + string(b.source))
		if err != nil {
			return nil, err
		}
		row := backlogRow{name, grouped(b.backlog.Count), "–"}
		if b.backlog.Count > 0 {
			row.Age = span(b.backlog.Age(v.Facts.At))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// deadRow is messages that reached nobody for one reason, or one of them.
type deadRow struct {
	Count, ID, To, When, Clock    string
	Channel, State, Why, Provider string
	Class                         string
}

// Dead are the reasons for which messages reached nobody.
func (v view) Dead() []deadRow {
	if v.Facts.Traffic == nil {
		return nil
	}
	var rows []deadRow
	for _, g := range v.Facts.Traffic.Dead {
		rows = append(rows, deadRow{
			Count: grouped(g.Count), Channel: v.Or("channel.", string(g.Channel)), State: v.Or("state.", string(g.State)),
			Why: v.why(g.Reason, g.Code), Provider: g.Provider, When: v.ago(g.Last), Class: string(g.State),
		})
	}
	return rows
}

// LastDead are the newest of them.
func (v view) LastDead() []deadRow {
	if v.Facts.Traffic == nil {
		return nil
	}
	var rows []deadRow
	for _, m := range v.Facts.Traffic.LastDead {
		rows = append(rows, deadRow{
			ID: m.ID, To: m.To, When: v.ago(m.At), Clock: m.At.In(v.Facts.At.Location()).Format("01-02 15:04:05"),
			Channel: v.Or("channel.", string(m.Channel)), State: v.Or("state.", string(m.State)),
			Why: v.why(m.Reason, m.Code), Provider: m.Provider, Class: string(m.State),
		})
	}
	return rows
}

func (v view) why(reason, code string) string {
	if own, ok := reasons.Of(cmp.Or(reason, code)); ok {
		text := v.Or("reason.", string(own.Word))
		if reason != "" && code != "" && code != reason { // what the provider said last
			text += " (" + code + ")"
		}
		return text
	}
	return cmp.Or(code, reason, "–")
}

// yuan writes an amount of money.
func yuan(amount float64) string {
	whole := int(amount)
	return grouped(whole) + strconv.FormatFloat(amount-float64(whole), 'f', 2, 64)[1:]
}
