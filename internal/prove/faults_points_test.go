package prove_test

import (
	"testing"

	"usher/internal/faultproxy"
)

// point is a moment in a message's way.
type point struct {
	name string
	// arm makes a process stop there. The first function returned waits until the process
	// has stopped with the message; the second throws away what is held.
	arm func(t testing.TB, s *faultySetup, m *member) (reached func(to string), drop func())
	// handed says that the vendor has the message by then, so that it may arrive again.
	handed bool
}

// onWire is a point that passes on a connection of the process.
func onWire(name string, handed bool, trap func(*member) *faultproxy.Trap) point {
	return point{name, func(t testing.TB, _ *faultySetup, m *member) (func(string), func()) {
		t.Helper()
		held := trap(m)
		return func(string) { await(t, held, name) }, held.Cut
	}, handed}
}

// The moments around a command: the store does not have it yet, or has done it and the process cannot know.
func beforeRedis(pattern string) func(*member) *faultproxy.Trap {
	return func(m *member) *faultproxy.Trap { return m.redis.OnRequest(pattern, 1) }
}

func afterRedis(pattern string) func(*member) *faultproxy.Trap {
	return func(m *member) *faultproxy.Trap { return m.redis.OnReply(pattern, 1) }
}

func fetched(pattern string) func(*member) *faultproxy.Trap {
	return func(m *member) *faultproxy.Trap { return m.redis.OnAnswer(pattern, 1) }
}

func beforeSQL(pattern string) func(*member) *faultproxy.Trap {
	return func(m *member) *faultproxy.Trap { return m.postgres.OnRequest(pattern, 1) }
}

func afterSQL(pattern string) func(*member) *faultproxy.Trap {
	return func(m *member) *faultproxy.Trap { return m.postgres.OnReply(pattern, 1) }
}

func smsPoints(vendor string) []point {
	proxy := func(m *member) *faultproxy.Proxy {
		return map[string]*faultproxy.Proxy{"aliyun": m.aliyun, "ronglian": m.ronglian}[vendor]
	}
	return []point{
		onWire("fetched", false, fetched(anSMSTask)),
		onWire("before the claim", false, beforeRedis(claimingSMS)),
		onWire("after the claim", false, afterRedis(claimingSMS)),
		onWire("before the vendor", false, func(m *member) *faultproxy.Trap { return proxy(m).OnRequest(sending, 1) }),
		onWire("while the vendor works", true, func(m *member) *faultproxy.Trap { return proxy(m).OnReply(sending, 1) }),
		onWire("before the record", true, beforeRedis(recordingSMS)),
		onWire("after the record", true, afterRedis(recordingSMS)),
		onWire("before the acknowledgement", true, beforeRedis(doneSMS)),
	}
}

func mailPoints() []point {
	return []point{
		onWire("fetched", false, fetched(aMailTask)),
		onWire("before the claim", false, beforeSQL(claimingMail)),
		onWire("after the claim", false, afterSQL(claimingMail)),
		{"while the mail server works", atMailServer, true},
		onWire("before the record", true, beforeSQL(recordingMail)),
		onWire("after the record", true, afterSQL(recordingMail)),
		onWire("before the acknowledgement", true, beforeRedis(doneMail)),
	}
}

// atMailServer is the moment at which the mail server has the mail and takes its time to say so: what passes
// there is encrypted, so the server itself has to wait.
func atMailServer(t testing.TB, s *faultySetup, _ *member) (reached func(string), drop func()) {
	t.Helper()
	s.faults(t, map[string]any{"smtp": map[string]any{"delay_ms": 3000, "count": 1}})
	return func(to string) { s.arrived(t, to) }, func() {}
}

// Patterns of bytes that pass on the wire at these steps, and at no other time on the same process's connections
// to the same store or vendor.
const (
	issuing      = ":pause\r\n"               // an API: the script that spends the number's limits, writes the code and enqueues its task
	anSMSTask    = "sms:code"                 // in the request of an API that queues it, and in the answer to a worker that takes it off
	aMailTask    = "email:activation"         // the same
	claimingSMS  = ":outcomes\r\n$44\r\n"     // a worker: the id of the code is the first argument after the keys
	recordingSMS = "\r\n$4\r\nsent\r\n"       // a worker: that a vendor took the code
	looking      = "\r\nasynq:{sms}:\r\n"     // a worker's reaper at a task that is active for long
	putBack      = ":again"                   // in the answer with a task that a reaper has put back
	doneSMS      = "asynq:{sms}:processed:"   // a worker's acknowledgement to the queue
	doneMail     = "asynq:{email}:processed:" // the same

	committing = "COMMIT\x00" // an API: an account with its mail

	// Statements are prepared, so that only their arguments pass: for mails these are arrays, of one element here.
	claimingMail  = "\x00\x04\x00\x00\x00\x28{\"" // a worker: how many arguments there are, and the length of the first, an id
	recordingMail = `{"sent"}`                    // a worker: that the server took the mail

	sending = "POST /" // a worker to either SMS vendor
)
