package accounts_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"usher/accounts"
	"usher/internal/testkit"
	"usher/passwords"
	"usher/verify"
)

type change = func(*accounts.SignUp)

func password(p string) change {
	return func(r *accounts.SignUp) { r.Password, r.PasswordRepeat = p, p }
}

func name(n string) change { return func(r *accounts.SignUp) { r.Username = n } }

func TestRegister_refuses_fields_before_anything_is_spent(t *testing.T) {
	t.Parallel()
	type fields = accounts.FieldErrors
	w := newWorld(t)
	for title, c := range map[string]struct {
		change change
		want   fields
	}{
		"nothing": {func(r *accounts.SignUp) { *r = accounts.SignUp{} }, fields{
			"username": accounts.Missing, "password": accounts.Missing, "password_repeat": accounts.Missing,
			"agree": accounts.MustBeAgreed, "mobile": accounts.Missing, "email": accounts.Missing,
		}},
		"everything": {func(r *accounts.SignUp) {
			*r = accounts.SignUp{
				Username: "a b c d", Password: "short", PasswordRepeat: "other", Mobile: "12800138000", Email: "no address",
			}
		}, fields{
			"username": accounts.Malformed, "password": accounts.TooShort, "password_repeat": accounts.Different,
			"agree": accounts.MustBeAgreed, "mobile": accounts.Malformed, "email": accounts.Malformed,
			"sms_code_id": accounts.Missing, "sms_code": accounts.Missing,
		}},
		"not agreed":           {func(r *accounts.SignUp) { r.Agree = false }, fields{"agree": accounts.MustBeAgreed}},
		"code without number":  {func(r *accounts.SignUp) { r.Mobile, r.Email = "", someEmail }, fields{"mobile": accounts.Missing}},
		"number without code":  {func(r *accounts.SignUp) { r.SMSCode = "" }, fields{"sms_code": accounts.Missing}},
		"number without id":    {func(r *accounts.SignUp) { r.SMSCodeID = "" }, fields{"sms_code_id": accounts.Missing}},
		"list of numbers":      {func(r *accounts.SignUp) { r.Mobile = "13800138000,13800138001" }, fields{"mobile": accounts.Malformed}},
		"repeated differently": {func(r *accounts.SignUp) { r.PasswordRepeat += "!" }, fields{"password_repeat": accounts.Different}},
		"short password":       {password("seven77"), fields{"password": accounts.TooShort}},
		"long password":        {password(strings.Repeat("长", 129)), fields{"password": accounts.TooLong}},
		"endless password":     {password(strings.Repeat("x", 1<<20)), fields{"password": accounts.TooLong}},
		"password with NUL":    {password("eight\x00888"), fields{"password": accounts.Malformed}},
		"password of bytes":    {password("eight888\xff"), fields{"password": accounts.Malformed}},
		"common":               {password("12345678"), fields{"password": accounts.TooCommon}},
		"common in China":      {password("woaini1314"), fields{"password": accounts.TooCommon}},
		"common, upper case":   {password("PassWord123"), fields{"password": accounts.TooCommon}},
		"common, full width":   {password("５２０１３１４ａ"), fields{"password": accounts.TooCommon}},
		"own name": {func(r *accounts.SignUp) {
			r.Username = "WangXiaoming"
			r.Password, r.PasswordRepeat = "wangxiaoming", "wangxiaoming"
		}, fields{"password": accounts.TooCommon}},
		"own number":  {password(someMobile), fields{"password": accounts.TooCommon}},
		"own address": {func(r *accounts.SignUp) { r.Email = someEmail; password("LiLei@example.com")(r) }, fields{"password": accounts.TooCommon}},
	} {
		_, err := w.Register(t.Context(), signUp(c.change))
		if got, ok := errors.AsType[accounts.FieldErrors](err); !ok {
			t.Errorf("%s: Register = %v, want FieldErrors", title, err)
		} else if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", title, diff)
		}
	}
	wantSteps(t, w)
}

func TestRegister_takes_good_passwords(t *testing.T) {
	t.Parallel()
	for title, p := range map[string]string{
		"eight signs":     "eight8!x",
		"long":            strings.Repeat("长", 128),
		"spaces and dots": " . . . . . ",
	} {
		w := newWorld(t)
		w.registered(t, password(p))
		if _, err := w.SignIn(t.Context(), "lilei_1", p, passwords.Later); err != nil {
			t.Errorf("%s: SignIn = %v", title, err)
		}
	}
	w := newWorld(t)
	w.registered(t, func(r *accounts.SignUp) {
		r.Password, r.PasswordRepeat = "ｐａｓｓｐｈｒａｓｅ é", "passphrase e\u0301"
	})
	if _, err := w.SignIn(t.Context(), "lilei_1", "ｐassphrase é", passwords.Later); err != nil {
		t.Errorf("the same password from another keyboard: SignIn = %v", err)
	}
}

