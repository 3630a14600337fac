package prove_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"usher/internal/person"
	"usher/internal/programs"
)

const (
	// connections is how many requests of a crowd are under way at the same time.
	connections  = 64
	longPassword = "a long enough secret"
)

// fleet is two API processes and a worker on common stores, for attacks by many at once.
type fleet struct {
	people  [2]*person.Person // in front of one API each
	bases   [2]string         // the addresses of these, as http://host:port
	environ map[string]string
}

func newFleet(t testing.TB, changes map[string]string) *fleet {
	t.Helper()
	environ, sandboxAddr := programs.Settings(t)
	environ["USHER_LIMITS"] = noLimits
	environ["USHER_LOG_LEVEL"] = "info"
	environ["USHER_SMS_RESEND_INTERVAL"] = "1m"
	maps.Copy(environ, changes)
	if code, said := programs.Run(t, environ, "admin", "migrate", "up"); code != 0 {
		t.Fatalf("admin migrate up: exit %d, %s", code, said)
	}
	f := &fleet{environ: environ}
	for i := range f.people {
		api := programs.Start(t, environ, "api")
		addr := api.Await(t, `"http_addr":"([^"]+)"`)
		f.people[i], f.bases[i] = person.New(t, addr, sandboxAddr), "http://"+addr
	}
	programs.Start(t, environ, "worker", "-channels", "sms,email")
	return f
}

// crowd sends n requests through both processes, many at a time, and counts the answers by status and errno.
func (f *fleet) crowd(t testing.TB, n int, path string, body func(i int) map[string]any) map[string]int {
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
				answer, err := f.people[i%2].Try(ctx, http.MethodPost, path, body(i))
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

// register makes an account that is to have this address.
func (f *fleet) register(name, address string) {
	f.people[0].Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
		"username": name, "password": longPassword, "password_repeat": longPassword, "agree": true, "email": address,
	})
}

// readCaptcha reads the answer of the only captcha out of Redis, as no client can.
func (f *fleet) readCaptcha(t testing.TB) string {
	t.Helper()
	options, err := redis.ParseURL(f.environ["USHER_REDIS_URL"])
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	keys, err := client.Keys(t.Context(), "usher:*:captcha").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("%d captchas, %v", len(keys), err)
	}
	kept := strings.Fields(client.Get(t.Context(), keys[0]).Val()) // end, medium, price, answer
	if len(kept) != 4 {
		t.Fatal("the captcha has no answer")
	}
	return kept[3]
}
