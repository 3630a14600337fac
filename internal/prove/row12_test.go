package prove_test

import (
	"flag"
	"fmt"
	"log/slog"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"usher/internal/testkit"
)

// Row 12: whatever people, workers and vendors do to codes in whatever order, the store says what a model of it
// says that fits on a page.
func TestRow12_codes_do_what_the_model_says(t *testing.T) {
	t.Parallel()
	r := newRow(t, 12, "state machine of codes against a model: issue, guess, spend, restore, claim, record, report, expire, wipe")
	const perCase = 50
	for name, value := range map[string]int{"rapid.checks": size(90, 2800), "rapid.steps": perCase} {
		if err := flag.Set(name, strconv.Itoa(value)); err != nil {
			t.Fatal(err)
		}
	}
	if err := flag.Set("rapid.seed", fmt.Sprint(results.seed|1)); err != nil { // 0 would be another one each time
		t.Fatal(err)
	}
	if err := flag.Set("rapid.nofailfile", "true"); err != nil {
		t.Fatal(err)
	}
	w := newCodeWorld(t, testkit.Redis(t), slog.New(slog.DiscardHandler))
	rapid.Check(t, func(c *rapid.T) {
		w.wipe(c)
		c.Repeat(map[string]func(*rapid.T){
			"issue": w.issue, "issue without a queue": w.issueInVain, "guess": w.guess, "guess again": w.guess, "spend": w.spend,
			"restore": w.restore, "claim": w.claim, "record": w.record, "report": w.report,
			"time passes": w.pass, "wipe": w.wipeSometimes, "": w.check,
		})
	})
	r.tried("%d steps in %d cases", w.steps, w.cases)
	r.atMost("comparisons of one code", w.mostGuesses, maxAttempts)
	r.note("%d codes, %d right guesses, %d spent, %d claims, %d wipes", w.count["issued"], w.count["right"],
		w.count["spent"], w.count["claimed"], w.count["wiped"])
	for _, what := range []string{
		"issued", "right", "spent", "claimed", "wiped", "paused", "limited", "superseded", "side by side", "expired", "strange", "no guesses left",
	} {
		if w.count[what] == 0 && !t.Failed() && long() {
			t.Errorf("no step was ever %s: the run proves nothing", what)
		}
	}
}
