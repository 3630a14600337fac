package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"usher/events"
	"usher/internal/testkit"
	"usher/secrets"
	"usher/store/sqlstore"
	"usher/webhooks"
)

// receiver is a team's service that gets events.
type receiver struct {
	mu      sync.Mutex
	keys    webhooks.Keys
	refuses int // so many requests first
	ids     map[string]int
	got     []string // types, by their first delivery
	bodies  []byte
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(io.LimitReader(request.Body, 1<<20))
	r.mu.Lock()
	defer r.mu.Unlock()
	var id string
	if err == nil {
		id, err = r.keys.Verify(request.Header, body, time.Now())
	}
	if err != nil {
		http.Error(w, "not signed", http.StatusBadRequest)
		return
	}
	if r.refuses > 0 {
		r.refuses--
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	var event struct{ Type string }
	_ = json.Unmarshal(body, &event)
	if r.ids[id]++; r.ids[id] == 1 {
		r.got = append(r.got, event.Type)
	}
	r.bodies = append(r.bodies, body...)
}

func (r *receiver) has(types ...events.Type) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := map[string]bool{}
	for _, typ := range r.got {
		found[typ] = true
	}
	for _, typ := range types {
		if !found[string(typ)] {
			return false
		}
	}
	return true
}

// register adds the receiver as an endpoint of the deployment.
func (r *receiver) register(t *testing.T, d *deployment) {
	t.Helper()
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	db, err := sqlstore.Open(t.Context(), d.environ["USHER_DATABASE_URL"], sqlstore.Settings{Timeout: testkit.DatabasePatience})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	keys, err := secrets.ParseKeys(d.environ["USHER_SECRET_KEYS"])
	if err != nil {
		t.Fatal(err)
	}
	secret := events.NewSecret()
	_, err = sqlstore.NewEvents(db, keys, time.Now).AddEndpoint(t.Context(), server.URL+"/events", nil, secret)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys, err = webhooks.ParseKeys(secret); err != nil {
		t.Fatal(err)
	}
	r.ids = map[string]int{}
}

func TestEvents_of_a_sign_up_reach_an_endpoint_that_fails_at_first(t *testing.T) {
	t.Parallel()
	database := testkit.Postgres(t)
	if database == "" {
		database = testkit.SQLite(t)
	}
	d := deploy(t, testkit.Redis(t), database, map[string]string{"USHER_EVENTS_ALLOW_PRIVATE": "127.0.0.0/8"})
	r := &receiver{refuses: 1}
	r.register(t, d)
	p, journey := d.person(t), lilei()
	p.Walk(journey)
	testkit.Eventually(t, 2*testkit.Patience, func() bool {
		return r.has(events.AccountCreated, events.AccountContactChanged)
	}, "the events of the sign-up arrive")
	d.board(t, "Events to your services", "working × 1")
	r.mu.Lock()
	defer r.mu.Unlock()
	if found := testkit.FindSecrets(r.bodies, journey.Mobile, journey.Email, journey.Password, journey.Username); len(found) > 0 {
		t.Errorf("bodies show %q", found)
	}
	if found := testkit.FindSecrets(d.log.Bytes(), "whsec_"); len(found) > 0 {
		t.Errorf("the log shows %q", found)
	}
}
