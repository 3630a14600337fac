package tasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"usher/providers"
	"usher/reports"
)

const (
	// fileTimeout is how long reports in hand are tried to be filed when the worker is told to stop.
	fileTimeout = 5 * time.Second

	refileInterval = time.Second

	// maxPulls bounds one turn.
	maxPulls = 100
)

// Puller asks vendors for delivery reports. It is safe for concurrent use; the fields must be set.
type Puller struct {
	Sources []providers.Puller
	Reports *reports.Service
	Logger  *slog.Logger

	mu   sync.Mutex
	held map[string]reports.Batch // handed out and not filed yet, by provider
}

// Run files what could not be filed when it was pulled, until ctx ends and once more then: the next pull may be
// another worker's.
func (p *Puller) Run(ctx context.Context) {
	ticker := time.NewTicker(refileInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			p.refile(ctx)
			return
		case <-ticker.C:
			p.refile(ctx)
		}
	}
}

func (p *Puller) refile(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for provider := range p.held {
		if err := p.file(ctx, provider); err != nil {
			p.Logger.Warn("delivery reports not filed", "provider", provider, "error", err)
		}
	}
}

// Pull takes all that every vendor has to say. An error of one keeps it from nothing of the others.
func (p *Puller) Pull(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, source := range p.Sources {
		if err := p.pull(ctx, source); err != nil {
			errs = append(errs, fmt.Errorf("pull reports of %s: %w", source.Name(), err))
		}
	}
	return errors.Join(errs...)
}

// pull takes all that a vendor has. What was handed out is not handed out again, so it is held until it is
// filed, and nothing new is asked for before.
func (p *Puller) pull(ctx context.Context, source providers.Puller) error {
	if err := p.file(ctx, source.Name()); err != nil {
		return err
	}
	for range maxPulls {
		batch, err := source.Pull(ctx)
		if err != nil {
			return err
		}
		p.hold(source.Name(), batch)
		if err := p.file(ctx, source.Name()); err != nil {
			return err
		}
		if !batch.More {
			return nil
		}
	}
	return nil
}

func (p *Puller) hold(provider string, batch reports.Batch) {
	if p.held == nil {
		p.held = map[string]reports.Batch{}
	}
	p.held[provider] = batch
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
