package limits_test

import (
	"testing"

	"usher/limits"
)

func TestRisk_Note_keeps_the_fullest_of_each_kind(t *testing.T) {
	t.Parallel()
	var r limits.Risk
	for _, used := range []struct {
		name        limits.Name
		count, used int
	}{
		{limits.SMSIPHour, 10, 4},
		{limits.SMSIPDay, 50, 3},
		{limits.SMSIPHour.Net(), 50, 29},
		{limits.SMSTotal, 300, 170},
		{limits.SMSPrefix, 20, 13},
		{limits.SMSBudgetDay, 1000, 709},
		{limits.SMSBudgetUnknown, 800, 719},
		{limits.SMSIPHour, 9, 9},
		{limits.SMSPrefix, 19, 19}, // too small
		{limits.SMSIPDay, 0, 7},    // off
		{limits.LookupIP, 60, 60},
		{limits.SMSMobileHour, 50, 50}, // of something else
		{limits.SMSConversion, 15, 15}, // a guard refuses nothing while codes are entered
	} {
		r.Note(limits.Limit{Name: used.name, Count: used.count}, used.used)
	}
	if want := (limits.Risk{Limits: 58, Prefix: 65, Budget: 89}); r != want {
		t.Errorf("got %+v, want %+v", r, want)
	}
	r.Note(limits.Limit{Name: limits.SMSTotal, Count: 20}, 25) // as after a change of the setting
	if r.Limits != 100 {
		t.Errorf("a limit with more units than its count is used by %d %%", r.Limits)
	}
}