func TestRegister_demands_what_the_policy_says(t *testing.T) {
	t.Parallel()
	mobileOnly := func(*accounts.SignUp) {}
	both := func(r *accounts.SignUp) { r.Email = someEmail }
	noNumber := accounts.FieldErrors{"mobile": accounts.Missing, "sms_code": accounts.Missing}
	for policy, want := range map[accounts.Registration]map[string]accounts.FieldErrors{
		accounts.Either:     {"mobile": nil, "email": nil, "both": nil},
		accounts.MobileOnly: {"mobile": nil, "email": noNumber, "both": nil},
		accounts.EmailOnly:  {"mobile": {"email": accounts.Missing}, "email": nil, "both": nil},
		accounts.Both:       {"mobile": {"email": accounts.Missing}, "email": noNumber, "both": nil},
	} {
		for given, change := range map[string]change{"mobile": mobileOnly, "email": byEmail, "both": both} {
			w := newWorld(t)
			w.Policy.Registration = policy
			account, err := w.Register(t.Context(), signUp(change))
			var got accounts.FieldErrors
			errors.As(err, &got)
			if diff := cmp.Diff(want[given], got); diff != "" {
				t.Errorf("policy %s, %s given: %v (-want +got):\n%s", policy, given, err, diff)
			}
			if active := err == nil && given != "email"; account.Active != active {
				t.Errorf("policy %s, %s given: active = %v", policy, given, account.Active)
			}
		}
	}
	w := newWorld(t)
	w.Policy.Registration = accounts.EmailOnly
	_, err := w.Register(t.Context(), signUp(both, func(r *accounts.SignUp) { r.SMSCode = "" }))
	var got accounts.FieldErrors
	if !errors.As(err, &got) || got[accounts.FieldSMSCode] != accounts.Missing {
		t.Errorf("a given number without its code: %v", err)
	}
}

func TestRegister_fills_the_account_and_its_mail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got, err := w.Register(t.Context(), signUp(name("ＬｉＬｅｉ_1"), func(r *accounts.SignUp) { r.Email = "LiLei@Example.com" }))
	if err != nil {
		t.Fatal(err)
	}
	want := accounts.Account{
		ID: got.ID, Username: "LiLei_1", Mobile: mobile(t, someMobile), PendingEmail: email(t, someEmail),
		PendingEmailAt: w.clock.Now(), PasswordHash: got.PasswordHash, Active: true, ActivationGeneration: 1, SessionGeneration: 1,
		SeenAt: w.clock.Now(), AgreedAt: w.clock.Now(), CreatedAt: w.clock.Now(), UpdatedAt: w.clock.Now(),
		AgreedBy: accounts.Origin{RequestID: "request-1", Network: "203.0.113.0/24", Language: "en"},
	}
	if got != want || w.people[got.ID] != want {
		t.Errorf("account = %+v, stored %+v, want %+v", got, w.people[got.ID], want)
	}
	if id, err := uuid.Parse(got.ID); err != nil || id.Version() != 7 {
		t.Errorf("id = %q", got.ID)
	}
	if !strings.HasPrefix(got.PasswordHash, "$argon2id$") {
		t.Errorf("hash = %q", got.PasswordHash)
	}
	mail := w.mails[0]
	wantMail := accounts.Mail{
		ID: mail.ID, Purpose: accounts.MailActivation, Language: "en", KeyID: "t1", NotAfter: w.clock.Now().Add(time.Hour).Truncate(time.Second),
		CreatedAt: w.clock.Now(), Network: "203.0.113.0/24", Facts: accounts.MailFacts{Typed: true}, RequestID: "request-1",
	}
	if mail != wantMail || len(w.mails) != 1 || mail.ID == "" {
		t.Errorf("%d mails, the first %+v, want %+v", len(w.mails), mail, wantMail)
	}
	wantSteps(t, w, "spend register", "exists username", "exists email", "declined", "find mobile", "exists claimed_mobile", "create", "enqueue")
}

func TestRegister_restores_the_code_when_something_is_taken(t *testing.T) {
	t.Parallel()
	other := func(r *accounts.SignUp) {
		r.Username, r.Mobile, r.Email = "someone", "13900139000", "other@example.com"
	}
	for field, c := range map[accounts.Field]struct {
		change change
		steps  []string
	}{
		accounts.FieldUsername: {func(r *accounts.SignUp) { r.Username = "ＬＩＬＥＩ_1" }, []string{"exists username", "find username"}},
		accounts.FieldMobile:   {func(r *accounts.SignUp) { r.Mobile = "+86 138 0013 8000" }, []string{"exists username", "exists email", "declined", "find mobile"}},
		accounts.FieldEmail:    {func(r *accounts.SignUp) { r.Email = "LILEI@example.com" }, []string{"exists username", "exists email"}},
	} {
		w := newWorld(t)
		w.proved(t)
		clear(w.spent)
		_, err := w.Register(t.Context(), signUp(other, c.change))
		var exists *accounts.ExistsError
		if !errors.As(err, &exists) || exists.Field != field {
			t.Errorf("Register = %v, want ExistsError of %s", err, field)
		}
		wantSteps(t, w, slices.Concat([]string{"spend register"}, c.steps, []string{"restore"})...)
	}
}

