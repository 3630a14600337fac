package prove_test

import (
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// takenUp bounds the time until another worker has sent a killed worker's message.
const takenUp = 15 * time.Second

// Row 7: killing a process at any point of a message's way loses no message, and repeats only messages that the
// vendor had.
func TestRow07_killed_anywhere_nothing_acknowledged_is_lost(t *testing.T) {
	t.Parallel()
	r := newRow(t, 7, "killed at every point")
	n := kills()
	r.tried("%d each at 6 points of an API, %d of a worker that sends SMS (2 vendors), %d of one that sends mail",
		n, len(smsPoints("")), len(mailPoints()))
	sum := r.together(t, map[string]trial{
		"API codes": killAskedForCode, "API registrations": killRegistering, "mail": killMailing,
		"SMS Aliyun": killSending("aliyun"), "SMS Ronglian": killSending("ronglian"),
	})
	r.judge(sum.verdict, map[string]int{sms: 2 * n * handed(smsPoints("")), email: n * handed(mailPoints())})
	r.exactly("lies", sum.lies, 0)
	r.within("taken up", sum.longest["taken up"], takenUp)
}

func kills() int { return size(1, 20) }

func handed(points []point) int {
	n := 0
	for _, p := range points {
		if p.handed {
			n++
		}
	}
	return n
}

// killAskedForCode kills an API that was asked for a code, and asks another one again.
func killAskedForCode(t *testing.T) (result outcome) {
	t.Helper()
	s := newFaultySetup(t, nil)
	api := s.api(t)
	s.worker(t, sms)
	_, warm := s.mustAskCode(t, api) // Redis knows all scripts after this
	settled(t, api, warm)
	api.kill()
	for range kills() {
		for _, p := range []point{
			onWire("before the code and its task", false, beforeRedis(issuing)),
			onWire("after the code and its task", true, afterRedis(issuing)),
		} {
			mobile := s.number()
			s.unanswered(t, p, "/v1/sms-codes", "", codeFor(mobile))
			api := s.api(t)
			var answer testclient.Answer
			testkit.Eventually(t, patience, func() bool {
				answer, _ = api.post("/v1/sms-codes", "", codeFor(mobile))
				return answer.Status != http.StatusTooManyRequests // the pause of the unanswered one
			}, "%s: another code may be had", p.name)
			settled(t, api, answer.Text("sms_code_id"))
			arrived := s.journal.to(mobile)
			if len(arrived) > 2 || len(arrived) > 1 && !p.handed {
				t.Errorf("%s: %d SMS for one answer", p.name, len(arrived))
			}
			form := codeFor(mobile)
			form["code"], form["sms_code_id"] = arrived[len(arrived)-1].Code, answer.Text("sms_code_id")
			if check, err := api.post("/v1/sms-codes/check", "", form); err != nil || check.Data["valid"] != true {
				t.Errorf("%s: the code that arrived last is %s, %v", p.name, check.Body, err)
				result.lies++
			}
			api.kill()
		}
	}
	return result
}

// unanswered sends a request to an API that is killed when it reaches a point.
func (s *faultySetup) unanswered(t *testing.T, p point, path, key string, form map[string]any) {
	t.Helper()
	api := s.api(t)
	reached, drop := p.arm(t, s, api)
	failed := make(chan error, 1)
	go func() {
		_, err := api.post(path, key, form)
		failed <- err
	}()
	reached("")
	api.kill()
	drop()
	if err := <-failed; err == nil {
		t.Errorf("%s: a killed API has answered", p.name)
	}
}

// killRegistering kills an API during a registration; the client sends the form again.
func killRegistering(t *testing.T) (result outcome) {
	t.Helper()
	s := newFaultySetup(t, nil)
	s.worker(t, email)
	s.arrived(t, s.register(t, s.api(t)))
	for range kills() {
		for _, p := range []point{
			onWire("before the COMMIT", false, beforeSQL(committing)),
			onWire("after the COMMIT", true, afterSQL(committing)),
			onWire("before the mail's task", true, beforeRedis(aMailTask)),
			onWire("after the mail's task", true, afterRedis(aMailTask)),
		} {
			address, form := s.signUp()
			s.unanswered(t, p, "/v1/registrations", address, form)
			api := s.api(t)
			// The key is taken for half a minute by a request that may still be worked on.
			again, err := api.post("/v1/registrations", address, form)
			switch {
			case err != nil:
				t.Errorf("%s: sent again: %v", p.name, err)
				result.lies++
			case again.Errno != "4206":
				t.Errorf("%s: sent again: %d %s, want errno 4206", p.name, again.Status, again.Body)
				result.lies++
			case again.Header.Get("Retry-After") == "":
				t.Errorf("%s: sent again: no Retry-After", p.name)
				result.lies++
			}
			again, err = api.post("/v1/registrations", "", form)
			exists := again.Errno == "4003"
			switch {
			case err != nil:
				t.Errorf("%s: sent again without its key: %v", p.name, err)
				result.lies++
			case exists != p.handed:
				t.Errorf("%s: sent again without its key: the account exists: %v, want %v", p.name, exists, p.handed)
				result.lies++
			case !exists && again.Status != http.StatusCreated:
				t.Errorf("%s: sent again without its key: %d %s, want 201", p.name, again.Status, again.Body)
				result.lies++
			}
			s.ledger.acknowledge(address, 0) // there is an account, which must have its mail
			api.kill()
		}
	}
	s.allArrived(t)
	s.mailed(t)
	result.verdict = s.verdict()
	return result
}

// killSending kills a worker with an SMS at each point, and lets another worker send all of them.
func killSending(vendor string) trial {
	return func(t *testing.T) (result outcome) {
		t.Helper()
		s := newFaultySetup(t, map[string]string{"USHER_SMS_PROVIDERS": vendor})
		api, first := s.api(t), s.worker(t, sms)
		_, warm := s.mustAskCode(t, api)
		settled(t, api, warm)
		first.kill()
		for range kills() {
			var ids []string
			for _, p := range smsPoints(vendor) {
				s.killWorker(t, p, sms, func() string {
					mobile, id := s.mustAskCode(t, api)
					ids = append(ids, id)
					return mobile
				})
			}
			survivor, began := s.worker(t, sms), time.Now()
			settled(t, api, ids...)
			result.lasted("taken up", time.Since(began))
			survivor.kill()
		}
		s.recover(t, sms)
		s.judgeKilled(t)
		result.verdict = s.verdict()
		s.judgeVendor(t, vendor, result)
		return result
	}
}

// killMailing does the same with mails.
func killMailing(t *testing.T) (result outcome) {
	t.Helper()
	s := newFaultySetup(t, nil)
	api, first := s.api(t), s.worker(t, email)
	s.register(t, api)
	s.mailed(t)
	first.kill()
	for range kills() {
		for _, p := range mailPoints() {
			s.killWorker(t, p, email, func() string { return s.register(t, api) })
		}
		survivor, began := s.worker(t, email), time.Now()
		s.mailed(t)
		result.lasted("taken up", time.Since(began))
		survivor.kill()
	}
	s.recover(t, email)
	s.judgeKilled(t)
	result.verdict = s.verdict()
	return result
}

// killWorker starts a worker, has it take a message and kills it at the point.
func (s *faultySetup) killWorker(t testing.TB, p point, channel string, ask func() (to string)) {
	t.Helper()
	worker := s.worker(t, channel)
	reached, drop := p.arm(t, s, worker)
	to := ask()
	reached(to)
	worker.kill()
	drop()
	s.killed[to] = p
}

// recover lets Asynq itself recover the tasks of killed workers, at once instead of a minute later, so that
// its repetitions are judged too.
func (s *faultySetup) recover(t testing.TB, queue string) {
	t.Helper()
	client, leases := s.client(t), "asynq:{"+queue+"}:lease"
	tasks, err := client.ZRange(t.Context(), leases, 0, -1).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		ended := redis.Z{Score: float64(time.Now().Add(-time.Minute).Unix()), Member: task}
		if err := client.ZAddXX(t.Context(), leases, ended).Err(); err != nil {
			t.Fatal(err)
		}
	}
	s.worker(t, queue)
	drained(t, client, queue)
}

