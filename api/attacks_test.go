package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/api"
	"usher/internal/testkit"
	"usher/limits"
	"usher/store/redisstore"
)

// onRedis is setup on a real Redis, where there is one, with the addresses that people forward believed, so
// that a test can come from anywhere. change also gets the store, for the limits of a number.
func onRedis(t *testing.T, change func(*api.Server, *redisstore.Store)) *bundle {
	t.Helper()
	b := setup(t, nil)
	b.client = patient(t, testkit.Redis(t))
	store := redisstore.New(b.client, b.keys, b.clock.Now)
	b.face.Verify.Codes, b.face.Verify.Entered = store.Codes(), store.Gate().Entered
	b.face.Captchas, b.face.Gate, b.face.Answers, b.face.Sessions = store.Captchas(), store.Gate(), store.Answers(), store.Sessions()
	b.face.Config.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	if change != nil {
		change(b.face, store)
	}
	b.server = httptest.NewServer(b.face.Handler())
	t.Cleanup(b.server.Close)
	return b
}

// patient opens a Redis with time-outs that a busy machine keeps, for crowds.
func patient(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	options := must(redis.ParseURL(url))(t)
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = time.Minute, time.Minute, time.Minute
	options.PoolTimeout, options.PoolSize = time.Minute, 32
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// only leaves one limit on, and captchas off.
func only(t *testing.T, limit limits.Limit) func(*api.Server, *redisstore.Store) {
	return func(s *api.Server, store *redisstore.Store) {
		s.Captcha = captchaOff(t)
		s.Limits = limits.Set{limit.Name: limit}
		store.Rules.Set = s.Limits
	}
}

// at returns a person at an address.
func (b *bundle) at(address string) *person {
	p := b.person()
	p.header = http.Header{"X-Forwarded-For": {address}}
	return p
}

// metric adds up the samples of a metric that have all of the given label values.
func (b *bundle) metric(name string, labels ...string) (sum float64) {
	b.t.Helper()
	for _, family := range must(b.metrics.Gather())(b.t) {
		if family.GetName() != name {
			continue
		}
		for _, sample := range family.GetMetric() {
			matched := 0
			for _, pair := range sample.GetLabel() {
				for _, want := range labels {
					if pair.GetValue() == want {
						matched++
					}
				}
			}
			if matched == len(labels) {
				sum += sample.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// ask asks for a code where captchas are off.
func (p *person) ask(mobile string) *reply {
	p.b.t.Helper()
	return p.post("/v1/sms-codes", body{"mobile": mobile, "purpose": "register"})
}

// wait reads Retry-After.
func (r *reply) wait() time.Duration {
	r.t.Helper()
	return time.Duration(must(strconv.Atoi(r.header.Get("Retry-After")))(r.t)) * time.Second
}

// together calls f from n goroutines at once and counts the answers by status and errno.
func together(n int, f func(i int) *reply) map[string]int {
	var mu sync.Mutex
	counts := map[string]int{}
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			r := f(i)
			mu.Lock()
			defer mu.Unlock()
			counts[fmt.Sprintf("%d %s", r.status, r.Errno)]++
		})
	}
	close(start)
	wg.Wait()
	return counts
}

// Numbers and addresses that have nothing in common, or one thing.
func anyNumber(i int) string   { return fmt.Sprintf("13%05d0000", i) }
func samePrefix(i int) string  { return fmt.Sprintf("1380013%04d", i) }
func sameNumber(int) string    { return number }
func anyAddress(i int) string  { return fmt.Sprintf("100.64.%d.7", i) }
func sameNetwork(i int) string { return fmt.Sprintf("203.0.113.%d", i) }
func sameAddress(int) string   { return "203.0.113.7" }

func TestPumping_each_limit_refuses_at_its_number(t *testing.T) {
	t.Parallel()
	defaults := limits.Defaults()
	for _, test := range []struct {
		limit           limits.Limit
		number, address func(int) string
		pause           time.Duration
	}{
		{defaults[limits.SMSMobileHour], sameNumber, anyAddress, time.Minute},
		{defaults[limits.SMSMobileDay], sameNumber, anyAddress, time.Hour},
		{defaults[limits.SMSIPHour], anyNumber, sameAddress, 0},
		{defaults[limits.SMSIPDay], anyNumber, sameAddress, 0},
		{defaults[limits.SMSIPHour.Net()], anyNumber, sameNetwork, 0},
		{defaults[limits.SMSPrefix], samePrefix, anyAddress, 0},
		{defaults[limits.SMSConversion], samePrefix, anyAddress, 0},
		{limits.Limit{Name: limits.SMSTotal, Count: 30, Period: time.Hour}, anyNumber, anyAddress, 0},
		{defaults.WithBudget(0.9, 0.045)[limits.SMSBudgetDay], anyNumber, anyAddress, 0},
		{defaults.WithBudget(0.9, 0.045)[limits.SMSBudgetUnknown], anyNumber, anyAddress, 0},
	} {
		t.Run(string(test.limit.Name), func(t *testing.T) {
			t.Parallel()
			b := onRedis(t, only(t, test.limit))
			send := func(i int) *reply {
				b.clock.Advance(test.pause)
				return b.at(test.address(i)).ask(test.number(i))
			}
			for i := range test.limit.Count {
				if got := send(i); got.status != http.StatusAccepted {
					t.Fatalf("code %d of %d is refused: %s", i+1, test.limit.Count, got.text)
				}
			}
			var wait time.Duration
			for i := range 5 {
				wait = send(test.limit.Count+i).want(429, "4206").wait()
			}
			if longest := test.limit.Period + test.limit.Period/60 + time.Second; wait <= 0 || wait > longest {
				t.Errorf("Retry-After is %v, want at most %v", wait, longest)
			}
			if n := b.metric("usher_limits_refused_total", string(test.limit.Name)); n != 5 {
				t.Errorf("the metric counts %v refusals by the limit, want 5", n)
			}
			if n := len(b.sms.all()); n != test.limit.Count {
				t.Errorf("%d codes were queued, want %d", n, test.limit.Count)
			}
			b.clock.Advance(wait)
			send(0).want(202, "0")
		})
	}
}

func TestPumping_recording_lets_pass_and_counts(t *testing.T) {
	t.Parallel()
	b := onRedis(t, func(s *api.Server, store *redisstore.Store) {
		only(t, limits.Defaults()[limits.SMSPrefix])(s, store)
		store.Rules.Mode, store.Rules.Report = limits.Record, reportTo(s.Metrics)
	})
	for i := range 25 {
		b.at(anyAddress(i)).ask(samePrefix(i)).want(202, "0")
	}
	refused, recorded := b.metric("usher_limits_refused_total"), b.metric("usher_limits_recorded_total", "sms_prefix")
	if refused != 0 || recorded != 5 {
		t.Errorf("%v refused and %v recorded, want 0 and 5", refused, recorded)
	}
}

func TestConversion_stops_a_prefix_whose_codes_nobody_enters(t *testing.T) {
	t.Parallel()
	guard := limits.Limit{Name: limits.SMSConversion, Count: 5, Period: 10 * time.Minute, Percent: 30, History: 24 * time.Hour}
	b := onRedis(t, only(t, guard))
	send := func(i int) *reply { return b.at(anyAddress(i)).ask(samePrefix(i)) }
	var codes []string
	for i := range 5 {
		send(i).want(202, "0")
		codes = append(codes, b.lastCode())
	}
	if wait := send(5).want(429, "4206").wait(); wait < 9*time.Minute || wait > 11*time.Minute {
		t.Errorf("Retry-After is %v", wait)
	}
	if n := b.metric("usher_sms_conversion_blocked_total"); n != 1 {
		t.Errorf("the alert's metric is %v, want 1", n)
	}
	if log := b.logs.String(); !strings.Contains(log, `"prefix":"1380013"`) {
		t.Error("the log does not name the prefix")
	}
	b.wantNoSecrets(samePrefix(5))
	b.at(anyAddress(6)).ask(anyNumber(6)).want(202, "0")

	for i := range 2 { // 2 of 5 are 40 %
		b.at(anyAddress(i)).post("/v1/registrations", body{
			"username": "li_lei_" + strconv.Itoa(i), "password": password, "password_repeat": password, "agree": true,
			"mobile": samePrefix(i), "sms_code": codes[i],
		}).want(201, "0")
	}
	send(7).want(202, "0")
}

// A person who presses the button too early, or misreads a captcha, must not pay for an SMS that is not sent; and a client
// that solves no captcha must not use up the shared limits.
func TestLimits_of_codes_are_for_codes_that_are_sent(t *testing.T) {
	t.Parallel()
	b := onRedis(t, nil)
	p := b.at(sameAddress(0))
	p.send(number).want(202, "0")
	for range 12 {
		p.send(number).want(429, "4206")
	}
	for range 12 {
		p.post("/v1/sms-codes", body{
			"mobile": "13900139000", "purpose": "login", "captcha_id": p.captcha(), "captcha": "wrong",
		}).want(422, "4202")
	}
	got := p.send("13900139000").want(202, "0").header
	if got.Get("Ratelimit-Policy") != `"sms_ip_hour";q=10;w=3600` || got.Get("Ratelimit") != `"sms_ip_hour";r=8;t=3600` {
		t.Errorf("two codes were sent, and the tightest limit is %q, %q", got.Get("Ratelimit-Policy"), got.Get("Ratelimit"))
	}
}

func TestSend_race_is_won_once(t *testing.T) {
	t.Parallel()
	b := onRedis(t, only(t, limits.Limit{}))
	got := together(200, func(int) *reply { return b.person().ask(number) })
	if got["202 0"] != 1 || got["429 4206"] != 199 || len(b.sms.all()) != 1 {
		t.Errorf("answers %v, %d codes queued", got, len(b.sms.all()))
	}
}

func TestCaptcha_is_good_for_one_of_many_at_once(t *testing.T) {
	t.Parallel()
	b := onRedis(t, func(s *api.Server, _ *redisstore.Store) { s.Limits = nil })
	id := b.person().captcha()
	got := together(200, func(i int) *reply {
		return b.person().post("/v1/sms-codes", body{
			"mobile": anyNumber(i), "purpose": "login", "captcha_id": id, "captcha": captchaText,
		})
	})
	if got["202 0"] != 1 || got["422 4201"] != 199 || len(b.sms.all()) != 1 {
		t.Errorf("answers %v, %d codes queued", got, len(b.sms.all()))
	}
}

func TestForwarded_addresses_of_strangers_share_one_allowance(t *testing.T) {
	t.Parallel()
	b := onRedis(t, func(s *api.Server, _ *redisstore.Store) { s.Config.TrustedProxies = nil })
	passed := 0
	for i := range 1000 {
		p := b.person()
		forged := fmt.Sprintf("%d.%d.%d.%d", 1+i%200, i/200, i%250, 1+i%50)
		p.header = http.Header{"X-Forwarded-For": {forged}, "X-Real-Ip": {forged}, "Forwarded": {"for=" + forged}}
		if p.get("/v1/usernames/li_lei").status == http.StatusOK {
			passed++
		}
	}
	if want := limits.Defaults()[limits.LookupIP].Count; passed != want {
		t.Errorf("%d of 1,000 passed, want one address's %d", passed, want)
	}
}
