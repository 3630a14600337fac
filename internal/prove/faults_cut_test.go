package prove_test

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"usher/internal/faultproxy"
)

// cut is a place at which the answer to something that was done is lost on the way.
type cut struct {
	name string
	trap func(nth int) *faultproxy.Trap
}

// Row 6: a request has one effect when the connection is lost between the work and the answer, at every store and vendor.
func TestRow06_answers_lost_after_the_work_leave_one_effect(t *testing.T) {
	t.Parallel()
	r := newRow(t, 6, "accepted, then reset")
	n := cuts()
	r.tried("%d each: 6 answers of Redis, 4 to a registration by mail, SMTP, 2 SMS vendors", n)
	sum := r.together(t, map[string]trial{
		"Redis": cutRedis, "Redis again": loseAgain, "COMMIT": cutCommit, "SMTP": cutSMTP,
		"SMS Aliyun": cutVendor("aliyun"), "SMS Ronglian": cutVendor("ronglian"),
	})
	r.judge(sum.verdict, map[string]int{sms: 2 * n, email: n})
	r.exactly("lies", sum.lies, 0)
	r.within("taken up", sum.longest["taken up"], takenUp)
	r.exactly("SMS said to be unrecorded", sum.counts["SMS unrecorded"], 0)
	r.exactly("mails said to be unrecorded", sum.counts["mails unrecorded"], 0)
}

func cuts() int { return size(10, 250) }

// cutRedis loses answers of Redis, every second time that to the client's repetition as well.
func cutRedis(t *testing.T) (result outcome) {
	t.Helper()
	s := newFaultySetup(t, nil)
	api, worker := s.api(t), s.worker(t, sms)
	_, warm := s.mustAskCode(t, api) // Redis knows all scripts after this
	settled(t, api, warm)

	var ids []string
	for _, c := range []cut{
		{"issue", func(nth int) *faultproxy.Trap { return api.redis.OnReply(issuing, nth) }},
		{"enqueue", func(nth int) *faultproxy.Trap { return api.redis.OnReply(anSMSTask, nth) }},
		{"dequeue", func(nth int) *faultproxy.Trap { return worker.redis.OnAnswer(anSMSTask, nth) }},
		{"claim", func(nth int) *faultproxy.Trap { return worker.redis.OnReply(claimingSMS, nth) }},
		{"record", func(nth int) *faultproxy.Trap { return worker.redis.OnReply(recordingSMS, nth) }},
		{"acknowledge", func(nth int) *faultproxy.Trap { return worker.redis.OnReply(doneSMS, nth) }},
	} {
		for i := range cuts() {
			again := i%2 == 1 && c.name != "dequeue" // which is not repeated for the same task
			trap := c.trap(1)
			trap.Cut()
			if again {
				second := c.trap(2)
				second.Cut()
				t.Cleanup(second.Release)
			}
			if i%4 < 2 && c.name == "enqueue" { // else the task is done with before it is enqueued again
				worker.Signal(syscall.SIGSTOP)
			}
			_, answer := s.askCode(t, api)
			await(t, trap, c.name)
			worker.Signal(syscall.SIGCONT)
			switch {
			case answer.Status == http.StatusAccepted:
				ids = append(ids, answer.Text("sms_code_id"))
			case answer.Status != http.StatusServiceUnavailable || !again:
				t.Errorf("%s: %d %s", c.name, answer.Status, answer.Body)
				result.lies++
			}
		}
	}
	settled(t, api, ids...)
	result.counted("SMS unrecorded", worker.metric(t, `usher_messages_unrecorded_total{channel="sms"}`))
	result.verdict = s.verdict()
	return result
}

// cutCommit loses answers of PostgreSQL and, for the mail's task, of Redis: every second time with a reset.
func cutCommit(t *testing.T) (result outcome) {
	t.Helper()
	s := newFaultySetup(t, nil)
	api, worker := s.api(t), s.worker(t, email)
	s.arrived(t, s.register(t, api)) // Redis knows all scripts after this
	for _, c := range []cut{
		{"COMMIT", func(nth int) *faultproxy.Trap { return api.postgres.OnReply(committing, nth) }},
		{"enqueue", func(nth int) *faultproxy.Trap { return api.redis.OnReply(aMailTask, nth) }},
		{"claim", func(nth int) *faultproxy.Trap { return worker.postgres.OnReply(claimingMail, nth) }},
		{"record", func(nth int) *faultproxy.Trap { return worker.postgres.OnReply(recordingMail, nth) }},
	} {
		for i := range cuts() {
			trap := c.trap(1)
			if i%2 == 0 {
				trap.Cut()
			} else {
				trap.HangUp()
			}
			if err := s.registerTwice(api, c.name == "COMMIT"); err != nil {
				t.Errorf("%s: %v", c.name, err)
				result.lies++
			}
			await(t, trap, c.name)
		}
	}
	s.allArrived(t)
	s.mailed(t)
	result.counted("mails unrecorded", worker.metric(t, `usher_messages_unrecorded_total{channel="email"}`))
	result.verdict = s.verdict()
	if accounts := s.count(t, "select count(*) from accounts"); accounts != int(s.people.Load()) {
		t.Errorf("%d accounts of %d people", accounts, s.people.Load())
		result.lies++
	}
	if unsent := s.count(t, "select count(*) from messages where channel = 'email' and state <> 'sent'"); unsent != 0 {
		t.Errorf("%d mails are not known to have been sent", unsent)
	}
	return result
}

