package prove_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"usher/board"
	"usher/internal/testkit"
)

// monitor writes down every command that Redis gets from now on.
func (d *deployment) monitor() *testkit.Buffer {
	d.t.Helper()
	conn, err := new(net.Dialer).DialContext(d.t.Context(), "tcp", d.parts[partRedis].server.Addr())
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, "MONITOR\r\n"); err != nil {
		d.t.Fatal(err)
	}
	if ok, err := bufio.NewReaderSize(conn, 16).ReadString('\n'); err != nil || ok != "+OK\r\n" {
		d.t.Fatalf("MONITOR: %q, %v", ok, err)
	}
	var all testkit.Buffer
	go func() { _, _ = io.Copy(&all, conn) }()
	return &all
}

// places returns all that an operator, an observer or a thief of the deployment can read.
func (s *search) places() map[string][]byte {
	s.t.Helper()
	places := map[string][]byte{"answers": s.said.Bytes(), "Redis MONITOR": s.monitor.Bytes(), "SQL": s.tables()}
	for name, address := range s.ops {
		logs, traces := apart(s.d.parts[name].program.Output())
		places["log of "+name], places["traces of "+name] = logs, traces
		places["metrics"] = append(places["metrics"], s.operate(address, "/metrics")...)
	}
	places["metrics"] = append(places["metrics"], s.leak...)
	for _, path := range []string{
		"", "/sms", "/email", "/sms/pending_tasks", "/sms/retry_tasks", "/sms/scheduled_tasks", "/sms/archived_tasks",
		"/sms/completed_tasks", "/email/pending_tasks", "/email/retry_tasks", "/email/archived_tasks", "/email/completed_tasks",
	} {
		places["dashboard"] = append(places["dashboard"], s.operate(s.ops["api1"], "/queues/api/queues"+path)...)
	}
	places["dashboard"] = append(places["dashboard"], s.operate(s.ops["api1"], board.Path)...)
	client := s.d.redis()
	defer func() { _ = client.Close() }()
	places["Redis keys"] = testkit.DumpRedis(s.t, client)
	places["Redis RDB"], places["Redis AOF"] = filesOf(s.t, client)
	return places
}

// apart tells log lines from the spans that the console exporter prints between them.
func apart(output string) (logs, traces []byte) {
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, `{"time":`) {
			logs = append(logs, line...)
		} else {
			traces = append(traces, line...)
		}
	}
	return logs, traces
}

// operate reads a page of an operations port.
func (s *search) operate(address, path string) []byte {
	s.t.Helper()
	request := ask(s.t, http.MethodGet, "http://"+address+path, "")
	request.Header.Set("Authorization", "Bearer "+s.d.environ["USHER_OPS_TOKEN"])
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, 10<<20))
	if err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s, %v", path, response.Status, err)
	}
	return text
}

// tables returns every row of every table.
func (s *search) tables() []byte {
	s.t.Helper()
	db := s.d.sql()
	defer func() { _ = db.Close() }()
	var all bytes.Buffer
	list := func(query string, each func(string)) {
		rows, err := db.QueryContext(s.t.Context(), query)
		if err != nil {
			s.t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				s.t.Fatal(err)
			}
			each(text)
		}
		if err := rows.Err(); err != nil {
			s.t.Fatal(err)
		}
	}
	var names []string
	list(`select table_name from information_schema.tables where table_schema = 'public'`, func(name string) { names = append(names, name) })
	for _, name := range names {
		list(fmt.Sprintf(`select t::text from %q t`, name), func(row string) { fmt.Fprintln(&all, name, row) })
	}
	return all.Bytes()
}

// filesOf returns what Redis writes to disk, uncompressed.
func filesOf(t testing.TB, client *redis.Client) (rdb, aof []byte) {
	t.Helper()
	ctx := t.Context()
	if err := client.ConfigSet(ctx, "rdbcompression", "no").Err(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, patience, func() bool { return client.Save(ctx).Err() == nil }, "Redis saves") // not while it rewrites
	dir := client.ConfigGet(ctx, "dir").Val()["dir"]
	rdb, err := os.ReadFile(filepath.Join(dir, "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "appendonlydir", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		aof = append(aof, text...)
	}
	return rdb, aof
}

// plant puts a secret where each of the places gets something from: a request's id goes through all of them but for
// metrics and the dashboard.
func (s *search) plant() {
	s.t.Helper()
	s.request, s.leak = planted, []byte(planted)
	s.promise("13645000001", "login")
	s.post(http.StatusCreated, "/v1/registrations", s.captcha(map[string]any{
		"username": "planted_person", "password": longPassword, "password_repeat": longPassword, "agree": true, "email": "planted@example.com",
	}))
	s.request = ""
	client := s.d.redis()
	defer func() { _ = client.Close() }()
	task := asynq.NewTask("unknown", []byte("{}"))
	_, err := asynq.NewClientFromRedisClient(client).Enqueue(task, asynq.Queue("sms"), asynq.TaskID(planted), asynq.ProcessIn(time.Hour))
	if err != nil {
		s.t.Fatal(err)
	}
	// Spans are printed in batches.
	for _, name := range []string{"api1", "sms1", "email1"} {
		testkit.Eventually(s.t, patience, func() bool {
			logs, traces := apart(s.d.parts[name].program.Output())
			return bytes.Contains(logs, []byte(planted)) && bytes.Contains(traces, []byte(planted))
		}, "%s has logged and traced what was planted", name)
	}
}
