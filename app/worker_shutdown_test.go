package app_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"usher/app"
	"usher/config"
	"usher/internal/testkit"
	"usher/providers/catalog"
	"usher/sandbox"
)

// codesByState counts the codes in Redis by their state, and by the provider that may have them where they are unresolved.
func codesByState(t *testing.T, url string) map[string]int {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	counts := map[string]int{}
	for keys := client.Scan(t.Context(), 0, "usher:*:code:*", 1000).Iterator(); keys.Next(t.Context()); {
		code := client.HMGet(t.Context(), keys.Val(), "state", "doubt_provider").Val()
		state := fmt.Sprint(code[0])
		if state == "sending" {
			state += fmt.Sprint(" ", code[1])
		}
		counts[state]++
	}
	return counts
}

func TestWorker_ends_in_good_order(t *testing.T) {
	t.Parallel()
	const concurrency, codes = 4, 12
	for name, test := range map[string]struct {
		delay  time.Duration // of the vendor
		grace  time.Duration
		states map[string]int // once the worker has ended
	}{
		"the vendor answers in time":      {time.Second, 10 * time.Second, map[string]int{"sent": concurrency, "queued": codes - concurrency}},
		"the vendor does not":             {30 * time.Second, 2 * time.Second, map[string]int{"sending aliyun": concurrency, "queued": codes - concurrency}},
		"the vendor does not, in a hurry": {30 * time.Second, time.Second, map[string]int{"sending aliyun": concurrency, "queued": codes - concurrency}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redisURL, fakes := testkit.Redis(t), startSandbox(t)
			d := &deployment{sandbox: fakes, environ: environment(t, fakes, redisURL, testkit.SQLite(t))}
			d.environ["USHER_LIMITS"] = "sms_ip_hour=off,sms_prefix=off,status_ip=off"
			d.environ["USHER_SMS_PROVIDERS"], d.environ["USHER_SEND_TIMEOUT"] = "aliyun", "4s"
			d.environ["USHER_SHUTDOWN_GRACE"] = test.grace.String()
			d.environ["USHER_WORKER_CONCURRENCY_SMS"], d.environ["USHER_WORKER_FETCHERS"] = fmt.Sprint(concurrency), "1"
			logger, _ := testkit.Logger(t)
			d.migrate(t)
			d.startAPI(t, logger)
			delay := &sandbox.Fault{DelayMS: int(test.delay.Milliseconds())}
			if err := fakes.SetFaults(sandbox.Faults{Aliyun: delay}); err != nil {
				t.Fatal(err)
			}
			p := d.person(t)
			ids := map[string]string{}
			for i := range codes {
				mobile := fmt.Sprintf("138001390%02d", i)
				ids[mobile] = p.AskCode(mobile, "register")
			}

			settings, err := app.LoadWorker(d.environ)
			senders, smsErr := catalog.SMS(settings.Config.SMSProviders, d.environ)
			if err := config.Join(err, smsErr); err != nil {
				t.Fatal(err)
			}
			settings.SMS = senders
			first, err := app.OpenWorker(t.Context(), settings, logger)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- first.Run(ctx) }()
			testkit.Eventually(t, testkit.Patience, func() bool { return len(fakes.Messages("")) == concurrency }, "the vendor has some")
			stop()
			start := time.Now()
			if err := <-ended; err != nil {
				t.Errorf("the worker ended with %v", err)
			}
			if took := time.Since(start); took > test.grace+15*time.Second { // the vendor would take longer, and the machine may be busy
				t.Errorf("it took %v to end, with a grace of %v", took, test.grace)
			}
			if diff := cmp.Diff(test.states, codesByState(t, redisURL)); diff != "" {
				t.Errorf("codes by state (-want +got):\n%s", diff)
			}

			if err := fakes.SetFaults(sandbox.Faults{}); err != nil {
				t.Fatal(err)
			}
			d.startWorker(t, logger)
			for mobile, id := range ids {
				testkit.Eventually(t, testkit.Patience, func() bool {
					status := p.Must(http.StatusOK, http.MethodGet, "/v1/sms-codes/"+id, nil).Text("status")
					return status == "sent" || status == "delivered"
				}, "every code is sent")
				if n := len(fakes.Messages(mobile)); n != 1 {
					t.Errorf("a number got %d messages", n)
				}
			}
		})
	}
}
