package prove_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"usher/contact"
	"usher/internal/testkit"
	"usher/messages"
	"usher/reports"
	"usher/secrets"
	"usher/store/redisconn"
	"usher/store/redisstore"
	"usher/verify"
)

// codeWorld is the real service and store beside the model of them.
type codeWorld struct {
	service *verify.Service
	codes   *redisstore.Codes
	reports *redisstore.Reports
	client  redis.UniversalClient
	clock   *testkit.Clock
	mobiles []contact.Mobile
	refuse  bool // the queue does

	numbers []*modelNumber
	all     []*modelCode
	last    *verify.Queued

	steps, cases, mostGuesses int
	count                     map[string]int
}

// EnqueueCode implements [verify.Queue].
func (w *codeWorld) EnqueueCode(_ context.Context, code verify.Queued) error {
	if w.refuse {
		return errors.New("no queue")
	}
	w.last = &code
	return nil
}

func newCodeWorld(t testing.TB, url string, logger *slog.Logger) *codeWorld {
	t.Helper()
	w := &codeWorld{clock: testkit.NewClock(time.Now().Truncate(time.Millisecond)), count: map[string]int{}}
	keys, err := secrets.ParseKeys("k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if err != nil {
		t.Fatal(err)
	}
	if w.client, err = redisconn.Open(url, redisconn.Settings{Timeout: testkit.RedisPatience}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.client.Close() })
	store := redisstore.New(w.client, keys, w.clock.Now)
	store.Rules.Set = modelLimits()
	w.codes, w.reports = store.Codes(), store.Reports()
	w.service = &verify.Service{
		Codes: w.codes, Queue: w, Keys: keys, Now: w.clock.Now, Logger: logger,
		Policy: verify.Policy{CodeLength: 6, CodeTTL: codeLife, ResendInterval: resendPause, MaxAttempts: maxAttempts},
	}
	for _, text := range []string{"13800138000", "13900139000"} {
		mobile, err := contact.ParseMobile(text)
		if err != nil {
			t.Fatal(err)
		}
		w.mobiles = append(w.mobiles, mobile)
	}
	return w
}

func (w *codeWorld) wipe(c *rapid.T) {
	if err := w.client.FlushDB(c.Context()).Err(); err != nil {
		c.Fatal(err)
	}
	w.numbers, w.all = nil, nil
	for range w.mobiles {
		w.numbers = append(w.numbers, &modelNumber{newest: map[verify.Purpose]*modelCode{}})
	}
	w.cases++
}

// wipeSometimes is rarer than all other steps, since there is nothing to do after it.
func (w *codeWorld) wipeSometimes(c *rapid.T) {
	if rapid.IntRange(0, 9).Draw(c, "wipe") != 0 {
		c.Skip("not now")
	}
	w.wipe(c)
	w.cases--
	w.count["wiped"]++
}

func (w *codeWorld) pass(c *rapid.T) {
	w.clock.Advance(time.Duration(rapid.SampledFrom([]int{
		1, 999, 5_000, 12_000, 59_999, 60_000, 61_000, 150_000, 300_000, 3_660_000,
	}).Draw(c, "ms")) * time.Millisecond)
}

// place draws a number and a purpose.
func (w *codeWorld) place(c *rapid.T) (int, verify.Purpose) {
	return rapid.IntRange(0, len(w.mobiles)-1).Draw(c, "number"),
		rapid.SampledFrom([]verify.Purpose{verify.Login, verify.Register}).Draw(c, "purpose")
}

// code draws one of the newest codes, so that most steps have an effect.
func (w *codeWorld) code(c *rapid.T) *modelCode {
	if len(w.all) == 0 {
		c.Skip("no code yet")
	}
	return w.all[len(w.all)-1-rapid.IntRange(0, min(len(w.all), 4)-1).Draw(c, "age")]
}

// find returns the code of a number and purpose that has the id, or nil.
func (w *codeWorld) find(number int, purpose verify.Purpose, id string) *modelCode {
	for _, code := range w.all {
		if code.id == id && code.number == number && code.purpose == purpose {
			return code
		}
	}
	return nil
}

