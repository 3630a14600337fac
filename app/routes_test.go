package app_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/app"
	"usher/config"
	"usher/internal/testkit"
	"usher/providers"
)

func TestRoutes_reads_orders_by_region(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]providers.Orders{
		"":                                    nil,
		"HK=aliyun":                           {"HK": {"aliyun"}},
		"HK,MO,TW=tencent,aliyun;*=http":      {"HK": {"tencent", "aliyun"}, "MO": {"tencent", "aliyun"}, "TW": {"tencent", "aliyun"}, "*": {"http"}},
		" HK , CN = http , aliyun ; * = http": {"HK": {"http", "aliyun"}, "CN": {"http", "aliyun"}, "*": {"http"}},
	} {
		orders, err := app.Routes(config.Worker{SMSRoutes: text, SMSProviders: []string{"aliyun", "tencent", "http"}})
		if diff := cmp.Diff(want, orders); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got):\n%s", text, err, diff)
		}
	}
}

func TestRoutes_names_what_is_wrong_and_shows_an_example(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"HK=bogus":                     `"bogus"`,
		"HK=ronglian":                  "USHER_SMS_PROVIDERS", // known, but its settings are not read
		"XX=aliyun":                    `"XX"`,
		"hk=aliyun":                    `"hk"`,
		"86=aliyun":                    `"86"`,
		"HK,=aliyun":                   `""`,
		"HK=aliyun;HK=http":            "HK has two routes",
		"HK,HK=aliyun":                 "HK has two routes",
		"*=aliyun;*=http":              "* has two routes",
		"HK=aliyun,aliyun":             "aliyun twice",
		"HK=":                          "no provider",
		"HK=aliyun,":                   "no provider",
		"HK":                           "no =",
		"HK=aliyun;":                   "no =",
		"HK=aliyun;MO=bogus;TW=aliyun": `"bogus"`,
	} {
		_, err := app.Routes(config.Worker{SMSRoutes: text, SMSProviders: []string{"aliyun", "http"}})
		mistakes, ok := errors.AsType[config.Mistakes](err)
		if !ok || len(mistakes) != 1 || mistakes[0].Variable != "USHER_SMS_ROUTES" {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := mistakes[0].Text; !strings.Contains(got, says) || !strings.Contains(got, "HK,MO,TW=tencent,aliyun;*=http") {
			t.Errorf("%q: %q, want %q and an example in it", text, got, says)
		}
	}
	_, err := app.Routes(config.Worker{SMSRoutes: "XX=http;HK=bogus", SMSProviders: []string{"http"}})
	if mistakes, _ := errors.AsType[config.Mistakes](err); len(mistakes) != 2 {
		t.Errorf("not all mistakes are reported: %v", err)
	}
}

func TestJourney_takes_the_providers_of_the_region(t *testing.T) {
	t.Parallel()
	d := deploy(t, testkit.Redis(t), testkit.SQLite(t), map[string]string{
		"USHER_SMS_REGIONS": "CN,HK", "USHER_SMS_PRICE_YUAN": "CN=0.045,HK=0.30", "USHER_SMS_PROVIDERS": "ronglian,aliyun",
		"USHER_ALIYUN_TEMPLATE_CODE_ABROAD": "SMS_71390010", "USHER_SMS_ROUTES": "HK=aliyun",
	})
	abroad, mainland := lilei(), lilei()
	abroad.Mobile = "+85251234567"
	mainland.Username, mainland.Email = "han_meimei", "hanmeimei@example.com"
	d.person(t).Walk(abroad)
	d.person(t).Walk(mainland)
	for number, want := range map[string]string{"85251234567": "aliyun", mainland.Mobile: "ronglian"} {
		sent := d.sandbox.Messages(number)
		if len(sent) == 0 {
			t.Errorf("no code to %s", number)
		}
		for _, message := range sent {
			if message.Provider != want {
				t.Errorf("a code to %s went by %s, want %s", number, message.Provider, want)
			}
		}
	}
	metrics := metricsOf(t, d.worker.OpsAddr())
	if !strings.Contains(metrics, `usher_routing_total{decision="preferred",provider="aliyun"} 2`) || strings.Contains(metrics, "unserved") {
		t.Error("the metric does not count aliyun as preferred, or ronglian as passed over")
	}
}
