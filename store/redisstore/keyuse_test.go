package redisstore_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/contact"
	"usher/internal/testkit"
	"usher/secrets"
	"usher/store/redisconn"
	"usher/store/redisstore"
	"usher/verify"
)

func TestStore_KeyUse(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		client, err := redisconn.Open(url, redisconn.Settings{Timeout: testkit.RedisPatience})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		clock := testkit.NewClock(time.UnixMilli(time.Now().UnixMilli()))
		first := "k1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("a", 32)))
		second := "k2:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("b", 32)))
		store := func(spec string) *redisstore.Store {
			keys, err := secrets.ParseKeys(spec)
			if err != nil {
				t.Fatal(err)
			}
			return redisstore.New(client, keys, clock.Now)
		}
		older, newer := store(first), store(second+","+first)
		mobile, err := contact.ParseMobile("13800138000")
		if err != nil {
			t.Fatal(err)
		}
		issue := func(subject, keyID string, life time.Duration) {
			err := older.Codes().Issue(t.Context(), verify.Issue{
				ID: verify.NewID(subject), Subject: subject, Purpose: verify.Login, To: mobile.String(), KeyID: keyID,
				MAC: "mac", IssuedAt: clock.Now(), ExpiresAt: clock.Now().Add(life), MaxAttempts: 5,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		issue("AAAAAAAAAAAAAAAAAAAAAA", "k1", time.Minute)
		issue("BAAAAAAAAAAAAAAAAAAAAA", "k1", 5*time.Minute)
		issue("CAAAAAAAAAAAAAAAAAAAAA", "k2", 4*time.Minute)
		for _, s := range []*redisstore.Store{older, newer} {
			key := "key" + secrets.Random(8)
			run, _, _, err := s.Answers().Begin(t.Context(), key, "body")
			if err == nil {
				err = s.Answers().Keep(t.Context(), key, run, "answer")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		clock.Advance(2 * time.Minute)
		use, err := newer.KeyUse(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		day := clock.Now().Add(24*time.Hour - 2*time.Minute)
		want := map[string]redisstore.KeyUse{
			"k1": {Codes: 1, Answers: 1, Until: day}, // one has ended
			"k2": {Codes: 1, Answers: 1, Until: day},
		}
		if diff := cmp.Diff(want, use); diff != "" {
			t.Errorf("use (-want +got):\n%s", diff)
		}
	})
}
