package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/internal/testkit"
)

// Floors are this program again, which here is the test's.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == floorFlag {
		if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	testkit.Main(m)
}

func TestRun_writes_a_report_of_both_sides(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds and starts programs")
	}
	dir := t.TempDir()
	var said testkit.Buffer
	err := run(t.Context(), []string{"-quick", "-only", "lookup", "-duration", "200ms", "-out", dir}, &said)
	if errors.Is(err, testkit.ErrMissing) && os.Getenv("USHER_TEST_REAL") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	report, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| look up a user name, 64 connections | ", " /s: Echo, one indexed read", "≥ 0.70 of the floor"} {
		if !strings.Contains(string(report), want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
}

func TestRun_refuses_an_unknown_measure(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), []string{"-only", "lookup,nothing"}, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), `"nothing"`) {
		t.Errorf("error: got %v", err)
	}
}

func TestLoad_reads_every_form_of_answer(t *testing.T) {
	t.Parallel()
	answers := map[string]http.HandlerFunc{
		"length":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") },
		"nothing": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"chunks": func(w http.ResponseWriter, _ *http.Request) {
			for range 3 {
				fmt.Fprint(w, strings.Repeat("x", 3000))
				w.(http.Flusher).Flush()
			}
		},
		"close": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			fmt.Fprint(w, "bye")
		},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(answer)
			t.Cleanup(server.Close)
			l := loadOf(server, 30)
			if name == "nothing" {
				l.want = http.StatusNoContent
			}
			o, err := l.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if o.done != 30 || o.failed != 0 {
				t.Errorf("got %d good and %d bad answers, want 30 good ones", o.done, o.failed)
			}
			if got := o.times.TotalCount(); got != 30 {
				t.Errorf("%d times were recorded, want 30", got)
			}
		})
	}
}

func loadOf(server *httptest.Server, count int) load {
	var n numbers
	addr := strings.TrimPrefix(server.URL, "http://")
	return load{
		addr: addr, conns: 3, duration: time.Minute, count: count, want: http.StatusOK, next: n.next,
		make: func(n int) request { return get(fmt.Sprintf("/%d", n)) },
	}
}

func TestLoad_fails_when_answers_are_refusals(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "1") {
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	t.Cleanup(server.Close)
	if _, err := loadOf(server, 30).run(t.Context()); err == nil || !strings.Contains(err.Error(), "429") {
		t.Errorf("error: got %v, want one that names the status", err)
	}
}

func TestLoad_asks_for_each_number_once(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[r.URL.Path]++
	}))
	t.Cleanup(server.Close)
	if _, err := loadOf(server, 100).run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 100 {
		t.Errorf("got %d different requests of 100", len(seen))
	}
}

func TestPeer_has_its_placeholders_filled_in(t *testing.T) {
	t.Parallel()
	type received struct{ method, uri, body string }
	requests := make(chan received, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		requests <- received{r.Method, r.RequestURI, body.String()}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, "OK")
	}))
	t.Cleanup(server.Close)
	p := &peer{url: server.URL + "/codes/{mobile}/?n={n}", method: "PUT", body: `{"name":"{username}"}`, media: typeJSON, good: "OK"}
	c, err := p.caller(t.Context(), 0)
	if err != nil || c.want != http.StatusCreated {
		t.Fatalf("got status %d, %v", c.want, err)
	}
	want := received{"PUT", "/codes/" + mobileOf(0) + "/?n=0", `{"name":"bench_0"}`}
	if got := <-requests; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := c.make(7), (request{method: "PUT", path: "/codes/" + mobileOf(7) + "/?n=7", media: typeJSON, body: `{"name":"bench_7"}`}); got != want {
		t.Errorf("the request of 7 is %+v, want %+v", got, want)
	}
}

func TestRow_has_the_verdict_of_its_target(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		target target
		want   string
	}{
		"ratio reached":     {ofFloor(0.8), "met"},
		"ratio missed":      {ofFloor(0.9), "**missed**"},
		"least reached":     {least(80, "why"), "met"},
		"most missed":       {most(79), "**missed**"},
		"nothing asked for": {target{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := row{target: test.target, samples: [sides]sample{ours: {70, 90, 80}, theFloor: {100}}}
			if _, got := r.verdict(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
