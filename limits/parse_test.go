package limits_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/limits"
)

func TestParse_changes_what_it_names_and_leaves_the_rest(t *testing.T) {
	t.Parallel()
	want := limits.Defaults()
	want[limits.SMSIPHour] = limits.Limit{Name: limits.SMSIPHour, Count: 3, Period: 90 * time.Second}
	want["sms_net_hour"] = limits.Limit{Name: "sms_net_hour", Count: 15, Period: 90 * time.Second}
	off := want[limits.SMSTotal]
	off.Count = 0
	want[limits.SMSTotal] = off
	got, err := limits.Defaults().Parse(" sms_ip_hour=3/90s, sms_total=off ")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !got[limits.SMSTotal].Off() || got[limits.SMSIPHour].Off() || !got["unheard_of"].Off() {
		t.Error("Off is wrong")
	}
	if got, err := limits.Defaults().Parse("  "); err != nil || !cmp.Equal(got, limits.Defaults()) {
		t.Errorf("Parse of nothing = %v, %v", got, err)
	}
}

func TestParse_a_network_follows_its_address_unless_it_is_set(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]limits.Limit{
		"lookup_ip=7/1h":                       {Name: "lookup_net", Count: 35, Period: time.Hour},
		"lookup_ip=off":                        {Name: "lookup_net", Period: 5 * time.Minute},
		"lookup_ip=7/1h,lookup_net=9/2h":       {Name: "lookup_net", Count: 9, Period: 2 * time.Hour},
		"lookup_net=9/2h,lookup_ip=off":        {Name: "lookup_net", Count: 9, Period: 2 * time.Hour},
		"lookup_net=off":                       {Name: "lookup_net", Period: 5 * time.Minute},
		"lookup_ip=1000000000/1h,login_ip=off": {Name: "lookup_net", Count: 1_000_000_000, Period: time.Hour},
	} {
		set, err := limits.Defaults().Parse(setting)
		if err != nil {
			t.Errorf("%s: %v", setting, err)
		}
		if diff := cmp.Diff(want, set["lookup_net"]); diff != "" {
			t.Errorf("%s, -want +got:\n%s", setting, diff)
		}
	}
}

func TestParse_reads_a_guard_with_and_without_its_percentage(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]limits.Limit{
		"sms_conversion=20/5m":     {Name: limits.SMSConversion, Count: 20, Period: 5 * time.Minute, Percent: 30, History: 24 * time.Hour},
		"sms_conversion=20/5m/45%": {Name: limits.SMSConversion, Count: 20, Period: 5 * time.Minute, Percent: 45, History: 24 * time.Hour},
		"sms_conversion=off":       {Name: limits.SMSConversion, Period: 10 * time.Minute, Percent: 30, History: 24 * time.Hour},
	} {
		set, err := limits.Defaults().Parse(setting)
		if err != nil {
			t.Errorf("%s: %v", setting, err)
		}
		if diff := cmp.Diff(want, set[limits.SMSConversion]); diff != "" {
			t.Errorf("%s, -want +got:\n%s", setting, diff)
		}
	}
}

func TestParse_names_all_mistakes_at_once(t *testing.T) {
	t.Parallel()
	mistakes := []string{
		"sms_mobile_hour", "unknown=1/1h", "sms_ip_hour=1", "sms_ip_day=0/1h", "sms_net_hour=-1/1h", "sms_prefix=1/x",
		"check_ip=1/1ms", "login_ip=1/800h", "lookup_ip=1/1s1ns", "captcha_ip=9999999999/1h", "=", "SMS_TOTAL=1/1h",
		"sms_conversion=50/10m/0%", "sms_conversion=50/10m/101%", "sms_conversion=30%", "sms_conversion=50/10m/30", "reset_ip=1/1h/30%",
	}
	set, err := limits.Defaults().Parse(strings.Join(mistakes, ",") + ",sms_total=1/1h,sms_total=2/1h,")
	if err == nil || set != nil {
		t.Fatalf("accepted: %v", set)
	}
	for _, mistake := range append(mistakes, "sms_total=2/1h", "") {
		if !strings.Contains(err.Error(), fmt.Sprintf("limit %q: ", mistake)) {
			t.Errorf("%q is not named in:\n%v", mistake, err)
		}
	}
	if strings.Contains(err.Error(), "sms_total=1/1h") {
		t.Errorf("what is right is named in:\n%v", err)
	}
}

// Whatever is accepted must be a set that stores can count with.
func FuzzParse(f *testing.F) {
	f.Add("sms_ip_hour=10/1h,check_ip=30/5m,login_ip=off")
	f.Add("sms_ip_hour=1/1h,sms_ip_hour=1/1h")
	f.Add("=,/,off")
	f.Add("sms_total=١/1h")
	f.Fuzz(func(t *testing.T, setting string) {
		set, err := limits.Defaults().Parse(setting)
		if err != nil {
			return
		}
		if len(set) != len(limits.Defaults()) {
			t.Errorf("%d limits", len(set))
		}
		for name, limit := range set {
			if limit.Name != name || limit.Count < 0 || limit.Period < time.Second || limit.Period > 31*24*time.Hour {
				t.Errorf("%q = %+v", name, limit)
			}
		}
	})
}
