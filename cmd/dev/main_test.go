package main

import (
	"context"
	"net"
	"strings"
	"testing"

	"usher/app"
	"usher/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestDev_prints_its_addresses_and_warns_of_nothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*testkit.Patience)
	defer cancel()
	var stdout, stderr testkit.Buffer
	done := make(chan error, 1)
	go func() { done <- start(ctx, onFreePorts(&stdout, &stderr)) }()
	testkit.Eventually(t, testkit.Patience, func() bool { return strings.Contains(stdout.String(), "Ctrl-C") }, "it is not ready")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, path := range []string{"/register", "/inbox", "/docs", "/ops", "/queues"} {
		if !strings.Contains(stdout.String(), path) {
			t.Errorf("%s is not among the addresses:\n%s", path, stdout.String())
		}
	}
	for line := range strings.Lines(stderr.String()) {
		if !strings.Contains(line, "does not answer in time") { // as on a machine that is busy with other tests
			t.Errorf("log: %s", line)
		}
	}
}

func TestDev_names_the_flag_of_a_busy_port(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	busy, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	for _, flag := range []string{"-http", "-ops", "-sandbox", "-smtp"} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr testkit.Buffer
			err := start(t.Context(), onFreePorts(&stdout, &stderr, flag, busy.Addr().String()))
			if err == nil || !strings.Contains(err.Error(), flag+" 127.0.0.1:0") {
				t.Errorf("got %v, want an error that names %s", err, flag)
			}
		})
	}
}

func onFreePorts(stdout, stderr *testkit.Buffer, more ...string) app.Process {
	args := []string{"-http", "127.0.0.1:0", "-ops", "127.0.0.1:0", "-sandbox", "127.0.0.1:0", "-smtp", "127.0.0.1:0"}
	return app.Process{Args: append(args, more...), Environ: testkit.PatientTimes(), Stdout: stdout, Stderr: stderr}
}
