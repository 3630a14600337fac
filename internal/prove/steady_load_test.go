package prove_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// Bounds in KiB a minute: of what is still in use after a collection, and of what the process has from the system. That
// goes up and down with every password that is hashed, so that its slope tells less, and within seconds nothing.
func liveBound() int { return size(4<<10, 1<<10) }

const residentBound = 4 << 10

// Row 16: hours later a process has no more memory, goroutines, descriptors and keys than after minutes.
func TestRow16_nothing_grows_under_a_steady_load(t *testing.T) {
	t.Parallel()
	r := newRow(t, 16, "soak at 50 requests a second")
	d := newDeployment(t, plan{apis: 1, sms: 1, email: 1, environ: map[string]string{
		"USHER_LIMITS": noLimits + noLoginLimits, "USHER_OPS_PPROF": "true",
	}})
	d.up()
	s := &soak{d: d, p: d.people()[0], random: chance(16), ops: map[string]string{
		"api1": d.parts["api1"].program.Await(t, `"ops_addr":"([^"]+)"`), "sms1": d.parts["sms1"].addr, "email1": d.parts["email1"].addr,
	}}
	s.fillPools()
	s.run(size(4*time.Second, 2*time.Minute)) // warms up
	before, live := s.settled(), s.live()

	soaked := size(16*time.Second, 6*time.Minute)
	slopes := s.run(soaked)
	more, list := s.leftover(before)
	r.tried("%d requests, %v after the warm-up", s.sent.Load(), soaked)
	for name, bytes := range s.live() {
		r.atMost("KiB a minute more in use of "+name, max(0, int(float64(bytes-live[name])/1024/soaked.Minutes())), liveBound())
		if long() {
			r.atMost("KiB a minute more of "+name, slopes[name], residentBound)
		}
	}
	// A request that is refused grows nothing. Beside other tests the API refuses some, since it is given too little time.
	r.atMost("requests answered with 503", int(s.failed.Load()), int(s.sent.Load())/size(10, 1000))
	if len(list) > 0 {
		t.Log("left over: ", strings.Join(list, ", "))
	}
	r.atMost("goroutines or descriptors more", more, spare)
	r.exactly("keys of ours that live for ever", s.immortals(), 0)
}

// spare is how many goroutines or descriptors a process may have more than before.
const spare = 5

// soak is a steady load.
type soak struct {
	d      *deployment
	p      *testclient.Client
	random *rand.Rand
	ops    map[string]string

	next, sent, failed atomic.Int64
}

// fillPools has as many requests at once as there will ever be, so that pools of connections grow no more.
func (s *soak) fillPools() {
	for range 3 {
		var group sync.WaitGroup
		for range 2 * connections {
			n := s.next.Add(1)
			group.Go(func() { s.request(n, 0) })
			group.Go(func() { s.request(n, 5) })
		}
		group.Wait()
	}
}

// run sends a request every 20 ms, however long the answers take, and returns by how much the memory of each process
// grew in KiB a minute.
func (s *soak) run(duration time.Duration) map[string]int {
	s.d.t.Helper()
	const perSecond = 50
	var group sync.WaitGroup
	memory, start := map[string][][2]float64{}, time.Now()
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	for i := 0; time.Since(start) < duration; i++ {
		n, what := s.next.Add(1), s.random.IntN(20)
		group.Go(func() { s.request(n, what) })
		if i%perSecond == 0 {
			for name := range s.ops {
				kilobytes := float64(residentBytes(s.d.t, s.d.parts[name].program.Pid()) >> 10)
				memory[name] = append(memory[name], [2]float64{time.Since(start).Minutes(), kilobytes})
			}
		}
		<-tick.C
	}
	group.Wait()
	slopes := map[string]int{}
	for name, points := range memory {
		slopes[name] = max(0, int(slope(points)))
	}
	return slopes
}

// slope is that of the straight line that fits best.
func slope(points [][2]float64) float64 {
	var x, y, xx, xy float64
	for _, p := range points {
		x, y, xx, xy = x+p[0], y+p[1], xx+p[0]*p[0], xy+p[0]*p[1]
	}
	n := float64(len(points))
	return (n*xy - x*y) / (n*xx - x*x)
}

// request sends the nth request, of a kind.
func (s *soak) request(n int64, kind int) {
	ctx, cancel := context.WithTimeout(s.d.t.Context(), answerTime)
	defer cancel()
	method := http.MethodPost
	var path string
	var body map[string]any
	switch {
	case kind < 4:
		path, body = "/v1/sms-codes", map[string]any{"mobile": number(n), "purpose": "login"}
	case kind < 9:
		method, path = http.MethodGet, fmt.Sprintf("/v1/usernames/somebody_%d", n)
	case kind < 12:
		method, path = http.MethodGet, "/v1/mobiles/"+number(n)
	case kind < 16:
		path, body = "/v1/sms-codes/check", map[string]any{"mobile": number(n - int64(kind)), "code": "000000", "purpose": "login"}
	case kind < 17:
		path, body = "/v1/sessions", map[string]any{"login": fmt.Sprintf("user_%08d", n/2), "password": "not the password"}
	case kind < 18:
		path, body = "/v1/activations/resend", map[string]any{"email": fmt.Sprintf("user_%08d@example.com", n/2)}
	case kind < 19:
		method, path = http.MethodGet, "/register"
	default:
		path, body = "/v1/registrations", map[string]any{
			"username": fmt.Sprintf("user_%08d", n), "password": longPassword, "password_repeat": longPassword, "agree": true,
			"email": fmt.Sprintf("user_%08d@example.com", n),
		}
	}
	answer, err := s.p.Try(ctx, method, path, bodyOf(body))
	s.sent.Add(1)
	switch {
	case answer.Status == http.StatusServiceUnavailable:
		s.failed.Add(1)
	case answer.Status >= http.StatusInternalServerError || err != nil && answer.Status == 0:
		s.d.t.Errorf("%s %s: %d %s, %v", method, path, answer.Status, answer.Body, err)
	}
}

