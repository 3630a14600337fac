package tasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"usher/providers"
	"usher/queue"
	"usher/reports"
)

const (
	// fileTimeout is how long the filing of reports is tried when the worker is told to stop.
	fileTimeout = 5 * time.Second

	refileInterval = time.Second

	// maxPulls bounds one run.
	maxPulls = 100
)

// Puller asks vendors for delivery reports. It is safe for concurrent use; the fields must be set.
type Puller struct {
	Reports *reports.Service
	Logger  *slog.Logger

	mu   sync.Mutex
	held map[string]reports.Batch // pulled and not filed yet, by provider
}

// Run files the reports that could not be filed when they were pulled, until ctx ends and once more then: another worker may
// make the next pull.
func (p *Puller) Run(ctx context.Context) {
	queue.Every(ctx, refileInterval, p.refile)
	p.refile(ctx)
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

// Pull fetches and files the reports of every source. An error of one vendor does not affect the others.
func (p *Puller) Pull(ctx context.Context, sources ...providers.Puller) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, source := range sources {
		if err := p.pull(ctx, source); err != nil {
			errs = append(errs, fmt.Errorf("pull reports of %s: %w", source.Name(), err))
		}
	}
	return errors.Join(errs...)
}

// pull fetches all reports of a vendor. A vendor hands a report out once, so a batch is held until it is
// filed, and no new one is fetched before.
func (p *Puller) pull(ctx context.Context, source providers.Puller) error {
	if err := p.file(ctx, source.Name()); err != nil {
		return err
	}
	for range maxPulls {
		batch, err := source.Pull(ctx)
		if err != nil {
			return err
		}
		if p.held == nil {
			p.held = map[string]reports.Batch{}
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

// file files the held batch, also when the worker is about to stop.
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
