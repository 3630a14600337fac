package sandbox_test

import (
	"context"
	"net"
	"testing"

	"usher/sandbox"
)

// A connection that was opened and never used counts as busy for net/http and uses the whole grace up.
func TestRun_ends_well_behind_clients_that_say_nothing(t *testing.T) {
	t.Parallel()
	s, err := sandbox.Open(t.Context(), sandbox.Config{HTTPAddr: "127.0.0.1:0", SMTPAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for _, addr := range []string{s.HTTPAddr(), s.SMTPAddr()} {
		var dialer net.Dialer
		silent, err := dialer.DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = silent.Close() }()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run ended with %v", err)
	}
}
