package board

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"usher/vitals"
)

// gatherTime bounds what a page waits for its sources. A statement that runs longer is cancelled.
const gatherTime = 3 * time.Second

// Sources return what the page shows. They must stop when their context ends, and are called concurrently.
type Sources struct {
	Probes   func(context.Context) map[string]error // the stores by name; the error is nil for a store that answers
	Traffic  func(context.Context, vitals.Window) (*vitals.Traffic, error)
	Workers  func(context.Context) ([]vitals.Worker, error)
	Queues   func(context.Context) ([]vitals.Queue, error)
	Outbox   func(context.Context) (vitals.Backlog, error)
	Outcomes func(context.Context) (vitals.Backlog, error)
	Events   func(context.Context) (vitals.Events, error)
	Budget   func(context.Context) (vitals.Budget, error) // nil without a budget
	Memory   func(context.Context) (vitals.Memory, error)
	JobsRan  func(context.Context, []string) (map[string]time.Time, error) // by the names of jobs
	Process  func() vitals.Process
	Rotating vitals.Rotating
}

// cache has the last facts of a range.
type cache struct {
	mu    sync.Mutex // also held while the sources are asked: other viewers wait for that answer instead of asking again
	facts vitals.Facts
}

// facts returns the facts of a range, at most [timeRange.keep] old.
func (b *Board) facts(ctx context.Context, r timeRange) vitals.Facts {
	c := b.caches[r.Name]
	c.mu.Lock()
	defer c.mu.Unlock()
	now := b.now()
	if c.facts.At.IsZero() || now.Sub(c.facts.At) >= r.keep() || now.Before(c.facts.At) {
		c.facts = b.gather(ctx, r.window(now), now)
	}
	return c.facts
}

// gather asks all sources at the same time. It goes on when the viewer leaves, since others may wait for the facts.
func (b *Board) gather(ctx context.Context, window vitals.Window, now time.Time) vitals.Facts {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), gatherTime)
	defer cancel()
	g := &gathering{facts: vitals.Facts{At: now, Rotating: b.sources.Rotating}}
	if b.sources.Process != nil {
		process := b.sources.Process()
		g.facts.Process = &process
	}
	g.group.Go(func() {
		probed := b.sources.Probes(ctx)
		g.mu.Lock()
		defer g.mu.Unlock()
		maps.DeleteFunc(probed, func(_ string, err error) bool { return err == nil })
		g.facts.Unavailable = slices.Sorted(maps.Keys(probed))
	})
	traffic := func(ctx context.Context) (*vitals.Traffic, error) { return b.sources.Traffic(ctx, window) }
	ask(ctx, g, vitals.SourceTraffic, traffic, func(found *vitals.Traffic) { g.facts.Traffic = found })
	ask(ctx, g, vitals.SourceWorkers, b.sources.Workers, func(found []vitals.Worker) {
		g.facts.Workers = found
		b.askJobs(ctx, g, found)
	})
	ask(ctx, g, vitals.SourceQueues, b.sources.Queues, func(found []vitals.Queue) { g.facts.Queues = found })
	ask(ctx, g, vitals.SourceOutbox, b.sources.Outbox, func(found vitals.Backlog) { g.facts.Outbox = &found })
	ask(ctx, g, vitals.SourceOutcomes, b.sources.Outcomes, func(found vitals.Backlog) { g.facts.Outcomes = &found })
	ask(ctx, g, vitals.SourceEvents, b.sources.Events, func(found vitals.Events) { g.facts.Events = &found })
	if b.sources.Budget != nil {
		ask(ctx, g, vitals.SourceBudget, b.sources.Budget, func(found vitals.Budget) { g.facts.Budget = &found })
	}
	if b.sources.Memory != nil {
		ask(ctx, g, vitals.SourceMemory, b.sources.Memory, func(found vitals.Memory) { g.facts.Memory = &found })
	}
	g.group.Wait()
	slices.Sort(g.facts.Missing)
	return g.facts
}

// askJobs asks when the periodic jobs of the workers were last done.
func (b *Board) askJobs(ctx context.Context, g *gathering, workers []vitals.Worker) {
	names := map[string]bool{}
	for _, w := range workers {
		for _, job := range w.Jobs {
			names[job.Name] = true
		}
	}
	if b.sources.JobsRan == nil || len(names) == 0 {
		return
	}
	ran := func(ctx context.Context) (map[string]time.Time, error) {
		return b.sources.JobsRan(ctx, slices.Sorted(maps.Keys(names)))
	}
	ask(ctx, g, vitals.SourceJobs, ran, func(found map[string]time.Time) { g.facts.JobsRan = found })
}

// gathering is facts that several goroutines write.
type gathering struct {
	group sync.WaitGroup
	mu    sync.Mutex // guards facts
	facts vitals.Facts
}

// ask calls a source in a goroutine and passes its answer to keep, or notes that the source did not answer.
func ask[T any](ctx context.Context, g *gathering, source vitals.Source, call func(context.Context) (T, error), keep func(T)) {
	g.group.Go(func() {
		found, err := call(ctx)
		g.mu.Lock()
		defer g.mu.Unlock()
		if err != nil {
			g.facts.Missing = append(g.facts.Missing, source)
			return
		}
		keep(found)
	})
}
