package providertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/contact"
	"usher/providers"
)

// patience is how long a test waits for what should come at once. It is shorter than the limits that a
// sender may have of its own, so that only its obedience to the context passes.
const patience = 10 * time.Second

// SMSCase is what the suite has to know of a vendor of SMS over HTTP.
type SMSCase struct {
	Provider string // name that receipts and errors carry

	// New returns a sender that calls the vendor at endpoint, an address with a path. It is called for
	// each subtest and must not be more patient than the context of a send.
	New func(t testing.TB, endpoint string) providers.SMSSender

	Secrets   []string // keys that New uses
	Accepted  string   // body of the answer 200 to a message that is accepted
	ReceiptID string   // the vendor's id in it
	Refusals  []Refusal

	// Echo makes the body of a refusal whose code and text are the given text, as of a vendor that
	// quotes what it was sent.
	Echo func(text string) string
}

// Refusal is an answer of the vendor and what it means.
type Refusal struct {
	Name   string
	Status int // 0 means 200
	Body   string
	Kind   providers.Kind
	Code   string // in the error
}

// SMS returns the message that the suite sends.
func SMS(t testing.TB) providers.SMS {
	t.Helper()
	to, err := contact.ParseMobile("13800138000")
	if err != nil {
		t.Fatal(err)
	}
	return providers.SMS{ID: "01JD5V6Z8Q-suite_1", Attempt: 1, To: to, Code: "739105", TTL: 5 * time.Minute}
}

// Run checks every promise of [providers.SMSSender].
func Run(t *testing.T, c SMSCase) {
	t.Helper()
	t.Run("an accepted message gives a receipt", c.accepted)
	t.Run("a refusal has its kind and code", c.refusals)
	t.Run("an answer without sense is unknown", c.nonsense)
	t.Run("a refusal that quotes the message shows nothing", c.quoting)
	t.Run("a vendor that is silent is left when the context ends", c.silence)
	t.Run("an ended context sends nothing", c.ended)
	t.Run("a vendor out of reach is temporary", c.unreachable)
	t.Run("a redirect is not followed", c.redirect)
	t.Run("a sender is safe for concurrent use", c.concurrent)
}

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

func (c SMSCase) private(t testing.TB) []string {
	sms := SMS(t)
	return append([]string{sms.To.Reveal(), sms.Code}, c.Secrets...)
}

// refused sends the suite's message and checks how that fails.
func (c SMSCase) refused(ctx context.Context, t *testing.T, endpoint string, w want) error {
	t.Helper()
	receipt, err := c.New(t, endpoint).SendSMS(ctx, SMS(t))
	check(t, err, c.Provider, w, c.private(t))
	if receipt != (providers.Receipt{}) {
		t.Errorf("got receipt %+v with an error", receipt)
	}
	return err
}

func (c SMSCase) accepted(t *testing.T) {
	t.Parallel()
	v := newVendor(t, answer(http.StatusOK, c.Accepted))
	sender := c.New(t, v.URL+"/vendor/")
	if sender.Name() != c.Provider {
		t.Errorf("got name %q, want %q", sender.Name(), c.Provider)
	}
	for range 3 {
		receipt, err := sender.SendSMS(t.Context(), SMS(t))
		if want := (providers.Receipt{Provider: c.Provider, ID: c.ReceiptID}); err != nil || receipt != want {
			t.Fatalf("got %+v, %v; want %+v", receipt, err, want)
		}
	}
	if requests, connections := v.counts(); requests != 3 || connections != 1 {
		t.Errorf("got %d requests on %d connections, want 3 on 1", requests, connections)
	}
}

func (c SMSCase) refusals(t *testing.T) {
	t.Parallel()
	seen := make(map[providers.Kind]bool)
	for _, r := range c.Refusals {
		seen[r.Kind] = true
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, answer(max(r.Status, http.StatusOK), r.Body))
			_ = c.refused(t.Context(), t, v.URL, want{r.Kind, r.Code})
			v.wantRequests(t, 1)
		})
	}
	for _, kind := range []providers.Kind{
		providers.Unknown, providers.Temporary, providers.RateLimited, providers.Rejected, providers.Misconfigured,
	} {
		if !seen[kind] {
			t.Errorf("the case has no refusal of kind %v", kind)
		}
	}
}