// A made-up code tells nothing about other accounts and costs no hash.
func TestRegister_asks_for_the_code_before_anything_else(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registered(t, func(r *accounts.SignUp) { r.Email = someEmail })
	w.Passwords = nil // a hash would panic
	for _, taken := range []func(*accounts.SignUp){
		func(*accounts.SignUp) {},
		func(r *accounts.SignUp) { r.Username, r.Mobile = "someone", "13900139000" },
		func(r *accounts.SignUp) { r.Mobile, r.Email = "13900139000", someEmail },
	} {
		clear(w.spent)
		_, err := w.Register(t.Context(), signUp(taken, func(r *accounts.SignUp) { r.SMSCode = "654321" }))
		if !errors.Is(err, verify.ErrWrong) {
			t.Errorf("Register = %v, want ErrWrong", err)
		}
		wantSteps(t, w, "spend register")
	}
}

func TestRegister_restores_the_code_when_the_account_is_not_written(t *testing.T) {
	t.Parallel()
	for title, failure := range map[string]error{
		"lost a race":  &accounts.ExistsError{Field: accounts.FieldUsername},
		"store failed": errAway,
	} {
		w := newWorld(t)
		w.fail["create"] = failure
		if _, err := w.Register(t.Context(), signUp()); !errors.Is(err, failure) {
			t.Errorf("%s: Register = %v", title, err)
		}
		wantSteps(t, w, "spend register", "exists username", "find mobile", "exists claimed_mobile", "create", "restore")
		if _, bounded := w.restored.Deadline(); !bounded {
			t.Errorf("%s: Restore has all the time in the world", title)
		}
		w.fail = map[string]error{}
		if _, err := w.Register(t.Context(), signUp()); err != nil {
			t.Errorf("%s: Register again with the same code = %v", title, err)
		}
	}
}

func TestRegister_restores_the_code_of_a_client_that_went_away(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.Store = leaving{w.Store, cancel}
	if _, err := w.Register(ctx, signUp()); !errors.Is(err, context.Canceled) {
		t.Errorf("Register = %v, want context.Canceled", err)
	}
	if len(w.spent) != 0 {
		t.Error("the code stayed spent")
	}
}

// leaving is a store whose client goes away during Create.
type leaving struct {
	accounts.Store
	cancel func()
}

func (l leaving) Create(ctx context.Context, _ accounts.Account, _ *accounts.Mail) error {
	l.cancel()
	return ctx.Err()
}

func TestRegister_survives_what_comes_after_the_commit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail["enqueue"] = errAway
	account, err := w.Register(t.Context(), signUp(byEmail))
	if err != nil || len(w.mails) != 1 {
		t.Errorf("Register with the queue away = %v, %d mails", err, len(w.mails))
	}
	if account.Active {
		t.Error("an address without proof made the account active")
	}
	if !strings.Contains(w.log.String(), w.mails[0].ID) {
		t.Error("the failure was not logged with the task's id")
	}
	wantSteps(t, w, "exists username", "exists email", "declined", "create", "enqueue")
}

func TestRegister_restores_the_code_when_hashes_are_busy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Passwords = busyHasher{}
	if _, err := w.Register(t.Context(), signUp()); !errors.Is(err, passwords.ErrBusy) {
		t.Errorf("Register = %v, want ErrBusy", err)
	}
	wantSteps(t, w, "spend register", "exists username", "find mobile", "exists claimed_mobile", "restore")
}

func TestRegister_logs_and_returns_no_secret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail["create"], w.fail["restore"], w.fail["enqueue"] = errAway, errAway, errAway
	_, err := w.Register(t.Context(), signUp(func(r *accounts.SignUp) { r.Email = someEmail }))
	_, err2 := w.Register(t.Context(), signUp(byEmail))
	text := w.log.String() + err.Error() + err2.Error()
	if text = strings.ReplaceAll(text, "register"+someMobile, ""); !strings.Contains(text, "not restored") {
		t.Errorf("nothing was logged: %s", text)
	}
	if found := testkit.FindSecrets([]byte(text), goodPassword, rightCode, someMobile, someEmail); found != nil {
		t.Errorf("found in the log: %v", found)
	}
}

func TestCreateSuperuser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got, err := w.CreateSuperuser(t.Context(), "Root_1", goodPassword)
	if err != nil || !got.Active || !got.Superuser || !w.people[got.ID].Superuser {
		t.Fatalf("CreateSuperuser = %+v, %v", got, err)
	}
	if _, err := w.SignIn(t.Context(), "root_1", goodPassword, passwords.Later); err != nil {
		t.Errorf("SignIn = %v", err)
	}
	_, err = w.CreateSuperuser(t.Context(), "ro", "12345678")
	want := accounts.FieldErrors{"username": accounts.TooShort, "password": accounts.TooCommon}
	var fields accounts.FieldErrors
	if errors.As(err, &fields); !cmp.Equal(fields, want) {
		t.Errorf("CreateSuperuser = %v %v, want %v", err, fields, want)
	}
}
