package verify_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"usher/contact"
	"usher/internal/testkit"
	"usher/messages"
	"usher/secrets"
	"usher/verify"
)

func parseEmail(t *testing.T, text string) contact.Email {
	t.Helper()
	email, err := contact.ParseEmail(text)
	if err != nil {
		t.Fatal(err)
	}
	return email
}

func TestService_Issue_of_a_mail_follows_its_own_policy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Policy.EmailCodeLength, b.Policy.EmailCodeTTL, b.Policy.EmailResendInterval = 8, 10*time.Minute, 90*time.Second
	got, err := b.Issue(t.Context(), verify.Request{To: address, Purpose: verify.ChangeEmail})
	if err != nil {
		t.Fatal(err)
	}
	if want := (verify.Issued{ID: b.codes.issued.ID, ExpiresIn: 10 * time.Minute, ResendAfter: 90 * time.Second}); got != want {
		t.Errorf("Issue = %+v, want %+v", got, want)
	}
	issue, queued := b.codes.issued, b.queue.queued
	if issue.Channel != messages.Email || issue.To != address.String() || queued.To != address || queued.Length != 8 {
		t.Errorf("filed %+v, queued %+v", issue, queued)
	}
	code, err := b.Keys.Code(queued.Derivation())
	if err != nil || len(code) != 8 {
		t.Fatalf("code %q, %v", code, err)
	}
	b.codes.pending = verify.Pending{KeyID: "k1", MAC: issue.MAC, AttemptsLeft: 4}
	if result, err := b.Check(t.Context(), address, verify.ChangeEmail, got.ID, code); err != nil || !result.Valid {
		t.Errorf("Check = %+v, %v", result, err)
	}
	// Another spelling shares the limits of the mailbox, but not its codes.
	if result, err := b.Check(t.Context(), parseEmail(t, "lilei@gmail.com"), verify.ChangeEmail, got.ID, code); err != nil || result.Valid {
		t.Errorf("Check of another spelling = %+v, %v", result, err)
	}
	if err := b.Spend(t.Context(), parseEmail(t, "han@gmail.com"), verify.ChangeEmail, got.ID, code); !errors.Is(err, verify.ErrExpired) {
		t.Errorf("Spend for another mailbox: %v", err)
	}
	if err := b.Spend(t.Context(), address, verify.ChangeEmail, got.ID, code[:6]); !errors.Is(err, verify.ErrWrong) {
		t.Errorf("Spend of six digits: %v", err)
	}
	if err := b.Spend(t.Context(), address, verify.ChangeEmail, got.ID, code); err != nil {
		t.Errorf("Spend: %v", err)
	}
}

func TestSpellings_of_a_mailbox_are_one_subject(t *testing.T) {
	t.Parallel()
	b := setup(t)
	subjects := map[string]bool{}
	for _, text := range []string{"li.lei@gmail.com", "LiLei@googlemail.com", "l.i.l.e.i+shop@gmail.com"} {
		if _, err := b.Issue(t.Context(), verify.Request{To: parseEmail(t, text), Purpose: verify.Login}); err != nil {
			t.Fatal(err)
		}
		subjects[b.codes.issued.Subject] = true
	}
	if len(subjects) != 1 {
		t.Errorf("%d subjects for one mailbox", len(subjects))
	}
}

// A text that is a number on one channel and stands for an address on the other must not have the same codes.
func TestDerivations_of_numbers_and_addresses_are_apart(t *testing.T) {
	t.Parallel()
	number := verify.Queued{KeyID: "k1", ID: "id", Purpose: verify.Login, To: mobile, Length: 6}
	if want := (secrets.Derivation{KeyID: "k1", ID: "id", To: "13800138000", Purpose: "login", Length: 6}); number.Derivation() != want {
		t.Errorf("a number derives as %+v, want %+v as in former releases", number.Derivation(), want)
	}
	mail := number
	mail.To = address
	if got := mail.Derivation().To; got == address.Reveal() || !strings.HasSuffix(got, address.Reveal()) {
		t.Errorf("an address derives as %q", got)
	}
}

