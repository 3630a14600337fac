package providertest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"usher/providers"
)

// vendor is a server that plays the vendor.
type vendor struct {
	*httptest.Server

	mu          sync.Mutex
	requests    int
	connections int
}

func newVendor(t *testing.T, handler http.HandlerFunc) *vendor {
	t.Helper()
	v := new(vendor)
	v.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		v.requests++
		v.mu.Unlock()
		if key := r.Header.Get("Idempotency-Key") + r.Header.Get("X-Idempotency-Key"); key != "" {
			t.Error("the request has an idempotency key, which lets the transport repeat it")
		}
		handler(w, r)
	}))
	v.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			v.mu.Lock()
			v.connections++
			v.mu.Unlock()
		}
	}
	v.Start()
	t.Cleanup(v.Close)
	return v
}

func (v *vendor) counts() (requests, connections int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.requests, v.connections
}

func (v *vendor) wantRequests(t *testing.T, want int) {
	t.Helper()
	if got, _ := v.counts(); got != want {
		t.Errorf("got %d requests, want %d", got, want)
	}
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // the client may have left
	}
}

// exchange is one call of a sender and all that it may get wrong in the same way as the others.
type exchange struct {
	provider string
	private  []string // texts that no error may show
	refusals []Refusal
	echo     func(text string) string

	// ask makes the call against a vendor at endpoint. It reports a result that comes with an error.
	ask func(ctx context.Context, t testing.TB, endpoint string) error
}

// fails makes the call and checks how it fails.
func (e exchange) fails(ctx context.Context, t *testing.T, endpoint string, w want) {
	t.Helper()
	check(t, e.ask(ctx, t, endpoint), e.provider, w, e.private)
}

func (e exchange) refused(t *testing.T) {
	t.Parallel()
	for _, r := range e.refusals {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, answer(max(r.Status, http.StatusOK), r.Body))
			e.fails(t.Context(), t, v.URL, want{r.Kind, r.Code})
			v.wantRequests(t, 1)
		})
	}
}

func (e exchange) quoting(t *testing.T) {
	t.Parallel()
	for _, quoted := range e.private {
		for _, status := range []int{http.StatusOK, http.StatusBadRequest} {
			v := newVendor(t, answer(status, e.echo("x"+quoted)))
			err := e.ask(t.Context(), t, v.URL)
			if err == nil {
				t.Fatal("got no error")
			}
			assertSilent(t, err, e.private)
		}
	}
}

func (e exchange) ended(t *testing.T) {
	t.Parallel()
	v := newVendor(t, answer(http.StatusOK, ""))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e.wantCancelled(t, e.ask(ctx, t, v.URL), want{kind: providers.Temporary})
	v.wantRequests(t, 0)
}

// cancelled runs a call, cancels its context once the call was reached, and checks how it fails.
func (e exchange) cancelled(t *testing.T, reached <-chan struct{}, w want, call func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- call(ctx) }()
	receive(t, reached, "the call to reach the server")
	cancel()
	e.wantCancelled(t, receive(t, done, "the call to return"), w)
}

// wantCancelled checks the error of a call whose context was cancelled.
func (e exchange) wantCancelled(t *testing.T, err error, w want) {
	t.Helper()
	check(t, err, e.provider, w, e.private)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled as its cause", err)
	}
}

// receive waits for a value, or for a channel to be closed.
func receive[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %v for %s", patience, what)
		panic("unreachable")
	}
}
