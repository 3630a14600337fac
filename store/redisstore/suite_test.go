package redisstore_test

import (
	"testing"

	"usher/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// behaviours are tests of one part of the store, named by what they check.
type behaviours map[string]func(*testing.T, *fixture)

// on runs the tests in parallel on the Redis at the URL, each with numbers of its own.
func (b behaviours) on(t *testing.T, url string) {
	t.Helper()
	for name, test := range b {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newFixture(t, url))
		})
	}
}

// onOneServer is on where a probe has found that one script may use keys of several slots.
func (b behaviours) onOneServer(t *testing.T, url string) {
	t.Helper()
	for name, test := range b {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, url)
			f.probe(t)
			test(t, f)
		})
	}
}

func TestCodes(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, codesTests.on)
}

func TestCodes_by_mail(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, emailCodeTests.on)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, limitsTests.on)
}

func TestLimits_on_one_server(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, limitsTests.onOneServer)
}

func TestConversion_on_one_server(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, conversionTests.onOneServer)
}

func TestConversion(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, conversionTests.on)
}

func TestReports(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, reportsTests.on)
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, outcomesTests)
}

func TestScores(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, scoresTests.on)
}

func TestWorkers(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, workersTests)
}

func TestCaptchas(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, captchasTests.on)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, answersTests.on)
}

func TestSessions(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, sessionsTests.on)
}

func TestStore_keeps_no_secret_and_forgets_all(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, keepsNoSecret)
}

func TestCodes_are_sent_again_only_while_they_can_be_entered(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, codesRetryTests.on)
}
