package providertest

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/contact"
	"usher/providers"
	"usher/reasons"
)

// patience is how long a test waits for an immediate result. It is shorter than a sender's own limits, so that the test passes
// only when the sender obeys its context.
const patience = 10 * time.Second

// SMSCase describes a vendor of SMS over HTTP to the suite.
type SMSCase struct {
	Provider string // name that receipts and errors carry

	// New returns a sender that calls the vendor at endpoint, an address with a path. It is called for each subtest. The
	// sender must not wait longer than the context of a send.
	New func(t testing.TB, endpoint string) providers.SMSSender

	Secrets   []string // keys that New uses
	Accepted  string   // body of the answer 200 to a message that is accepted
	ReceiptID string   // the vendor's id in it
	Refusals  []Refusal

	// ByStatus says that the HTTP status alone may accept or refuse a message: answers without a readable body do.
	ByStatus bool

	// Echo makes the body of a refusal whose code and text are the given text, as that of a vendor that quotes the request.
	Echo func(text string) string
}

// Refusal is an answer of the vendor and its meaning.
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

// Abroad returns a receiver outside the mainland.
func Abroad(t testing.TB) contact.Mobile {
	t.Helper()
	to, err := contact.ParseMobile("+85251234567")
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// WantUnserved checks that a sender refuses a number abroad without a request, so that the router goes on to the next provider.
func WantUnserved(t testing.TB, open func(endpoint string) providers.SMSSender) {
	t.Helper()
	asked := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer server.Close()
	sms := SMS(t)
	sms.To = Abroad(t)
	_, err := open(server.URL).SendSMS(t.Context(), sms)
	if providers.ReasonOf(err) != reasons.Unserved || providers.KindOf(err) != providers.Temporary || asked {
		t.Errorf("got %v, asked %v, want a refusal that lets the router go on", err, asked)
	}
}

// Run checks every promise of [providers.SMSSender].
func Run(t *testing.T, c SMSCase) {
	t.Helper()
	t.Run("an accepted message gives a receipt", c.accepted)
	e := c.exchange(t)
	t.Run("a refusal has its kind and code", e.refused)
	t.Run("there is a refusal of each kind", c.kinds)
	t.Run("an answer that cannot be read is unknown", c.nonsense)
	t.Run("a refusal that quotes the message shows nothing", e.quoting)
	t.Run("a vendor that does not answer is left when the context ends", c.silence)
	t.Run("an ended context sends nothing", e.ended)
	t.Run("a vendor that cannot be reached is temporary", c.unreachable)
	t.Run("a redirect is not followed", c.redirect)
	t.Run("a sender is safe for concurrent use", c.concurrent)
}

// Benchmark measures sends of 25 goroutines for each processor to a vendor that answers at once.
func Benchmark(b *testing.B, open func(t testing.TB, endpoint string) providers.SMSSender, accepted string) {
	b.Helper()
	server := httptest.NewServer(answer(http.StatusOK, accepted))
	defer server.Close()
	sender, sms := open(b, server.URL), SMS(b)
	b.ReportAllocs()
	b.SetParallelism(25)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := sender.SendSMS(b.Context(), sms); err != nil {
				b.Error(err)
			}
		}
	})
}

// exchange is the send of the suite's message.
func (c SMSCase) exchange(t testing.TB) exchange {
	sms := SMS(t)
	return exchange{
		provider: c.Provider, private: append([]string{sms.To.Reveal(), sms.Code}, c.Secrets...), refusals: c.Refusals, echo: c.Echo,
		ask: func(ctx context.Context, t testing.TB, endpoint string) error {
			receipt, err := c.New(t, endpoint).SendSMS(ctx, sms)
			if err != nil && receipt != (providers.Receipt{}) {
				t.Errorf("got receipt %+v with an error", receipt)
			}
			return err
		},
	}
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

func (c SMSCase) kinds(t *testing.T) {
	t.Parallel()
	for _, kind := range []providers.Kind{
		providers.Unknown, providers.Temporary, providers.RateLimited, providers.Rejected, providers.Misconfigured,
	} {
		if !slices.ContainsFunc(c.Refusals, func(r Refusal) bool { return r.Kind == kind }) {
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
	e := c.exchange(t)
	handlers := map[string]http.HandlerFunc{
		"without an end":      endless,
		"html 503":            answer(http.StatusServiceUnavailable, page),
		"html 200":            answer(http.StatusOK, page),
		"accepted with a 500": answer(http.StatusInternalServerError, c.Accepted),
		"10 MB":               answer(http.StatusOK, c.Accepted+strings.Repeat(" ", 10<<20)),
		"cut connection":      cutShort,
		"connection closed":   hangUp,
	}
	if !c.ByStatus {
		maps.Copy(handlers, map[string]http.HandlerFunc{
			"empty 200":            answer(http.StatusOK, ""),
			"empty object":         answer(http.StatusOK, "{}"),
			"null":                 answer(http.StatusOK, "null"),
			"half an answer":       answer(http.StatusOK, c.Accepted[:len(c.Accepted)/2]),
			"code that is a tree":  answer(http.StatusOK, `{"Code":{"a":1},"statusCode":{"a":1}}`),
			"error code no string": answer(http.StatusBadRequest, `{"Code":400,"Message":[],"statusCode":400}`),
		})
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, handler)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			e.fails(ctx, t, v.URL, want{kind: providers.Unknown})
			if ctx.Err() != nil {
				t.Error("the send did not return by itself")
			}
			v.wantRequests(t, 1)
		})
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
			sender := c.New(t, v.URL)
			c.exchange(t).cancelled(t, arrived, want{kind: providers.Unknown}, func(ctx context.Context) error {
				_, err := sender.SendSMS(ctx, SMS(t))
				return err
			})
			v.wantRequests(t, 1)
		})
	}
}

func (c SMSCase) unreachable(t *testing.T) {
	t.Parallel()
	t.Run("connection refused", func(t *testing.T) {
		t.Parallel()
		v := newVendor(t, answer(http.StatusOK, c.Accepted))
		v.Close()
		c.exchange(t).fails(t.Context(), t, v.URL, want{kind: providers.Temporary})
	})
	t.Run("untrusted certificate", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewUnstartedServer(answer(http.StatusOK, c.Accepted))
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		t.Cleanup(server.Close)
		c.exchange(t).fails(t.Context(), t, server.URL, want{kind: providers.Temporary})
	})
}

func (c SMSCase) redirect(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		other := newVendor(t, answer(http.StatusOK, c.Accepted))
		v := newVendor(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, status)
		})
		c.exchange(t).fails(t.Context(), t, v.URL, want{kind: providers.Unknown})
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
