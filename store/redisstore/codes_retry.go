package redisstore

import (
	"context"
	_ "embed" // for the script
	"fmt"

	"github.com/redis/go-redis/v9"

	"usher/verify"
)

//go:embed scripts/code_retry.lua
var codeRetry string

var codeRetryScript = redis.NewScript(outcome + codeRetry)

// Retry lets a worker claim a code again whose message failed or did not arrive; a dry run only asks. It returns
// why nothing was done, or "": missing; used, expired or superseded when nobody can enter the code any more; or the
// state of a message that is on its way or has arrived.
//
// The message still needs a task: see to it before and put it on the queue after.
func (c *Codes) Retry(ctx context.Context, id string, dryRun bool) (reason string, err error) {
	subject, ok := verify.SubjectOf(id)
	if !ok {
		return "missing", nil
	}
	ask := "0"
	if dryRun {
		ask = "1"
	}
	r, err := read(codeRetryScript.Run(ctx, c.store.client, []string{c.store.space.codeKey(subject, id), c.store.space.outcomesKey(subject)},
		c.store.now().UnixMilli(), ask), 1)
	if err != nil {
		return "", fmt.Errorf("retry code: %w", err)
	}
	if r.text(0) == "refused" {
		return r.text(1), nil
	}
	return "", nil
}
