package main

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A server that stops for a second delays every request that arrives in that second. A closed loop makes only a few
// requests then, so its p99 hides the stop.
func TestLoad_counts_from_the_planned_start(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rate        float64
		least, most time.Duration // of the p99
	}{
		"open loop":   {rate: 1000, least: 850 * time.Millisecond, most: 1010 * time.Millisecond},
		"closed loop": {most: 2 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				stalling := func(request) (int, error) {
					if at := time.Since(began); at > 4*time.Second && at < 5*time.Second {
						<-time.After(5*time.Second - at)
					}
					<-time.After(time.Millisecond)
					return http.StatusOK, nil
				}
				var n numbers
				l := load{rate: test.rate, planned: test.rate > 0, count: 10_000, want: http.StatusOK, next: n.next, make: func(int) request { return get("/") }}
				o := l.drive(t.Context(), []sender{stalling, stalling, stalling, stalling})
				if o.done != l.count {
					t.Fatalf("%d good answers, want %d", o.done, l.count)
				}
				if p99 := o.quantile(99); p99 < test.least || p99 > test.most {
					t.Errorf("p99 %v, want %v to %v", p99, test.least, test.most)
				}
			})
		})
	}
}

func TestStep_shows_the_rate_that_was_kept_up(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := func(request) (int, error) {
			<-time.After(10 * time.Millisecond)
			return http.StatusOK, nil
		}
		var n numbers
		l := load{want: http.StatusOK, next: n.next, make: func(int) request { return get("/") }}.arriving(200, time.Second)
		var s step
		s.add(l.drive(t.Context(), []sender{slow}), l.rate, time.Second) // one caller has 200 answers after two seconds
		if good := s.good.median(); good < 99 || good > 101 {
			t.Errorf("good: %.1f/s, want 100", good)
		}
		if p50 := s.times.p50.median(); p50 < 490 || p50 > 520 {
			t.Errorf("p50 %.0f ms, want half a second: each answer is later than the one before", p50)
		}
	})
}

func TestKnee_is_the_last_load_that_was_served_well(t *testing.T) {
	t.Parallel()
	with := func(load, refused float64, p99 ...float64) step {
		return step{load: load, refused: sample{refused}, times: timing{p99: p99}}
	}
	for name, test := range map[string]struct {
		curve []step
		want  float64
	}{
		"one slow round of three": {[]step{with(0.5, 0, 20, 900, 30), with(0.9, 0, 99), with(1, 0, 300)}, 0.9},
		"well again after it":     {[]step{with(0.5, 0, 20), with(0.9, 0, 101), with(1, 0, 50)}, 0.5},
		"fast refusals":           {[]step{with(0.5, 0, 20), with(0.9, 3, 20)}, 0.5},
		"never":                   {[]step{with(0.5, 0, 200)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := knee(test.curve); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
