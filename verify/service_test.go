package verify_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/contact"
	"usher/internal/testkit"
	"usher/messages"
	"usher/secrets"
	"usher/verify"
)

// codes is a store with prepared answers that records its calls. What a real one must do is
// checked in store/redisstore.
type codes struct {
	verify.Codes // nil: a call that a test does not expect panics

	issueErr, tryErr, confirmErr, useErr, voidErr, resendErr error

	issued   verify.Issue
	resend   verify.Resend
	pending  verify.Pending
	restored bool // whether the next use is not the first
	calls    []string
	alive    bool // whether the context of the last call was
	enqueues bool // whether it enqueues messages, too
}

func (c *codes) Enqueues() bool { return c.enqueues }

func (c *codes) note(ctx context.Context, call string) {
	c.calls, c.alive = append(c.calls, call), ctx.Err() == nil
}

func (c *codes) Issue(ctx context.Context, issue verify.Issue) error {
	c.note(ctx, "issue")
	c.issued = issue
	return c.issueErr
}

func (c *codes) Void(ctx context.Context, channel messages.Channel, id, replaced string) error {
	c.note(ctx, "void")
	if channel != c.issued.Channel || id != c.issued.ID || replaced != c.issued.Replaces {
		return fmt.Errorf("void of %q, which replaced %q", id, replaced)
	}
	return c.voidErr
}

func (c *codes) Try(ctx context.Context, _ string, purpose verify.Purpose) (verify.Pending, error) {
	c.note(ctx, "try "+string(purpose))
	return c.pending, c.tryErr
}

func (c *codes) Confirm(ctx context.Context, id string, pending verify.Pending) error {
	c.note(ctx, "confirm")
	if id != c.issued.ID || pending != c.pending {
		return fmt.Errorf("confirmed %q, %+v", id, pending)
	}
	return c.confirmErr
}

func (c *codes) Use(ctx context.Context, _ string) (bool, error) {
	c.note(ctx, "use")
	return !c.restored, c.useErr
}

func (c *codes) Resendable(_ context.Context, id string) (verify.Resendable, error) {
	return verify.Resendable{
		ID: id, Purpose: c.issued.Purpose, Standing: c.issued.Standing, Sealed: c.issued.Sealed, KeyID: c.issued.KeyID, MAC: c.issued.MAC,
		ExpiresAt: c.issued.ExpiresAt,
	}, nil
}

func (c *codes) Resend(ctx context.Context, resend verify.Resend) (int, error) {
	c.note(ctx, "resend")
	c.resend = resend
	return 1, c.resendErr
}

func (c *codes) VoidResend(ctx context.Context, id, name string) error {
	c.note(ctx, "void resend")
	if id != c.issued.ID || name != c.resend.Name {
		return fmt.Errorf("void of %q, %q", id, name)
	}
	return c.voidErr
}

func (c *codes) Restore(ctx context.Context, _ string) error {
	c.note(ctx, "restore")
	return nil
}

type queue struct {
	queued verify.Queued
	err    error
}

func (q *queue) EnqueueCode(_ context.Context, code verify.Queued) error {
	q.queued = code
	return q.err
}

type bundle struct {
	*verify.Service
	codes *codes
	queue *queue
	log   *testkit.Buffer
}

func setup(t *testing.T) *bundle {
	t.Helper()
	keys, err := secrets.ParseKeys("k1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	if err != nil {
		t.Fatal(err)
	}
	logger, log := testkit.Logger(t)
	b := &bundle{codes: &codes{}, queue: &queue{}, log: log}
	b.Service = &verify.Service{
		Codes: b.codes, Queue: b.queue, Keys: keys, Logger: logger,
		Now:    testkit.NewClock(time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)).Now,
		Policy: verify.Policy{CodeLength: 6, CodeTTL: 5 * time.Minute, ResendInterval: time.Minute, MaxAttempts: 5},
	}
	return b
}

var mobile = func() contact.Mobile {
	m, err := contact.ParseMobile("13800138000")
	if err != nil {
		panic(err)
	}
	return m
}()

var address = func() contact.Email {
	a, err := contact.ParseEmail("Li.Lei+shop@gmail.com")
	if err != nil {
		panic(err)
	}
	return a
}()

