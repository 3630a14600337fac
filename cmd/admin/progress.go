package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// Pauses between two signs of life: a bar may move often, a log need not.
const (
	barPause   = 100 * time.Millisecond
	linesPause = 10_000 // lines
)

// progress shows how far a file has been read: a bar that moves where a person looks on, and otherwise a
// line every now and then.
type progress struct {
	out      io.Writer
	terminal bool
	size     int64 // bytes of the file
	started  time.Time
	first    int // line behind which the work began
	shownAt  time.Time
	shown    int
}

func newProgress(out io.Writer, size int64, first int) *progress {
	file, ok := out.(*os.File)
	return &progress{
		out: out, terminal: ok && term.IsTerminal(int(file.Fd())), size: size, started: time.Now(), first: first, shown: first,
	}
}

// at tells that the lines up to this one are done, which is so many bytes of the file.
func (p *progress) at(line int, offset int64) {
	switch {
	case p.terminal && time.Since(p.shownAt) >= barPause:
		p.shownAt = time.Now()
		_, _ = io.WriteString(p.out, "\r"+p.bar(line, offset)+"\x1b[K")
	case !p.terminal && line-p.shown >= linesPause:
		p.shown = line
		_, _ = fmt.Fprintf(p.out, "line %d, %.0f%%, %.0f lines/s\n", line, 100*p.part(offset), p.speed(line))
	}
}

// clear takes the bar away for something else to be written.
func (p *progress) clear() {
	if p.terminal && !p.shownAt.IsZero() {
		p.shownAt = time.Time{} // it comes back at once
		_, _ = io.WriteString(p.out, "\r\x1b[K")
	}
}

func (p *progress) bar(line int, offset int64) string {
	const width = 30
	done := int(width * p.part(offset))
	left := ""
	if speed, part := time.Since(p.started), p.part(offset); part > 0 {
		left = ", " + time.Duration(float64(speed)*(1-part)/part).Round(time.Second).String() + " left"
	}
	return fmt.Sprintf("[%s%s] %3.0f%%  line %d, %.0f/s%s",
		strings.Repeat("#", done), strings.Repeat("-", width-done), 100*p.part(offset), line, p.speed(line), left)
}

func (p *progress) part(offset int64) float64 { return min(float64(offset)/float64(max(p.size, 1)), 1) }

func (p *progress) speed(line int) float64 {
	return float64(line-p.first) / max(time.Since(p.started).Seconds(), 0.001)
}