func (w *codeWorld) issue(c *rapid.T) {
	number, purpose := w.place(c)
	n, now := w.numbers[number], w.clock.Now()
	old := w.id(c, number, purpose)
	issued, err := w.service.Issue(c.Context(), verify.Request{To: w.mobiles[number], Purpose: purpose, Replaces: old})
	if w.refused(c, n, err) {
		return
	}
	if err != nil {
		c.Fatalf("issue: %v", err)
	}
	text, err := w.service.Keys.Code(secrets.Derivation{
		KeyID: w.last.KeyID, ID: issued.ID, To: w.mobiles[number].Reveal(), Purpose: string(purpose), Length: 6,
	})
	if err != nil {
		c.Fatal(err)
	}
	if replaced := w.find(number, purpose, old); replaced != nil {
		if !replaced.over(now) && !replaced.replaced {
			w.count["superseded"]++
		}
		// A code that Redis has lost cannot be superseded: it counts as over.
		replaced.replaced = true
	}
	if newest := n.newest[purpose]; newest != nil && newest.id != old && !newest.over(now) {
		w.count["side by side"]++
	}
	code := &modelCode{
		id: issued.ID, text: text, number: number, purpose: purpose, expires: now.Add(codeLife), state: messages.Queued, queued: now,
	}
	n.newest[purpose], n.pause, n.issued = code, now.Add(resendPause), append(n.issued, now)
	w.all = append(w.all, code)
	w.count["issued"]++
}

// issueInVain asks for a code that no queue takes: afterwards the state is as before.
func (w *codeWorld) issueInVain(c *rapid.T) {
	number, purpose := w.place(c)
	w.refuse = true
	defer func() { w.refuse = false }()
	_, err := w.service.Issue(c.Context(), verify.Request{To: w.mobiles[number], Purpose: purpose})
	if !w.refused(c, w.numbers[number], err) && !errors.Is(err, verify.ErrQueue) {
		c.Fatalf("issue without a queue: %v", err)
	}
}

// resend asks to have a code sent again, sometimes while no queue takes it: then the state stays as before.
func (w *codeWorld) resend(c *rapid.T) {
	code, now := w.code(c), w.clock.Now()
	n := w.numbers[code.number]
	w.refuse = rapid.IntRange(0, 3).Draw(c, "no queue") == 0
	defer func() { w.refuse = false }()
	found, err := w.service.Resendable(c.Context(), code.id)
	if err != nil {
		c.Fatalf("resendable: %v", err)
	}
	_, err = w.service.Resend(c.Context(), found, verify.Stranger, "r", "zh")
	wait, refusal := code.resend(n.pause, now)
	limit, isLimit := errors.AsType[*verify.LimitError](err)
	switch {
	case refusal != nil:
		if !errors.Is(err, refusal) {
			c.Fatalf("resend: %v, want %v", err, refusal)
		}
		return
	case wait > 0:
		if !isLimit || limit.Name != verify.ResendLimit || limit.RetryAfter != wait {
			c.Fatalf("resend: %v, want %v to wait", err, wait)
		}
		return
	case w.refused(c, n, err):
		return
	case w.refuse:
		if !errors.Is(err, verify.ErrQueue) {
			c.Fatalf("resend without a queue: %v", err)
		}
		return
	case err != nil:
		c.Fatalf("resend: %v", err)
	}
	text, err := w.service.Keys.Code(w.last.Derivation())
	if err != nil || text != code.text {
		c.Fatalf("resent %q, %v, want the same digits as before: %q", text, err, code.text)
	}
	code.state, code.reason, code.lease, code.queued = messages.Queued, "", time.Time{}, now
	code.resends++
	n.pause, n.issued = now.Add(resendPause), append(n.issued, now)
	w.count["resent"]++
}

// refused reports whether the pause or a limit refuses, and holds both against the model.
func (w *codeWorld) refused(c *rapid.T, n *modelNumber, err error) bool {
	limit, isLimit := errors.AsType[*verify.LimitError](err)
	now := w.clock.Now()
	switch {
	case now.Before(n.pause):
		if !isLimit || limit.Name != verify.ResendLimit || limit.RetryAfter != n.pause.Sub(now) {
			c.Fatalf("within the pause of %v: %v", n.pause.Sub(now), err)
		}
		w.count["paused"]++
	case isLimit:
		if !mayRefuse(n.issued, now, perHour) || limit.RetryAfter <= 0 {
			c.Fatalf("refused by %s for %v after %d codes", limit.Name, limit.RetryAfter, within(n.issued, now, time.Hour+blur))
		}
		w.count["limited"]++
	case mustRefuse(n.issued, now, perHour):
		c.Fatalf("another code after %d within the hour: %v", perHour, err)
	}
	return isLimit
}

