package vitals_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/messages"
	"usher/vitals"
)

// healthy is a deployment with two workers that sent a hundred codes lately, without problems.
func healthy(at time.Time) vitals.Facts {
	traffic := vitals.NewTraffic(vitals.Window{Since: at.Add(-time.Hour), Until: at, Slot: time.Minute, Recent: at.Add(-vitals.Recent)})
	traffic.Add(vitals.Part{Channel: messages.SMS, Slot: 59, Provider: "aliyun", Recent: true}, vitals.Tally{
		Asked: 100, Accepted: 100, Delivered: 97, Undelivered: 3, Used: 90,
		Acceptance: vitals.Times{200 * time.Millisecond: 100}, Delivery: vitals.Times{1300 * time.Millisecond: 97},
	})
	worker := func(id string) vitals.Worker {
		return vitals.Worker{
			ID: id, Channels: []messages.Channel{messages.SMS, messages.Email},
			Breakers: map[string]string{"aliyun": "closed", "ronglian": "closed"},
		}
	}
	return vitals.Facts{
		At: at, Traffic: traffic, Workers: []vitals.Worker{worker("a"), worker("b")},
		Queues: []vitals.Queue{{Name: "sms"}, {Name: "email"}},
		Outbox: &vitals.Backlog{}, Outcomes: &vitals.Backlog{}, Budget: &vitals.Budget{Count: 100, Left: 100},
	}
}

