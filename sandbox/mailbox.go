package sandbox

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxMailboxBytes bounds the memory of kept messages whatever their number.
const maxMailboxBytes = 64 << 20

// A fate is what becomes of an accepted SMS.
type fate int

const (
	fateDelivered   fate = iota // the handset reports after the delivery delay
	fateUndelivered             // the carrier reports a failure after the same time
	fateSilent                  // nothing is ever reported
)

// A record is a kept message with what only its vendor shows about it.
type record struct {
	Message
	raw        []byte // a mail as it came
	sequence   uint64
	vendorID   string // Aliyun's BizId, Ronglian's smsMessageSid
	reference  string // the sender's own: Aliyun's OutId, Ronglian's reqId
	template   string
	fate       fate
	reportedAt time.Time // when a report exists, unless the fate is silent
	handedOut  bool      // Ronglian hands each report out once
	pushed     bool      // the report is on its way to the customer's server
}

// size estimates the memory of a record, to bound the sum.
func (r *record) size() int { return r.Message.size() + len(r.raw) }

func (r *record) reported(now time.Time) bool {
	return r.fate != fateSilent && !now.Before(r.reportedAt)
}

// A mailbox keeps the newest records.
type mailbox struct {
	capacity int
	journal  func(Message)

	mu       sync.Mutex
	records  []*record // by sequence
	bytes    int
	sequence uint64
	clears   int
	changed  chan struct{} // closed and replaced at each change
}

func newMailbox(capacity int, journal func(Message)) *mailbox {
	return &mailbox{capacity: capacity, journal: journal, changed: make(chan struct{})}
}

// keep numbers the records, writes them to the journal, adds them and drops the oldest beyond the capacity.
func (m *mailbox) keep(records ...*record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range records {
		m.sequence++
		r.sequence = m.sequence
		r.ID = strconv.FormatUint(m.sequence, 10)
		m.journal(r.Message)
		m.records = append(m.records, r)
		m.bytes += r.size()
	}
	for len(m.records) > m.capacity || m.bytes > maxMailboxBytes {
		m.bytes -= m.records[0].size()
		m.records[0] = nil
		m.records = m.records[1:]
	}
	m.announce()
}

func (m *mailbox) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records, m.bytes = nil, 0
	m.clears++
	m.announce()
}

func (m *mailbox) announce() {
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *mailbox) list(to string) []Message {
	number := normalNumber(to)
	m.mu.Lock()
	defer m.mu.Unlock()
	messages := []Message{}
	for _, r := range m.records {
		if to == "" || r.To == number || strings.EqualFold(r.To, to) {
			messages = append(messages, r.Message)
		}
	}
	return messages
}

// find returns a copy of the record with an id.
func (m *mailbox) find(id string) (record, bool) {
	sequence, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return record{}, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	i, found := slices.BinarySearchFunc(m.records, sequence, func(r *record, s uint64) int {
		return cmp.Compare(r.sequence, s)
	})
	if !found {
		return record{}, false
	}
	return *m.records[i], true
}

// A glance is what a watcher of the mailbox has to know.
type glance struct {
	messages []Message // newest last
	sequence uint64
	clears   int
	changed  <-chan struct{}
}

// after returns at most maxShown of the newest messages that came after a sequence number, and a
// channel that closes at the next change.
func (m *mailbox) after(sequence uint64) glance {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := glance{sequence: m.sequence, clears: m.clears, changed: m.changed}
	for i := max(0, len(m.records)-maxShown); i < len(m.records); i++ {
		if m.records[i].sequence > sequence {
			g.messages = append(g.messages, m.records[i].Message)
		}
	}
	return g
}

// choose returns copies of the records for which pick says so, newest first.
func (m *mailbox) choose(pick func(*record) bool) []record {
	m.mu.Lock()
	defer m.mu.Unlock()
	var chosen []record
	for _, r := range slices.Backward(m.records) {
		if pick(r) {
			chosen = append(chosen, *r)
		}
	}
	return chosen
}

// handOut returns up to limit Ronglian records whose report is due and was not handed out, oldest
// first, and marks them.
func (m *mailbox) handOut(now time.Time, limit int) []record {
	m.mu.Lock()
	defer m.mu.Unlock()
	var due []record
	for _, r := range m.records {
		if len(due) == limit {
			break
		}
		if r.Provider == vendorRonglian && !r.handedOut && r.reported(now) {
			r.handedOut = true
			due = append(due, *r)
		}
	}
	return due
}

// takeReports returns up to limit records of a vendor whose report is due and was not pushed, oldest first,
// and marks them.
func (m *mailbox) takeReports(vendor string, now time.Time, limit int) []record {
	m.mu.Lock()
	defer m.mu.Unlock()
	var due []record
	for _, r := range m.records {
		if len(due) == limit {
			break
		}
		if r.Provider == vendor && !r.pushed && r.reported(now) {
			r.pushed = true
			due = append(due, *r)
		}
	}
	return due
}
