package tasks_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/providers"
	"usher/store/redisstore"
	"usher/tasks"
	"usher/verify"
)

// ailing is the only vendor: it does as it is told until it recovers, and notes when it accepts what.
type ailing struct {
	recovers time.Time
	ail      func(ctx context.Context) error

	mu       sync.Mutex
	calls    []time.Time // before it recovered
	accepted map[string]time.Time
	twice    int
}

func (v *ailing) Name() string { return "ailing" }

func (v *ailing) SendSMS(ctx context.Context, sms providers.SMS) (providers.Receipt, error) {
	now := time.Now()
	if now.Before(v.recovers) {
		v.mu.Lock()
		v.calls = append(v.calls, now)
		v.mu.Unlock()
		return providers.Receipt{}, v.ail(ctx)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, again := v.accepted[sms.ID]; again {
		v.twice++
	}
	v.accepted[sms.ID] = now
	return providers.Receipt{Provider: v.Name()}, nil
}

// timeless returns a client for a bubble: deadlines in synthetic time would be over for the network, which has
// the real one. Synthetic time stands still while an answer is awaited.
func timeless(t *testing.T, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	options.ReadTimeout, options.WriteTimeout, options.ConnMaxIdleTime, options.MaxRetries = -2, -2, -1, -1
	return redis.NewClient(options)
}

// TestRouting_with_a_vendor_that_ails issues codes that live for a minute, while the only vendor does nothing good
// for 100 seconds.
func TestRouting_with_a_vendor_that_ails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ail  func(ctx context.Context) error
		most int // calls within the five seconds after which the breaker must be open
	}{
		"refuses as misconfigured": {
			func(context.Context) error {
				return &providers.Error{Provider: "ailing", Kind: providers.Misconfigured}
			}, 1,
		},
		"is down":           {func(context.Context) error { return &providers.Error{Provider: "ailing", Kind: providers.Temporary} }, 5},
		"answers rubbish":   {func(context.Context) error { return &providers.Error{Provider: "ailing"} }, 5},
		"panics the client": {func(context.Context) error { panic("no") }, 5},
		"hangs": {func(ctx context.Context) error {
			<-ctx.Done()
			return &providers.Error{Provider: "ailing", Err: ctx.Err()}
		}, 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := testkit.RedisServer(t).URL() // miniredis takes its time in a bubble
			synctest.Test(t, func(t *testing.T) { ailingFor(t, url, test.ail, test.most) })
		})
	}
}

func ailingFor(t *testing.T, url string, ail func(context.Context) error, most int) {
	t.Helper()
	const (
		crowd, codes   = 100, 100 + 4*115 // 20 a second for five seconds, then 4
		life, recovers = time.Minute, 100 * time.Second
		timeout        = 4 * time.Second
	)
	start := time.Now()
	vendor := &ailing{recovers: start.Add(recovers), ail: ail, accepted: map[string]time.Time{}}
	client := timeless(t, url)
	defer client.Close()
	logger, _ := testkit.Logger(t)
	router := &providers.Router{Senders: []providers.SMSSender{vendor}, Logger: logger}
	keys := testKeys(t)
	store := redisstore.New(client, keys, time.Now)
	metrics := tasks.NewMetrics(prometheus.NewRegistry())
	handler := tasks.Observe(logger, metrics)(&tasks.SMSCodeHandler{
		Claims: store.Codes(), Sender: router, Keys: keys, Timeout: timeout, Metrics: metrics,
	})
	issuer := service(t, store, nil)
	issuer.Policy.CodeTTL = life
	var wg sync.WaitGroup
	issuer.Queue = queueFunc(func(_ context.Context, q verify.Queued) error {
		task := asynq.NewTask(tasks.TypeSMSCode, smsPayload(t, keys, q))
		wg.Go(func() { // what Asynq does
			for retried := 0; ; retried++ {
				err := handler.ProcessTask(context.Background(), task)
				if next(err) != "retried" {
					return
				}
				time.Sleep(tasks.RetryDelay(retried, err, nil)) //nolint:forbidigo // synthetic time
			}
		})
		return nil
	})
	ends := map[string]time.Time{}
	for i := range codes {
		issued, err := issuer.Issue(t.Context(), verify.Request{
			To: mustMobile(t, fmt.Sprintf("139%08d", i)), Purpose: verify.Login,
		})
		if err != nil {
			t.Fatal(err)
		}
		ends[issued.ID] = time.Now().Add(life)
		every := 50 * time.Millisecond
		if i >= crowd {
			every = 250 * time.Millisecond
		}
		time.Sleep(every) //nolint:forbidigo // synthetic time
		if i == crowd-1 {
			vendor.mu.Lock()
			if state, calls := router.Breakers()["ailing"], len(vendor.calls); state != "open" || calls > most {
				t.Errorf("after five seconds the breaker is %s and the vendor was called %d times, want open and %d", state, calls, most)
			}
			vendor.mu.Unlock()
		}
	}
	wg.Wait()
	late, lost := 0, 0
	for id, end := range ends {
		at, sent := vendor.accepted[id]
		switch {
		case sent && !at.Before(end):
			late++
		case !sent && end.After(vendor.recovers.Add(45*time.Second)): // longer than the breaker's pause and the backlog
			lost++
		}
	}
	if late > 0 || lost > 0 || vendor.twice > 0 || len(vendor.accepted) < codes/6 {
		t.Errorf("%d sent, of them %d expired and %d twice; %d were lost", len(vendor.accepted), late, vendor.twice, lost)
	}
}