// registerTwice registers a person whose client sends the form again when the first answer was no success: then there is
// an account, made by either. It returns an error when an answer says otherwise.
func (s *faultySetup) registerTwice(api *member, mayFail bool) error {
	address, form := s.signUp()
	first, err := api.post("/v1/registrations", address, form)
	if err != nil {
		return err
	}
	if first.Status != http.StatusCreated && !mayFail {
		return fmt.Errorf("registered with %d %s", first.Status, first.Body)
	}
	if first.Status != http.StatusCreated {
		again, err := api.post("/v1/registrations", address, form)
		if err != nil || again.Status != http.StatusCreated && again.Errno != "4003" {
			return fmt.Errorf("registered with %d, then with %d %s, %w", first.Status, again.Status, again.Body, err)
		}
	}
	s.ledger.acknowledge(address, 0) // an account must have its mail
	return nil
}

// cutSMTP loses the answer to a mail's last dot.
func cutSMTP(t *testing.T) (result outcome) {
	t.Helper()
	s := newFaultySetup(t, nil)
	api := s.api(t)
	s.worker(t, email)
	for range cuts() {
		s.faults(t, map[string]any{"smtp": map[string]any{"reset": true, "count": 1}})
		s.arrived(t, s.register(t, api))
	}
	s.mailed(t)
	result.verdict = s.verdict()
	return result
}

// cutVendor loses the answer of an SMS vendor, and between two that are lost lets one through, so that the
// breaker stays closed.
func cutVendor(vendor string) trial {
	return func(t *testing.T) (result outcome) {
		t.Helper()
		s := newFaultySetup(t, map[string]string{"USHER_SMS_PROVIDERS": vendor})
		api := s.api(t)
		s.worker(t, sms)
		var ids []string
		for range cuts() {
			s.faults(t, map[string]any{vendor: map[string]any{"reset": true, "count": 1}})
			for range 2 {
				mobile, id := s.mustAskCode(t, api)
				ids = append(ids, id)
				s.arrived(t, mobile)
			}
		}
		settled(t, api, ids...)
		result.verdict = s.verdict()
		s.judgeVendor(t, vendor, result)
		return result
	}
}

// judgeVendor fails the test when a number got more than two SMS, or two from Aliyun, which is asked before it is
// sent anything again.
func (s *faultySetup) judgeVendor(t testing.TB, vendor string, result outcome) {
	t.Helper()
	for to, times := range s.perRecipient() {
		if times > 2 {
			t.Errorf("%s got %d SMS", to, times)
		}
	}
	if twice := result.twice[sms]; vendor == "aliyun" && twice > 0 {
		t.Errorf("%d SMS went out twice although their vendor could be asked", twice)
	}
}

// loseAgain loses the answer with a task, and then one that the reaper needs to put its message back.
func loseAgain(t *testing.T) (result outcome) {
	t.Helper()
	s := newFaultySetup(t, nil)
	api, worker := s.api(t), s.worker(t, sms)
	_, warm := s.mustAskCode(t, api) // Redis knows all scripts after this
	settled(t, api, warm)
	for range size(1, 10) {
		for name, traps := range map[string]func() []*faultproxy.Trap{
			"the reaper's look, twice": func() []*faultproxy.Trap {
				return []*faultproxy.Trap{worker.redis.OnReply(looking, 1), worker.redis.OnReply(looking, 2)}
			},
			"the task put back": func() []*faultproxy.Trap {
				return []*faultproxy.Trap{worker.redis.OnAnswer(putBack, 1)}
			},
		} {
			first := worker.redis.OnAnswer(anSMSTask, 1)
			first.Cut()
			_, id := s.mustAskCode(t, api)
			await(t, first, "the task")
			began := time.Now()
			for _, trap := range traps() {
				trap.Cut()
				await(t, trap, name)
			}
			settled(t, api, id)
			result.lasted("taken up", time.Since(began))
		}
	}
	result.verdict = s.verdict()
	return result
}
