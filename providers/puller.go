package providers

import (
	"context"

	"usher/reports"
)

// Puller is an [SMSSender] whose vendor hands out delivery reports to whoever asks.
type Puller interface {
	// Name is the provider's name in settings, logs and metrics.
	Name() string

	// Pull asks once for reports that were not handed out before, a bounded number of them; More says that
	// there are others. The vendor may hand a report out only once, so the caller must file what it gets
	// before anything else. The error is an [*Error].
	Pull(ctx context.Context) (reports.Batch, error)
}

// Referencer is an [SMSSender] whose vendor cannot carry our ids and is given references instead, which its
// reports then name.
type Referencer interface {
	// Refer makes every send tell the reference of its message before the request leaves. It may be called
	// before the first send.
	OnReference(remember func(ctx context.Context, reference, id string))
}