func TestFacts_Judge(t *testing.T) {
	t.Parallel()
	at := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
	ago := func(d time.Duration) *vitals.Backlog { return &vitals.Backlog{Count: 2, Oldest: at.Add(-d)} }
	sms := func(change func(*vitals.Tally)) func(*vitals.Facts) {
		return func(f *vitals.Facts) { change(&f.Traffic.SMS.Recent) }
	}
	for name, test := range map[string]struct {
		change func(*vitals.Facts)
		want   []string // levels, rules and what is put into their sentences
	}{
		"no problems": {func(*vitals.Facts) {}, []string{"green arrive [97 100 1.3s]"}},
		"no reports": {
			sms(func(t *vitals.Tally) { t.Delivered, t.Undelivered = 0, 0 }), []string{"green accepted [100 100 200ms]"},
		},
		"the first ones":          {sms(func(t *vitals.Tally) { *t = vitals.Tally{Asked: 2, Waiting: 2} }), []string{"green under_way [2]"}},
		"no requests":             {sms(func(t *vitals.Tally) { *t = vitals.Tally{} }), []string{"green quiet []"}},
		"redis is unavailable":    {func(f *vitals.Facts) { f.Unavailable = []string{"redis"} }, []string{"red redis_unavailable []"}},
		"database is unavailable": {func(f *vitals.Facts) { f.Unavailable, f.Traffic = []string{"database"}, nil }, []string{"red database_unavailable []"}},
		"figures are slow":        {func(f *vitals.Facts) { f.Traffic = nil }, []string{"amber no_figures []"}},
		"no workers":              {func(f *vitals.Facts) { f.Workers = nil }, []string{"red no_sms_worker []"}},
		"workers are not known": {
			func(f *vitals.Facts) { f.Workers, f.Missing = nil, []vitals.Source{vitals.SourceWorkers} }, []string{"green arrive [97 100 1.3s]"},
		},
		"mails have no worker": {
			func(f *vitals.Facts) {
				f.Workers[0].Channels, f.Workers[1].Channels = f.Workers[0].Channels[:1], f.Workers[1].Channels[:1]
				f.Outbox = ago(time.Second)
			},
			[]string{"amber no_mail_worker []"},
		},
		"codes are behind":         {func(f *vitals.Facts) { f.Queues[0].Oldest = 6 * time.Second }, []string{"amber queue_waits [sms 6s]"}},
		"codes are far behind":     {func(f *vitals.Facts) { f.Queues[0].Oldest = time.Minute }, []string{"red queue_waits [sms 1m0s]"}},
		"mails are behind":         {func(f *vitals.Facts) { f.Queues[1].Oldest = 2 * time.Minute }, []string{"amber queue_waits [email 2m0s]"}},
		"codes are paused":         {func(f *vitals.Facts) { f.Queues[0].Paused = true }, []string{"red paused [sms]"}},
		"mails are paused":         {func(f *vitals.Facts) { f.Queues[1].Paused = true }, []string{"amber paused [email]"}},
		"some are refused":         {sms(func(t *vitals.Tally) { t.Accepted, t.Failed = 90, 10 }), []string{"amber few_accepted [90 100]"}},
		"many are refused":         {sms(func(t *vitals.Tally) { t.Accepted, t.Failed = 70, 30 }), []string{"red few_accepted [70 100]"}},
		"some do not arrive":       {sms(func(t *vitals.Tally) { t.Delivered, t.Undelivered = 90, 10 }), []string{"amber few_delivered [90 100]"}},
		"many do not arrive":       {sms(func(t *vitals.Tally) { t.Delivered, t.Undelivered = 79, 21 }), []string{"red few_delivered [79 100]"}},
		"a few are no rate":        {sms(func(t *vitals.Tally) { t.Delivered, t.Undelivered = 5, 4 }), []string{"green arrive [55.55555555555556 9 1.3s]"}},
		"a few of which none came": {sms(func(t *vitals.Tally) { t.Delivered, t.Undelivered = 0, 3 }), []string{"red few_delivered [0 3]"}},
		"few are entered":          {sms(func(t *vitals.Tally) { t.Used = 20 }), []string{"amber few_used [20 100]"}},
		"one breaker":              {func(f *vitals.Facts) { f.Workers[0].Breakers["aliyun"] = "open" }, []string{"amber breaker [aliyun 1 2]"}},
		"all breakers": {
			func(f *vitals.Facts) {
				for _, w := range f.Workers {
					w.Breakers["aliyun"], w.Breakers["ronglian"] = "open", "open"
				}
			},
			[]string{"red all_breakers [[{aliyun {0001-01-01 00:00:00 +0000 UTC   false}} {ronglian {0001-01-01 00:00:00 +0000 UTC   false}}]]"},
		},
		"breakers that wait for traffic": {
			func(f *vitals.Facts) {
				for _, w := range f.Workers {
					w.Breakers["aliyun"], w.Breakers["ronglian"] = "open", "half_open"
				}
			},
			[]string{"amber breaker [aliyun 2 2]"},
		},
		"slow": {
			sms(func(t *vitals.Tally) { t.Acceptance = vitals.Times{6 * time.Second: 100} }), []string{"amber slow [6s]"},
		},
		"little budget":     {func(f *vitals.Facts) { f.Budget.Left = 19 }, []string{"amber budget_low [19 19]"}},
		"no budget left":    {func(f *vitals.Facts) { f.Budget.Left = 0 }, []string{"red budget_spent [100]"}},
		"mails wait":        {func(f *vitals.Facts) { f.Outbox = ago(6 * time.Minute) }, []string{"amber outbox_waits [2 6m0s]"}},
		"mails are refused": {func(f *vitals.Facts) { f.Traffic.Mail.Recent = vitals.Tally{Accepted: 9, Failed: 1} }, []string{"amber few_mails [90 10]"}},
		"one of two workers sends mails": {
			func(f *vitals.Facts) { f.Workers[0].MailOutage = "timeout" }, []string{"amber mails_down [timeout 1 2]"},
		},
		"no worker sends mails": {
			func(f *vitals.Facts) {
				f.Workers[0].MailOutage, f.Workers[1].MailOutage = "login_refused", "login_refused"
			},
			[]string{"red mails_down [login_refused 2 2]"},
		},
		"mails are refused and wait": {
			func(f *vitals.Facts) { f.Traffic.Mail.Recent = vitals.Tally{Accepted: 8, Waiting: 4, Refused: 4} }, []string{"amber few_mails [66.66666666666667 12]"},
		},
		"no mail is taken": {
			func(f *vitals.Facts) { f.Traffic.Mail.Recent = vitals.Tally{Waiting: 3, Refused: 3} }, []string{"red few_mails [0 3]"},
		},
		"two mails are no rate": {
			func(f *vitals.Facts) { f.Traffic.Mail.Recent = vitals.Tally{Waiting: 2, Refused: 2} }, []string{"green arrive [97 100 1.3s]"},
		},
		"figures lag": {func(f *vitals.Facts) { f.Outcomes = ago(time.Minute) }, []string{"amber outcomes_wait [2 1m0s]"}},
		"events wait": {
			func(f *vitals.Facts) {
				f.Workers[0].Queues, f.Events = []string{"events"}, &vitals.Events{Waiting: 7, Behind: 61 * time.Second}
			},
			[]string{"amber events_wait [7 1m1s]"},
		},
		"endpoints work, or have just failed, or are meant to be disabled, or have long been": {
			func(f *vitals.Facts) {
				f.Workers[0].Queues = []string{"events"}
				f.Events = &vitals.Events{Waiting: 7, Behind: time.Minute, Endpoints: []vitals.Endpoint{
					{ID: "a"},
					{ID: "b", FailingSince: at.Add(-10 * time.Minute)},
					{ID: "c", DisabledAt: at.Add(-time.Minute), Disabled: vitals.ByOperator, FailingSince: at.Add(-time.Hour)},
					{ID: "d", DisabledAt: at.Add(-6 * 24 * time.Hour), Disabled: vitals.ByFailures},
				}}
			},
			[]string{"green arrive [97 100 1.3s]"},
		},
		"endpoints fail": {
			func(f *vitals.Facts) {
				f.Events = &vitals.Events{Endpoints: []vitals.Endpoint{
					{ID: "a", FailingSince: at.Add(-time.Hour)},
					{ID: "b", FailingSince: at.Add(-6 * 24 * time.Hour), DisabledAt: at.Add(-24 * time.Hour), Disabled: vitals.ByFailures},
					{ID: "c", DisabledAt: at.Add(-time.Minute), Disabled: vitals.ByAnswer},
					{ID: "d", FailingSince: at.Add(-time.Hour)},
					{ID: "e", FailingSince: at.Add(-time.Hour)},
					{ID: "f"},
				}}
			},
			[]string{"amber endpoint_fails [a]", "amber endpoint_given_up [b]", "amber endpoint_gone [c]", "amber endpoints_more [2]"},
		},
		"the worst is said first": {
			func(f *vitals.Facts) { f.Budget.Left = 19; f.Queues[0].Paused = true },
			[]string{"red paused [sms]", "amber budget_low [19 19]"},
		},
		"one root is one finding": {
			func(f *vitals.Facts) {
				f.Unavailable, f.Outbox, f.Outcomes = []string{"redis"}, ago(time.Hour), ago(time.Hour)
				f.Workers, f.Queues[0].Oldest = nil, time.Hour
				f.Traffic.SMS.Recent = vitals.Tally{Asked: 9, Expired: 9}
			},
			[]string{"red redis_unavailable []"},
		},
		"redis is full": {
			func(f *vitals.Facts) {
				f.Unavailable, f.Memory = []string{"redis"}, &vitals.Memory{Used: 98 << 20, Most: 100 << 20}
			},
			[]string{"red redis_full [98]"},
		},
		"redis is nearly full": {
			func(f *vitals.Facts) { f.Memory = &vitals.Memory{Used: 85 << 20, Most: 100 << 20} }, []string{"amber redis_memory [85]"},
		},
		"a clock is off": {
			func(f *vitals.Facts) { f.Workers[1].Host, f.Workers[1].ClockAhead = "w2", -2*time.Second }, []string{"amber clock_off [w2 2s]"},
		},
		"a paused queue explains what follows": {
			func(f *vitals.Facts) { f.Queues[1].Paused, f.Outbox = true, ago(time.Hour) }, []string{"amber paused [email]"},
		},
		"the only vendor refuses the account": {
			func(f *vitals.Facts) {
				for i := range f.Workers {
					f.Workers[i].Breakers = map[string]string{"aliyun": "open"}
					f.Workers[i].Outages = map[string]vitals.Outage{"aliyun": {Since: at.Add(-time.Hour), Code: "isv.AMOUNT_NOT_ENOUGH", Account: true}}
				}
				f.Traffic.SMS.Recent = vitals.Tally{Asked: 9, Expired: 9}
			},
			[]string{"red vendor_refuses [aliyun balance isv.AMOUNT_NOT_ENOUGH]"},
		},
		"one of two vendors refuses the sign name": {
			func(f *vitals.Facts) {
				f.Workers[0].Breakers["aliyun"] = "half_open"
				f.Workers[0].Outages = map[string]vitals.Outage{"aliyun": {Code: "isv.SMS_SIGNATURE_ILLEGAL", Account: true}}
			},
			[]string{"amber vendor_refuses [aliyun signature isv.SMS_SIGNATURE_ILLEGAL]"},
		},
		"events have no worker": {
			func(f *vitals.Facts) { f.Events = &vitals.Events{Waiting: 7, Behind: time.Hour} }, []string{"amber no_event_worker [7]"},
		},
		"mails are held back": {
			func(f *vitals.Facts) {
				f.Traffic.Dead = []vitals.DeadGroup{{Channel: messages.Email, Reason: "set_back", Count: 4}}
			},
			[]string{"amber mails_held [4]"},
		},
		"jobs fail or are not done": {
			func(f *vitals.Facts) {
				f.JobsRan = map[string]time.Time{"a": at.Add(-time.Minute), "b": at.Add(-time.Hour), "c": at.Add(-time.Hour), "canary": at.Add(-time.Hour)}
				f.Workers[0].Since = at.Add(-24 * time.Hour)
				failing := at.Add(-30 * time.Minute)
				f.Workers[0].Jobs = []vitals.Job{
					{Name: "a", Every: time.Minute},
					{Name: "b", Every: time.Minute},
					{Name: "c", Every: time.Minute, FailingSince: failing},
					{Name: "canary", Every: 20 * time.Minute, FailingSince: failing},
					{Name: "never", Every: 24 * time.Hour},
				}
			},
			[]string{"amber job_late [b]", "amber job_fails [c]", "amber canary_fails [canary]"},
		},
		"the process is overloaded": {
			func(f *vitals.Facts) {
				f.Process = &vitals.Process{Requests: 1000, Errors: 100, Admission: map[string]vitals.Ratio{"general": {Part: 100, Of: 1000}}}
			},
			[]string{"red overloaded [general 10]"},
		},
		"limits and wrong answers": {
			func(f *vitals.Facts) {
				f.Process = &vitals.Process{
					Requests: 500, Errors: 6, Slow: "/v1/session", Limited: map[string]int{"sms_total": 1, "sms_ip_hour": 60, "sms_resend": 99},
					LimitsLeft: map[string]vitals.Ratio{"code_wrong_all": {Part: 1, Of: 10}, "sms_total": {Part: 1, Of: 10}, "sms_budget_day": {Of: 10}},
					SignIns:    vitals.Ratio{Part: 60, Of: 100}, Captchas: vitals.Ratio{Part: 51, Of: 100}, Blocked: 3,
				}
			},
			[]string{
				"red api_errors [1.2 500]", "red total_reached [1]", "amber api_slow [/v1/session]", "amber limit_refuses [sms_ip_hour 12]",
				"amber codes_guessed [10]", "amber limit_low [sms_total 10]", "amber sign_ins_fail [60 100]", "amber captchas_wrong [51 100]",
				"amber prefix_blocked [3]",
			},
		},
		"nothing is known": {
			func(f *vitals.Facts) {
				*f = vitals.Facts{At: f.At, Unavailable: []string{"database", "redis"}, Missing: []vitals.Source{vitals.SourceWorkers}}
			},
			[]string{"red database_unavailable []", "red redis_unavailable []"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			facts := healthy(at)
			test.change(&facts)
			var got []string
			for _, f := range facts.Judge() {
				got = append(got, fmt.Sprint(f.Level, " ", f.Rule, " ", f.Args))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestTimes_Percentile(t *testing.T) {
	t.Parallel()
	times := vitals.Times{time.Second: 94, 2 * time.Second: 5, time.Minute: 1}
	for percent, want := range map[float64]time.Duration{
		0: time.Second, 50: time.Second, 94: time.Second, 95: 2 * time.Second, 99: 2 * time.Second, 100: time.Minute,
	} {
		if got, ok := times.Percentile(percent); !ok || got != want {
			t.Errorf("p%v = %v, %v, want %v", percent, got, ok, want)
		}
	}
	if _, ok := (vitals.Times{}).Percentile(50); ok {
		t.Error("nothing has a median")
	}
}

func TestFacts_Judge_names_the_people_and_the_time(t *testing.T) {
	t.Parallel()
	at := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
	f := healthy(at)
	for prefix, lost := range map[string]int{"138": 1, "139": 0, "+852": 18} {
		f.Traffic.Add(vitals.Part{Channel: messages.SMS, Prefix: prefix, Recent: true}, vitals.Tally{
			Asked: 20, Accepted: 20, Delivered: 20 - lost, Undelivered: lost,
		})
	}
	f.Queues[1].Oldest = time.Hour
	watch := &vitals.Watch{}
	look := func(at time.Time) []vitals.Finding { f.At = at; return watch.Date(at, f.Judge()) }
	found := look(at)
	if len(found) != 2 || found[1].Rule != "few_delivered" || found[1].Hit != "prefixes" || fmt.Sprint(found[1].HitArgs) != "[+852]" {
		t.Fatalf("%+v", found)
	}
	if !found[1].AtLeast || !found[1].Since.Equal(at) || found[0].AtLeast || !found[0].Since.Equal(at.Add(-time.Hour)) {
		t.Errorf("times of the first look: %+v", found)
	}
	f.Process = &vitals.Process{Slow: "/login"}
	for range 4 {
		at = at.Add(time.Minute)
		found = look(at)
	}
	slow := found[len(found)-1]
	if slow.Rule != "api_slow" || slow.AtLeast || !slow.Since.Equal(at.Add(-3*time.Minute)) || !found[1].AtLeast {
		t.Errorf("after four minutes: %+v", found)
	}
	f.Process = nil
	look(at.Add(time.Minute))
	look(at.Add(4 * time.Minute))
	f.Process = &vitals.Process{Slow: "/login"}
	found = look(at.Add(5 * time.Minute))
	if slow = found[len(found)-1]; !slow.Since.Equal(at.Add(5 * time.Minute)) {
		t.Errorf("a finding that had ended begins anew: %+v", slow)
	}
}

func TestFacts_Notes(t *testing.T) {
	t.Parallel()
	at := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
	f := healthy(at)
	f.Events = &vitals.Events{Endpoints: []vitals.Endpoint{{ID: "c", DisabledAt: at, Disabled: vitals.ByOperator}}}
	f.Queues[0].Archived, f.Rotating = 2, vitals.Rotating{Secrets: true, Tokens: true}
	var got []string
	for _, n := range f.Notes() {
		got = append(got, fmt.Sprint(n.Rule, " ", n.Args))
	}
	want := []string{"note_endpoint_off [c]", "note_archived [sms 2]", "note_secret_keys []", "note_token_keys []"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
