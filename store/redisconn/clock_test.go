package redisconn_test

import (
	"testing"
	"time"

	"usher/internal/testkit"
	"usher/store/redisconn"
)

// machine is a machine's clock that is so far ahead.
type machine time.Duration

func (m machine) Now() time.Time { return time.Now().Round(0).Add(time.Duration(m)) }

func TestClock_tells_the_time_of_Redis_on_a_machine_that_is_wrong(t *testing.T) {
	t.Parallel()
	client, err := redisconn.Open(testkit.Redis(t), redisconn.Settings{Timeout: testkit.RedisPatience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	for _, wrong := range []time.Duration{0, 600 * time.Second, -600 * time.Second, 40 * 24 * time.Hour} {
		m := machine(wrong)
		clock := redisconn.NewClock(client, m.Now)
		if off := clock.Now().Sub(m.Now()).Abs(); off > time.Second {
			t.Errorf("before it is measured it differs from the machine's by %v", off)
		}
		if err := clock.Measure(t.Context()); err != nil {
			t.Fatal(err)
		}
		if off := clock.Now().Sub(time.Now().Round(0)).Abs(); off > time.Second {
			t.Errorf("%v ahead: told %v off", wrong, off)
		}
		if off := (clock.Ahead() - wrong).Abs(); off > time.Second {
			t.Errorf("%v ahead: says %v", wrong, clock.Ahead())
		}
	}
}

func TestClock_keeps_the_machine_s_time_where_Redis_refuses_to_tell_it(t *testing.T) {
	t.Parallel()
	rules := testkit.StrictRedis{Undeclared: true, Refused: map[string]string{"TIME": "NOPERM no permissions"}}
	client, err := redisconn.Open(rules.Before(t, testkit.Redis(t)), redisconn.Settings{Timeout: testkit.RedisPatience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	m := machine(time.Hour)
	clock := redisconn.NewClock(client, m.Now)
	if err := clock.Measure(t.Context()); err == nil {
		t.Fatal("TIME was not refused")
	}
	if clock.Ahead().Abs() > time.Second || clock.Now().Sub(m.Now()).Abs() > time.Second {
		t.Errorf("says %v, %v", clock.Ahead(), clock.Now())
	}
}
