package prove_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// gate is a proxy before a vendor that replaces its answers in ways that the sandbox cannot.
type gate struct {
	t       testing.TB
	addr    string
	forward http.Handler

	mu     sync.Mutex
	spoil  spoiler
	server *http.Server
}

// spoiler answers instead of a vendor. accept forwards the request to the vendor and returns its answer.
type spoiler func(w http.ResponseWriter, r *http.Request, accept func() *httptest.ResponseRecorder)

// newGate starts a gate that passes everything on.
func newGate(t testing.TB, vendor string) *gate {
	t.Helper()
	target := &url.URL{Scheme: "http", Host: vendor}
	g := &gate{t: t, addr: heldAddr(t), forward: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
	}}
	g.back()
	t.Cleanup(g.away)
	return g
}

// heldAddr returns an address whose port stays the test's: a socket that is bound and does not listen. Without it the kernel
// may give the port of a closed gate to a vendor of another trial, which then accepts the messages.
func heldAddr(t testing.TB) string {
	t.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatalf("hold a port: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Close(socket) })
	syscall.CloseOnExec(socket)
	err = errors.Join(
		syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1), // so that the gate may listen there
		syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	if err != nil {
		t.Fatalf("hold a port: %v", err)
	}
	bound, err := syscall.Getsockname(socket)
	inet, ok := bound.(*syscall.SockaddrInet4)
	if err != nil || !ok {
		t.Fatalf("hold a port: %v", err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(inet.Port))
}

// gated puts a gate before the vendors of these settings.
func (s *faultySetup) gated(t testing.TB, endpoints ...string) *gate {
	t.Helper()
	s.gate = newGate(t, s.sandbox.HTTPAddr)
	for _, endpoint := range endpoints {
		s.environ[endpoint] = strings.Replace(s.environ[endpoint], s.sandbox.HTTPAddr, s.gate.addr, 1)
	}
	return s.gate
}

// away closes the gate: connections are refused.
func (g *gate) away() { _ = g.server.Close() }

// back opens the gate again, at the same address.
func (g *gate) back() {
	g.t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", g.addr)
	if err != nil {
		g.t.Fatalf("open the vendor's gate: %v", err)
	}
	server := &http.Server{Handler: g, ReadHeaderTimeout: patience}
	g.server = server
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			g.t.Errorf("the vendor's gate: %v", err)
		}
	}()
}

// fail spoils every answer from now on; nil closes the gate instead.
func (g *gate) fail(spoil spoiler) {
	if spoil == nil {
		g.away()
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.spoil = spoil
}

// mend ends the fault of [gate.fail].
func (g *gate) mend(spoil spoiler) {
	if spoil == nil {
		g.back()
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.spoil = nil
}

// ServeHTTP implements [http.Handler].
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	spoil := g.spoil
	g.mu.Unlock()
	if spoil == nil {
		g.forward.ServeHTTP(w, r)
		return
	}
	spoil(w, r, func() *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		g.forward.ServeHTTP(answer, r)
		return answer
	})
}

// sayHTML is the login page of a guest network, which accepts nothing.
func sayHTML(w http.ResponseWriter, _ *http.Request, _ func() *httptest.ResponseRecorder) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte("<!doctype html><title>Welcome</title><form>Please sign in</form>"))
}

// say10MB accepts and answers with ten megabytes of JSON.
func say10MB(w http.ResponseWriter, _ *http.Request, accept func() *httptest.ResponseRecorder) {
	answer := accept()
	w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
	_, _ = w.Write([]byte(`{"Message":"`))
	for range 10 {
		if _, err := w.Write([]byte(strings.Repeat("x", 1<<20))); err != nil {
			return
		}
	}
	_, _ = w.Write([]byte(`","Code":"OK"}`))
}

// sayHalf accepts and loses the connection in the middle of its answer.
func sayHalf(w http.ResponseWriter, _ *http.Request, accept func() *httptest.ResponseRecorder) {
	body := accept().Body.Bytes()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body[:len(body)/2])
	panic(http.ErrAbortHandler) // the documented way
}

// saySlowly accepts and answers after ten seconds.
func saySlowly(w http.ResponseWriter, r *http.Request, accept func() *httptest.ResponseRecorder) {
	answer := accept()
	select {
	case <-time.After(patience):
		_, _ = w.Write(answer.Body.Bytes())
	case <-r.Context().Done():
	}
}
