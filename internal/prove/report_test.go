package prove_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// row is what one row of the proof has to say. It is for the test's goroutine.
type row struct {
	t      testing.TB
	number int
	title  string
	what   string // was tried
	found  []figure
}

// figure is one thing that was measured. An empty bound only informs.
type figure struct{ text, bound string }

// newRow begins a row, which is in the table however its test ends.
func newRow(t testing.TB, number int, title string) *row {
	t.Helper()
	r := &row{t: t, number: number, title: title}
	t.Cleanup(func() { results.add(r) })
	return r
}

// tried says how large the run was.
func (r *row) tried(format string, args ...any) { r.what = fmt.Sprintf(format, args...) }

// atMost reports a count and fails the test when it is above its bound.
func (r *row) atMost(name string, n, bound int) {
	r.t.Helper()
	if n > bound {
		r.t.Errorf("%s: %d, want at most %d", name, n, bound)
	}
	r.found = append(r.found, figure{fmt.Sprintf("%d %s", n, name), fmt.Sprintf("≤ %d", bound)})
}

// exactly reports a count and fails the test when it is not the one wanted.
func (r *row) exactly(name string, n, want int) {
	r.t.Helper()
	if n != want {
		r.t.Errorf("%s: %d, want %d", name, n, want)
	}
	r.found = append(r.found, figure{fmt.Sprintf("%d %s", n, name), fmt.Sprintf("= %d", want)})
}

// within reports a time and fails the test when it is above its bound.
func (r *row) within(name string, d, bound time.Duration) {
	r.t.Helper()
	if d > bound {
		r.t.Errorf("%s took %v, want at most %v", name, d, bound)
	}
	r.found = append(r.found, figure{fmt.Sprintf("%s %.1f s", name, d.Seconds()), fmt.Sprintf("≤ %v", bound)})
}

// note reports what has no bound.
func (r *row) note(format string, args ...any) {
	r.found = append(r.found, figure{text: fmt.Sprintf(format, args...)})
}

func (r *row) verdict() string {
	switch {
	case r.t.Failed():
		return "FAIL"
	case r.t.Skipped():
		return "skipped"
	default:
		return "pass"
	}
}

// table is all rows of a run.
type table struct {
	seed uint64

	mu   sync.Mutex
	rows []*row
}

func (b *table) add(r *row) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rows = append(b.rows, r)
}

// print shows the table, and writes it to the file of USHER_PROVE_REPORT.
func (b *table) print() {
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Printf("prove: USHER_PROVE_SEED=%d\n", b.seed)
	if len(b.rows) == 0 {
		return
	}
	slices.SortFunc(b.rows, func(x, y *row) int { return x.number - y.number })
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, r := range b.rows {
		_, _ = fmt.Fprintf(out, "row %d\t%s\t%s\n\t\t%s\n", r.number, r.verdict(), r.title, r.what)
		for _, f := range r.found {
			_, _ = fmt.Fprintf(out, "\t\t  %s\t%s\n", f.text, f.bound)
		}
	}
	_ = out.Flush()
	if path := os.Getenv("USHER_PROVE_REPORT"); path != "" {
		if err := os.WriteFile(path, []byte(b.markdown()), 0o600); err != nil {
			fmt.Fprintln(os.Stderr, "USHER_PROVE_REPORT:", err)
		}
	}
}

func (b *table) markdown() string {
	var text strings.Builder
	text.WriteString("| # | Proof | Tried | Figure (bound) | Verdict |\n|---|---|---|---|---|\n")
	for _, r := range b.rows {
		figures := make([]string, len(r.found))
		for i, f := range r.found {
			if figures[i] = f.text; f.bound != "" {
				figures[i] += " (" + f.bound + ")"
			}
		}
		fmt.Fprintf(&text, "| %d | %s | %s | %s | %s |\n", r.number, r.title, r.what, strings.Join(figures, "; "), r.verdict())
	}
	fmt.Fprintf(&text, "\nSeed %d.\n", b.seed)
	return text.String()
}
