package smtp

import (
	"testing"
	"time"

	"usher/providers/providertest"
)

// TestPool_endsIdleConnections lets the idle time run out at once.
func TestPool_endsIdleConnections(t *testing.T) {
	t.Parallel()
	server := providertest.NewMailServer(t, false)
	client := mustOpen(t, server)
	if _, err := client.SendEmail(t.Context(), providertest.Email(t)); err != nil {
		t.Fatal(err)
	}
	client.pool.mu.Lock()
	idle := client.pool.idle[0]
	client.pool.mu.Unlock()
	idle.expiry.Reset(0)

	deadline := time.Now().Add(10 * time.Second)
	for server.Saw("QUIT") == 0 {
		if time.Now().After(deadline) {
			t.Fatal("the idle connection was not ended")
		}
		<-time.After(time.Millisecond)
	}
	if _, err := client.SendEmail(t.Context(), providertest.Email(t)); err != nil {
		t.Fatal(err)
	}
	if server.Sessions() != 2 {
		t.Errorf("got %d connections, want 2", server.Sessions())
	}
}