func TestChannelOf_knows_numbers_and_addresses_only(t *testing.T) {
	t.Parallel()
	for want, recipients := range map[messages.Channel][]verify.Recipient{
		messages.SMS: {mobile}, messages.Email: {address}, "": {nil, contact.Mobile{}, contact.Email{}, stranger{}},
	} {
		for _, to := range recipients {
			if got := verify.ChannelOf(to); got != want {
				t.Errorf("ChannelOf(%v) = %q, want %q", to, got, want)
			}
		}
	}
}

type stranger struct{}

func (stranger) Reveal() string { return "someone" }
func (stranger) String() string { return "someone" }
func (stranger) IsZero() bool   { return false }

// linked issues a code by mail and returns the token of its link.
func (b *bundle) linked(t *testing.T, to contact.Email) (token, code string) {
	t.Helper()
	if _, err := b.Issue(t.Context(), verify.Request{To: to, Purpose: verify.Login}); err != nil {
		t.Fatal(err)
	}
	queued := b.queue.queued
	sealed := verify.SealEmail(b.Keys, queued.ID, to)
	token, err := verify.LinkToken(b.Keys, queued, sealed)
	if again, againErr := verify.LinkToken(b.Keys, queued, sealed); err != nil || againErr != nil || again != token {
		t.Fatalf("tokens %q and %q, %v", token, again, err)
	}
	if code, err = b.Keys.Code(queued.Derivation()); err != nil {
		t.Fatal(err)
	}
	return token, code
}

func TestService_ReadLink(t *testing.T) {
	t.Parallel()
	b := setup(t)
	clock := testkit.NewClock(b.Now())
	b.Service.Now = clock.Now
	for _, alphabet := range []secrets.Alphabet{"", secrets.Alphanumeric} {
		b.Policy.CodeAlphabet = alphabet
		token, code := b.linked(t, address)
		want := verify.Link{
			To: address, Purpose: verify.Login, ID: b.queue.queued.ID, Code: code, ExpiresAt: clock.Now().Add(5 * time.Minute).Truncate(time.Second),
		}
		if got, err := b.ReadLink(token); err != nil || !got.ExpiresAt.Equal(want.ExpiresAt) || got.Code != want.Code || got.To != want.To ||
			got.ID != want.ID || got.Purpose != want.Purpose {
			t.Errorf("ReadLink = %+v, %v, want %+v", got, err, want)
		}
		if strings.Contains(token, code) || len(testkit.FindSecrets([]byte(token), address.Reveal())) > 0 {
			t.Error("the token shows the code or the address")
		}
	}
}

func TestService_ReadLink_refuses_what_is_no_link_of_a_code(t *testing.T) {
	t.Parallel()
	b := setup(t)
	clock := testkit.NewClock(b.Now())
	b.Service.Now = clock.Now
	token, _ := b.linked(t, address)
	activation, err := b.Keys.SignToken("k1", secrets.Token{Account: "a", Address: "h", ExpiresAt: clock.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	moved, err := b.Keys.SignToken("k1", secrets.Token{
		Kind: verify.LinkKind, Account: "another", Address: verify.SealEmail(b.Keys, "one", address), ExpiresAt: clock.Now().Add(time.Hour),
		Purpose: "login", Length: 6,
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "no token": "hello", "changed": token[:len(token)-2] + "AA", "a link of an account": activation, "a moved seal": moved,
	} {
		if _, err := b.ReadLink(text); !errors.Is(err, verify.ErrLink) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.ReadLink("k9" + token[2:]); !errors.Is(err, verify.ErrExpired) {
		t.Errorf("of a removed key: %v", err)
	}
	clock.Advance(5 * time.Minute)
	if _, err := b.ReadLink(token); !errors.Is(err, verify.ErrExpired) {
		t.Errorf("after its end: %v", err)
	}
}

// The longest address that there is must fit into a link, and the token into a field of a request.
func TestLinks_of_the_longest_addresses_can_be_read(t *testing.T) {
	t.Parallel()
	b := setup(t)
	label := strings.Repeat("a", 59) + "."
	longest := parseEmail(t, strings.Repeat("x", 64)+"@"+strings.Repeat(label, 3)+"example")
	token, _ := b.linked(t, longest)
	if link, err := b.ReadLink(token); err != nil || link.To != longest || len(token) > 1024 {
		t.Errorf("ReadLink of %d characters: %v", len(token), err)
	}
}
