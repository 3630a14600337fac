package wire

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"testing"
	"time"

	"usher/providers"
)

// late is a context whose timer does not run, as in a process that was frozen and goes on: its deadline passes
// without an error.
type late struct {
	context.Context

	deadline time.Time
}

func (l late) Deadline() (time.Time, bool) { return l.deadline, true }

func TestDo_writes_nothing_past_its_deadline(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]func(http.Handler) *httptest.Server{
		"clear": httptest.NewServer, "TLS": httptest.NewTLSServer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			vendor := server(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
			defer vendor.Close()
			client := NewClient()
			if vendor.TLS != nil {
				client.Transport.(*http.Transport).TLSClientConfig = vendor.Client().Transport.(*http.Transport).TLSClientConfig
			}
			for _, c := range []struct {
				left time.Duration
				sent bool
			}{{time.Minute, true}, {-time.Second, false}, {time.Minute, true}} {
				ctx := late{t.Context(), time.Now().Add(c.left)}
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, vendor.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				_, refused := Call(&Vendor{HTTP: client}, req, nil)
				if c.sent != (refused == nil) || refused != nil && providers.KindOf(refused) != providers.Temporary {
					t.Errorf("with %s left: %v, want it sent: %t", c.left, refused, c.sent)
				}
			}
			client.CloseIdleConnections()
			if asked != 2 {
				t.Errorf("the vendor was asked %d times, want 2", asked)
			}
		})
	}
}

func TestDeadlineConn_tells_what_may_have_left(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	go func() { _, _ = theirs.Read(make([]byte, 10)) }()
	conn, limit := &deadlineConn{Conn: ours}, &deadline{at: time.Now().Add(time.Hour)}
	limit.bind(httptrace.GotConnInfo{Conn: conn})
	if _, err := conn.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	limit.at = time.Now().Add(-time.Second)
	if _, err := conn.Write([]byte("other half")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("late write = %v", err)
	}
	if limit.tooLate() {
		t.Error("half a request has left, and is said not to have")
	}
}
