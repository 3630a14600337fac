package prove_test

import (
	"sync"
	"testing"
	"time"
)

const (
	sms   = "sms"
	email = "email"
)

// ledger has the messages that were requested of a deployment and those that it acknowledged. Every request has a number or an
// address of its own, so that one recipient stands for one message. It is safe for concurrent use.
type ledger struct {
	mu       sync.Mutex
	promises map[string]promise // by recipient
}

type promise struct {
	channel      string
	acknowledged time.Time // zero: refused, unanswered or under way, and free to vanish
	expires      time.Time // zero: never
}

func newLedger() *ledger { return &ledger{promises: map[string]promise{}} }

// ask enters a message that is about to be asked for.
func (l *ledger) ask(channel, to string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.promises[to] = promise{channel: channel}
}

// acknowledge enters that a message was promised, and for how long it is of use; 0 means for ever.
func (l *ledger) acknowledge(to string, lifetime time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.promises[to]
	p.acknowledged = time.Now()
	if lifetime > 0 {
		p.expires = p.acknowledged.Add(lifetime)
	}
	l.promises[to] = p
}

// open returns the recipients of messages that were acknowledged before a time, live and have not arrived.
func (l *ledger) open(j *journal, before time.Time) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []string
	for to, p := range l.promises {
		if !p.acknowledged.IsZero() && p.acknowledged.Before(before) && !p.expired(time.Now()) {
			list = append(list, to)
		}
	}
	return j.missing(list)
}

func (p promise) expired(now time.Time) bool { return !p.expires.IsZero() && now.After(p.expires) }

// verdict compares the messages that were acknowledged with those that arrived: acknowledged ⊆ delivered ⊆ requested.
type verdict struct {
	requested, acknowledged, delivered int

	lost    []string // acknowledged, alive, never delivered
	expired []string // acknowledged, and never delivered in their lifetime
	unasked []string // delivered, and never requested
	changed []string // delivered twice as two messages: another code, another Message-ID
	twice   map[string]int
}

// judge compares promises with arrivals.
func (l *ledger) judge(arrived []arrival, now time.Time) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := verdict{requested: len(l.promises), delivered: len(arrived), twice: map[string]int{}}
	first := map[string]arrival{}
	for _, a := range arrived {
		was, again := first[a.To]
		switch {
		case l.promises[a.To].channel != a.Channel:
			v.unasked = append(v.unasked, a.To)
		case !again:
			first[a.To] = a
		case was.Code != a.Code || was.MessageID != a.MessageID:
			v.changed = append(v.changed, a.To)
			v.twice[a.Channel]++
		default:
			v.twice[a.Channel]++
		}
	}
	for to, p := range l.promises {
		if p.acknowledged.IsZero() {
			continue
		}
		v.acknowledged++
		switch _, here := first[to]; {
		case here:
		case p.expired(now):
			v.expired = append(v.expired, to)
		default:
			v.lost = append(v.lost, to)
		}
	}
	return v
}

// judge puts the verdict into the row. The bounds are for messages that arrived twice, by channel.
func (r *row) judge(v verdict, twice map[string]int) {
	r.t.Helper()
	r.exactly("lost", len(v.lost), 0)
	r.exactly("unasked", len(v.unasked), 0)
	r.exactly("changed", len(v.changed), 0)
	if len(v.expired) > 0 {
		r.note("%d expired unsent", len(v.expired))
	}
	for _, channel := range []string{sms, email} {
		if bound, judged := twice[channel]; judged {
			r.atMost(channel+" twice", v.twice[channel], bound)
		}
	}
	for name, list := range map[string][]string{"lost": v.lost, "unasked": v.unasked, "changed": v.changed} {
		if len(list) > 0 {
			r.t.Logf("%s: %v", name, list[:min(len(list), 20)])
		}
	}
}

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
