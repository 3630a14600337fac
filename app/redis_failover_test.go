package app_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// failoverBound bounds the time from the new primary being up to the next message that arrives: ten seconds are promised, and a
// busy machine may double them.
const failoverBound = 20 * time.Second

// crowd lets everybody register from one address.
const crowd = "sms_total=off,sms_budget_day=off,sms_budget_unknown=off,captcha_ip=off,sms_ip_hour=off,sms_net_hour=off,sms_prefix=off,register_ip=off"

func TestSentinelFailover_under_traffic(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, set testkit.SentinelSet){
		"primary dies": func(_ *testing.T, set testkit.SentinelSet) { set.Primary.Kill() },
		"machine with the primary and a sentinel hangs": func(t *testing.T, set testkit.SentinelSet) {
			t.Helper()
			for _, server := range []*testkit.Server{set.Sentinels[0], set.Primary} {
				if err := syscall.Kill(server.Pid(), syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			form := testkit.RedisForm{}
			set := form.Sentinels(t, 3)
			// Of the others the clients learn from this one, to which they all keep until it is of no use.
			settings := testkit.DefaultTimes()
			settings["USHER_LIMITS"] = crowd
			d := deploy(t, "redis-sentinel://"+set.Sentinels[0].Addr()+"/0?master="+testkit.SentinelMaster, testkit.SQLite(t), settings)
			traffic := d.register(t)
			testkit.Eventually(t, testkit.Patience, func() bool { return len(traffic.acknowledged()) >= 5 }, "registrations")
			end(t, set)
			replica := form.Client(t, set.Replica)
			testkit.Eventually(t, testkit.Patience, func() bool {
				return strings.Contains(replica.Info(t.Context(), "replication").Val(), "role:master")
			}, "the sentinels make the replica the primary")
			up := time.Now()
			d.askCode(t, "13900139000")
			accepted := time.Since(up)
			d.person(t).ReadCode("13900139000", 1)
			arrived := time.Since(up)
			t.Logf("after the new primary was up: a code accepted after %v, arrived after %v", accepted, arrived)
			if arrived > failoverBound {
				t.Errorf("the code arrived %v after the new primary was up, want at most %v", arrived, failoverBound)
			}
			before := len(traffic.acknowledged())
			testkit.Eventually(t, testkit.Patience, func() bool { return len(traffic.acknowledged()) >= before+5 }, "registrations go on")
			for _, email := range traffic.end() {
				testkit.Eventually(t, testkit.Patience, func() bool { return len(d.sandbox.Messages(email)) > 0 }, "the mail to %s", email)
			}
			if !d.ready(t) {
				t.Error("the processes are not ready")
			}
		})
	}
}

// traffic is one registration by email after the other.
type traffic struct {
	mu     sync.Mutex
	emails []string
	stop   chan struct{}
	done   sync.WaitGroup
}

// register begins with the traffic.
func (d *deployment) register(t *testing.T) *traffic {
	t.Helper()
	tr := &traffic{stop: make(chan struct{})}
	p := d.person(t)
	tr.done.Go(func() {
		pause := time.NewTicker(50 * time.Millisecond)
		defer pause.Stop()
		for n := 0; ; n++ {
			select {
			case <-tr.stop:
				return
			case <-pause.C:
			}
			email := fmt.Sprintf("person%d@example.com", n)
			if registerByEmail(t, p, fmt.Sprintf("person_%d", n), email) {
				tr.mu.Lock()
				tr.emails = append(tr.emails, email)
				tr.mu.Unlock()
			}
		}
	})
	t.Cleanup(func() { tr.end() })
	return tr
}

// registerByEmail reports whether the registration was acknowledged; anything but that and 503 is a mistake.
func registerByEmail(t *testing.T, p *testclient.Client, name, email string) bool {
	t.Helper()
	captcha, err := p.Try(t.Context(), http.MethodPost, "/v1/captchas", map[string]any{})
	if err != nil || captcha.Status != http.StatusCreated {
		expectAway(t, captcha, err)
		return false
	}
	answer, err := p.Try(t.Context(), http.MethodPost, "/v1/registrations", map[string]any{
		"username": name, "password": "correct horse 电池", "password_repeat": "correct horse 电池", "agree": true,
		"email": email, "captcha_id": captcha.Text("captcha_id"), "captcha": captchaAnswer,
	})
	if err == nil && answer.Status == http.StatusCreated {
		return true
	}
	// A captcha is gone with the primary that kept it.
	if err != nil || answer.Errno != "4201" {
		expectAway(t, answer, err)
	}
	return false
}

func expectAway(t *testing.T, answer testclient.Answer, err error) {
	t.Helper()
	if t.Context().Err() == nil && (err != nil || answer.Status != http.StatusServiceUnavailable) {
		t.Errorf("answer %d %s, %v", answer.Status, answer.Body, err)
	}
}

func (tr *traffic) acknowledged() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Clip(tr.emails)
}

// end ends the traffic and returns the addresses of all who were registered.
func (tr *traffic) end() []string {
	tr.mu.Lock()
	select {
	case <-tr.stop:
	default:
		close(tr.stop)
	}
	tr.mu.Unlock()
	tr.done.Wait()
	return tr.acknowledged()
}
