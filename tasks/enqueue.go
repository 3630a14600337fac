package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/trace"

	"usher/queue"
	"usher/secrets"
)

// Enqueuer puts tasks on their queues. It is safe for concurrent use.
type Enqueuer struct {
	Client    *asynq.Client
	Keys      *secrets.Keys
	Namespace queue.Namespace // of the deployment
	SMSShards int             // queues that codes are spread over; 0 and 1 are one
	Clock     Clock
	Tracer    trace.Tracer // nil makes no spans
}

func (e *Enqueuer) enqueue(
	ctx context.Context, typename, requestID string, payload any, opts ...asynq.Option,
) error {
	_, err := e.enqueueNew(ctx, typename, requestID, payload, opts...)
	return err
}

// enqueueNew is enqueue, and says whether a task of this id was there already.
func (e *Enqueuer) enqueueNew(
	ctx context.Context, typename, requestID string, payload any, opts ...asynq.Option,
) (existed bool, err error) {
	body, err := json.Marshal(payload)
	if err != nil {
		return false, fmt.Errorf("encode %s: %w", typename, err)
	}
	headers := map[string]string{queue.HeaderRequestID: requestID, HeaderIssuedAt: issuedHeader(ctx, e.Clock.now())}
	ctx, end := e.publish(ctx, typename, headers)
	info, err := e.Client.EnqueueContext(ctx, asynq.NewTaskWithHeaders(typename, body, headers), opts...)
	end(info, err)
	// Our ids are never used for anything else: a conflict is our own write, whose answer was lost.
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return true, nil
	}
	if err != nil {
		if ctx.Err() != nil { // Asynq passes on the text of a cause only
			err = ctx.Err()
		}
		return false, fmt.Errorf("enqueue %s: %w", typename, err)
	}
	return false, nil
}