// entered draws the text that a client sends as a code.
func (w *codeWorld) entered(c *rapid.T, code *modelCode) string {
	right := "000000"
	if code != nil {
		right = code.text
	}
	switch rapid.IntRange(0, 5).Draw(c, "guess") {
	case 0, 1, 2:
		return right
	case 3:
		return rapid.SampledFrom([]string{"", "12345", "1234567", "12345a", "１２３４５６", right + "\n"}).Draw(c, "text")
	case 4: // another code's
		if len(w.all) > 0 {
			return w.all[rapid.IntRange(0, len(w.all)-1).Draw(c, "other")].text
		}
	}
	if right[0] == '9' {
		return "0" + right[1:]
	}
	return string(right[0]+1) + right[1:]
}

// ask draws whose code is guessed at, for which number and purpose, and with which digits: mostly the owner with the
// current one, and else any number with any id.
func (w *codeWorld) ask(c *rapid.T) (number int, purpose verify.Purpose, id, text string) {
	number, purpose = w.place(c)
	id = w.id(c, number, purpose)
	return number, purpose, id, w.entered(c, w.find(number, purpose, id))
}

// id draws the id of a code: mostly of the newest of a number and purpose, and else of any or of none.
func (w *codeWorld) id(c *rapid.T, number int, purpose verify.Purpose) string {
	newest, draw := w.numbers[number].newest[purpose], rapid.IntRange(0, 7).Draw(c, "id")
	switch {
	case draw > 2 && newest != nil:
		return newest.id
	case draw > 0 && len(w.all) > 0:
		return w.all[rapid.IntRange(0, len(w.all)-1).Draw(c, "code")].id
	}
	return verify.NewID(w.service.Keys.Index("mobile", w.mobiles[number].Reveal()))
}

// expect says how a guess ends by the model, and counts it for the code that has the id, and for no other.
func (w *codeWorld) expect(number int, purpose verify.Purpose, id, text string) (code *modelCode, right bool, want error) {
	code = w.find(number, purpose, id)
	text = strings.Map(func(r rune) rune { // as it is read: full-width digits are digits
		if r >= '０' && r <= '９' {
			return r - '０' + '0'
		}
		return r
	}, strings.TrimSpace(text))
	switch {
	case len(text) != 6 || strings.Trim(text, "0123456789") != "":
		return code, false, verify.ErrWrong
	case code == nil:
		w.count["strange"]++
		return code, false, verify.ErrExpired
	case code.replaced || code.over(w.clock.Now()) || code.used:
		w.count["expired"]++
		return code, false, verify.ErrExpired
	case code.guesses >= maxAttempts:
		w.count["no guesses left"]++
		return code, false, verify.ErrAttempts
	}
	code.guesses++
	w.mostGuesses = max(w.mostGuesses, code.guesses)
	return code, text == code.text, nil
}

func (w *codeWorld) guess(c *rapid.T) {
	number, purpose, id, text := w.ask(c)
	result, err := w.service.Check(c.Context(), w.mobiles[number], purpose, id, text)
	code, right, want := w.expect(number, purpose, id, text)
	if !errors.Is(err, want) || result.Valid != right || want == nil && result.AttemptsLeft != maxAttempts-code.guesses {
		c.Fatalf("check of %q = %+v, %v; want %v, %v", text, result, err, right, want)
	}
	if right {
		w.count["right"]++
	}
}

func (w *codeWorld) spend(c *rapid.T) {
	number, purpose, id, text := w.ask(c)
	err := w.service.Spend(c.Context(), w.mobiles[number], purpose, id, text)
	code, right, want := w.expect(number, purpose, id, text)
	if want == nil && !right {
		want = verify.ErrWrong
	}
	if !errors.Is(err, want) {
		c.Fatalf("spend of %q = %v; want %v", text, err, want)
	}
	if right {
		code.used = true
		w.count["spent"]++
	}
}

