package limits_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/limits"
)

func TestDefaults_are_the_promised_ones(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	set := limits.Defaults()
	for _, want := range []limits.Limit{
		{Name: "sms_mobile_hour", Count: 5, Period: time.Hour},
		{Name: "sms_mobile_day", Count: 10, Period: day},
		{Name: "sms_unknown_hour", Count: 4, Period: time.Hour},
		{Name: "sms_unknown_day", Count: 8, Period: day},
		{Name: "sms_stranger_hour", Count: 3, Period: time.Hour},
		{Name: "sms_stranger_day", Count: 6, Period: day},
		{Name: "sms_ip_hour", Count: 10, Period: time.Hour},
		{Name: "sms_ip_day", Count: 50, Period: day},
		{Name: "sms_net_hour", Count: 50, Period: time.Hour},
		{Name: "sms_prefix", Count: 20, Period: 10 * time.Minute},
		{Name: "check_ip", Count: 30, Period: 5 * time.Minute},
		{Name: "code_wrong_all", Count: 1369, Period: day},
		{Name: "resend_email", Count: 5, Period: day},
		{Name: "mail_domain_hour", Count: 500, Period: time.Hour},
		{Name: "mail_total_hour", Count: 30_000, Period: time.Hour},
		{Name: "sms_conversion", Count: 15, Period: 10 * time.Minute, Percent: 30, History: day},
		{Name: "sms_budget_day", Period: day},
		{Name: "sms_budget_unknown", Period: day},
		{Name: "login_name", Count: 3, Period: 15 * time.Minute},
		{Name: "login_addr", Count: 3, Period: 15 * time.Minute},
		{Name: "login_addr_net", Count: 15, Period: 15 * time.Minute},
		{Name: "sms_net_day", Count: 250, Period: day},
		{Name: "lookup_net", Count: 300, Period: 5 * time.Minute},
		{Name: "lookup_all", Count: 20_000, Period: 5 * time.Minute},
		{Name: "captcha_all", Count: 1_000_000, Period: 10 * time.Minute},
		{Name: "captcha_audio_all", Count: 250_000, Period: 10 * time.Minute},
		{Name: "check_all", Count: 500_000, Period: 5 * time.Minute},
		{Name: "login_name_net", Count: 10, Period: 15 * time.Minute},
		{Name: "login_name_all", Count: 30, Period: 15 * time.Minute},
	} {
		if diff := cmp.Diff(want, set[want.Name]); diff != "" {
			t.Errorf("%s, -want +got:\n%s", want.Name, diff)
		}
	}
}

func TestNames_are_unique_on_and_fit_for_settings(t *testing.T) {
	t.Parallel()
	set, form := limits.Defaults(), regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	if len(limits.Names()) != len(set) {
		t.Errorf("%d names for %d limits", len(limits.Names()), len(set))
	}
	for _, name := range limits.Names() {
		if limit := set[name]; limit.Name != name || limit.Off() != strings.Contains(string(name), "_budget_") || !form.MatchString(string(name)) {
			t.Errorf("%q has the limit %+v", name, limit)
		}
	}
}

func TestBudget_is_counted_in_messages(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		money, price float64
		count        int
	}{
		{45, 0.045, 1000},
		{0.9, 0.045, 20},
		{1, 0.3, 3},
		{100, 0.035, 2857},
		{0, 0.045, 0},
		{-1, 0.045, 0},
		{5, 0, 0},
		{0.01, 0.045, 1},
		{1e30, 1e-9, 1_000_000_000},
	} {
		limit := limits.Defaults().WithBudget(test.money, test.price)[limits.SMSBudgetDay]
		if limit.Count != test.count || limit.Name != limits.SMSBudgetDay || limit.Period != 24*time.Hour {
			t.Errorf("WithBudget(%v, %v) = %+v, want a count of %d", test.money, test.price, limit, test.count)
		}
	}
}

func TestNames_are_explained_to_operators(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range limits.Names() {
		if !strings.Contains(string(text), "`"+string(name)+"`") {
			t.Errorf("docs/limits.md does not tell what %s counts", name)
		}
	}
}

func TestBudget_is_followed_by_the_limits_that_share_it(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		money              float64
		setting            string
		day, unknown, hour int
	}{
		{45, "", 1000, 800, 300},
		{450, "", 10000, 8000, 3000},
		{0.45, "", 10, 8, 20},
		{0.045, "", 1, 1, 20},
		{0, "", 0, 0, 100_000},
		{45, "sms_budget_day=50/24h", 50, 40, 300},
		{45, "sms_budget_day=off", 0, 0, 300},
		{45, "sms_budget_day=50/24h,sms_budget_unknown=50/24h,sms_total=7/1h", 50, 50, 7},
		{0, "sms_budget_day=50/24h", 50, 40, 100_000},
	} {
		set, err := limits.Defaults().WithBudget(test.money, 0.045).Parse(test.setting)
		if err != nil {
			t.Fatal(err)
		}
		day, unknown, hour := set[limits.SMSBudgetDay], set[limits.SMSBudgetUnknown], set[limits.SMSTotal]
		if day.Count != test.day || unknown.Count != test.unknown || hour.Count != test.hour {
			t.Errorf("%v and %q: %d a day, %d of them for unknown networks, %d an hour; want %d, %d, %d",
				test.money, test.setting, day.Count, unknown.Count, hour.Count, test.day, test.unknown, test.hour)
		}
		if unknown.Name != limits.SMSBudgetUnknown || unknown.Period != day.Period {
			t.Errorf("the strangers' part is %+v", unknown)
		}
	}
	if set := limits.Defaults(); !set[limits.SMSBudgetDay].Off() {
		t.Error("the defaults were changed")
	}
}

func TestTotals_are_the_limits_of_all_requests_that_are_on(t *testing.T) {
	t.Parallel()
	set := limits.Defaults().WithBudget(45, 0.045)
	shown := map[limits.Name]bool{}
	for _, limit := range set.Totals() {
		shown[limit.Name] = true
	}
	for _, name := range limits.Names() {
		total := strings.HasSuffix(string(name), "_all") || strings.Contains(string(name), "_total") || strings.HasPrefix(string(name), "sms_budget")
		if want := total && name != limits.LoginNameAll; shown[name] != want { // which counts for each login name
			t.Errorf("%s is among the totals: %t, want %t", name, shown[name], want)
		}
	}
	off, err := set.Parse("lookup_all=off")
	if err != nil || len(off.Totals()) != len(set.Totals())-1 {
		t.Errorf("a total that is off is shown: %v, %v", off.Totals(), err)
	}
}
