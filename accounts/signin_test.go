package accounts_test

import (
	"errors"
	"strings"
	"testing"

	"usher/accounts"
	"usher/passwords"
	"usher/verify"
)

func TestSignIn_knows_three_kinds_of_login(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := w.proved(t)
	for login, step := range map[string]string{
		"lilei_1":           "find username",
		"ＬＩＬＥＩ_1":           "find username",
		someMobile:          "find mobile",
		"+86 138 0013 8000": "find mobile",
		"LiLei@Example.com": "find email",
	} {
		got, err := w.SignIn(t.Context(), login, goodPassword, passwords.Later)
		if err != nil || got.ID != want.ID {
			t.Errorf("SignIn(%q) = %v, %v", login, got.ID, err)
		}
		wantSteps(t, w, step)
	}
}

func TestSignIn_refuses_alike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registered(t)
	for _, c := range [][2]string{
		{"lilei_1", "wrong password"},
		{"lilei_1", ""},
		{"lilei_1", strings.ToUpper(goodPassword)},
		{"lilei_1", goodPassword + " "},
		{"lilei_1", strings.Repeat("x", 1<<20)},
		{"lilei_1", "\xff\xff\xff\xff\xff\xff\xff\xff"},
		{"nobody_1", goodPassword},
		{"13900139000", goodPassword},
		{"unknown@example.com", goodPassword},
		{"not@an@address", goodPassword},
		{"", goodPassword},
		{"no such name", goodPassword},
		{"nobody_1", "no account has this hash"},
	} {
		got, err := w.SignIn(t.Context(), c[0], c[1], passwords.Later)
		if !errors.Is(err, accounts.ErrCredentials) || got != (accounts.Account{}) {
			t.Errorf("SignIn(%q, %.20q) = %+v, %v, want ErrCredentials", c[0], c[1], got, err)
		}
	}
}

func TestSignIn_hashes_for_unknown_logins_too(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Passwords = busyHasher{}
	for _, login := range []string{"unknown_1", "13900139000", "unknown@example.com", "no such name"} {
		t.Run(login, func(t *testing.T) {
			if _, err := w.SignIn(t.Context(), login, goodPassword, passwords.Later); !errors.Is(err, passwords.ErrBusy) {
				t.Errorf("SignIn = %v: it did not wait for the hasher", err)
			}
		})
	}
}

func TestSignIn_tells_only_the_owner_that_the_account_is_not_active(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registered(t, byEmail)
	if _, err := w.SignIn(t.Context(), "lilei_1", "wrong password", passwords.Later); !errors.Is(err, accounts.ErrCredentials) {
		t.Errorf("wrong password: SignIn = %v, want ErrCredentials", err)
	}
	if _, err := w.SignIn(t.Context(), "lilei_1", goodPassword, passwords.Later); !errors.Is(err, accounts.ErrNotActive) {
		t.Errorf("right password: SignIn = %v, want ErrNotActive", err)
	}
}

func TestSignIn_passes_on_that_the_store_is_away(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail["find username"] = errAway
	if _, err := w.SignIn(t.Context(), "lilei_1", goodPassword, passwords.Later); !errors.Is(err, errAway) {
		t.Errorf("SignIn = %v", err)
	}
}

func TestSignInByCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := w.registered(t)
	if _, _, err := w.SignInByCode(t.Context(), mobile(t, someMobile), codeID(verify.Login, someMobile), "000000", accounts.FirstSignIn{}); !errors.Is(err, verify.ErrWrong) {
		t.Errorf("wrong code: %v", err)
	}
	got, _, err := w.SignInByCode(t.Context(), mobile(t, someMobile), codeID(verify.Login, someMobile), rightCode, accounts.FirstSignIn{})
	if err != nil || got.ID != want.ID {
		t.Errorf("right code: %v, %v", got.ID, err)
	}
	if _, _, err := w.SignInByCode(t.Context(), mobile(t, someMobile), codeID(verify.Login, someMobile), rightCode, accounts.FirstSignIn{}); !errors.Is(err, verify.ErrExpired) {
		t.Errorf("the same code again: %v", err)
	}
	w.steps()
	unknown := mobile(t, "13900139000")
	if _, _, err := w.SignInByCode(t.Context(), unknown, codeID(verify.Login, unknown.Reveal()), "000000", accounts.FirstSignIn{}); !errors.Is(err, verify.ErrWrong) {
		t.Errorf("unknown number, wrong code: %v, want ErrWrong", err)
	}
	if _, _, err := w.SignInByCode(t.Context(), unknown, codeID(verify.Login, unknown.Reveal()), rightCode, accounts.FirstSignIn{}); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("unknown number, right code: %v, want ErrNotFound", err)
	}
	wantSteps(t, w, "spend login", "spend login", "find mobile", "find claimed_mobile") // who has no code learns nothing by the time it takes
	w.fail["find mobile"] = errAway
	if _, _, err := w.SignInByCode(t.Context(), mobile(t, "13900139001"), codeID(verify.Login, "13900139001"), rightCode, accounts.FirstSignIn{}); !errors.Is(err, errAway) {
		t.Errorf("store away: %v", err)
	}
	wantSteps(t, w, "spend login", "find mobile", "restore")
}
