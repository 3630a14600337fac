package testkit

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"
)

// Buffer collects what is written to it. It is safe for concurrent use, and its zero value is empty.
type Buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write appends p. It never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// Bytes returns a copy of all that was written.
func (b *Buffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.buf.Bytes())
}

// String returns all that was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Logger returns a logger that keeps everything down to debug level as JSON lines, to be searched with
// [FindSecrets], and the buffer it writes to. A test that fails prints it. A test whose log has anything of the form of a
// credential fails, see [FindCredentials].
func Logger(t testing.TB) (*slog.Logger, *Buffer) {
	t.Helper()
	buffer := new(Buffer)
	t.Cleanup(func() {
		for _, found := range FindCredentials(buffer.Bytes()) {
			t.Errorf("the log has %s", found)
		}
		if t.Failed() {
			t.Logf("log:\n%s", buffer)
		}
	})
	return slog.New(slog.NewJSONHandler(buffer, &slog.HandlerOptions{Level: slog.LevelDebug})), buffer
}
