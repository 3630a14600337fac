package prove_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// gapBound is the median gap in percent. The quick run measures beside all other tests, where medians of few pairs
// differ by themselves.
func gapBound() int { return size(25, 5) }

// noLoginLimits are added to noLimits where many clients send wrong passwords from one address.
const noLoginLimits = ",login_name=off,login_addr=off,login_name_net=off,login_name_all=off"

// twins are two requests that a stranger must not be able to tell apart.
type twins struct {
	path    string
	pairs   int
	known   func(i int) string // bodies
	unknown func(i int) string
}

// Row 13: answers to strangers are the same, in bytes and in time, whether an account exists or not.
func TestRow13_known_and_unknown_accounts_answer_alike(t *testing.T) {
	t.Parallel()
	r := newRow(t, 13, "known against unknown account: sign-in, resend, reset, code")
	environ, sandbox := testkit.Settings(t)
	environ["USHER_LOG_LEVEL"] = "info"
	environ["USHER_LIMITS"] = noLimits + noLoginLimits + ",reset_ip=off,resend_pause=off,resend_ip=off"
	if code, said := testkit.RunCommand(t, environ, "admin", "migrate", "up"); code != 0 {
		t.Fatalf("admin migrate up: exit %d, %s", code, said)
	}
	base := testkit.StartCommand(t, environ, "api").Await(t, `"http_addr":"([^"]+)"`)
	worker := testkit.StartCommand(t, environ, "worker", "-channels", "sms")
	const mobile, address = "13800000000", "known@example.com"
	p := testclient.New(t, base, sandbox)
	p.AskCode(mobile, "register")
	p.Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
		"username": "known_name", "password": longPassword, "password_repeat": longPassword, "agree": true,
		"mobile": mobile, "sms_code": p.ReadCode(mobile, 1), "email": address,
	})
	if err := worker.Stop(syscall.SIGTERM); err != nil { // nothing else shall use the machine
		t.Fatal(err)
	}

	random := chance(13)
	total, gaps := 0, map[string]int{}
	for name, pair := range strangers(mobile, address) {
		total += pair.pairs
		for try := range 6 { // a machine that does something else meanwhile is no proof
			gaps[name] = int(math.Ceil(100 * pair.gap(t, "http://"+base, random)))
			if gaps[name] <= gapBound() {
				break
			}
			t.Logf("%s: median gap of %d %% at try %d", name, gaps[name], try+1)
		}
	}
	r.tried("%d pairs", total)
	for _, name := range slices.Sorted(maps.Keys(gaps)) {
		r.atMost("% median gap of "+name, gaps[name], gapBound())
	}
	if t.Failed() {
		return
	}
	r.note("same bytes, but for ids and times")
}

// strangers are the requests that strangers send. A sign-in costs a hash, and a resend waits on purpose.
func strangers(mobile, address string) map[string]twins {
	const other, unknown = "13900000000", "nobodyy@example.com"
	body := func(format string, args ...any) func(int) string {
		return func(int) string { return fmt.Sprintf(format, args...) }
	}
	id := strings.Repeat("A", 44) // of no code: strangers have none
	reset := `{"mobile":%q,"sms_code_id":"` + id + `","sms_code":"000000","password":"another long secret","password_repeat":"another long secret"}`
	resetByMail := `{"email":%q,"email_code_id":"` + id + `","email_code":"00000000","password":"another long secret","password_repeat":"another long secret"}`
	byCode := `{"mobile":%q,"sms_code_id":"` + id + `","sms_code":"000000"}`
	byMail := `{"email":%q,"email_code_id":"` + id + `","email_code":"00000000"}`
	check := `{"mobile":%q,"sms_code_id":"` + id + `","code":"000000","purpose":"login"}`
	const signIn = `{"login":%q,"password":"a wrong password"}`
	return map[string]twins{
		"sign-in by name":    {"/v1/sessions", size(30, 500), body(signIn, "known_name"), body(signIn, "nobody_has")},
		"sign-in by address": {"/v1/sessions", size(30, 500), body(signIn, address), body(signIn, unknown)},
		"sign-in by code":    {"/v1/sessions", size(50, 1500), body(byCode, mobile), body(byCode, other)},
		"sign-in by mail":    {"/v1/sessions", size(50, 1500), body(byMail, address), body(byMail, unknown)},
		"reset":              {"/v1/password-resets", size(50, 1500), body(reset, mobile), body(reset, other)},
		"reset by mail":      {"/v1/password-resets", size(50, 1500), body(resetByMail, address), body(resetByMail, unknown)},
		"resend":             {"/v1/activations/resend", size(10, 200), body(`{"email":%q}`, address), body(`{"email":%q}`, unknown)},
		"code":               {"/v1/sms-codes/check", size(50, 800), body(check, mobile), body(check, other)},
	}
}

// gap sends the pairs in random order and returns by how much the medians of their times differ.
func (w twins) gap(t *testing.T, base string, random *rand.Rand) float64 {
	t.Helper()
	var times [2][]float64
	for i := range w.pairs + 2 {
		bodies := [2]string{w.known(i), w.unknown(i)}
		var answers [2][]byte
		first := random.IntN(2)
		for _, which := range [2]int{first, 1 - first} {
			start := time.Now()
			answer := wholeAnswer(t, base+w.path, bodies[which])
			if i > 1 { // the first ones open connections
				times[which] = append(times[which], time.Since(start).Seconds())
			}
			answers[which] = answer
		}
		if !bytes.Equal(answers[0], answers[1]) {
			t.Fatalf("%s: known is answered with\n%s\nunknown with\n%s", w.path, answers[0], answers[1])
		}
	}
	known, unknown := median(times[0]), median(times[1])
	return math.Abs(known-unknown) / min(known, unknown)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// different matches the parts that differ between any two answers.
var different = regexp.MustCompile(`(?m)"request_id":"[^"]*"|^X-Request-Id: .*$|^Date: .*$`)

func wholeAnswer(t *testing.T, address, body string) []byte {
	t.Helper()
	request := ask(t, http.MethodPost, address, body)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode >= http.StatusInternalServerError || response.StatusCode == http.StatusTooManyRequests {
		t.Fatalf("%s: %s", address, response.Status)
	}
	whole, err := httputil.DumpResponse(response, true)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	return different.ReplaceAll([]byte(strings.ReplaceAll(string(whole), "\r", "")), []byte("-"))
}
