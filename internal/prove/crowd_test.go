package prove_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

const (
	// connections is how many requests of a crowd are under way at the same time.
	connections  = 64
	longPassword = "a long enough secret"
)

// fleet is two API processes and a worker on common stores, for attacks by many at once.
type fleet struct {
	people  [2]*testclient.Client // in front of one API each
	bases   [2]string             // the addresses of these, as http://host:port
	proxy   *http.Transport       // in front of both
	redis   *redis.Client
	environ map[string]string
}

func newFleet(t testing.TB, changes map[string]string) *fleet {
	t.Helper()
	environ, sandboxAddr := testkit.Settings(t)
	environ["USHER_LIMITS"] = noLimits
	environ["USHER_LOG_LEVEL"] = "info"
	environ["USHER_SMS_RESEND_INTERVAL"] = "1m"
	maps.Copy(environ, changes)
	if code, said := testkit.RunCommand(t, environ, "admin", "migrate", "up"); code != 0 {
		t.Fatalf("admin migrate up: exit %d, %s", code, said)
	}
	options, err := redis.ParseURL(environ["USHER_REDIS_URL"])
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{
		environ: environ, proxy: &http.Transport{MaxIdleConnsPerHost: connections}, redis: redis.NewClient(options),
	}
	t.Cleanup(func() {
		f.proxy.CloseIdleConnections()
		_ = f.redis.Close()
	})
	for i := range f.people {
		api := testkit.StartCommand(t, environ, "api")
		addr := api.Await(t, `"http_addr":"([^"]+)"`)
		f.people[i], f.bases[i] = testclient.New(t, addr, sandboxAddr), "http://"+addr
	}
	testkit.StartCommand(t, environ, "worker", "-channels", "sms,email")
	return f
}

// crowd sends n requests through both processes, many at a time, and counts the answers by status and errno.
func (f *fleet) crowd(t testing.TB, n int, path string, body func(i int) map[string]any) map[string]int {
	t.Helper()
	return f.count(t, n, func(ctx context.Context, i int) (testclient.Answer, error) {
		return f.people[i%2].Try(ctx, http.MethodPost, path, body(i))
	})
}

// count sends n requests, many at a time, and counts the answers by status and errno.
func (f *fleet) count(t testing.TB, n int, send func(ctx context.Context, i int) (testclient.Answer, error)) map[string]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var mu sync.Mutex
	counts := map[string]int{}
	next := make(chan int)
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			for i := range next {
				answer, err := send(ctx, i)
				key := fmt.Sprintf("%d %s", answer.Status, answer.Errno)
				if answer.Data["valid"] == true {
					key += " right"
				}
				if err != nil {
					key = err.Error()
				}
				mu.Lock()
				counts[key]++
				mu.Unlock()
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return counts
}

// passed returns how many answers were the one of a request that passed, and notes an error for any other than that and
// the refusal.
func (f *fleet) passed(t testing.TB, counts map[string]int, passed, refused string) int {
	t.Helper()
	for answer, n := range counts {
		if answer != passed && answer != refused {
			t.Errorf("%d answers %q, want %q or %q", n, answer, passed, refused)
		}
	}
	return counts[passed]
}

// from sends a request as a proxy does that has it from a client at the address; a nil body sends none. The processes of
// the fleet have to trust the proxy. It is safe for concurrent use.
func (f *fleet) from(ctx context.Context, address, method, path string, body map[string]any) (testclient.Answer, error) {
	var reader io.Reader = http.NoBody
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return testclient.Answer{}, err
		}
		reader = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, f.bases[len(address)%2]+path, reader)
	if err != nil {
		return testclient.Answer{}, err
	}
	request.Header = http.Header{"X-Forwarded-For": {address}, "Content-Type": {"application/json"}}
	response, err := f.proxy.RoundTrip(request)
	if err != nil {
		return testclient.Answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return testclient.Answer{}, err
	}
	answer := testclient.Answer{Status: response.StatusCode, Header: response.Header, Body: text}
	return answer, json.Unmarshal(text, &answer)
}

// register makes an account that is to have this address.
func (f *fleet) register(name, address string) {
	f.people[0].Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
		"username": name, "password": longPassword, "password_repeat": longPassword, "agree": true, "email": address,
	})
}

// readCaptcha reads the answer of the only captcha out of Redis, as no client can.
func (f *fleet) readCaptcha(t testing.TB) string {
	t.Helper()
	keys, err := f.redis.Keys(t.Context(), "usher:*:captcha").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("%d captchas, %v", len(keys), err)
	}
	kept := strings.Fields(f.redis.Get(t.Context(), keys[0]).Val()) // end, medium, price, answer
	if len(kept) != 4 {
		t.Fatal("the captcha has no answer")
	}
	return kept[3]
}
