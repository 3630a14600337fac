package prove_test

import (
	"testing"
	"time"
)

func TestLedger_judges_what_it_is_there_for(t *testing.T) {
	t.Parallel()
	now := time.Now()
	tests := map[string]struct {
		arrived []arrival
		late    time.Duration
		check   func(verdict) bool
	}{
		"all is well":        {[]arrival{{Channel: email, To: "a"}, {Channel: sms, To: "1"}}, 0, verdict.clean},
		"unanswered arrives": {[]arrival{{Channel: email, To: "a"}, {Channel: sms, To: "1"}, {Channel: email, To: "b"}}, 0, verdict.clean},
		"lost":               {[]arrival{{Channel: sms, To: "1"}}, 0, func(v verdict) bool { return len(v.lost) == 1 }},
		"expired": {
			[]arrival{{Channel: email, To: "a"}},
			time.Hour,
			func(v verdict) bool { return len(v.lost) == 0 && len(v.expired) == 1 },
		},
		"unasked": {[]arrival{{Channel: email, To: "c"}}, 0, func(v verdict) bool { return len(v.unasked) == 1 }},
		"astray":  {[]arrival{{Channel: sms, To: "a"}}, 0, func(v verdict) bool { return len(v.unasked) == 1 && len(v.lost) == 2 }},
		"twice": {
			[]arrival{{Channel: email, To: "a", MessageID: "x"}, {Channel: email, To: "a", MessageID: "x"}},
			0,
			func(v verdict) bool { return v.twice[email] == 1 && len(v.changed) == 0 },
		},
		"another mail": {
			[]arrival{{Channel: email, To: "a", MessageID: "x"}, {Channel: email, To: "a", MessageID: "y"}},
			0,
			func(v verdict) bool { return len(v.changed) == 1 },
		},
		"another code": {
			[]arrival{{Channel: sms, To: "1", Code: "11"}, {Channel: sms, To: "1", Code: "12"}},
			0,
			func(v verdict) bool { return v.twice[sms] == 1 && len(v.changed) == 1 },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLedger()
			for to, channel := range map[string]string{"a": email, "b": email, "1": sms} {
				l.ask(channel, to)
			}
			l.acknowledge("a", 0)
			l.acknowledge("1", time.Minute)
			if v := l.judge(test.arrived, now.Add(test.late)); !test.check(v) {
				t.Errorf("verdict %+v", v)
			}
		})
	}
}

func (v verdict) clean() bool {
	return len(v.lost)+len(v.expired)+len(v.unasked)+len(v.changed)+v.twice[sms]+v.twice[email] == 0
}