func (w *codeWorld) restore(c *rapid.T) {
	code := w.code(c)
	if err := w.service.Restore(c.Context(), code.id); err != nil {
		c.Fatalf("restore: %v", err)
	}
	if code.used { // the right guess is given back too
		code.used = false
		code.guesses--
	}
}

func (w *codeWorld) claim(c *rapid.T) {
	code, now := w.code(c), w.clock.Now()
	claim, err := w.codes.Claim(c.Context(), code.id, claimLease)
	switch reason := code.refusal(now); {
	case reason != "":
		if !errors.Is(err, messages.ErrDropped) || claim.Reason != reason {
			c.Fatalf("claim = %+v, %v; want dropped as %s", claim, err, reason)
		}
		return
	case code.state == messages.Sending && code.lease.After(now):
		if !errors.Is(err, messages.ErrBusy) {
			c.Fatalf("claim = %+v, %v; want busy", claim, err)
		}
		return
	case code.state == messages.Sending:
		code.doubts++
	}
	if code.claimed != code.resends {
		code.doubts, code.unresolved, code.claimed = 0, false, code.resends
	}
	code.attempt++
	code.state, code.lease = messages.Sending, now.Add(claimLease)
	if err != nil || claim.Attempt != code.attempt || claim.UnresolvedClaims != code.doubts || claim.Resends != code.resends || !claim.LeaseUntil.Equal(code.lease) {
		c.Fatalf("claim = %+v, %v; want attempt %d with %d doubts", claim, err, code.attempt, code.doubts)
	}
	code.claims = append(code.claims, claim)
	w.count["claimed"]++
}

func (w *codeWorld) record(c *rapid.T) {
	code := w.code(c)
	if len(code.claims) == 0 {
		c.Skip("no claim yet")
	}
	claim := code.claims[len(code.claims)-1-rapid.IntRange(0, min(len(code.claims), 2)-1).Draw(c, "claim")]
	state := rapid.SampledFrom([]messages.State{
		messages.Queued, messages.Sending, messages.Sent, messages.Sent, messages.Failed,
	}).Draw(c, "outcome")
	err := w.codes.Record(c.Context(), claim, messages.Outcome{
		State: state, Provider: "aliyun", ProviderID: "biz", At: w.clock.Now(),
	})
	var want error
	if !code.file(claim, state) {
		want = messages.ErrStale
	}
	if !errors.Is(err, want) {
		c.Fatalf("record %s of attempt %d: %v, want %v", state, claim.Attempt, err, want)
	}
}

func (w *codeWorld) report(c *rapid.T) {
	code := w.code(c)
	state := rapid.SampledFrom([]messages.State{messages.Delivered, messages.Undelivered}).Draw(c, "report")
	known, resends := code.attempt > 0, rapid.IntRange(0, verify.MaxResends).Draw(c, "message")
	results, err := w.reports.Apply(c.Context(), []reports.Report{
		{Provider: "aliyun", MessageID: verify.MessageID(code.id, resends), ProviderID: "biz", State: state},
	})
	if changed := code.hear(state, resends); err != nil || results[0].Changed != changed || known != (results[0].ID != "") {
		c.Fatalf("report of %s: %+v, %v; want changed %v, known %v", state, results, err, changed, known)
	}
}

// check runs after every step: each of the newest codes has the status that the model gives it.
func (w *codeWorld) check(c *rapid.T) {
	w.steps++
	now := w.clock.Now()
	for _, code := range w.all[max(0, len(w.all)-4):] {
		status, err := w.service.Status(c.Context(), code.id)
		pause := max(w.numbers[code.number].pause.Sub(now), 0)
		want, offered := code.shown(now), code.offered(w.numbers[code.number].pause, now)
		if err != nil || status.State != want || status.Used != code.used || status.ResendAfter != pause ||
			status.Resendable != offered {
			c.Fatalf("status = %+v, %v; want %s, used %v, %v of the pause, resendable %v", status, err, want, code.used, pause, offered)
		}
	}
}
