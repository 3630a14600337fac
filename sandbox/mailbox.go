package sandbox

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxMailboxBytes bounds the memory of kept messages whatever their number.
const maxMailboxBytes = 64 << 20

// A reportKind is the delivery report of an accepted SMS.
type reportKind int

const (
	reportsDelivered   reportKind = iota // it arrives after the delivery delay
	reportsUndelivered                   // the carrier reports a failure after the same delay
	reportsNothing                       // no report ever comes
)

// A record is a kept message with the fields that only its vendor shows.
type record struct {
	Message
	raw        []byte // a mail as it came
	sequence   uint64
	vendorID   string // Aliyun's BizId, Ronglian's smsMessageSid, Tencent's SerialNo
	reference  string // the sender's own: Aliyun's OutId, Ronglian's reqId, Tencent's SessionContext
	template   string
	report     reportKind
	reportedAt time.Time // when the report exists, unless there is none
	pulled     bool      // the report was returned to a client: Ronglian and Tencent return each once
	pushed     bool      // the report was pushed, or is being pushed
}

// size estimates the memory of a record, to bound the sum.
func (r *record) size() int { return r.Message.size() + len(r.raw) }

func (r *record) reported(now time.Time) bool {
	return r.report != reportsNothing && !now.Before(r.reportedAt)
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

// A snapshot is the state of the mailbox for a watcher of the inbox.
type snapshot struct {
	messages []Message // newest last
	sequence uint64
	clears   int
	changed  <-chan struct{}
}

// after returns at most maxShown of the newest messages that came after a sequence number, and a
// channel that closes at the next change.
func (m *mailbox) after(sequence uint64) snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := snapshot{sequence: m.sequence, clears: m.clears, changed: m.changed}
	for i := max(0, len(m.records)-maxShown); i < len(m.records); i++ {
		if m.records[i].sequence > sequence {
			g.messages = append(g.messages, m.records[i].Message)
		}
	}
	return g
}

// choose returns copies of the records for which pick is true, newest first.
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

// takeReports returns up to limit records of a vendor whose report is due and was not taken before, oldest first, and marks them.
// taken selects the mark: reports are pushed and pulled independently.
func (m *mailbox) takeReports(vendor string, now time.Time, limit int, taken func(*record) *bool) []record {
	m.mu.Lock()
	defer m.mu.Unlock()
	var due []record
	for _, r := range m.records {
		if len(due) == limit {
			break
		}
		if r.Provider == vendor && !*taken(r) && r.reported(now) {
			*taken(r) = true
			due = append(due, *r)
		}
	}
	return due
}

// OpenJournal opens a file to append to as a [Config].Journal, and creates it when it is missing. When a killed process left its
// last line unfinished, it ends that line, so that the next message begins a new one. That message was not acknowledged.
func OpenJournal(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err := endLastLine(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func endLastLine(file *os.File) error {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, info.Size()-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = file.WriteString("\n")
	return err
}

// journalTo returns a function that appends a message to w. A message that cannot be written is logged and accepted all the same:
// to its sender the sandbox is a vendor, and vendors have no journal.
func journalTo(w io.Writer, logger *slog.Logger) func(Message) {
	if w == nil {
		return func(Message) {}
	}
	return func(m Message) {
		line, err := json.Marshal(m)
		if err == nil {
			_, err = w.Write(append(line, '\n'))
		}
		if err != nil {
			logger.Error("message not written to the journal", "error", err)
		}
	}
}
