package integration_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"usher/accounts"
	"usher/internal/testkit"
)

// receiverProgram installs the receiver of docs/examples/events with the reference library, and returns its command.
func receiverProgram(t *testing.T) []string {
	t.Helper()
	node, dir := testkit.NeedProgram(t, "node"), testkit.NPM(t, "standardwebhooks@1.1.1")
	script, err := os.ReadFile("../../docs/examples/events/receiver.mjs")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "receiver.mjs"), script, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return []string{node, filepath.Join(dir, "receiver.mjs")}
}

// Accounts are made while the worker and the receiver are killed again and again. The receiver verifies with the reference library.
func TestEvents_reach_a_receiver_of_the_reference_library_under_kills(t *testing.T) {
	t.Parallel()
	const people, kills = 40, 4
	command := receiverProgram(t)
	database := testkit.Postgres(t)
	if database == "" {
		database = testkit.SQLite(t)
	}
	environ := testkit.BasicSettings(testkit.Redis(t), database)
	environ["USHER_EVENTS_ALLOW_PRIVATE"] = "127.0.0.0/8"
	store := openAccounts(t, environ)
	listen := freeAddress(t)
	code, out := testkit.RunCommand(t, environ, "admin", "endpoints", "add", "-url", "http://"+listen+"/usher", "-events", "account.created", "-json")
	var added struct{ ID, Secret string }
	if err := json.Unmarshal([]byte(out), &added); code != 0 || err != nil || !strings.HasPrefix(added.Secret, "whsec_") {
		t.Fatalf("admin endpoints add: exit %d, %v: %s", code, err, out)
	}
	receive := func() *testkit.Program {
		p := testkit.StartProgram(t, map[string]string{"SECRET": added.Secret, "LISTEN": listen}, command[0], command[1:]...)
		p.Await(t, `(listening) on`)
		return p
	}
	work := func() *testkit.Program {
		p := testkit.StartCommand(t, environ, "worker", "-channels", "events")
		p.Await(t, `"msg":"(worker ready)"`)
		return p
	}
	receivers, worker := []*testkit.Program{receive()}, work()
	for n := range people {
		if n%(people/kills) == people/kills-1 {
			_ = worker.Stop(syscall.SIGKILL)
			worker = work()
		}
		if n == people/2 {
			_ = receivers[0].Stop(syscall.SIGKILL)
			receivers = append(receivers, receive()) // soon enough for the second attempt, after 5 s: the third one takes minutes
		}
		account := accounts.Account{
			ID: uuid.NewString(), Username: fmt.Sprintf("person_%d", n), Active: true, ActivationGeneration: 1, SessionGeneration: 1,
			CreatedAt: time.Now(), UpdatedAt: time.Now(),
		}
		if err := store.Create(t.Context(), account, nil); err != nil {
			t.Fatal(err)
		}
	}
	if code, out := testkit.RunCommand(t, environ, "admin", "events", "list", "-json", "-limit", "1000"); code != 0 || strings.Count(out, `"id":"evt_`) != people {
		t.Fatalf("admin events list: exit %d, %d events", code, strings.Count(out, `"id":"evt_`))
	}
	testkit.Eventually(t, 3*testkit.Patience, func() bool {
		ids := map[string]bool{}
		for _, r := range receivers {
			for line := range strings.Lines(r.Output()) {
				if fields := strings.Fields(line); len(fields) == 5 && fields[0] == "event" && fields[2] == "account.created" && fields[4] == "1" {
					ids[fields[1]] = true
				}
			}
		}
		return len(ids) == people
	}, "all %d events arrive", people)
}

// freeAddress returns an address on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}