// bodyOf keeps a nil map from being a body.
func bodyOf(body map[string]any) any {
	if body == nil {
		return nil
	}
	return body
}

var inHeap = regexp.MustCompile(`(?m)^# HeapAlloc = (\d+)$`)

// live returns how many bytes of every process are in use after a collection.
func (s *soak) live() map[string]int {
	s.d.t.Helper()
	bytes := map[string]int{}
	for name, address := range s.ops {
		for range 2 { // what lies in pools outlives one collection
			text := readText(s.d.t, "http://"+address+"/debug/pprof/heap?gc=1&debug=1")
			found := inHeap.FindStringSubmatch(text)
			if found == nil {
				s.d.t.Fatalf("%s tells nothing of its heap: %.300s", name, text)
			}
			var n int
			_, _ = fmt.Sscan(found[1], &n)
			bytes[name] = n
		}
	}
	return bytes
}

var gauges = regexp.MustCompile(`(?m)^(go_goroutines|process_open_fds) (\d+)$`)

// inUse returns the goroutines and descriptors of every process.
func (s *soak) inUse() map[string]int {
	s.d.t.Helper()
	counts := map[string]int{}
	for name, address := range s.ops {
		text := readText(s.d.t, "http://"+address+"/metrics")
		for _, found := range gauges.FindAllStringSubmatch(text, -1) {
			var n int
			_, _ = fmt.Sscan(found[2], &n)
			counts[name+" "+found[1]] = n
		}
	}
	return counts
}

// settled waits until nothing is under way any more, and returns what is in use then.
func (s *soak) settled() map[string]int {
	s.d.t.Helper()
	client, db := s.d.redis(), s.d.sql()
	defer func() { _, _ = client.Close(), db.Close() }()
	testkit.Eventually(s.d.t, patience, func() bool { return s.d.undone(client, db) == "" }, "everything has come to its end")
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	least := s.inUse()
	for range 20 { // what is closing counts no more
		<-time.After(100 * time.Millisecond)
		for name, n := range s.inUse() {
			least[name] = min(least[name], n)
		}
	}
	return least
}

// leftover returns how much more is in use than before, and of what.
func (s *soak) leftover(before map[string]int) (most int, list []string) {
	s.d.t.Helper()
	for name, n := range s.settled() {
		if n > before[name]+spare {
			process, _, _ := strings.Cut(name, " ")
			list = append(list, fmt.Sprintf("%s %d, was %d; %.20000s", name, n, before[name],
				readText(s.d.t, "http://"+s.ops[process]+"/debug/pprof/goroutine?debug=1")))
		}
		most = max(most, n-before[name])
	}
	return most, list
}

// asynqForever are the keys that Asynq keeps for as long as there are queues, workers and periodic tasks.
var asynqForever = regexp.MustCompile(`^asynq:(queues|servers|workers|schedulers|scheduler_history:[0-9a-f-]{36}|` +
	`\{[a-z0-9-]+\}:(pending|active|lease|scheduled|retry|archived|completed|processed|failed))$`)

// immortals counts the keys that nothing ever clears away.
func (s *soak) immortals() int {
	s.d.t.Helper()
	client := s.d.redis()
	defer func() { _ = client.Close() }()
	ctx, n, ours := s.d.t.Context(), 0, 0
	keys := client.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		key := keys.Val()
		if strings.HasPrefix(key, "usher:") {
			ours++
		}
		if client.TTL(ctx, key).Val() == -1 && !asynqForever.MatchString(key) && !archived(ctx, client, key) {
			s.d.t.Errorf("key %s lives for ever", key)
			n++
		}
	}
	if err := keys.Err(); err != nil || ours == 0 {
		s.d.t.Fatalf("%d keys of ours, %v", ours, err)
	}
	return n
}

// archived reports whether a key is a task in an archive, which Asynq keeps bounded.
func archived(ctx context.Context, client *redis.Client, key string) bool {
	queue, id, found := strings.Cut(key, ":t:")
	return found && client.ZScore(ctx, queue+":archived", id).Err() == nil
}

func readText(t testing.TB, address string) string {
	t.Helper()
	response, err := http.DefaultTransport.RoundTrip(ask(t, http.MethodGet, address, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, 10<<20))
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", address, response.Status, err)
	}
	return string(text)
}
