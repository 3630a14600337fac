package tasks

import (
	"testing"
	"usher/queue"
)

func TestPublish_costs_nothing_without_a_tracer(t *testing.T) { //nolint:paralleltest // counts allocations
	e := new(Enqueuer)
	headers := map[string]string{queue.HeaderRequestID: "request-1"}
	allocations := testing.AllocsPerRun(100, func() {
		_, end := e.publish(t.Context(), TypeSMSCode, headers)
		end(nil, nil)
	})
	if allocations != 0 || len(headers) != 1 {
		t.Errorf("%v allocations, headers %v", allocations, headers)
	}
}
