package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"usher/app"
	"usher/apps"
)

func TestApps(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		b.environ["USHER_SMS_REGIONS"] = "CN,HK"
		var made newKey
		out := b.must(t, "apps", "create", "-name", "Shop", "-scopes", "verify:start,verify:check", "-regions", "hk", "-budget-yuan", "12.5", "-json")
		if err := json.Unmarshal([]byte(out), &made); err != nil || strings.Count(out, "\n") != 1 {
			t.Fatalf("%v in %q", err, out)
		}
		if _, ok := apps.KeyID(made.Key); !ok || !apps.IsAppID(made.ID) {
			t.Errorf("made %+v", made)
		}
		b.hidden = append(b.hidden, made.Key) // from now on no command shows it

		out = b.must(t, "apps", "rotate", made.ID)
		second := strings.Fields(out[strings.Index(out, "usk_"):])[0]
		if _, ok := apps.KeyID(second); !ok {
			t.Errorf("rotate shows no key: %s", out)
		}
		b.hidden = append(b.hidden, second)
		if out, err := b.run(t, "apps", "rotate", made.ID); err == nil || !strings.Contains(err.Error(), "revoke") {
			t.Errorf("a third key: %v\n%s", err, out)
		}
		firstID, _ := apps.KeyID(made.Key)
		if out := b.must(t, "apps", "revoke", firstID); !strings.Contains(out, "3s") {
			t.Errorf("revoke: %s", out)
		}
		if out := b.must(t, "apps", "revoke", "-json", made.ID); out != "{\"revoked\":1}\n" {
			t.Errorf("revoke of the app: %s", out)
		}
		out = b.must(t, "apps", "list")
		for _, want := range []string{made.ID, "Shop", firstID, "verify:start,verify:check", "12.5 yuan/day HK", "revoked", "never"} {
			if !strings.Contains(out, want) {
				t.Errorf("list lacks %q:\n%s", want, out)
			}
		}
		var view appView
		if err := json.Unmarshal([]byte(b.must(t, "apps", "list", "-json")), &view); err != nil || len(view.Keys) != 2 || view.Keys[0].RevokedAt == nil {
			t.Errorf("list as JSON: %+v, %v", view, err)
		}
		for _, args := range [][]string{
			{"create", "-name", "", "-scopes", "verify:start"},
			{"create", "-name", "Shop"},
			{"create", "-name", "Shop", "-scopes", "all"},
			{"create", "-name", "Shop", "-scopes", "verify:start", "-regions", "US"},
			{"create", "-name", "Shop", "-scopes", "verify:start", "now"},
			{"rotate"},
		} {
			_, err := b.run(t, append([]string{"apps"}, args...)...)
			if _, usage := errors.AsType[*app.UsageError](err); !usage {
				t.Errorf("%v: %v, want a mistake of usage", args, err)
			}
		}
		for _, args := range [][]string{{"rotate", "app_aaaaaaaaaa"}, {"revoke", "aaaaaaaa"}} {
			if _, err := b.run(t, append([]string{"apps"}, args...)...); err == nil {
				t.Errorf("%v: no error", args)
			}
		}
	})
}