func TestService_Issue_queues_the_code_that_it_filed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got, err := b.Issue(t.Context(), verify.Request{To: mobile, Purpose: verify.Login, RequestID: "r1", Language: "en"})
	if err != nil {
		t.Fatal(err)
	}
	issue := b.codes.issued
	subject, _ := verify.SubjectOf(issue.ID)
	want := verify.Issue{
		ID: issue.ID, Subject: subject, Channel: messages.SMS, Purpose: verify.Login, To: "138****8000", RequestID: "r1",
		Sealed: issue.Sealed, KeyID: "k1", MAC: issue.MAC,
		IssuedAt: b.Now(), ExpiresAt: b.Now().Add(5 * time.Minute), ResendAfter: time.Minute, MaxAttempts: 5,
	}
	if diff := cmp.Diff(want, issue); diff != "" || issue.MAC == "" || subject == "" {
		t.Errorf("filed, -want +got:\n%s", diff)
	}
	wantQueued := verify.Queued{
		ID: issue.ID, KeyID: "k1", Purpose: verify.Login, To: mobile, Length: 6, ExpiresAt: issue.ExpiresAt, RequestID: "r1",
		Language: "en",
	}
	if b.queue.queued != wantQueued {
		t.Errorf("queued %+v, want %+v", b.queue.queued, wantQueued)
	}
	if want := (verify.Issued{ID: issue.ID, ExpiresIn: 5 * time.Minute, ResendAfter: time.Minute}); got != want {
		t.Errorf("Issue = %+v, want %+v", got, want)
	}
}

func TestService_Issue_leaves_the_queue_to_a_store_that_enqueues(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.codes.enqueues = true
	issued, err := b.Issue(t.Context(), verify.Request{To: mobile, Purpose: verify.Login})
	if err != nil || b.queue.queued.ID != "" {
		t.Errorf("queued %+v by itself, %v", b.queue.queued, err)
	}
	if message := b.codes.issued.Message; message == nil || message.ID != issued.ID || message.To != verify.Recipient(mobile) {
		t.Errorf("the store was given %+v", message)
	}
}

func TestService_Issue_takes_back_what_failed(t *testing.T) {
	t.Parallel()
	cause, limit := errors.New("connection reset"), &verify.LimitError{Name: "sms_mobile_hour", RetryAfter: time.Minute}
	for _, test := range []struct {
		name            string
		issueErr, queue error
		wantErrs        []error
		wantCalls       []string
	}{
		{"a limit refused: nothing was filed", limit, nil, []error{limit}, []string{"issue"}},
		{"the store's answer was lost", cause, nil, []error{cause}, []string{"issue", "void"}},
		{"the queue failed", nil, cause, []error{cause, verify.ErrQueue}, []string{"issue", "void"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.codes.issueErr, b.queue.err = test.issueErr, test.queue
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := b.Issue(ctx, verify.Request{To: mobile, Purpose: verify.Login})
			for _, want := range test.wantErrs {
				if !errors.Is(err, want) {
					t.Errorf("Issue: %v, want %v in it", err, want)
				}
			}
			if !slices.Equal(b.codes.calls, test.wantCalls) {
				t.Errorf("calls %v, want %v", b.codes.calls, test.wantCalls)
			}
			if len(test.wantCalls) == 2 && !b.codes.alive {
				t.Error("taken back with the context that had ended")
			}
		})
	}
}

func TestService_Issue_logs_what_could_not_be_taken_back_without_the_number(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.queue.err, b.codes.voidErr = errors.New("away"), errors.New("away too")
	if _, err := b.Issue(t.Context(), verify.Request{To: mobile, Purpose: verify.Login}); !errors.Is(err, verify.ErrQueue) {
		t.Errorf("Issue: %v", err)
	}
	if !strings.Contains(b.log.String(), b.codes.issued.ID) || !strings.Contains(b.log.String(), "away too") {
		t.Errorf("log: %s", b.log)
	}
	if found := testkit.FindSecrets(b.log.Bytes(), mobile.Reveal()); len(found) > 0 {
		t.Errorf("the log holds %v", found)
	}
}

