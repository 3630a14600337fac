package app_test

import (
	"strings"
	"testing"

	"usher/internal/testkit"
	"usher/sandbox"
)

// The first interval is not waited for: a canary that was never sent is due.
func TestCanary_flies_again_and_again_and_is_counted(t *testing.T) {
	t.Parallel()
	const number = "13800138000"
	d := deploy(t, testkit.Redis(t), testkit.SQLite(t), map[string]string{
		"USHER_SMS_PROVIDERS": "aliyun", "USHER_REPORT_SECRET": reportSecret,
		"USHER_CANARY_TO": number, "USHER_CANARY_INTERVAL": "5m",
	})
	if err := d.sandbox.PushReports(sandbox.ReportURLs{Aliyun: "http://" + d.api.HTTPAddr() + "/v1/reports/aliyun/" + reportSecret}); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, testkit.Patience, func() bool {
		return strings.Contains(metricsOf(t, d.worker.OpsAddr()), `usher_canary_total{outcome="delivered",provider="aliyun"} 1`)
	}, "the canary is delivered and counted")
	if found := testkit.FindSecrets(d.log.Bytes(), number); len(found) > 0 {
		t.Errorf("the log at debug level shows %q", found)
	}
}
