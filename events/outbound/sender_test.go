package outbound_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"usher/events"
	"usher/events/outbound"
	"usher/internal/testkit"
	"usher/webhooks"
)

const secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

func keys(t *testing.T) webhooks.Keys {
	t.Helper()
	k, err := webhooks.ParseKeys(secret)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// local allows this machine.
func local(t *testing.T) outbound.Guard {
	t.Helper()
	guard, err := outbound.ParseGuard([]string{"127.0.0.0/8", "::1/128"})
	if err != nil {
		t.Fatal(err)
	}
	return guard
}

func send(t *testing.T, s outbound.Settings, url string) events.Answer {
	t.Helper()
	sender := outbound.NewSender(s)
	t.Cleanup(sender.Close)
	return sender.Send(t.Context(), url, keys(t), "evt_1", []byte(`{"type":"account.created"}`))
}

// receiver reads each request before it calls the handler: until then a server does not notice that the client has gone.
func receiver(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestSender_signs_what_it_sends(t *testing.T) {
	t.Parallel()
	got := make(chan error, 1)
	server := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = keys(t).Verify(r.Header, body, time.Now())
		}
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Accept-Encoding") != "" {
			err = fmt.Errorf("%s, headers %v", r.Method, r.Header)
		}
		got <- err
	})
	if answer := send(t, outbound.Settings{Guard: local(t)}, server.URL); answer != (events.Answer{Result: events.Delivered, Status: 200}) {
		t.Errorf("answer %+v", answer)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// Each is a receiver that does something odd.
func TestSender_bounds_what_an_endpoint_does(t *testing.T) {
	t.Parallel()
	var followed atomic.Bool
	inside := receiver(t, func(http.ResponseWriter, *http.Request) { followed.Store(true) })
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    events.Answer
	}{
		"hangs": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, events.Answer{Result: events.Timeout}},
		"closes early": {func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_ = conn.Close()
			}
		}, events.Answer{Result: events.Unreachable}},
		"answers no HTTP": {func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_, _ = io.WriteString(conn, "220 mail.example.com ESMTP\r\n")
				_ = conn.Close()
			}
		}, events.Answer{Result: events.Unreachable}},
		"redirects": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, inside.URL, http.StatusTemporaryRedirect)
		}, events.Answer{Result: events.Redirect, Status: 307}},
		"streams without end": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat("x", 4096)); err != nil {
					return
				}
			}
		}, events.Answer{Result: events.Delivered, Status: 200}},
		"drips without end": {func(w http.ResponseWriter, r *http.Request) {
			ticker := time.NewTicker(10 * time.Millisecond)
			defer ticker.Stop()
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, "x")
				_ = http.NewResponseController(w).Flush()
				<-ticker.C
			}
		}, events.Answer{Result: events.Delivered, Status: 200}},
		"sends a header without end": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
		}, events.Answer{Result: events.Unreachable}},
		"is gone":           {status(410), events.Answer{Result: events.Gone, Status: 410}},
		"fails":             {status(500), events.Answer{Result: events.ServerError, Status: 500}},
		"asks for seconds":  {retryAfter("120"), events.Answer{Result: events.SlowDown, Status: 429, RetryAfter: 2 * time.Minute}},
		"asks for a year":   {retryAfter("31536000"), events.Answer{Result: events.SlowDown, Status: 429, RetryAfter: time.Hour}},
		"asks for nonsense": {retryAfter("soon"), events.Answer{Result: events.SlowDown, Status: 429}},
		"asks for the past": {retryAfter("Mon, 02 Jan 2006 15:04:05 GMT"), events.Answer{Result: events.SlowDown, Status: 429}},
		"asks for less":     {retryAfter("-5"), events.Answer{Result: events.SlowDown, Status: 429}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := receiver(t, c.handler)
			began := time.Now()
			got := send(t, outbound.Settings{Guard: local(t), Timeout: 3 * time.Second}, server.URL)
			server.CloseClientConnections()
			if got != c.want {
				t.Errorf("answer %+v, want %+v", got, c.want)
			}
			if took := time.Since(began); took > testkit.Patience {
				t.Errorf("it took %v", took)
			}
		})
	}
	t.Cleanup(func() {
		if followed.Load() {
			t.Error("the redirect was followed")
		}
	})
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func retryAfter(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", text)
		w.WriteHeader(http.StatusTooManyRequests)
	}
}

func TestSender_reads_a_time_to_come_back(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	server := receiver(t, retryAfter(now.Add(10*time.Minute).Format(http.TimeFormat)))
	got := send(t, outbound.Settings{Guard: local(t), Now: func() time.Time { return now }}, server.URL)
	if got.RetryAfter != 10*time.Minute {
		t.Errorf("answer %+v", got)
	}
}