func TestService_refuses_calls_without_number_or_purpose(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, r := range []verify.Request{
		{Purpose: verify.Login},
		{To: contact.Mobile{}, Purpose: verify.Login},
		{To: mobile},
		{To: mobile, Purpose: "x:y"},
		{To: mobile, Purpose: verify.ChangeEmail},
		{To: address, Purpose: verify.ChangeMobile},
		{To: address, Purpose: verify.UndoChange},
	} {
		id := verify.NewID(b.Keys.Index("mobile", mobile.Reveal()))
		_, issueErr := b.Issue(t.Context(), r)
		_, checkErr := b.Check(t.Context(), r.To, r.Purpose, id, "123456")
		spendErr := b.Spend(t.Context(), r.To, r.Purpose, id, "123456")
		if issueErr == nil || checkErr == nil || spendErr == nil {
			t.Errorf("%v: %v, %v, %v", r, issueErr, checkErr, spendErr)
		}
	}
	if len(b.codes.calls) > 0 {
		t.Errorf("the store was asked: %v", b.codes.calls)
	}
}

// pend issues a code for a sign-in, puts it before the next check and returns its digits.
func (b *bundle) pend(t *testing.T) string {
	t.Helper()
	return b.pendFor(t, verify.Login)
}

func (b *bundle) pendFor(t *testing.T, purpose verify.Purpose) string {
	t.Helper()
	issued, err := b.Issue(t.Context(), verify.Request{To: mobile, Purpose: purpose})
	if err != nil {
		t.Fatal(err)
	}
	code, err := b.Keys.Code(secrets.Derivation{
		KeyID: "k1", ID: issued.ID, To: mobile.Reveal(), Purpose: string(purpose), Length: 6, Alphabet: b.Policy.CodeAlphabet,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.codes.pending = verify.Pending{KeyID: "k1", MAC: b.codes.issued.MAC, AttemptsLeft: 4}
	b.codes.calls = nil
	return code
}

func TestService_codes_with_letters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	older := b.pend(t)
	atOlder, olderID := b.codes.pending, b.codes.issued.ID
	b.Policy.CodeAlphabet = secrets.Alphanumeric
	code := b.pend(t)
	if b.queue.queued.Alphabet != secrets.Alphanumeric || strings.Trim(code, secrets.Alphanumeric.Characters()) != "" {
		t.Fatalf("queued %+v with the code %q", b.queue.queued, code)
	}
	for _, given := range []string{code, strings.ToLower(code), " " + code[:3] + " " + code[3:], "您的验证码是" + code + "，5分钟内有效"} {
		if got, err := b.Check(t.Context(), mobile, verify.Login, b.codes.issued.ID, given); err != nil || !got.Valid {
			t.Errorf("Check(%q) = %+v, %v", given, got, err)
		}
	}
	b.codes.calls = nil
	for _, given := range []string{"OOOOOO", code[:5], code + "X"} {
		if _, err := b.Check(t.Context(), mobile, verify.Login, b.codes.issued.ID, given); !errors.Is(err, verify.ErrWrong) || len(b.codes.calls) > 0 {
			t.Errorf("Check(%q) = %v with the calls %v: it cannot be a code and is not counted", given, err, b.codes.calls)
		}
	}
	b.codes.pending, b.codes.issued.ID = atOlder, olderID
	if got, err := b.Check(t.Context(), mobile, verify.Login, olderID, older); err != nil || !got.Valid {
		t.Errorf("a code of digits that was sent before the change: %+v, %v", got, err)
	}
}

func TestService_Check_compares_after_counting(t *testing.T) {
	t.Parallel()
	b := setup(t)
	code := b.pend(t)
	other := "0" + code[1:]
	if other == code {
		other = "1" + code[1:]
	}
	for given, want := range map[string]bool{code: true, other: false} {
		got, err := b.Check(t.Context(), mobile, verify.Login, b.codes.issued.ID, given)
		if want := (verify.Result{Valid: want, AttemptsLeft: 4}); err != nil || got != want {
			t.Errorf("Check = %+v, %v, want %+v", got, err, want)
		}
	}
	slices.Sort(b.codes.calls)
	if want := []string{"confirm", "try login", "try login"}; !slices.Equal(b.codes.calls, want) {
		t.Errorf("calls %v, want %v", b.codes.calls, want)
	}
}

// What a right attempt counted for all codes together is given back, and a failure of that spoils nothing.
func TestService_refunds_what_a_right_code_counted_for_all(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, errors.New("no store")} {
		b := setup(t)
		code := b.pend(t)
		b.codes.pending.CountedForAll, b.codes.confirmErr = true, err
		if err := b.Spend(t.Context(), mobile, verify.Login, b.codes.issued.ID, code); err != nil {
			t.Errorf("Spend: %v", err)
		}
		if want := []string{"try login", "confirm", "use"}; !slices.Equal(b.codes.calls, want) {
			t.Errorf("calls %v, want %v", b.codes.calls, want)
		}
		if told := strings.Contains(b.log.String(), "correct code not noted"); told != (err != nil) {
			t.Errorf("log: %s", b.log)
		}
	}
}

