package providers_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"usher/internal/testkit"
	"usher/providers"
	"usher/reasons"
)

// mailError is a refusal for a reason.
func mailError(kind providers.Kind, why reasons.Word) error {
	return &providers.Error{Provider: "smtp", Kind: kind, Why: why}
}

// try has one mail pass and end, and returns how long it waited.
func try(t *testing.T, b *providers.EmailBreaker, outcome error) time.Duration {
	t.Helper()
	start := time.Now()
	done, err := b.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	done(outcome)
	return time.Since(start)
}

func TestEmailBreaker_pauses(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		outcome error
		free    int // attempts before it opens
		pauses  []time.Duration
	}{
		"wrong password": {
			mailError(providers.Misconfigured, reasons.LoginRefused), 1,
			[]time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 10 * time.Minute, 10 * time.Minute},
		},
		"certificate": {mailError(providers.Misconfigured, reasons.Certificate), 1, []time.Duration{30 * time.Second, time.Minute}},
		"closed port": {
			mailError(providers.Temporary, reasons.ConnectionRefused), 5,
			[]time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 8 * time.Second},
		},
		"lost answers": {mailError(providers.Unknown, reasons.ConnectionClosed), 5, []time.Duration{time.Second}},
		"not now, to all": {
			&providers.Error{Kind: providers.Temporary, Code: "421-4.7.0", Why: reasons.ServerNotReady}, 5,
			[]time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute},
		},
		"client refused at each recipient": {
			mailError(providers.Misconfigured, reasons.ClientRefused), 5, []time.Duration{30 * time.Second, time.Minute},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newEmailBreaker(t)
				for range row.free {
					if _, _, out := b.Outage(); out {
						t.Error("open too soon")
					}
					if waited := try(t, b, row.outcome); waited > 0 {
						t.Errorf("waited %v while closed", waited)
					}
				}
				for i, pause := range row.pauses {
					if why, _, out := b.Outage(); !out || why != providers.ReasonOf(row.outcome) {
						t.Errorf("outage %v, %q", out, why)
					}
					if waited := try(t, b, row.outcome); waited.Round(time.Millisecond) != pause {
						t.Errorf("probe %d after %v, want %v", i+1, waited, pause)
					}
				}
				try(t, b, nil)
				if _, _, out := b.Outage(); out {
					t.Error("still open after a mail was taken")
				}
				if waited := try(t, b, nil); waited > 0 {
					t.Errorf("waited %v although it is closed", waited)
				}
			})
		})
	}
}

// What is about one mail, or was not asked, says nothing: a stranger's address opens no breaker.
func TestEmailBreaker_one_mail_is_no_outage(t *testing.T) {
	t.Parallel()
	for name, outcome := range map[string]error{
		"taken": nil, "rejected": mailError(providers.Rejected, reasons.RecipientUnknown),
		"greylisted": mailError(providers.Temporary, reasons.NotNow), "own bound": mailError(providers.Temporary, reasons.Busy),
		"not asked": providers.ErrNotAsked, "worker ends": mailError(providers.Temporary, reasons.Stopping), "cancelled": context.Canceled,
		"template": mailError(providers.Misconfigured, reasons.Template), "panic": mailError(providers.Unknown, reasons.Panic),
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newEmailBreaker(t)
			for range 20 {
				try(t, b, outcome)
			}
			if why, _, out := b.Outage(); out {
				t.Errorf("%s: open for %s", name, why)
			}
		})
	}
}

func TestEmailBreaker_one_mail_tries_at_a_time(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newEmailBreaker(t)
		try(t, b, mailError(providers.Misconfigured, reasons.LoginRefused))
		passed := make(chan func(error), 30)
		for range 30 {
			go func() {
				if done, err := b.Enter(t.Context()); err == nil {
					passed <- done
				}
			}()
		}
		time.Sleep(5 * time.Minute) //nolint:forbidigo // of the bubble
		if len(passed) != 1 {
			t.Fatalf("%d mails tried, want one", len(passed))
		}
		(<-passed)(providers.ErrNotAsked) // it was of no use any more: the next one tries
		synctest.Wait()
		if len(passed) != 1 {
			t.Fatalf("%d mails tried, want the next one", len(passed))
		}
		(<-passed)(nil)
		synctest.Wait()
		if len(passed) != 28 {
			t.Errorf("%d mails go on, want all that waited", len(passed))
		}
	})
}

func TestEmailBreaker_waits_no_longer_than_its_caller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newEmailBreaker(t)
		try(t, b, mailError(providers.Misconfigured, reasons.LoginRefused))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := b.Enter(ctx)
		if providers.KindOf(err) != providers.Temporary || providers.ReasonOf(err) != reasons.BreakerOpen {
			t.Errorf("got %v", err)
		}
	})
}

// New settings are tried at once, and what was under way with the old ones says nothing of them.
func TestEmailBreaker_Reset(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newEmailBreaker(t)
		wrong := mailError(providers.Misconfigured, reasons.LoginRefused)
		late, err := b.Enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		try(t, b, wrong)
		b.Reset()
		late(wrong)
		if waited := try(t, b, nil); waited > 0 {
			t.Errorf("waited %v after a reset", waited)
		}
	})
}

// Without mails nothing can show that the server is well again: the breaker does not say "down" for ever.
func TestEmailBreaker_without_mails_is_no_outage_for_long(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newEmailBreaker(t)
		try(t, b, mailError(providers.Misconfigured, reasons.LoginRefused))
		time.Sleep(time.Minute) //nolint:forbidigo // of the bubble
		if _, _, out := b.Outage(); !out {
			t.Error("forgotten within a minute")
		}
		time.Sleep(2 * time.Minute) //nolint:forbidigo // of the bubble
		if _, _, out := b.Outage(); out {
			t.Error("down although no mail has tried for minutes")
		}
	})
}

func newEmailBreaker(t *testing.T) *providers.EmailBreaker {
	t.Helper()
	logger, _ := testkit.Logger(t)
	return providers.NewEmailBreaker("smtp", logger)
}
