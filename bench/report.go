package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// unit is what a row counts.
type unit string

// The units of rows.
const (
	perSec    unit = "/s"
	millis    unit = "ms"
	micros    unit = "µs"
	mebibytes unit = "MiB"
	octets    unit = "B"
	percent   unit = "%"
	ratioOf   unit = "×"
)

// sample has one figure for each round.
type sample []float64

// median is NaN for an empty sample. It is reported instead of the mean because one disturbed round does not move it.
func (s sample) median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

// text is the median, with the spread if there is one.
func (s sample) text(u unit) string {
	switch len(s) {
	case 0:
		return ""
	case 1:
		return figure(s[0]) + " " + string(u)
	default:
		return fmt.Sprintf("%s %s (%s–%s)", figure(s.median()), u, figure(slices.Min(s)), figure(slices.Max(s)))
	}
}

// brief is the median alone.
func (s sample) brief(u unit) string { return figure(s.median()) + " " + string(u) }

// figure writes three significant digits.
func figure(v float64) string {
	digits := 2 - int(math.Floor(math.Log10(max(math.Abs(v), 0.01))))
	if digits <= 0 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.*f", min(digits, 2), v)
}

// timing is how long requests took, by round, in milliseconds.
type timing struct{ p50, p99, p999 sample }

// add adds the quantiles of one round.
func (t *timing) add(o *outcome) {
	t.p50 = append(t.p50, inMillis(o.quantile(50)))
	t.p99 = append(t.p99, inMillis(o.quantile(99)))
	t.p999 = append(t.p999, inMillis(o.quantile(99.9)))
}

// row is one line of the report.
type row struct {
	measure, what string
	unit          unit
	samples       [sides]sample
	times         [sides]timing // of requests
	floor         string        // what the floor is
	peer          string        // what the peer is
	refused       sample        // by the peer, in per cent
	target        target
}

func (r *row) add(s side, v float64) { r.samples[s] = append(r.samples[s], v) }

// ratio is ours over the floor's, NaN without a floor.
func (r *row) ratio() float64 { return r.samples[ours].median() / r.samples[theFloor].median() }

// overPeer is ours over the peer's.
func (r *row) overPeer() float64 { return r.samples[ours].median() / r.samples[thePeer].median() }

// peerText is the peer's figure with its name, its ratio to ours, and its refusals, which are not part of the figure.
func (r *row) peerText() (text, ratio string) {
	if text = r.samples[thePeer].text(r.unit); text == "" {
		return "", ""
	}
	if r.peer != "" {
		text += ": " + r.peer
	}
	if refused := r.refused.median(); refused > 0 {
		text += fmt.Sprintf("; besides, %s %% of its answers were refusals", figure(refused))
	}
	return text, fmt.Sprintf("%.2f", r.overPeer())
}

// target is the bound of a row; the zero value has no bound.
type target struct {
	says func(u unit) string
	met  func(r *row) bool
}

// The forms of bounds: a share of the floor, a multiple of the floor at most, a multiple of the peer, at least, and at most.
func ofFloor(share float64) target {
	return target{func(unit) string { return fmt.Sprintf("≥ %.2f of the floor", share) }, func(r *row) bool { return r.ratio() >= share }}
}

func atMostTimes(n float64) target {
	return target{func(unit) string { return fmt.Sprintf("≤ %.0f × the floor", n) }, func(r *row) bool { return r.ratio() <= n }}
}

func ofPeer(n float64) target {
	return target{func(unit) string { return fmt.Sprintf("≥ %.2g × the peer", n) }, func(r *row) bool { return r.overPeer() >= n }}
}

func least(v float64, why string) target {
	return target{func(u unit) string { return fmt.Sprintf("≥ %s %s (%s)", figure(v), u, why) }, func(r *row) bool { return r.samples[ours].median() >= v }}
}

func most(v float64) target {
	return target{func(u unit) string { return "≤ " + figure(v) + " " + string(u) }, func(r *row) bool { return r.samples[ours].median() <= v }}
}

// verdict is the bound of a row and whether it was met; both are "" for a row without a bound.
func (r *row) verdict() (bound, verdict string) {
	switch {
	case r.target.met == nil:
		return "", ""
	case r.target.met(r):
		return r.target.says(r.unit), "met"
	default:
		return r.target.says(r.unit), "**missed**"
	}
}