func TestService_counts_nothing_for_text_that_is_no_code(t *testing.T) {
	t.Parallel()
	b := setup(t)
	code := b.pend(t)
	for _, given := range []string{
		"", code[:5], code + "0", " " + code[1:], code[:5] + "a", "１２３４５", "12345\x00", strings.Repeat("1", 1<<20),
		"\u200b",
		"either " + code + " or " + string('0'+(code[0]-'0'+1)%10) + code[1:],
	} {
		if _, err := b.Check(t.Context(), mobile, verify.Login, b.codes.issued.ID, given); !errors.Is(err, verify.ErrWrong) {
			t.Errorf("Check(%.20q): %v", given, err)
		}
		if err := b.Spend(t.Context(), mobile, verify.Login, b.codes.issued.ID, given); !errors.Is(err, verify.ErrWrong) {
			t.Errorf("Spend(%.20q): %v", given, err)
		}
	}
	if len(b.codes.calls) > 0 {
		t.Errorf("the store was asked: %v", b.codes.calls)
	}
}

func TestService_takes_a_code_as_it_is_pasted(t *testing.T) {
	t.Parallel()
	for name, paste := range map[string]func(code string) string{
		"spaces":     func(code string) string { return "\u200e" + code[:3] + "\u00a0" + code[3:] + "\r\n" },
		"hyphen":     func(code string) string { return code[:3] + "\u2011" + code[3:] },
		"full width": func(code string) string { return strings.Map(func(r rune) rune { return r - '0' + '０' }, code) },
		"message":    func(code string) string { return "【Usher】您的验证码是" + code + "，5分钟内有效" },
	} {
		b := setup(t)
		code := b.pend(t)
		if err := b.Spend(t.Context(), mobile, verify.Login, b.codes.issued.ID, paste(code)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestService_asks_the_store_for_codes_of_the_number_only(t *testing.T) {
	t.Parallel()
	b := setup(t)
	code := b.pend(t)
	for _, id := range []string{"", "x", b.codes.issued.ID + "A", verify.NewID(b.Keys.Index("mobile", "13900139000"))} {
		if _, err := b.Check(t.Context(), mobile, verify.Login, id, code); !errors.Is(err, verify.ErrExpired) {
			t.Errorf("Check with the id %q: %v", id, err)
		}
		if err := b.Spend(t.Context(), mobile, verify.Login, id, code); !errors.Is(err, verify.ErrExpired) {
			t.Errorf("Spend with the id %q: %v", id, err)
		}
	}
	if len(b.codes.calls) > 0 {
		t.Errorf("the store was asked: %v", b.codes.calls)
	}
}

func TestService_Spend(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name           string
		tryErr, useErr error
		wrong, unkeyed bool
		want           error
		wantCalls      []string
	}{
		{name: "a right code is used", wantCalls: []string{"try login", "use"}},
		{name: "a wrong code is not", wrong: true, want: verify.ErrWrong, wantCalls: []string{"try login"}},
		{name: "no code is pending", tryErr: verify.ErrExpired, want: verify.ErrExpired, wantCalls: []string{"try login"}},
		{name: "no attempt is left", tryErr: verify.ErrAttempts, want: verify.ErrAttempts, wantCalls: []string{"try login"}},
		{name: "another call was quicker", useErr: verify.ErrExpired, want: verify.ErrExpired, wantCalls: []string{"try login", "use"}},
		{name: "its key was taken away", unkeyed: true, want: verify.ErrExpired, wantCalls: []string{"try login"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			code := b.pend(t)
			b.codes.tryErr, b.codes.useErr = test.tryErr, test.useErr
			if test.wrong {
				b.codes.pending.MAC = ""
			}
			if test.unkeyed {
				b.codes.pending.KeyID = "k0"
			}
			if err := b.Spend(t.Context(), mobile, verify.Login, b.codes.issued.ID, code); !errors.Is(err, test.want) {
				t.Errorf("Spend: %v, want %v", err, test.want)
			}
			if !slices.Equal(b.codes.calls, test.wantCalls) {
				t.Errorf("calls %v, want %v", b.codes.calls, test.wantCalls)
			}
		})
	}
}

func TestService_reports_a_use_only_for_the_right_digits(t *testing.T) {
	t.Parallel()
	for _, right := range []bool{true, false} {
		b := setup(t)
		code := b.pend(t)
		b.codes.pending.Used = true
		if !right {
			code = string('0'+(code[0]-'0'+1)%10) + code[1:]
		}
		_, checkErr := b.Check(t.Context(), mobile, verify.Login, b.codes.issued.ID, code)
		spendErr := b.Spend(t.Context(), mobile, verify.Login, b.codes.issued.ID, code)
		for _, err := range []error{checkErr, spendErr} {
			if !errors.Is(err, verify.ErrExpired) || errors.Is(err, verify.ErrUsed) != right {
				t.Errorf("right digits: %v; got %v", right, err)
			}
		}
		if want := []string{"try login", "try login"}; !slices.Equal(b.codes.calls, want) {
			t.Errorf("calls %v, want %v", b.codes.calls, want)
		}
	}
}

func TestService_Spend_reports_the_first_use_of_a_code(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		restored bool
		use, err error
		want     int
	}{
		{name: "a first use counts", want: 1},
		{name: "a code that was given back does not count again", restored: true},
		{name: "a use that failed does not count", use: verify.ErrExpired},
		{name: "a count that failed spoils nothing", err: errors.New("no store"), want: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			code := b.pend(t)
			b.codes.useErr, b.codes.restored = test.use, test.restored
			told := 0
			b.Entered = func(_ context.Context, m contact.Mobile) error {
				told++
				if m != mobile {
					t.Errorf("told of %v", m)
				}
				return test.err
			}
			if err := b.Spend(t.Context(), mobile, verify.Login, b.codes.issued.ID, code); !errors.Is(err, test.use) {
				t.Errorf("Spend: %v", err)
			}
			if told != test.want {
				t.Errorf("told %d times, want %d", told, test.want)
			}
		})
	}
}

