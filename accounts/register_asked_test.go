package accounts_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/accounts"
	"usher/passwords"
)

// bare is a sign-up with its contact and nothing else.
func bare(r *accounts.SignUp) { r.Username, r.Password, r.PasswordRepeat = "", "", "" }

func TestRegister_asks_for_the_fields_of_the_policy_and_checks_all_others(t *testing.T) {
	t.Parallel()
	type fields = accounts.FieldErrors
	once := func(r *accounts.SignUp) { r.Username, r.PasswordRepeat = "", "" }
	password, none := accounts.Asked{Password: true}, accounts.Asked{}
	for title, c := range map[string]struct {
		asked   accounts.Asked
		changes []change
		want    fields
	}{
		"what was asked before":             {password, nil, nil},
		"the password alone":                {password, []change{once}, nil},
		"no password":                       {password, []change{bare}, fields{"password": accounts.Missing}},
		"a name that is asked for":          {accounts.Asked{Username: true}, []change{bare}, fields{"username": accounts.Missing}},
		"a repetition that is asked for":    {accounts.Asked{Password: true, PasswordRepeat: true}, []change{once}, fields{"password_repeat": accounts.Missing}},
		"another repetition":                {password, []change{func(r *accounts.SignUp) { r.PasswordRepeat = "another one" }}, fields{"password_repeat": accounts.Different}},
		"a repetition without its password": {none, []change{bare, func(r *accounts.SignUp) { r.PasswordRepeat = "a password" }}, fields{"password": accounts.Missing, "password_repeat": accounts.Different}},
		"a wrong name":                      {none, []change{bare, name("a b")}, fields{"username": accounts.Malformed}},
		"a common password":                 {none, []change{func(r *accounts.SignUp) { r.Password, r.PasswordRepeat = "12345678", "" }}, fields{"password": accounts.TooCommon}},
		"the number alone":                  {none, []change{bare}, nil},
		"an address and its code alone":     {none, []change{byMailCode, bare}, nil},
		"an address alone":                  {none, []change{byEmail, bare, func(r *accounts.SignUp) { r.SMSCodeID = "" }}, fields{"email_code_id": accounts.Missing, "email_code": accounts.Missing}},
		"an address and a password":         {none, []change{byEmail, once, func(r *accounts.SignUp) { r.SMSCodeID = "" }}, nil},
	} {
		w := newWorld(t)
		w.Policy.Asked = c.asked
		account, err := w.Register(t.Context(), signUp(c.changes...))
		var got fields
		errors.As(err, &got)
		if diff := cmp.Diff(c.want, got); diff != "" || c.want == nil && err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", title, err, diff)
		}
		if request := signUp(c.changes...); err == nil && (account.HasPassword() != (request.Password != "") || account.Username != request.Username) {
			t.Errorf("%s: account = %+v", title, account)
		}
	}
}

func TestRegister_makes_many_accounts_without_a_name(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Policy.Asked = accounts.Asked{}
	first := w.registered(t, bare)
	second := w.registered(t, bare, func(r *accounts.SignUp) { r.Mobile, r.SMSCodeID = "13900139000", codeID("register", "13900139000") })
	if first.ID == second.ID || !first.Active || !second.Active {
		t.Errorf("accounts = %+v and %+v", first, second)
	}
	for _, password := range []string{"", goodPassword} {
		if _, err := w.SignIn(t.Context(), someMobile, password, passwords.Later); !errors.Is(err, accounts.ErrCredentials) {
			t.Errorf("password %q signs in to an account without one: %v", password, err)
		}
	}
}
