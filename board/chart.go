package board

import (
	"fmt"
	"math"
	"strings"
	"time"

	"usher/vitals"
)

// A chart is drawn in a box of its own units, which the page stretches to the room that it has. Texts stand beside
// the box, so that they keep their size on a phone.
const (
	slotWidth  = 10
	barWidth   = 8
	plotHeight = 100
)

// chart is a drawing with its scales and its legend.
type chart struct {
	ID      string // the key of its texts
	Width   int    // of the box
	Scale   []string
	Times   []string
	Legend  []string // classes of the style sheet and keys of texts
	Columns []column
	Lines   []line
	Empty   bool
}

// column is one slot: its stacked bars, and the text of its tooltip.
type column struct {
	X    int
	Text string
	Bars []bar
}

type bar struct {
	Class     string
	X         int
	Y, Height string
}

type line struct{ Class, Path string }

// stages divide the messages of a bar by how far they got, from the bottom. Each message is in one of them.
var stages = [...]struct {
	class string
	count func(vitals.Tally) int
}{
	{"used", func(t vitals.Tally) int { return t.Used }},
	{"delivered", func(t vitals.Tally) int { return max(t.Delivered-t.Used, 0) }},
	{"accepted", func(t vitals.Tally) int { return max(t.Accepted-t.Undelivered-max(t.Delivered, t.Used), 0) }},
	{"waiting", func(t vitals.Tally) int { return t.Waiting }},
	{"idle", func(t vitals.Tally) int { return t.Idle }},
	{"lost", vitals.Tally.Lost},
}

// Charts are the charts of the page; none where the traffic is not known.
func (v view) Charts() []chart {
	if v.Facts.Traffic == nil {
		return nil
	}
	sms, mail := v.traffic.SMS, v.traffic.Mail
	return []chart{
		v.bars("codes", sms, "used", "delivered", "accepted", "waiting", "idle", "lost"),
		v.times("acceptance", sms, func(t vitals.Tally) vitals.Times { return t.Acceptance }),
		v.times("delivery", sms, func(t vitals.Tally) vitals.Times { return t.Delivery }),
		v.bars("mails", mail, "accepted", "waiting", "idle", "lost"),
	}
}

// bars draws how many messages each slot had and how far they got.
func (v view) bars(id string, flow vitals.Flow, legend ...string) chart {
	most := 0
	for _, slot := range flow.Slots {
		most = max(most, slot.Asked)
	}
	top := niceTop(float64(most))
	c := v.frame(id, len(flow.Slots), grouped(int(top)), grouped(int(top/2)), most == 0)
	c.Legend = legend
	if top < 2 {
		c.Scale[1] = "" // half a message
	}
	for i, slot := range flow.Slots {
		col := column{X: i * slotWidth, Text: v.slotName(i)}
		y := float64(plotHeight)
		for _, stage := range stages {
			n := stage.count(slot)
			if n == 0 {
				continue
			}
			height := float64(n) / top * plotHeight
			y -= height
			col.Bars = append(col.Bars, bar{stage.class, col.X + (slotWidth-barWidth)/2, coordinate(y), coordinate(height)})
			col.Text += " · " + v.Or("stage.", stage.class) + " " + grouped(n)
		}
		c.Columns = append(c.Columns, col)
	}
	return c
}

// times draws the median and the 95th percentile of each slot.
func (v view) times(id string, flow vitals.Flow, of func(vitals.Tally) vitals.Times) chart {
	longest := time.Duration(0)
	for _, slot := range flow.Slots {
		p95, _ := of(slot).Percentile(95)
		longest = max(longest, p95)
	}
	unit := time.Second // the top of the scale is a round number of it
	if longest < time.Second {
		unit = time.Millisecond
	} else if longest > 100*time.Second {
		unit = time.Minute
	}
	top := niceTop(float64(longest)/float64(unit)) * float64(unit)
	c := v.frame(id, len(flow.Slots), span(time.Duration(top)), span(time.Duration(top/2)), longest == 0)
	c.Legend = []string{"p95", "p50"}
	for _, percent := range []float64{95, 50} {
		path := path(flow, func(t vitals.Tally) (float64, bool) {
			value, ok := of(t).Percentile(percent)
			return float64(value) / top, ok
		})
		c.Lines = append(c.Lines, line{fmt.Sprintf("p%.0f", percent), path})
	}
	for i, slot := range flow.Slots {
		if p95, ok := of(slot).Percentile(95); ok {
			p50, _ := of(slot).Percentile(50)
			c.Columns = append(c.Columns, column{X: i * slotWidth, Text: v.slotName(i) + " · p50 " + span(p50) + " · p95 " + span(p95)})
		}
	}
	return c
}

// path draws through the slots that have a value, with gaps at the others. A slot between two gaps is a dot.
func path(flow vitals.Flow, share func(vitals.Tally) (float64, bool)) string {
	var path strings.Builder
	drawn := false // the slot before this one is on the path
	for i, slot := range flow.Slots {
		value, ok := share(slot)
		if ok {
			command := "M%d %s"
			if drawn {
				command = "L%d %s"
			}
			_, _ = fmt.Fprintf(&path, command, i*slotWidth+slotWidth/2, coordinate(plotHeight*(1-value)))
			if !drawn {
				path.WriteString("h0") // round line ends make this a dot where no line follows
			}
		}
		drawn = ok
	}
	return path.String()
}

// frame is a chart with its scales.
func (v view) frame(id string, slots int, top, half string, empty bool) chart {
	c := chart{ID: id, Width: slots * slotWidth, Scale: []string{top, half, "0"}, Empty: empty}
	w := v.traffic.Window
	for i := range 5 {
		c.Times = append(c.Times, v.clock(w.Since.Add(w.Until.Sub(w.Since)*time.Duration(i)/4)))
	}
	return c
}

// niceTop is the next number that is easy to halve and to read.
func niceTop(most float64) float64 {
	if most <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(most)))
	for _, step := range []float64{1, 2, 4, 6, 8} {
		if step*power >= most {
			return step * power
		}
	}
	return 10 * power
}

func coordinate(f float64) string { return fmt.Sprintf("%.2f", f) }