func (c SMSCase) nonsense(t *testing.T) {
	t.Parallel()
	const page = "<html><body>503 Service Temporarily Unavailable</body></html>"
	hangUp := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Close()
	}
	cutShort := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		answer(http.StatusOK, c.Accepted)(w, r)
	}
	endless := func(w http.ResponseWriter, r *http.Request) {
		answer(http.StatusOK, strings.Repeat(" ", 256<<10))(w, r)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // the client has left
	}
	for name, handler := range map[string]http.HandlerFunc{
		"without an end":       endless,
		"html 503":             answer(http.StatusServiceUnavailable, page),
		"html 200":             answer(http.StatusOK, page),
		"empty 200":            answer(http.StatusOK, ""),
		"empty object":         answer(http.StatusOK, "{}"),
		"null":                 answer(http.StatusOK, "null"),
		"half an answer":       answer(http.StatusOK, c.Accepted[:len(c.Accepted)/2]),
		"accepted with a 500":  answer(http.StatusInternalServerError, c.Accepted),
		"10 MB":                answer(http.StatusOK, c.Accepted+strings.Repeat(" ", 10<<20)),
		"cut connection":       cutShort,
		"connection closed":    hangUp,
		"code that is a tree":  answer(http.StatusOK, `{"Code":{"a":1},"statusCode":{"a":1}}`),
		"error code no string": answer(http.StatusBadRequest, `{"Code":400,"Message":[],"statusCode":400}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, handler)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_ = c.refused(ctx, t, v.URL, want{kind: providers.Unknown})
			if ctx.Err() != nil {
				t.Error("the send did not return by itself")
			}
			v.wantRequests(t, 1)
		})
	}
}

func (c SMSCase) quoting(t *testing.T) {
	t.Parallel()
	for _, quoted := range c.private(t) {
		for _, status := range []int{http.StatusOK, http.StatusBadRequest} {
			v := newVendor(t, answer(status, c.Echo("x"+quoted)))
			_, err := c.New(t, v.URL).SendSMS(t.Context(), SMS(t))
			if err == nil {
				t.Fatal("got no error")
			}
			assertSilent(t, err, c.private(t))
		}
	}
}

func (c SMSCase) silence(t *testing.T) {
	t.Parallel()
	half := func(w http.ResponseWriter) {
		_, _ = w.Write([]byte(c.Accepted[:1]))
		_ = http.NewResponseController(w).Flush()
	}
	for name, before := range map[string]func(http.ResponseWriter){
		"before its answer": func(http.ResponseWriter) {},
		"amid its answer":   half,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arrived, free := make(chan struct{}), make(chan struct{})
			v := newVendor(t, func(w http.ResponseWriter, _ *http.Request) {
				before(w)
				close(arrived)
				<-free
			})
			t.Cleanup(func() { close(free) })
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			sender := c.New(t, v.URL)
			go func() {
				_, err := sender.SendSMS(ctx, SMS(t))
				done <- err
			}()
			receive(t, arrived, "the request to arrive")
			cancel()
			err := receive(t, done, "the send to return")
			check(t, err, c.Provider, want{kind: providers.Unknown}, c.private(t))
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled as its cause", err)
			}
			v.wantRequests(t, 1)
		})
	}
}

func (c SMSCase) ended(t *testing.T) {
	t.Parallel()
	v := newVendor(t, answer(http.StatusOK, c.Accepted))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := c.refused(ctx, t, v.URL, want{kind: providers.Temporary})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled as its cause", err)
	}
	v.wantRequests(t, 0)
}

func (c SMSCase) unreachable(t *testing.T) {
	t.Parallel()
	t.Run("connection refused", func(t *testing.T) {
		t.Parallel()
		v := newVendor(t, answer(http.StatusOK, c.Accepted))
		v.Close()
		_ = c.refused(t.Context(), t, v.URL, want{kind: providers.Temporary})
	})
	t.Run("certificate of a stranger", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewUnstartedServer(answer(http.StatusOK, c.Accepted))
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		t.Cleanup(server.Close)
		_ = c.refused(t.Context(), t, server.URL, want{kind: providers.Temporary})
	})
}

func (c SMSCase) redirect(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		other := newVendor(t, answer(http.StatusOK, c.Accepted))
		v := newVendor(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, status)
		})
		_ = c.refused(t.Context(), t, v.URL, want{kind: providers.Unknown})
		v.wantRequests(t, 1)
		other.wantRequests(t, 0)
	}
}

func (c SMSCase) concurrent(t *testing.T) {
	t.Parallel()
	const goroutines, each = 50, 4
	v := newVendor(t, answer(http.StatusOK, c.Accepted))
	sender := c.New(t, v.URL)
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() {
			for i := range each {
				sms := SMS(t)
				sms.ID = fmt.Sprintf("id-%d-%d", g, i)
				if _, err := sender.SendSMS(t.Context(), sms); err != nil {
					t.Errorf("send: %v", err)
				}
			}
		})
	}
	group.Wait()
	v.wantRequests(t, goroutines*each)
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
