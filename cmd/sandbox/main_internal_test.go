package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// start runs the program until the test ends and returns what it announced.
func start(t *testing.T, stderr io.Writer, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stdout, writer := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, args, writer, stderr) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: got %v, want nil", err)
		}
	})
	announced := make([]byte, 4096)
	n, err := stdout.Read(announced) // the announcement is one write
	if err != nil {
		t.Fatal(err)
	}
	return string(announced[:n])
}

func TestRun_announces_addresses_that_answer(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	announced := start(t, &stderr, "-http", "127.0.0.1:0", "-smtp", "127.0.0.1:0", "-log-level", "error")
	inbox := strings.Fields(announced)[1]
	request, err := http.NewRequestWithContext(t.Context(), "GET", inbox, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != 200 {
		t.Errorf("%s: got %d", inbox, response.StatusCode)
	}
	if stderr.Len() > 0 {
		t.Errorf("stderr: got %q, want nothing on loopback", stderr.String())
	}
}

func TestRun_health_is_that_of_the_running_sandbox(t *testing.T) {
	t.Parallel()
	announced := start(t, io.Discard, "-http", "127.0.0.1:0", "-smtp", "127.0.0.1:0", "-log-level", "error")
	addr := strings.TrimSuffix(strings.TrimPrefix(strings.Fields(announced)[1], "http://"), "/inbox")
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, told := range []string{addr, ":" + port, "0.0.0.0:" + port} {
		if err := run(t.Context(), []string{"-health", "-http", told}, io.Discard, io.Discard); err != nil {
			t.Errorf("on %s: %v", told, err)
		}
	}
	if err := run(t.Context(), []string{"-health", "-http", "127.0.0.1:1"}, io.Discard, io.Discard); err == nil {
		t.Error("a port without a sandbox is healthy")
	}
}

func TestRun_warns_when_others_can_reach_it(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	start(t, &stderr, "-http", "0.0.0.0:0", "-smtp", "127.0.0.1:0", "-log-level", "error")
	if !strings.Contains(stderr.String(), "WARNING") {
		t.Errorf("stderr: got %q, want a warning", stderr.String())
	}
}

func TestRun_usage_errors(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-nonsense"}, {"argument"}, {"-log-level", "loud"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); !errors.Is(err, errUsage) {
			t.Errorf("%v: got %v, want a usage error", args, err)
		}
	}
	if err := run(t.Context(), []string{"-h"}, io.Discard, io.Discard); err != nil {
		t.Errorf("-h: got %v, want nil", err)
	}
}

func TestRun_address_in_use_is_no_usage_error(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = run(t.Context(), []string{"-http", l.Addr().String(), "-smtp", "127.0.0.1:0"}, io.Discard, io.Discard)
	if err == nil || errors.Is(err, errUsage) {
		t.Errorf("got %v, want a listen error", err)
	}
}
