package prove_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"usher/events"
	"usher/internal/testkit"
	"usher/secrets"
	"usher/store/sqlstore"
	"usher/webhooks"
)

// allowReceivers is the setting that lets events go to receivers on this machine.
const allowReceivers = "USHER_EVENTS_ALLOW_PRIVATE"

// told is an event that has arrived.
type told struct {
	Type      events.Type        `json:"type"`
	Timestamp time.Time          `json:"timestamp"`
	Data      events.AccountData `json:"data"`

	body  []byte
	at    time.Time // of the first arrival
	times int
}

// receiver is a team's service that gets events and remembers them by their ids. It can be killed and started again at
// its address, and remembers what it had got.
type receiver struct {
	t     testing.TB
	hangs bool          // it reads requests and never answers
	think time.Duration // between the arrival of an event and its answer, when a kill leaves open whether it arrived

	server *http.Server
	addr   string

	mu       sync.Mutex
	keys     webhooks.Keys
	told     map[string]*told // by webhook-id
	unsigned int              // requests whose signature does not verify
	changed  int              // repetitions with another body
	asked    int              // requests
}

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{t: t, addr: "127.0.0.1:0", told: map[string]*told{}}
	t.Cleanup(r.kill)
	return r
}

// start listens, unless the receiver is running.
func (r *receiver) start() {
	r.t.Helper()
	if r.server != nil {
		return
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(r.t.Context(), "tcp", r.addr)
	if err != nil {
		r.t.Fatalf("receiver of events: %v", err)
	}
	r.addr = listener.Addr().String()
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: patience}
	go func(server *http.Server) { _ = server.Serve(listener) }(r.server) // ends with an error at the kill
}

// kill closes the listener and every connection at once.
func (r *receiver) kill() {
	if r.server != nil {
		_ = r.server.Close()
		r.server = nil
	}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(io.LimitReader(request.Body, 1<<20))
	if err != nil {
		return // the connection was closed
	}
	status := r.remember(request.Header, body, time.Now())
	if r.hangs {
		<-request.Context().Done()
		return
	}
	if r.think > 0 {
		<-time.After(r.think)
	}
	w.WriteHeader(status)
}

func (r *receiver) remember(header http.Header, body []byte, now time.Time) (status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	id, err := r.keys.Verify(header, body, now)
	if err != nil {
		r.unsigned++
		return http.StatusBadRequest
	}
	event := r.told[id]
	if event == nil {
		event = &told{body: body, at: now}
		r.told[id] = event
		if err := json.Unmarshal(body, event); err != nil {
			r.t.Errorf("event %s: %v", id, err)
		}
	}
	if event.times++; !bytes.Equal(event.body, body) {
		r.changed++
	}
	return http.StatusNoContent
}

// subscribe adds the receivers, which are running, as endpoints that get every event.
func (d *deployment) subscribe(stored *sqlstore.DB, receivers ...*receiver) {
	d.t.Helper()
	endpoints := sqlstore.NewEvents(stored, d.keys(), time.Now)
	for _, r := range receivers {
		secret := events.NewSecret()
		_, err := endpoints.AddEndpoint(d.t.Context(), "http://"+r.addr+"/usher", nil, secret)
		if err != nil {
			d.t.Fatal(err)
		}
		keys, err := webhooks.ParseKeys(secret)
		if err != nil {
			d.t.Fatal(err)
		}
		r.mu.Lock()
		r.keys = keys
		r.mu.Unlock()
	}
}

// keys are those of the deployment's settings.
func (d *deployment) keys() *secrets.Keys {
	d.t.Helper()
	keys, err := secrets.ParseKeys(d.environ["USHER_SECRET_KEYS"])
	if err != nil {
		d.t.Fatal(err)
	}
	return keys
}

// stored opens the deployment's database as the programs do.
func (d *deployment) stored() *sqlstore.DB {
	d.t.Helper()
	db, err := sqlstore.Open(d.t.Context(), d.settings()["USHER_DATABASE_URL"], sqlstore.Settings{Timeout: testkit.DatabasePatience})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = db.Close() })
	return db
}
