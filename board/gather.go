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

// Sources are asked for what the page shows. They end with their context and are called from several
// goroutines.
type Sources struct {
	Probes   func(context.Context) map[string]error // the stores by name, with nil for those that answer
	Traffic  func(context.Context, vitals.Window) (*vitals.Traffic, error)
	Workers  func(context.Context) ([]vitals.Worker, error)
	Queues   func(context.Context) ([]vitals.Queue, error)
	Outbox   func(context.Context) (vitals.Backlog, error)
	Outcomes func(context.Context) (vitals.Backlog, error)
	Budget   func(context.Context) (vitals.Budget, error) // nil without a budget
}

// memory is what was last learned about a range.
type memory struct {
	mu    sync.Mutex
	facts vitals.Facts
}

// facts returns what is known, learned now or some seconds ago. Whoever comes while it is being learned waits
// for it: nobody asks twice.
func (b *Board) facts(ctx context.Context, r timeRange) vitals.Facts {
	m := b.memories[r.Name]
	m.mu.Lock()
	defer m.mu.Unlock()
	now := b.now()
	if m.facts.At.IsZero() || now.Sub(m.facts.At) >= r.keep() || now.Before(m.facts.At) {
		m.facts = b.gather(ctx, r.window(now), now)
	}
	return m.facts
}

// gather asks all sources at the same time. One viewer who leaves takes nothing from the others.
func (b *Board) gather(ctx context.Context, window vitals.Window, now time.Time) vitals.Facts {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), gatherTime)
	defer cancel()
	g := &gathering{facts: vitals.Facts{At: now}}
	g.group.Go(func() { g.keepAway(b.sources.Probes(ctx)) })
	ask(ctx, g, vitals.SourceWorkers, b.sources.Workers, func(found []vitals.Worker) { g.facts.Workers = found })
	ask(ctx, g, vitals.SourceQueues, b.sources.Queues, func(found []vitals.Queue) { g.facts.Queues = found })
	ask(ctx, g, vitals.SourceOutbox, b.sources.Outbox, func(found vitals.Backlog) { g.facts.Outbox = &found })
	ask(ctx, g, vitals.SourceOutcomes, b.sources.Outcomes, func(found vitals.Backlog) { g.facts.Outcomes = &found })
	ask(ctx, g, vitals.SourceTraffic, func(ctx context.Context) (*vitals.Traffic, error) {
		return b.sources.Traffic(ctx, window)
	}, func(found *vitals.Traffic) { g.facts.Traffic = found })
	if b.sources.Budget != nil {
		ask(ctx, g, vitals.SourceBudget, b.sources.Budget, func(found vitals.Budget) { g.facts.Budget = &found })
	}
	g.group.Wait()
	slices.Sort(g.facts.Missing)
	return g.facts
}

// gathering is facts that several goroutines write.
type gathering struct {
	group sync.WaitGroup
	mu    sync.Mutex
	facts vitals.Facts
}

func ask[T any](
	ctx context.Context, g *gathering, source vitals.Source, look func(context.Context) (T, error), keep func(T),
) {
	g.group.Go(func() {
		found, err := look(ctx)
		g.mu.Lock()
		defer g.mu.Unlock()
		if err != nil {
			g.facts.Missing = append(g.facts.Missing, source)
			return
		}
		keep(found)
	})
}

func (g *gathering) keepAway(probed map[string]error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, store := range slices.Sorted(maps.Keys(probed)) {
		if probed[store] != nil {
			g.facts.Away = append(g.facts.Away, store)
		}
	}
}
