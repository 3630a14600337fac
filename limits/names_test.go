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
		{Name: "sms_ip_hour", Count: 10, Period: time.Hour},
		{Name: "sms_ip_day", Count: 50, Period: day},
		{Name: "sms_net_hour", Count: 50, Period: time.Hour},
		{Name: "sms_prefix", Count: 20, Period: 10 * time.Minute},
		{Name: "check_ip", Count: 30, Period: 5 * time.Minute},
		{Name: "resend_email", Count: 5, Period: day},
		{Name: "sms_conversion", Count: 50, Period: 10 * time.Minute, Percent: 30},
		{Name: "sms_budget_day", Period: day},
		{Name: "login_name", Count: 3, Period: 15 * time.Minute},
		{Name: "login_addr", Count: 3, Period: 15 * time.Minute},
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
		if limit := set[name]; limit.Name != name || limit.Off() != (name == limits.SMSBudgetDay) || !form.MatchString(string(name)) {
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
		limit := limits.Budget(test.money, test.price)
		if limit.Count != test.count || limit.Name != limits.SMSBudgetDay || limit.Period != 24*time.Hour {
			t.Errorf("Budget(%v, %v) = %+v, want a count of %d", test.money, test.price, limit, test.count)
		}
	}
}

func TestNames_are_explained_to_operators(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range limits.Names() {
		if !strings.Contains(string(text), "`"+string(name)+"`") {
			t.Errorf("docs/operations.md does not tell what %s counts", name)
		}
	}
}
