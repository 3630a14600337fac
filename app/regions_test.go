package app_test

import (
	"strings"
	"testing"

	"usher/internal/testkit"
)

func TestJourney_with_a_number_of_Hong_Kong(t *testing.T) {
	t.Parallel()
	d := deploy(t, testkit.Redis(t), testkit.SQLite(t), map[string]string{
		"USHER_SMS_REGIONS": "CN,HK", "USHER_SMS_PRICE_YUAN": "CN=0.045,HK=0.30", "USHER_SMS_PROVIDERS": "ronglian,aliyun",
		"USHER_ALIYUN_TEMPLATE_CODE_ABROAD": "SMS_71390010",
	})
	journey := lilei()
	journey.Mobile = "+85251234567"
	p := d.person(t)
	p.Walk(journey)
	for _, message := range d.sandbox.Messages("85251234567") {
		if message.Provider != "aliyun" {
			t.Errorf("a code went by %s, which serves the mainland alone", message.Provider)
		}
	}
	secrets := []string{journey.Mobile, "51234567", p.ReadCode(journey.Mobile, 1)}
	if found := testkit.FindSecrets(d.log.Bytes(), secrets...); len(found) > 0 {
		t.Errorf("the log shows %q", found)
	}
	if !strings.Contains(metricsOf(t, d.worker.OpsAddr()), `usher_routing_total{decision="unserved",provider="ronglian"} 2`) {
		t.Error("the metric does not count that ronglian was passed over")
	}
}
