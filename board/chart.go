package board

import (
	"fmt"
	"time"

	"usher/vitals"
)

// The chart is drawn in a box of its own units, which the page stretches to the room that it has. Texts stand beside the
// box, so that they keep their size on a phone.
const (
	slotWidth  = 10
	barWidth   = 8
	plotHeight = 100
)

// chart shows how many codes each slot of the range had and how far they got.
type chart struct {
	Width   int // of the box
	Scale   []string
	Times   []string
	Columns []column
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

// stages divide the codes of a bar by how far they got, from the bottom. Each code is in one of them.
var stages = [...]struct {
	Name  string // a class of the style sheet and the key of a text
	count func(vitals.Tally) int
}{
	{"used", func(t vitals.Tally) int { return t.Used }},
	{"delivered", func(t vitals.Tally) int { return max(t.Delivered-t.Used, 0) }},
	{"accepted", func(t vitals.Tally) int { return max(t.Accepted-t.Undelivered-max(t.Delivered, t.Used), 0) }},
	{"waiting", func(t vitals.Tally) int { return t.Waiting }},
	{"idle", func(t vitals.Tally) int { return t.Idle }},
	{"lost", vitals.Tally.Lost},
}

// Chart is nil where the traffic is not known.
func (v view) Chart() *chart {
	if v.Facts.Traffic == nil {
		return nil
	}
	slots, w, most := v.traffic.SMS.Slots, v.traffic.Window, 0
	for _, slot := range slots {
		most = max(most, slot.Asked)
	}
	top := evenTop(most)
	c := &chart{Width: len(slots) * slotWidth, Scale: []string{grouped(top), grouped(top / 2), "0"}, Empty: most == 0}
	for i := range 5 {
		c.Times = append(c.Times, v.clock(w.Since.Add(w.Until.Sub(w.Since)*time.Duration(i)/4)))
	}
	for i, slot := range slots {
		c.Columns = append(c.Columns, v.column(i, slot, top))
	}
	return c
}

// Stages are the names of the legend.
func (view) Stages() any { return stages }

func (v view) column(i int, slot vitals.Tally, top int) column {
	w := v.traffic.Window
	col := column{X: i * slotWidth, Text: v.clock(w.Start(i))}
	if w.Slot > time.Minute {
		col.Text += "–" + v.clock(w.Start(i+1))
	}
	y := float64(plotHeight)
	for _, stage := range stages {
		n := stage.count(slot)
		if n == 0 {
			continue
		}
		height := float64(n) / float64(top) * plotHeight
		y -= height
		col.Bars = append(col.Bars, bar{stage.Name, col.X + (slotWidth-barWidth)/2, fmt.Sprintf("%.2f", y), fmt.Sprintf("%.2f", height)})
		col.Text += " · " + v.Or("stage.", stage.Name) + " " + grouped(n)
	}
	return col
}

// evenTop is the next even number of one digit and zeros, which is easy to halve and to read.
func evenTop(most int) int {
	for power := 1; ; power *= 10 {
		for _, step := range []int{2, 4, 6, 8, 10} {
			if step*power >= most {
				return step * power
			}
		}
	}
}
