package prove_test

import (
	"flag"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"usher/internal/testkit"
)

// Row 12: after any steps of people, workers and vendors in any order, the store agrees with a model of it that
// fits on a page.
func TestRow12_codes_do_what_the_model_says(t *testing.T) {
	t.Parallel()
	r := newRow(t, 12, "state machine of codes against a model: issue, guess, spend, restore, claim, record, report, resend, expire, wipe")
	setRapid(t)
	w := newCodeWorld(t, testkit.Redis(t), slog.New(slog.DiscardHandler))
	rapid.Check(t, func(c *rapid.T) {
		w.wipe(c)
		c.Repeat(map[string]func(*rapid.T){
			"issue": w.issue, "issue without a queue": w.issueInVain, "guess": w.guess, "guess again": w.guess, "spend": w.spend,
			"restore": w.restore, "claim": w.claim, "record": w.record, "report": w.report, "resend": w.resend,
			"time passes": w.pass, "wipe": w.wipeSometimes, "": w.check,
		})
	})
	r.tried("%d steps in %d cases", w.steps, w.cases)
	r.atMost("comparisons of one code", w.mostGuesses, maxAttempts)
	r.note("%d codes, %d right guesses, %d spent, %d claims, %d wipes", w.count["issued"], w.count["right"],
		w.count["spent"], w.count["claimed"], w.count["wiped"])
	for _, what := range []string{
		"issued", "right", "spent", "claimed", "resent", "wiped", "paused", "limited", "superseded", "side by side", "expired", "strange", "no guesses left",
	} {
		if w.count[what] == 0 && !t.Failed() && long() {
			t.Errorf("no step was ever %s: the run proves nothing", what)
		}
	}
}

// setRapid sets the sizes and the seed of tests against a model, whose flags are those of the whole process.
func setRapid(t testing.TB) {
	t.Helper()
	setRapidOnce.Do(func() {
		for name, value := range map[string]string{
			"rapid.checks": strconv.Itoa(size(90, 2800)), "rapid.steps": "50", "rapid.nofailfile": "true",
			"rapid.seed": fmt.Sprint(results.seed | 1), // 0 would be another one each time
		} {
			if err := flag.Set(name, value); err != nil {
				t.Fatal(err)
			}
		}
	})
}

var setRapidOnce sync.Once
