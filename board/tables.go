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

// table is a table of the page. Title, Columns and Empty are keys of texts; the first cell of a row is its heading.
type table struct {
	Title   string
	Hint    phrase // below the title
	Columns []string
	Rows    [][]cell
	Empty   string // shown instead of a table without rows
	Words   bool   // words are aligned to the left, figures to the right
}

// cell is a value of a table.
type cell struct {
	Text, Note string
	Class      string // a colour, where the value is bad
	Code       bool   // text from a vendor, or an id
	Badges     []badge
}

// badge is a word in a colour.
type badge struct{ Class, Text string }

// Tables are the tables of the page, in its order.
func (v view) Tables() []table {
	prefixes := rowsOf(v.traffic.SMS.Prefixes, rates)
	var hint phrase
	if more := len(prefixes) - mostPrefixes; more > 0 {
		hint, prefixes = phrase{"prefixes.more", []any{more}}, prefixes[:mostPrefixes]
	}
	rateColumns := []string{"col.asked", "col.accepted", "col.delivered", "col.undelivered", "col.used"}
	tables := []table{
		{
			Title: "providers", Rows: v.providers(), Empty: v.empty(vitals.SourceTraffic),
			Columns: slices.Concat([]string{"col.provider"}, rateColumns, []string{"col.to_provider", "col.to_phone", "col.breaker"}),
		},
		{
			Title: "prefixes", Hint: hint, Rows: prefixes, Empty: v.empty(vitals.SourceTraffic),
			Columns: slices.Concat([]string{"col.prefix"}, rateColumns),
		},
		{
			Title: "workers", Rows: v.workers(), Empty: v.empty(vitals.SourceWorkers), Words: true,
			Columns: []string{"col.worker", "col.channels", "col.queues", "col.breaker", "col.since", "col.version"},
		},
		{
			Title: "dead", Hint: phrase{Key: "dead.hint"}, Rows: v.dead(), Empty: v.empty(vitals.SourceTraffic), Words: true,
			Columns: []string{"col.why", "col.count", "col.state", "col.channel", "col.provider", "col.last"},
		},
	}
	if rows := v.events(); len(rows) > 0 {
		tables = append(tables, table{
			Title: "events", Hint: phrase{Key: "events.hint"}, Rows: rows, Words: true,
			Columns: []string{"col.endpoints", "col.waiting", "col.behind"},
		})
	}
	return tables
}

// events is one row, or none where no service of the team gets events.
func (v view) events() [][]cell {
	if v.Facts.Events == nil || len(v.Facts.Events.Endpoints) == 0 {
		return nil
	}
	states := map[string]int{}
	for _, e := range v.Facts.Events.Endpoints {
		states[e.State()]++
	}
	var badges []badge
	for _, s := range []badge{{"green", "working"}, {"amber", "failing"}, {"red", "disabled"}} {
		if n := states[s.Text]; n > 0 {
			badges = append(badges, badge{s.Class, v.Or("endpoint.", s.Text) + " × " + grouped(n)})
		}
	}
	return [][]cell{{{Badges: badges}, {Text: grouped(v.Facts.Events.Waiting)}, {Text: span(v.Facts.Events.Behind)}}}
}

// empty is the key of what is said in place of rows: a source that did not answer is not the same as nothing.
func (v view) empty(source vitals.Source) string {
	if v.Facts.Lacks(source) {
		return "unknown"
	}
	return "none"
}

// rateCell shows a rate with its counts, which tell how much the rate says.
func rateCell(rate func() (vitals.Percent, bool), part, of int) cell {
	p, ok := rate()
	if !ok {
		return cell{Text: "–"}
	}
	return cell{Text: percent(p), Note: grouped(part) + "/" + grouped(of), Class: rateClass(p, of)}
}

// timesCell shows the median and the 95th percentile.
func timesCell(times vitals.Times) cell {
	p50, ok := times.Percentile(50)
	if !ok {
		return cell{Text: "–"}
	}
	p95, _ := times.Percentile(95)
	return cell{Text: span(p50) + " / " + span(p95)}
}

