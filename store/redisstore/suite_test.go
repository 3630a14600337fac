package redisstore_test

import (
	"testing"

	"usher/internal/testkit"
	"usher/store/storetest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestCodes(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, storetest.Codes)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, storetest.Limits)
}

func TestConversion(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, storetest.Conversion)
}

func TestReports(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, storetest.Reports)
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, storetest.Outcomes)
}

func TestScores(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, storetest.Scores)
}

func TestWorkers(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, storetest.Workers)
}

func TestCaptchas(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, storetest.Captchas)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, storetest.Answers)
}

func TestSessions(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, storetest.Sessions)
}

func TestStore_keeps_no_secret_and_forgets_all(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, storetest.Redis)
}

func TestCodes_are_sent_again_only_while_they_are_of_use(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, storetest.CodesRetry)
}