func TestSender_checks_certificates(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(status(http.StatusNoContent))
	t.Cleanup(server.Close)
	if got := send(t, outbound.Settings{Guard: local(t)}, server.URL); got.Result != events.BadTLS {
		t.Errorf("an unknown authority: %+v", got)
	}
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	if got := send(t, outbound.Settings{Guard: local(t), Roots: roots}, server.URL); got.Result != events.Delivered {
		t.Errorf("a known authority: %+v", got)
	}
	plain := receiver(t, status(http.StatusNoContent))
	if got := send(t, outbound.Settings{Guard: local(t)}, strings.Replace(plain.URL, "http:", "https:", 1)); got.Result != events.BadTLS {
		t.Errorf("a server without TLS: %+v", got)
	}
}

func TestSender_ends_with_its_worker(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	server := receiver(t, func(_ http.ResponseWriter, r *http.Request) { close(arrived); <-r.Context().Done() })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	sender := outbound.NewSender(outbound.Settings{Guard: local(t)})
	t.Cleanup(sender.Close)
	if got := sender.Send(ctx, server.URL, keys(t), "evt_1", nil); got.Result != events.Interrupted {
		t.Errorf("answer %+v", got)
	}
}

func TestSender_refuses_private_addresses_whatever_they_are_called(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	server := receiver(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	names := &nameserver{}
	resolver := names.start(t)
	for _, host := range []string{
		"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "127.1", "0x7f.1", "2130706433", "0177.0.0.1",
		"private.example", "mapped.example",
	} {
		for _, scheme := range []string{"http", "https"} {
			got := send(t, outbound.Settings{Resolver: resolver, Timeout: 3 * time.Second}, scheme+"://"+net.JoinHostPort(strings.Trim(host, "[]"), port)+"/")
			if got.Result != events.Forbidden && got.Result != events.Unreachable || got.Status != 0 {
				t.Errorf("%s://%s: %+v", scheme, host, got)
			}
			if strings.HasSuffix(host, ".example") && got.Result != events.Forbidden {
				t.Errorf("%s://%s: %s, want %s", scheme, host, got.Result, events.Forbidden)
			}
		}
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("%d requests have reached this machine", n)
	}
}

// A name that was public when the endpoint was added, and at the first attempt, may lead elsewhere at the second.
func TestSender_refuses_a_name_that_is_bound_again(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	server := receiver(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	names := &nameserver{}
	guard, err := outbound.ParseGuard([]string{"127.0.0.2/32"}) // stands for a public address
	if err != nil {
		t.Fatal(err)
	}
	sender := outbound.NewSender(outbound.Settings{Guard: guard, Resolver: names.start(t), Timeout: 3 * time.Second})
	t.Cleanup(sender.Close)
	url := "http://" + net.JoinHostPort("rebound.example", port)
	if got := sender.Send(t.Context(), url, keys(t), "evt_1", nil); got.Result != events.Unreachable {
		t.Errorf("first: %+v, want no listener at 127.0.0.2", got)
	}
	if got := sender.Send(t.Context(), url, keys(t), "evt_1", nil); got.Result != events.Forbidden {
		t.Errorf("second: %+v, want %s", got, events.Forbidden)
	}
	if names.asked.Load() < 2 || reached.Load() > 0 {
		t.Errorf("asked %d times, reached %d times", names.asked.Load(), reached.Load())
	}
}

// nameserver answers with private addresses: rebound.example first with another one.
type nameserver struct{ asked atomic.Int32 }

func (n *nameserver) start(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		for buffer := make([]byte, 1500); ; {
			size, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer := n.answer(buffer[:size]); answer != nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (n *nameserver) answer(request []byte) []byte {
	var message dnsmessage.Message
	if message.Unpack(request) != nil || len(message.Questions) != 1 {
		return nil
	}
	message.Response, message.Additionals = true, nil
	question := message.Questions[0]
	name := strings.TrimSuffix(question.Name.String(), ".")
	address := map[string]string{"private.example": "127.0.0.1", "rebound.example": "127.0.0.1"}[name]
	header := dnsmessage.ResourceHeader{Name: question.Name, Class: question.Class, TTL: 0}
	switch {
	case question.Type == dnsmessage.TypeA && address != "":
		if name == "rebound.example" && n.asked.Add(1) == 1 {
			address = "127.0.0.2"
		}
		message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: netip.MustParseAddr(address).As4()}})
	case question.Type == dnsmessage.TypeAAAA && name == "mapped.example":
		mapped := netip.MustParseAddr("::ffff:127.0.0.1").As16()
		message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: mapped}})
	}
	packed, err := message.Pack()
	if err != nil {
		return nil
	}
	return packed
}
