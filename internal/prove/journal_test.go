package prove_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// arrival is one message that the sandbox accepted.
type arrival struct {
	Channel    string    `json:"channel"`
	To         string    `json:"to"`
	Code       string    `json:"code"`
	Text       string    `json:"text"`
	Links      []string  `json:"links"`
	MessageID  string    `json:"message_id"`
	ReceivedAt time.Time `json:"received_at"`
}

// journal reads the journals that the sandboxes of a deployment write. It outlives them. It is safe for concurrent use.
type journal struct {
	t     testing.TB
	mu    sync.Mutex
	files []*journalFile
	all   []arrival
	by    map[string][]int // recipient -> places in all
}

type journalFile struct {
	path string
	read int64
}

func newJournal(t testing.TB, paths ...string) *journal {
	t.Helper()
	j := &journal{t: t, by: map[string][]int{}}
	for _, path := range paths {
		j.files = append(j.files, &journalFile{path: path})
	}
	return j
}

// to returns what has arrived at a number or an address so far.
func (j *journal) to(recipient string) []arrival {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.catchUp()
	list := make([]arrival, len(j.by[recipient]))
	for i, place := range j.by[recipient] {
		list[i] = j.all[place]
	}
	return list
}

// missing returns those of the recipients at whom nothing has arrived.
func (j *journal) missing(recipients []string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.catchUp()
	return slices.DeleteFunc(recipients, func(to string) bool { return len(j.by[to]) > 0 })
}

// since returns what has arrived after the first n messages.
func (j *journal) since(n int) []arrival {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.catchUp()
	return j.all[n:len(j.all):len(j.all)]
}

// count returns how many messages have arrived so far.
func (j *journal) count() int { return len(j.since(0)) }

func (j *journal) catchUp() {
	for _, file := range j.files {
		lines, err := file.next()
		if err != nil {
			j.t.Errorf("read the journal: %v", err)
		}
		for line := range bytes.Lines(lines) {
			var a arrival
			if json.Unmarshal(line, &a) != nil {
				continue // the last line of a killed sandbox: never acknowledged
			}
			j.by[a.To] = append(j.by[a.To], len(j.all))
			j.all = append(j.all, a)
		}
	}
}

// next returns the whole lines that were added since the last call.
func (f *journalFile) next() ([]byte, error) {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	added, err := io.ReadAll(io.NewSectionReader(file, f.read, 1<<40))
	if err != nil {
		return nil, err
	}
	lines := added[:bytes.LastIndexByte(added, '\n')+1]
	f.read += int64(len(lines))
	return lines, nil
}
