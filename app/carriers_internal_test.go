package app

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher/contact"
	"usher/internal/testkit"
	"usher/providers"
	"usher/providers/catalog"
	"usher/sandbox"
	"usher/secrets"
	"usher/store/redisconn"
	"usher/store/redisstore"
)

// carrierStage is a router over the sandbox's ronglian and aliyun, with the scores and reports of a Redis, whose time can be
// advanced.
type carrierStage struct {
	sandbox *sandbox.Server
	store   *redisstore.Store
	keys    *secrets.Keys
	router  *providers.Router
	reports watchedReports
	puller  providers.Puller
	weighed func() // is called when the router has read the scores
	ahead   atomic.Int64
	sent    int
}

// announced are scores that announce when they were read.
type announced struct {
	providers.Scores
	stage *carrierStage
}

func (a announced) RecentScores(ctx context.Context, names []string) (map[string]providers.ProviderScore, error) {
	scores, err := a.Scores.RecentScores(ctx, names)
	if err == nil { // else the router keeps its weights and reads again
		a.stage.weighed()
	}
	return scores, err
}

func newCarrierStage(t *testing.T) *carrierStage {
	t.Helper()
	s := &carrierStage{}
	free := sandbox.Limits{Minute: -1, Hour: -1, Day: -1}
	var err error
	s.sandbox, err = sandbox.Open(t.Context(), sandbox.Config{
		HTTPAddr: "127.0.0.1:0", SMTPAddr: "127.0.0.1:0", AliyunLimits: free, RonglianLimits: free, DeliveryDelay: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.sandbox.Run(t.Context()) }()
	t.Cleanup(func() { // the context has ended by then
		if err := <-done; err != nil {
			t.Errorf("sandbox: %v", err)
		}
	})
	keys := s.sandbox.Credentials()
	senders, err := catalog.SMS([]string{"ronglian", "aliyun"}, map[string]string{
		"USHER_ALIYUN_ACCESS_KEY_ID": keys.Aliyun.AccessKeyID, "USHER_ALIYUN_ACCESS_KEY_SECRET": keys.Aliyun.AccessKeySecret,
		"USHER_ALIYUN_SIGN_NAME": "Usher", "USHER_ALIYUN_TEMPLATE_CODE": "SMS_71390007",
		"USHER_ALIYUN_ENDPOINT":      "http://" + s.sandbox.HTTPAddr() + "/aliyun/",
		"USHER_RONGLIAN_ACCOUNT_SID": keys.Ronglian.AccountSID, "USHER_RONGLIAN_AUTH_TOKEN": keys.Ronglian.AuthToken,
		"USHER_RONGLIAN_APP_ID": keys.Ronglian.AppID, "USHER_RONGLIAN_TEMPLATE_ID": "1",
		"USHER_RONGLIAN_ENDPOINT": "http://" + s.sandbox.HTTPAddr() + "/ronglian",
	})
	if err != nil {
		t.Fatal(err)
	}
	client, err := redisconn.Open(testkit.Miniredis(t), redisconn.Settings{Timeout: testkit.RedisPatience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if s.keys, err = secrets.ParseKeys("k1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))); err != nil {
		t.Fatal(err)
	}
	logger, _ := testkit.Logger(t)
	s.store = redisstore.New(client, s.keys, s.now)
	s.router = &providers.Router{Senders: senders, Scores: announced{s.store.Scores(), s}, Logger: logger}
	s.reports = watchedReports{s.store.Reports(), s.store.Scores(), nil}
	s.puller = senders[0].(providers.Puller)
	FileReferences(senders[0], s.store, nil, logger)
	return s
}

func (s *carrierStage) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// send sends messages to different numbers with the prefix and returns how many each provider got.
func (s *carrierStage) send(t *testing.T, prefix string, messages int) map[string]int {
	t.Helper()
	got := map[string]int{}
	for range messages {
		s.sent++
		number := fmt.Sprintf("%s%08d", prefix, s.sent)
		to, err := contact.ParseMobile(number)
		if err != nil {
			t.Fatal(err)
		}
		c := Canary{Sender: s.router, To: to, Store: s.store, Keys: s.keys, Tell: func(string, ...any) {}, Now: s.now}
		if _, err := c.send(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		for _, message := range s.sandbox.Messages(number) {
			got[message.Provider]++
		}
	}
	return got
}

// takeReports fetches the reports, counts them, and lets the router weigh once.
func (s *carrierStage) takeReports(t *testing.T) {
	t.Helper()
	for more := true; more; {
		batch, err := s.puller.Pull(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.reports.Apply(t.Context(), batch.Reports); err != nil {
			t.Fatal(err)
		}
		more = batch.More
	}
	ctx, cancel := context.WithCancel(t.Context())
	s.weighed = cancel // Run sets the weights first, and then ends
	s.router.Run(ctx)
}

func TestWeights_move_one_carrier_to_the_next_provider_and_back(t *testing.T) {
	t.Parallel()
	const mobile, unicom = "138", "186"
	s := newCarrierStage(t)
	blocked := &sandbox.Fault{Undelivered: true, Prefixes: []string{unicom}}
	if err := s.sandbox.SetFaults(sandbox.Faults{Ronglian: blocked}); err != nil {
		t.Fatal(err)
	}
	if a, b := s.send(t, mobile, 40), s.send(t, unicom, 40); a["ronglian"] != 40 || b["ronglian"] != 40 {
		t.Fatalf("before the reports: %v and %v, want the preferred provider", a, b)
	}
	s.takeReports(t)
	if got := s.send(t, mobile, 40); got["ronglian"] != 40 {
		t.Errorf("to the other carrier: %v, want all by ronglian", got)
	}
	if got := s.send(t, unicom, 40); got["aliyun"] <= 20 || got["ronglian"]+got["aliyun"] != 40 { // it keeps 5 %
		t.Errorf("to the carrier that gets nothing: %v, want nearly all by aliyun", got)
	}

	if err := s.sandbox.SetFaults(sandbox.Faults{}); err != nil {
		t.Fatal(err)
	}
	s.takeReports(t)
	s.ahead.Add(int64(providers.ScoreWindow))
	s.takeReports(t)
	if got := s.send(t, unicom, 40); got["ronglian"] != 40 {
		t.Errorf("when the carrier takes messages again: %v, want all by ronglian", got)
	}
}
