package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// Measures of a chart in pixels.
const (
	chartWidth = 820
	labelWidth = 360
	barHeight  = 16
	groupGap   = 12
	headHeight = 56
)

// chart is a set of bars of one unit, in groups.
type chart struct {
	title  string
	unit   string
	groups []group
}

// group is the bars of one row; a bar without a value is left out.
type group struct {
	label string
	bars  [sides]float64
	low   [sides]float64
	high  [sides]float64
	mark  float64 // the target, 0 for none
}

// charts draws what a picture tells sooner than a table.
func (r *report) charts() map[string]string {
	files := map[string]string{}
	draw := func(name, title, unit string, group func(*row) (group, bool)) {
		c := chart{title: title, unit: unit}
		for i := range r.rows {
			if g, ok := group(&r.rows[i]); ok {
				c.groups = append(c.groups, g)
			}
		}
		if len(c.groups) > 0 {
			files[name] = c.svg()
		}
	}
	draw("floor.svg", "Ours as a part of the floor; the line is the target", "%", func(r *row) (group, bool) {
		g := group{label: r.what, mark: 100 * r.target.ratio}
		g.bars[ours] = 100 * r.ratio()
		g.low[ours], g.high[ours] = g.bars[ours], g.bars[ours]
		return g, r.unit == perSec && !math.IsNaN(r.ratio())
	})
	draw("requests.svg", "Requests", string(perSec), func(r *row) (group, bool) {
		return groupOf(r), slices.Contains([]string{"send", "send-limits", "check", "lookup"}, r.measure)
	})
	draw("queues.svg", "Messages", string(perSec), func(r *row) (group, bool) {
		return groupOf(r), slices.Contains([]string{"drain", "drain-50ms", "mail", "endtoend"}, r.measure)
	})
	draw("latency.svg", "From click to vendor", string(millis), func(r *row) (group, bool) {
		return groupOf(r), r.measure == "latency"
	})
	return files
}

func groupOf(r *row) group {
	g := group{label: r.what, mark: max(r.target.least, r.target.most)}
	for s, sample := range r.samples {
		if len(sample) > 0 {
			g.bars[s], g.low[s], g.high[s] = sample.median(), slices.Min(sample), slices.Max(sample)
		}
	}
	return g
}

// svg draws horizontal bars. A thin line through a bar's end is the spread of its rounds.
func (c chart) svg() string {
	var widest float64
	height := headHeight
	for _, g := range c.groups {
		widest = max(widest, slices.Max(g.high[:]), g.mark)
		height += g.count()*barHeight + groupGap
	}
	scale := func(v float64) float64 { return labelWidth + v/widest*(chartWidth-labelWidth-90) }
	colours := [sides]string{"#1f6feb", "#8b949e", "#d29922"}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+
		`<rect width="100%%" height="100%%" fill="#fff"/><text x="8" y="20" font-size="15">%s</text>`, chartWidth, height, html.EscapeString(c.title))
	for s := range sides {
		fmt.Fprintf(&b, `<rect x="%d" y="30" width="10" height="10" fill="%s"/><text x="%d" y="40">%s</text>`,
			8+90*int(s), colours[s], 22+90*int(s), s)
	}
	y := headHeight
	for _, g := range c.groups {
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, labelWidth-8, y+12, html.EscapeString(g.label))
		if g.mark > 0 {
			fmt.Fprintf(&b, `<line x1="%.0f" x2="%[1]f" y1="%d" y2="%d" stroke="#cf222e" stroke-width="2"/>`,
				scale(g.mark), y-3, y+g.count()*barHeight+2)
		}
		for s, value := range g.bars {
			if value == 0 {
				continue
			}
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s" fill-opacity="0.85"/>`,
				labelWidth, y, scale(value)-labelWidth, barHeight-3, colours[s])
			fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%[3]d" stroke="#000"/>`, scale(g.low[s]), scale(g.high[s]), y+6)
			fmt.Fprintf(&b, `<text x="%.1f" y="%d">%s %s</text>`, scale(g.high[s])+5, y+11, figure(value), c.unit)
			y += barHeight
		}
		y += groupGap
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (g group) count() int {
	n := 0
	for _, value := range g.bars {
		if value != 0 {
			n++
		}
	}
	return n
}