// report has the results of a run.
type report struct {
	file  string
	quick bool
	about []string
	rows  []row
	uses  []use
	curve []step
}

// use is the processor time of one message.
type use struct {
	what string
	each usage
}

func (r *report) add(rows ...row) { r.rows = append(r.rows, rows...) }

// value adds a row with one figure of ours.
func (r *report) value(row row, v float64) {
	row.add(ours, v)
	r.add(row)
}

// use adds the processor time of one message on a path, from that of all messages together.
func (r *report) use(what string, total usage, messages int) {
	each := usage{}
	for name, used := range total {
		each[name] = used / time.Duration(messages)
	}
	r.uses = append(r.uses, use{what, each})
}

// write fills the folder with the report; an empty name writes nothing.
func (r *report) write(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, r.file), []byte(r.markdown()), 0o644)
}

func (r *report) markdown() string {
	var b strings.Builder
	b.WriteString("# Benchmarks\n\nWritten by `go run ./bench`; [performance.md](../../docs/performance.md) says what is measured and how.\n\n")
	for _, line := range r.about {
		b.WriteString("- " + line + "\n")
	}
	if r.quick {
		b.WriteString("- **a quick run**: it shows that everything works; its figures say little\n")
	}
	b.WriteString("\nThe median of the rounds, with the least and the most. Ours, the floor and the peer took turns on the same cores.\n\n" +
		"| What | Ours | Floor | Ratio | Peer | Ratio | Target | Verdict |\n|---|---|---|---|---|---|---|---|\n")
	for i := range r.rows {
		row := &r.rows[i]
		floor, ratio := row.samples[theFloor].text(row.unit), ""
		if floor != "" {
			floor, ratio = floor+": "+row.floor, fmt.Sprintf("%.2f", row.ratio())
		}
		peer, times := row.peerText()
		bound, verdict := row.verdict()
		line(&b, row.what, row.samples[ours].text(row.unit), floor, ratio, peer, times, bound, verdict)
	}
	r.latencies(&b)
	r.loads(&b)
	r.processors(&b)
	return b.String()
}

// line writes a row of a Markdown table.
func line(b *strings.Builder, cells ...string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// latencies lists the durations of requests.
func (r *report) latencies(b *strings.Builder) {
	b.WriteString("\n## How long requests take\n\nMilliseconds, p50 / p99 / p99.9.\n\n| What | Ours | Floor | Peer |\n|---|---|---|---|\n")
	for i := range r.rows {
		row := &r.rows[i]
		if len(row.times[ours].p50) == 0 {
			continue
		}
		cells := []string{row.what}
		for _, t := range row.times {
			cell := ""
			if len(t.p50) > 0 {
				cell = figure(t.p50.median()) + " / " + figure(t.p99.median()) + " / " + figure(t.p999.median())
			}
			cells = append(cells, cell)
		}
		line(b, cells...)
	}
}

// loads lists the steps of the open loop.
func (r *report) loads(b *strings.Builder) {
	if len(r.curve) == 0 {
		return
	}
	b.WriteString("\n## Latency over load\n\nSend-code, limits counted, constant arrivals as a share of the rate that a closed loop reaches; times from each " +
		"request's planned start, medians of the rounds.\n\n| Load | Asked | Good | Refused | p50 | p99 | p99.9 |\n|---|---|---|---|---|---|---|\n")
	for _, s := range r.curve {
		line(b, fmt.Sprintf("%.2f", s.load), s.asked.brief(perSec), s.good.brief(perSec), s.refused.brief(perSec),
			s.times.p50.brief(millis), s.times.p99.brief(millis), s.times.p999.brief(millis))
	}
}

// processors lists the processor time of one message by process.
func (r *report) processors(b *strings.Builder) {
	if len(r.uses) == 0 {
		return
	}
	b.WriteString("\n## Processor time of one message\n\nMicroseconds.\n\n")
	names := []string{"API", "worker", "Redis", "PostgreSQL", "sandbox", "load generator"}
	line(b, append([]string{"What"}, names...)...)
	b.WriteString(strings.Repeat("|---", len(names)+1) + "|\n")
	for _, u := range r.uses {
		cells := []string{u.what}
		for _, name := range names {
			cell := ""
			if used, found := u.each[name]; found {
				cell = fmt.Sprint(used.Microseconds())
			}
			cells = append(cells, cell)
		}
		line(b, cells...)
	}
}
