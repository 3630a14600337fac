package prove_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"usher/internal/testkit"
	"usher/limits"
)

// forgeries is how many addresses one client pretends to have.
const forgeries = 1000

// Row 14: a client that names other addresses as the origin of its requests has the allowance of one address.
func TestRow14_forged_addresses_share_one_allowance(t *testing.T) {
	t.Parallel()
	r := newRow(t, 14, "forged X-Forwarded-For, and whatever else names an address")
	environ, _ := testkit.Settings(t)
	environ["USHER_LOG_LEVEL"], environ["USHER_LIMITS"] = "warn", "sms_net_hour=off,sms_prefix=off,sms_conversion=off"
	if code, said := testkit.RunCommand(t, environ, "admin", "migrate", "up"); code != 0 {
		t.Fatalf("admin migrate up: exit %d, %s", code, said)
	}
	environ["USHER_LOG_LEVEL"] = "info"
	api := func(proxies string) string {
		environ["USHER_TRUSTED_PROXIES"] = proxies
		return "http://" + testkit.StartCommand(t, environ, "api").Await(t, `"http_addr":"([^"]+)"`)
	}
	direct, behind := api(""), api("127.0.0.0/8")
	allowance := limits.Defaults()[limits.SMSIPHour].Count
	number := 0
	send := func(base string, n int, header func(i int) http.Header) (granted int) {
		for i := range n {
			number++
			granted += grant(t, base, fmt.Sprintf("139%08d", number), header(i))
		}
		return granted
	}

	r.exactly("codes to an untrusted peer", send(direct, forgeries, func(i int) http.Header {
		claim := anAddress(i)
		return http.Header{
			"X-Forwarded-For": {claim, claim + ", " + anAddress(i+1)}, "X-Real-Ip": {claim}, "Forwarded": {"for=" + claim},
			"True-Client-Ip": {claim}, "Cf-Connecting-Ip": {claim}, "X-Client-Ip": {claim}, "X-Original-Forwarded-For": {claim},
		}
	}), allowance)
	r.exactly("codes to one address that forges what comes before it", send(behind, forgeries, func(i int) http.Header {
		return http.Header{"X-Forwarded-For": {anAddress(i) + ", 198.51.100.7"}, "X-Real-Ip": {anAddress(i)}}
	}), allowance)
	// The same header counts where the proxy that wrote it is trusted, or the two above would prove nothing.
	const others = 50
	r.exactly("codes to so many real addresses behind a trusted proxy", send(behind, others, func(i int) http.Header {
		return http.Header{"X-Forwarded-For": {anAddress(i)}}
	}), others)
	r.tried("%d addresses twice, %d real ones", forgeries, others)
}

func anAddress(i int) string { return fmt.Sprintf("203.%d.%d.9", i/256%256, i%256) }

// grant asks for a code and returns 1 when it is promised, 0 when a limit refuses.
func grant(t *testing.T, base, mobile string, header http.Header) int {
	t.Helper()
	request := ask(t, http.MethodPost, base+"/v1/sms-codes", fmt.Sprintf(`{"mobile":%q,"purpose":"login"}`, mobile))
	request.Header = header
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<16)) // so that the connection is used again
	switch {
	case response.StatusCode == http.StatusAccepted:
		return 1
	case response.StatusCode != http.StatusTooManyRequests || !strings.Contains(string(body), "4206"):
		t.Errorf("answer %d %s", response.StatusCode, body)
	}
	return 0
}
