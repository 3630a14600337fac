package smtp

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"usher/providers"
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

// TestPool_begins_no_mail_late: a mail that waits for half of its time is given back, surely unsent.
func TestPool_begins_no_mail_late(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang, stop := context.WithCancel(t.Context())
		var dials atomic.Int64
		p := newPool(func(context.Context) (*conn, *failure) {
			dials.Add(1)
			<-hang.Done()
			return nil, &failure{at: atConnect, err: hang.Err()}
		})
		for range maxConns {
			go p.send(t.Context(), envelope{})
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		began := time.Now()
		_, failed := p.send(ctx, envelope{})
		if waited := time.Since(began); failed == nil || waited != 4*time.Second {
			t.Fatalf("got %+v after %v, want a failure after 4s", failed, waited)
		}
		if e := failed.refusal(ctx, "b@example.com"); e.Kind != providers.Temporary || e.Code != "own_busy" {
			t.Errorf("got %v, code %q", e.Kind, e.Code)
		}
		stop()
		synctest.Wait()
		if p.send(ctx, envelope{}); dials.Load() != 2 {
			t.Errorf("%d dials, want 2: the failed one speaks for those that waited, and a mail that went away leaves no slot taken", dials.Load())
		}
	})
}