// judgeKilled fails the test when a message arrived more than twice, or again although no vendor had it when its
// worker was killed.
func (s *faultySetup) judgeKilled(t testing.TB) {
	t.Helper()
	times := s.perRecipient()
	for to, p := range s.killed {
		if times[to] > 2 || times[to] > 1 && !p.handed {
			t.Errorf("killed %s: arrived %d times", p.name, times[to])
		}
	}
}

// kill ends the process as a crash would.
func (m *member) kill() { _ = m.Stop(syscall.SIGKILL) } // its error says that it was killed

// trial is what a row consists of: a deployment of its own, and one kind of fault.
type trial func(t *testing.T) outcome

// outcome is the result of a trial.
type outcome struct {
	verdict

	lies    int                      // answers that were not true
	counts  map[string]int           // of the row, added up
	longest map[string]time.Duration // of the row, the longest of all trials
}

// lasted notes a time.
func (o *outcome) lasted(name string, d time.Duration) {
	if o.longest == nil {
		o.longest = map[string]time.Duration{}
	}
	o.longest[name] = max(o.longest[name], d)
}

// counted notes a number.
func (o *outcome) counted(name string, n int) {
	if o.counts == nil {
		o.counts = map[string]int{}
	}
	o.counts[name] += n
}

// together runs a row's trials at the same time, regardless of -parallel, since they mostly wait, and adds up
// their outcomes.
func (r *row) together(t *testing.T, trials map[string]trial) (sum outcome) {
	t.Helper()
	var running sync.WaitGroup
	var mu sync.Mutex
	for name, run := range trials {
		running.Go(func() {
			t.Run(name, func(t *testing.T) {
				o := run(t)
				t.Logf("%d acknowledged, %d delivered, twice %v", o.acknowledged, o.delivered, o.twice)
				mu.Lock()
				defer mu.Unlock()
				sum.add(o)
			})
		})
	}
	running.Wait()
	r.note("%d acknowledged", sum.acknowledged)
	return sum
}

func (o *outcome) add(other outcome) {
	o.requested += other.requested
	o.acknowledged += other.acknowledged
	o.delivered += other.delivered
	o.lost = append(o.lost, other.lost...)
	o.expired = append(o.expired, other.expired...)
	o.unasked = append(o.unasked, other.unasked...)
	o.changed = append(o.changed, other.changed...)
	if o.twice == nil {
		o.twice = map[string]int{}
	}
	for channel, n := range other.twice {
		o.twice[channel] += n
	}
	o.lies += other.lies
	for name, n := range other.counts {
		o.counted(name, n)
	}
	for name, d := range other.longest {
		o.lasted(name, d)
	}
}
