package sqlstore_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/apps"
	"usher/internal/testkit"
	"usher/store/sqlstore"
)

// appsTests check what is stored of apps and their keys.
var appsTests = behaviours{
	"apps_come_back_with_their_keys":          appsComeBack,
	"two_keys_are_valid_at_a_time":            appsTwoKeys,
	"parallel_rotations_leave_two_keys":       appsParallel,
	"revoking_an_app_revokes_all_its_keys":    appsRevoked,
	"last_use_is_an_hour_and_never_goes_back": appsUsed,
}

// newApp stores an app and returns it with its key and the key's text.
func (f *fixture) newApp(t *testing.T) (apps.App, apps.Key, string) {
	t.Helper()
	app, err := apps.New("小店 Shop", apps.Scopes(), apps.Limits{Rate: 60, BudgetYuan: 12.5, Regions: []string{"CN", "HK"}}, f.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, text := apps.NewKey(app.ID, f.clock.Now())
	if err := sqlstore.NewApps(f.db).Create(t.Context(), app, key); err != nil {
		t.Fatal(err)
	}
	app.CreatedAt, key.CreatedAt = storedTime(app.CreatedAt), storedTime(key.CreatedAt)
	return app, key, text
}

func appsComeBack(t *testing.T, f *fixture) {
	stored := sqlstore.NewApps(f.db)
	app, key, text := f.newApp(t)
	gotApp, gotKey, err := stored.Find(t.Context(), key.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(app, gotApp) + cmp.Diff(key, gotKey); diff != "" {
		t.Errorf("Find (-want +got):\n%s", diff)
	}
	if _, _, err := stored.Find(t.Context(), "unknown2"); !errors.Is(err, apps.ErrNotFound) {
		t.Errorf("Find of an unknown key: %v", err)
	}
	list, err := stored.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]sqlstore.AppKeys{{App: app, Keys: []apps.Key{key}}}, list); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	var hash string
	if err := f.db.Unwrap().Get(&hash, "select hash from app_keys"); err != nil {
		t.Fatal(err)
	}
	if found := testkit.FindSecrets([]byte(hash), text, text[13:45]); found != nil {
		t.Errorf("the database has the key: %v", found)
	}
}

func appsTwoKeys(t *testing.T, f *fixture) {
	stored := sqlstore.NewApps(f.db)
	app, first, _ := f.newApp(t)
	second, _ := apps.NewKey(app.ID, f.clock.Now())
	if err := stored.AddKey(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	third, _ := apps.NewKey(app.ID, f.clock.Now())
	if err := stored.AddKey(t.Context(), third); !errors.Is(err, apps.ErrTwoKeys) {
		t.Errorf("a third key: %v", err)
	}
	if n, err := stored.Revoke(t.Context(), first.ID, f.clock.Now()); n != 1 || err != nil {
		t.Errorf("Revoke = %d, %v", n, err)
	}
	if n, err := stored.Revoke(t.Context(), first.ID, f.clock.Now()); n != 0 || err != nil {
		t.Errorf("Revoke again = %d, %v", n, err)
	}
	if err := stored.AddKey(t.Context(), third); err != nil {
		t.Errorf("a key after one was revoked: %v", err)
	}
	_, key, err := stored.Find(t.Context(), first.ID)
	if err != nil || key.Valid() {
		t.Errorf("the revoked key: %+v, %v", key, err)
	}
	stranger, _ := apps.NewKey("app_aaaaaaaaaa", f.clock.Now())
	if err := stored.AddKey(t.Context(), stranger); !errors.Is(err, apps.ErrNotFound) {
		t.Errorf("a key of an unknown app: %v", err)
	}
	if _, err := stored.Revoke(t.Context(), "app_aaaaaaaaaa", f.clock.Now()); !errors.Is(err, apps.ErrNotFound) {
		t.Errorf("Revoke of an unknown app: %v", err)
	}
}

func appsParallel(t *testing.T, f *fixture) {
	stored := sqlstore.NewApps(f.db)
	app, _, _ := f.newApp(t)
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			key, _ := apps.NewKey(app.ID, f.clock.Now())
			if err := stored.AddKey(t.Context(), key); err != nil && !errors.Is(err, apps.ErrTwoKeys) {
				t.Errorf("AddKey: %v", err)
			}
		})
	}
	calls.Wait()
	list, err := stored.List(t.Context())
	if err != nil || len(list) != 1 || len(list[0].Keys) != apps.MaxKeys {
		t.Errorf("List = %+v, %v; want %d keys", list, err, apps.MaxKeys)
	}
}

func appsRevoked(t *testing.T, f *fixture) {
	stored := sqlstore.NewApps(f.db)
	app, _, _ := f.newApp(t)
	_, other, _ := f.newApp(t)
	second, _ := apps.NewKey(app.ID, f.clock.Now())
	if err := stored.AddKey(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if n, err := stored.Revoke(t.Context(), app.ID, f.clock.Now()); n != 2 || err != nil {
		t.Errorf("Revoke = %d, %v", n, err)
	}
	if _, key, err := stored.Find(t.Context(), other.ID); err != nil || !key.Valid() {
		t.Errorf("the key of another app: %+v, %v", key, err)
	}
}

func appsUsed(t *testing.T, f *fixture) {
	stored := sqlstore.NewApps(f.db)
	_, key, _ := f.newApp(t)
	hour := f.clock.Now().UTC().Truncate(time.Hour)
	for _, at := range []time.Time{hour, hour.Add(-time.Hour)} {
		if err := stored.Used(t.Context(), key.ID, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, got, err := stored.Find(t.Context(), key.ID); err != nil || !got.LastUsedAt.Equal(hour) {
		t.Errorf("last used at %v, %v; want %v", got.LastUsedAt, err, hour)
	}
}
