package prove_test

import (
	"testing"
	"time"

	"usher/internal/faultproxy"
)

// loseAgain loses the answer with a task, and then one that the reaper needs to put its message back.
func loseAgain(t *testing.T) (result outcome) {
	t.Helper()
	s := newStage(t, nil)
	api, worker := s.api(t), s.worker(t, sms)
	_, warm := s.mustAskCode(t, api) // Redis knows all scripts after this
	settled(t, api, warm)
	for range size(1, 10) {
		for name, traps := range map[string]func() []*faultproxy.Trap{
			"the reaper's look, twice": func() []*faultproxy.Trap {
				return []*faultproxy.Trap{worker.redis.OnReply(looking, 1), worker.redis.OnReply(looking, 2)}
			},
			"the task put back": func() []*faultproxy.Trap {
				return []*faultproxy.Trap{worker.redis.OnAnswer(putBack, 1)}
			},
		} {
			first := worker.redis.OnAnswer(anSMSTask, 1)
			first.Cut()
			_, id := s.mustAskCode(t, api)
			await(t, first, "the task")
			began := time.Now()
			for _, trap := range traps() {
				trap.Cut()
				await(t, trap, name)
			}
			settled(t, api, id)
			result.lasted("taken up", time.Since(began))
		}
	}
	result.verdict = s.verdict()
	return result
}
