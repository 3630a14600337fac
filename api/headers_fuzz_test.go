package api_test

import (
	"net/http"
	"net/netip"
	"testing"

	"usher/api"
)

// FuzzHeaders sends strange headers from a trusted proxy: whatever comes back is no 5xx, and keeps to the contract.
func FuzzHeaders(f *testing.F) {
	names := []string{
		"X-Forwarded-For", "X-Real-Ip", "Forwarded", "Accept-Language", "Idempotency-Key", "Cookie", "User-Agent", "Origin", "Traceparent",
	}
	f.Add(0, "203.0.113.7, 127.0.0.1")
	shared := setup(f, func(s *api.Server) { s.Config.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	f.Fuzz(func(t *testing.T, i int, value string) {
		if !printable(value) {
			t.Skip("not a header")
		}
		b := *shared
		b.t = t
		name := names[uint(i)%uint(len(names))]
		got := b.person().do(request{
			method: "POST", path: "/v1/sms-codes/check", contentType: "application/json",
			text: `{"mobile":"13800138000","code":"123456","purpose":"login"}`, header: http.Header{name: {value}},
		})
		if got.status >= http.StatusInternalServerError || got.Errno == "" {
			t.Errorf("%s: %q is answered with %d %s", name, value, got.status, got.text)
		}
	})
}
