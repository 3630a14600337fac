package main

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"usher/internal/testkit"
	"usher/sandbox"
)

// TestTencent_SDKs runs the vendor's own SDKs for Go and Node, from their registries, against the sandbox.
func TestTencent_SDKs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fetch, run []string
		number     string
		want       string
	}{
		"go": {
			[]string{"go", "mod", "download"},
			[]string{"go", "run", "."},
			"+8613800000021",
			"sent: Ok\nreported: SUCCESS\nwrong key: AuthFailure.SignatureFailure\n",
		},
		"node": {
			[]string{"npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "tencentcloud-sdk-nodejs-sms@4.1.306"},
			[]string{"node", "client.cjs"},
			"+8613800000022", "sent: Ok\nwrong key: AuthFailure.SignatureFailure\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, program := range []string{c.fetch[0], c.run[0]} {
				testkit.NeedProgram(t, program)
			}
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS("testdata/tencent")); err != nil {
				t.Fatal(err)
			}
			if out, err := in(t, dir, c.fetch...).CombinedOutput(); err != nil {
				t.Skipf("the registry does not serve the vendor's SDK: %v: %s", err, out)
			}
			box := startSandbox(t)
			keys := box.Credentials().Tencent
			out, err := in(t, dir, append(c.run, box.HTTPAddr(), keys.SecretID, keys.SecretKey, keys.SDKAppID, c.number)...).CombinedOutput()
			if err != nil || string(out) != c.want {
				t.Errorf("%v, printed\n%s\nwant\n%s", err, out, c.want)
			}
			if kept := box.Messages(c.number); len(kept) != 1 || kept[0].Provider != "tencent" || kept[0].Code != "012345" {
				t.Errorf("kept %+v, want one message", kept)
			}
		})
	}
}

// in makes a command that runs in a directory, without a proxy for loopback.
func in(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	cmd.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1", "GOFLAGS=", "GOWORK=off")
	return cmd
}

func startSandbox(t *testing.T) *sandbox.Server {
	t.Helper()
	box, err := sandbox.Open(t.Context(), sandbox.Config{HTTPAddr: "127.0.0.1:0", SMTPAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- box.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return box
}
