package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/trace"

	"usher/secrets"
)

// Enqueuer puts tasks on their queues. It is safe for concurrent use.
type Enqueuer struct {
	Client    *asynq.Client
	Keys      *secrets.Keys
	Namespace Namespace    // of the deployment
	SMSShards int          // queues that codes are spread over; 0 and 1 are one
	Tracer    trace.Tracer // nil makes no spans
}

func (e *Enqueuer) enqueue(
	ctx context.Context, typename, requestID string, payload any, opts ...asynq.Option,
) error {
	body, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("encode %s: %w", typename, err)
	}
	headers := map[string]string{HeaderRequestID: requestID, HeaderIssuedAt: issuedHeader(ctx)}
	ctx, end := e.publish(ctx, typename, headers)
	info, err := e.Client.EnqueueContext(ctx, asynq.NewTaskWithHeaders(typename, body, headers), opts...)
	end(info, err)
	// Our ids are never used for anything else: a conflict is our own write, whose answer was lost.
	if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
		if ctx.Err() != nil { // Asynq passes on the text of a cause only
			err = ctx.Err()
		}
		return fmt.Errorf("enqueue %s: %w", typename, err)
	}
	return nil
}
