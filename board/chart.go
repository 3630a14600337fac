package board

import (
	"fmt"
	"math"
	"strings"
	"time"

	"usher/vitals"
)

// Charts are drawn in a box of their own, stretched to the room that the page has. All text stands beside it,
// so that it keeps its size on a phone.
const (
	slotWidth  = 10
	barWidth   = 8
	plotHeight = 100
)

// chart is a drawing with its scales and its legend.
type chart struct {
	ID      string
	Width   int // of the box
	Scale   []string
	Times   []string
	Legend  []legend
	Columns []column
	Lines   []line
	Empty   bool
}

// legend is a class of the style sheet and what it stands for.
type legend struct{ Class, Text string }

// column is a slot of the chart: the bars that are stacked there, and what a pointer is told.
type column struct {
	X, HitWidth int
	Text        string
	Bars        []bar
}

type bar struct {
	Class     string
	X, Width  int
	Y, Height string
}

// line is a path through the slots that have a value, broken where one has none.
type line struct{ Class, Path string }

// stages are what a message of a bar has become, from the bottom. Each message is in one of them.
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

// bars draws how many messages each slot had and what became of them.
func (v view) bars(id string, flow vitals.Flow, classes ...string) chart {
	c := v.frame(id, len(flow.Slots))
	most := 0
	for _, slot := range flow.Slots {
		most = max(most, slot.Asked)
	}
	top := niceTop(float64(most))
	c.Scale = []string{grouped(int(top)), grouped(int(top / 2)), "0"}
	if top < 2 {
		c.Scale[1] = ""
	}
	c.Empty = most == 0
	shown := map[string]bool{}
	for i, slot := range flow.Slots {
		col := column{X: i * slotWidth, HitWidth: slotWidth}
		parts, y := []string{v.slotName(i)}, float64(plotHeight)
		for _, stage := range stages {
			n := stage.count(slot)
			if n == 0 {
				continue
			}
			shown[stage.class] = true
			height := float64(n) / top * plotHeight
			y -= height
			col.Bars = append(col.Bars, bar{
				Class: stage.class, X: col.X + (slotWidth-barWidth)/2, Width: barWidth, Y: coordinate(y), Height: coordinate(height),
			})
			parts = append(parts, v.stageName(id, stage.class)+" "+grouped(n))
		}
		col.Text = strings.Join(parts, " · ")
		c.Columns = append(c.Columns, col)
	}
	for _, class := range classes {
		c.Legend = append(c.Legend, legend{class, v.stageName(id, class)})
	}
	return c
}

// times draws the median and the slowest twentieth of each slot.
func (v view) times(id string, flow vitals.Flow, of func(vitals.Tally) vitals.Times) chart {
	c := v.frame(id, len(flow.Slots))
	longest := time.Duration(0)
	for _, slot := range flow.Slots {
		p95, _ := of(slot).Percentile(95)
		longest = max(longest, p95)
	}
	unit := time.Second
	if longest < time.Second {
		unit = time.Millisecond
	} else if longest > 100*time.Second {
		unit = time.Minute
	}
	top := niceTop(float64(longest) / float64(unit))
	scale := func(share float64) string { return span(time.Duration(top * share * float64(unit))) }
	c.Scale = []string{scale(1), scale(0.5), "0"}
	c.Empty = longest == 0
	height := func(d time.Duration) string {
		return coordinate(plotHeight - float64(d)/float64(unit)/top*plotHeight)
	}
	for _, percent := range []float64{95, 50} {
		class := fmt.Sprintf("p%.0f", percent)
		path, dots := trace(flow, func(t vitals.Tally) (string, bool) {
			value, ok := of(t).Percentile(percent)
			return height(value), ok
		})
		c.Lines = append(c.Lines, line{class, path}, line{"dots " + class, dots})
		c.Legend = append(c.Legend, legend{class, class})
	}
	for i, slot := range flow.Slots {
		if p95, ok := of(slot).Percentile(95); ok {
			p50, _ := of(slot).Percentile(50)
			c.Columns = append(c.Columns, column{
				X: i * slotWidth, HitWidth: slotWidth, Text: v.slotName(i) + " · p50 " + span(p50) + " · p95 " + span(p95),
			})
		}
	}
	return c
}

// trace draws through the slots that have a value. One that is alone between empty ones is a dot.
func trace(flow vitals.Flow, height func(vitals.Tally) (string, bool)) (path, dots string) {
	var run []string
	end := func() {
		if len(run) == 1 {
			dots += "M" + run[0] + "h0"
		} else if len(run) > 1 {
			path += "M" + strings.Join(run, "L")
		}
		run = nil
	}
	for i, slot := range flow.Slots {
		if y, ok := height(slot); ok {
			run = append(run, fmt.Sprintf("%d %s", i*slotWidth+slotWidth/2, y))
		} else {
			end()
		}
	}
	end()
	return path, dots
}

// frame is a chart with its scale of times.
func (v view) frame(id string, slots int) chart {
	c := chart{ID: id, Width: slots * slotWidth}
	for i := range 5 {
		c.Times = append(c.Times, v.clock(v.window.Since.Add(v.window.Until.Sub(v.window.Since)*time.Duration(i)/4)))
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