func rates(t vitals.Tally) []cell {
	used := rateCell(t.UsedRate, t.Used, t.Accepted)
	used.Class = "" // people who do not enter a code are usual; the verdict has a rule of its own for that
	return []cell{
		{Text: grouped(t.Asked)},
		rateCell(t.AcceptedRate, t.Accepted, t.Ended()),
		rateCell(t.DeliveredRate, t.Delivered, t.Reported()),
		{Text: grouped(t.Undelivered)},
		used,
	}
}

// rowsOf returns a row for each name, that with the most messages first.
func rowsOf(tallies map[string]*vitals.Tally, cells func(vitals.Tally) []cell) [][]cell {
	names := slices.SortedFunc(maps.Keys(tallies), func(a, b string) int {
		return cmp.Or(tallies[b].Asked-tallies[a].Asked, strings.Compare(a, b))
	})
	rows := make([][]cell, 0, len(names))
	for _, name := range names {
		rows = append(rows, append([]cell{{Text: name}}, cells(*tallies[name])...))
	}
	return rows
}

// providers are those of SMS, also those that workers have and that were not asked, and then the mail servers.
func (v view) providers() [][]cell {
	sms := map[string]*vitals.Tally{}
	for _, w := range v.Facts.Workers {
		for provider := range w.Breakers {
			sms[provider] = &vitals.Tally{}
		}
	}
	maps.Copy(sms, v.traffic.SMS.Providers)
	rows := rowsOf(sms, func(t vitals.Tally) []cell {
		return append(rates(t), timesCell(t.Acceptance), timesCell(t.Delivery))
	})
	for i, row := range rows {
		rows[i] = append(row, cell{Badges: v.breakersOf(row[0].Text)})
	}
	return append(rows, rowsOf(v.traffic.Mail.Providers, func(t vitals.Tally) []cell {
		none := cell{Text: "–"} // mails have no delivery reports, codes or breakers by provider
		return []cell{{Text: grouped(t.Asked)}, rateCell(t.AcceptedRate, t.Accepted, t.Ended()), none, none, none, timesCell(t.Acceptance), none, none}
	})...)
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

// workers are the processes with a heartbeat.
func (v view) workers() [][]cell {
	var rows [][]cell
	for _, w := range v.Facts.Workers {
		var channels []string
		for _, channel := range w.Channels {
			channels = append(channels, v.Or("channel.", string(channel)))
		}
		var breakers []badge
		for _, provider := range slices.Sorted(maps.Keys(w.Breakers)) {
			state := w.Breakers[provider]
			breakers = append(breakers, badge{breakerClass(state), provider + " " + v.Or("breaker.", state)})
		}
		rows = append(rows, []cell{
			{Text: w.Host, Note: w.ID},
			{Text: strings.Join(channels, ", ")},
			{Text: strings.Join(w.Queues, ", ")},
			{Badges: breakers},
			{Text: v.ago(w.Since)},
			{Text: w.Version},
		})
	}
	return rows
}

// dead are the causes of messages that did not arrive.
func (v view) dead() [][]cell {
	var rows [][]cell
	for _, g := range v.traffic.Dead {
		rows = append(rows, []cell{
			v.why(g.Reason, g.Code),
			{Text: grouped(g.Count)},
			{Badges: []badge{{string(g.State), v.Or("state.", string(g.State))}}},
			{Text: v.Or("channel.", string(g.Channel))},
			{Text: g.Provider},
			{Text: v.ago(g.Last)},
		})
	}
	return rows
}

// why is the text of our reason, or the vendor's code where we have none.
func (v view) why(reason, code string) cell {
	text := cmp.Or(code, reason, "–")
	if own, ok := reasons.Of(cmp.Or(reason, code)); ok {
		text = v.Or("reason.", string(own.Word))
		if reason != "" && code != "" && code != reason { // the provider's last answer
			text += " (" + code + ")"
		}
	}
	return cell{Text: text, Code: true}
}
