package tasks

import (
	"context"
	"log/slog"
	"time"

	"usher/providers"
	"usher/reports"
)

// Turns gives one of several workers the turn.
type Turns interface {
	// Turn gives one of several callers the turn to do something, for the given time.
	Turn(ctx context.Context, name string, ttl time.Duration) (bool, error)
}

const (
	// fileTimeout is how long reports in hand are tried to be filed when the worker is told to stop.
	fileTimeout = 5 * time.Second

	// maxPulls bounds one turn.
	maxPulls = 100
)

// Puller asks vendors for delivery reports. Any number of workers may run one: in each interval one of them
// has the turn. The fields must be set; without sources, or with an interval of 0, it does nothing.
type Puller struct {
	Sources  []providers.Puller
	Reports  *reports.Service
	Turns    Turns
	Interval time.Duration
	Logger   *slog.Logger

	held map[string]reports.Batch // handed out and not filed yet, by provider
}

// Run pulls in every interval until ctx ends.
func (p *Puller) Run(ctx context.Context) {
	if len(p.Sources) == 0 || p.Interval == 0 {
		return
	}
	p.held = map[string]reports.Batch{}
	ticker := time.NewTicker(p.Interval)
	defer ticker.Stop()
	for {
		for _, source := range p.Sources {
			if err := p.pull(ctx, source); err != nil && ctx.Err() == nil {
				p.Logger.Warn("delivery reports not pulled", "provider", source.Name(), "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// pull takes all that a vendor has. What was handed out is not handed out again, so it is held until it is
// filed, and nothing new is asked for before.
func (p *Puller) pull(ctx context.Context, source providers.Puller) error {
	// A turn lasts a little less than the interval, so that the same worker may have the next one; its end
	// is also the end of this pull.
	turn := p.Interval * 9 / 10
	ctx, cancel := context.WithTimeout(ctx, turn)
	defer cancel()
	if err := p.file(ctx, source.Name()); err != nil {
		return err
	}
	mine, err := p.Turns.Turn(ctx, "pull "+source.Name(), turn)
	if err != nil || !mine {
		return err
	}
	for range maxPulls {
		batch, err := source.Pull(ctx)
		if err != nil {
			return err
		}
		p.held[source.Name()] = batch
		if err := p.file(ctx, source.Name()); err != nil {
			return err
		}
		if !batch.More {
			return nil
		}
	}
	return nil
}

// file files what is held, also when the worker is about to stop.
func (p *Puller) file(ctx context.Context, provider string) error {
	batch, held := p.held[provider]
	if !held {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fileTimeout)
	defer cancel()
	if err := p.Reports.Take(ctx, provider, batch); err != nil {
		return err
	}
	delete(p.held, provider)
	return nil
}