func TestService_Restore_outlives_the_request(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Restore(ctx, "id"); err != nil || !b.codes.alive {
		t.Errorf("Restore: %v, its context alive: %v", err, b.codes.alive)
	}
}

// uses is what is known elsewhere of used codes.
type uses struct {
	known map[string]bool
	err   error
	until time.Time
}

func (u *uses) Use(_ context.Context, id string, until time.Time) (bool, error) {
	first := !u.known[id]
	u.known[id], u.until = true, until
	return first, u.err
}

func (u *uses) Forget(_ context.Context, id string) error {
	delete(u.known, id)
	return u.err
}

func TestService_Spend_refuses_a_code_that_was_used_before_the_store_of_codes_came_back(t *testing.T) {
	t.Parallel()
	for _, purpose := range verify.Purposes(messages.SMS) {
		b := setup(t)
		known := &uses{known: map[string]bool{}}
		b.Uses = known
		code, id := b.pendFor(t, purpose), b.codes.issued.ID
		for i, want := range []error{nil, verify.ErrExpired} {
			if purpose == verify.Register {
				want = nil // a number has one account
			}
			if err := b.Spend(t.Context(), mobile, purpose, id, code); !errors.Is(err, want) {
				t.Errorf("%s, use %d: %v, want %v", purpose, i+1, err, want)
			}
		}
		if purpose != verify.Register && !known.until.Equal(b.Now().Add(5*time.Minute)) {
			t.Errorf("noted until %v", known.until)
		}
		if err := b.Restore(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if err := b.Spend(t.Context(), mobile, purpose, id, code); err != nil {
			t.Errorf("%s, after it was given back: %v", purpose, err)
		}
		known.err, known.known = errors.New("connection reset"), map[string]bool{}
		if err := b.Spend(t.Context(), mobile, purpose, id, code); purpose != verify.Register && !errors.Is(err, known.err) {
			t.Errorf("%s, while nothing can be noted: %v", purpose, err)
		}
	}
}
