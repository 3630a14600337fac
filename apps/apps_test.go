package apps_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"usher/apps"
)

func TestNew(t *testing.T) {
	t.Parallel()
	all := apps.Scopes()
	for name, test := range map[string]struct {
		name   string
		scopes []apps.Scope
		limits apps.Limits
		want   string // in the error; empty: none
	}{
		"least":               {"a", all[:1], apps.Limits{}, ""},
		"Chinese name":        {"小店", all, apps.Limits{Rate: 1, BudgetYuan: 0.01, Regions: []string{"CN"}}, ""},
		"without a name":      {"  ", all, apps.Limits{}, "name"},
		"long name":           {strings.Repeat("店", 41), all, apps.Limits{}, "name"},
		"two lines":           {"a\nb", all, apps.Limits{}, "name"},
		"changes direction":   {"a\u202eb", all, apps.Limits{}, "name"},
		"not UTF-8":           {"a\xff", all, apps.Limits{}, "name"},
		"without a scope":     {"a", nil, apps.Limits{}, "scopes"},
		"negative rate":       {"a", all, apps.Limits{Rate: -1}, "rate"},
		"budget is no number": {"a", all, apps.Limits{BudgetYuan: math.NaN()}, "budget"},
		"infinite budget":     {"a", all, apps.Limits{BudgetYuan: math.Inf(1)}, "budget"},
		"region as a name":    {"a", all, apps.Limits{Regions: []string{"China"}}, "China"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app, err := apps.New(test.name, test.scopes, test.limits, time.Now())
			if test.want == "" && (err != nil || !apps.IsAppID(app.ID)) {
				t.Errorf("New = %+v, %v", app, err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("New: %v, want a mistake about %s", err, test.want)
			}
		})
	}
}

func TestParseScopes(t *testing.T) {
	t.Parallel()
	if scopes, err := apps.ParseScopes(" verify:check, verify:start"); err != nil || len(scopes) != 2 {
		t.Errorf("ParseScopes = %v, %v", scopes, err)
	}
	for _, text := range []string{"", "verify", "verify:start,", "verify:start,verify:start", "accounts:all"} {
		if scopes, err := apps.ParseScopes(text); err == nil {
			t.Errorf("ParseScopes(%q) = %v", text, scopes)
		}
	}
}

func TestKeyID(t *testing.T) {
	t.Parallel()
	key, text := apps.NewKey("app_aaaaaaaaaa", time.Now())
	if id, ok := apps.KeyID(text); !ok || id != key.ID {
		t.Errorf("KeyID = %q, %v", id, ok)
	}
	if strings.Contains(key.Hash, text[13:45]) {
		t.Error("the stored key has the secret part")
	}
	for i := range text {
		changed := text[:i] + string(text[i]^1) + text[i+1:]
		if _, ok := apps.KeyID(changed); ok {
			t.Errorf("KeyID accepts a key with another character at %d", i)
		}
	}
	for _, wrong := range []string{"", "usk_", "usk_aaaaaaaa", text[:51], text + "A", " " + text, strings.ToUpper(text), "usr" + text[3:]} {
		if _, ok := apps.KeyID(wrong); ok {
			t.Errorf("KeyID accepts %q", wrong)
		}
	}
}

func FuzzKeyID(f *testing.F) {
	_, text := apps.NewKey("app_aaaaaaaaaa", time.Now())
	for _, seed := range []string{text, "usk_", "usk_aaaaaaaa_", "usk_" + strings.Repeat("_", 48), "usr_" + text[4:], "usk_é" + text[6:], text[:12] + "\x00" + text[13:]} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := apps.KeyID(text)
		if ok && (len(text) != 52 || !strings.HasPrefix(text, "usk_"+id+"_") || strings.Trim(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") != "") {
			t.Errorf("KeyID(%q) = %q", text, id)
		}
	})
}

// fakeStore counts look-ups and notes.
type fakeStore struct {
	mu    sync.Mutex
	app   apps.App
	key   apps.Key
	err   error
	finds int
	notes []time.Time
}

func (s *fakeStore) Find(_ context.Context, id string) (apps.App, apps.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finds++
	if s.err == nil && id != s.key.ID {
		return apps.App{}, apps.Key{}, apps.ErrNotFound
	}
	return s.app, s.key, s.err
}

func (s *fakeStore) Used(_ context.Context, _ string, hour time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, hour)
	return nil
}

func TestKeyring(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		key, text := apps.NewKey("app_aaaaaaaaaa", time.Now())
		_, forged := apps.NewKey("app_aaaaaaaaaa", time.Now())
		store := &fakeStore{app: apps.App{ID: "app_aaaaaaaaaa"}, key: key}
		ring := apps.NewKeyring(store, time.Now, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go ring.Run(ctx)

		for range 3 {
			if app, id, err := ring.Authenticate(ctx, text); err != nil || app.ID != key.AppID || id != key.ID {
				t.Fatalf("Authenticate = %+v, %q, %v", app, id, err)
			}
		}
		synctest.Wait()
		if store.finds != 1 || len(store.notes) != 1 || store.notes[0].Minute() != 0 {
			t.Errorf("%d look-ups, notes %v; want one of each", store.finds, store.notes)
		}
		if _, _, err := ring.Authenticate(ctx, text[:51]+"x"); !errors.Is(err, apps.ErrKey) {
			t.Errorf("wrong checksum: %v", err)
		}
		if store.finds != 1 {
			t.Error("a wrong checksum asks the store")
		}
		if _, _, err := ring.Authenticate(ctx, forged); !errors.Is(err, apps.ErrKey) {
			t.Errorf("unknown id: %v", err)
		}

		store.key.RevokedAt = time.Now()
		<-time.After(apps.Fresh) // of the bubble
		if _, _, err := ring.Authenticate(ctx, text); !errors.Is(err, apps.ErrKey) {
			t.Errorf("revoked key after %v: %v", apps.Fresh, err)
		}
		store.key.RevokedAt, store.key.Hash = time.Time{}, apps.Key{}.Hash
		<-time.After(apps.Fresh) // of the bubble
		if _, _, err := ring.Authenticate(ctx, text); !errors.Is(err, apps.ErrKey) {
			t.Errorf("right id, other secret: %v", err)
		}
		store.err = errors.New("away")
		<-time.After(apps.Fresh) // of the bubble
		if _, _, err := ring.Authenticate(ctx, text); err == nil || errors.Is(err, apps.ErrKey) {
			t.Errorf("the store is unavailable: %v", err)
		}
		store.err, store.key.Hash = nil, key.Hash
		<-time.After(time.Hour) // of the bubble
		if _, _, err := ring.Authenticate(ctx, text); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(store.notes) != 2 || store.notes[1].Sub(store.notes[0]) < time.Hour {
			t.Errorf("notes %v; want one for each hour", store.notes)
		}
	})
}
