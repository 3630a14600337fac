package limits_test

import (
	"regexp"
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
		{Name: "check_mobile_hour", Count: 15, Period: time.Hour},
		{Name: "check_mobile_day", Count: 50, Period: day},
		{Name: "resend_email", Count: 5, Period: day},
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
		if limit := set[name]; limit.Name != name || limit.Off() || !form.MatchString(string(name)) {
			t.Errorf("%q has the limit %+v", name, limit)
		}
	}
}
