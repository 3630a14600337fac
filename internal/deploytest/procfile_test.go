package deploytest_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"usher/internal/testkit"
)

func TestProcfile_runs_what_make_build_has_built(t *testing.T) {
	t.Parallel()
	testkit.NeedProgram(t, "make")
	cmd := exec.Command("make", "--dry-run", "build")
	cmd.Dir = root
	if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), "go build -o bin/ ./cmd/...") {
		t.Errorf("make build does %s, %v", out, err)
	}
	for _, command := range regexp.MustCompile(`\bbin/(\w+)`).FindAllStringSubmatch(testkit.RepositoryFile(t, "Procfile"), -1) {
		if _, err := os.Stat(filepath.Join(root, "cmd", command[1])); err != nil {
			t.Errorf("Procfile: %v", err)
		}
	}
}

// procfileRoot is a folder with the Procfile, the programs in bin and a file of settings.
func procfileRoot(t *testing.T, environ map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	var env strings.Builder
	for _, name := range slices.Sorted(maps.Keys(environ)) {
		fmt.Fprintf(&env, "%s='%s'\n", name, environ[name])
	}
	for name, text := range map[string]string{"Procfile": testkit.RepositoryFile(t, "Procfile"), ".env": env.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Dir(testkit.BuildCommand(t, "api")), filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestProcfile_under_foreman(t *testing.T) {
	t.Parallel()
	foreman := testkit.NeedProgram(t, "foreman")
	environ, _ := testkit.Settings(t)
	if code, said := testkit.RunCommand(t, environ, "admin", "migrate", "up"); code != 0 {
		t.Fatalf("admin migrate up: exit %d, %s", code, said)
	}
	environ["USHER_OPS_ADDR_EMAIL"], environ["USHER_OPS_ADDR_EVENTS"] = "127.0.0.1:0", "127.0.0.1:0"
	dir := procfileRoot(t, environ)
	// Without a locale Ruby cannot read Chinese in a sign name.
	locale := map[string]string{"LANG": "C.UTF-8", "PATH": os.Getenv("PATH"), "HOME": t.TempDir()}
	p := testkit.StartProgram(t, locale, foreman, "start", "--timeout", "30", "--root", dir,
		"--procfile", filepath.Join(dir, "Procfile"), "--env", filepath.Join(dir, ".env"))

	ready := regexp.MustCompile(`"msg":"(api|worker) ready"`)
	testkit.Eventually(t, patience, func() bool {
		if p.Ended() {
			t.Fatal("foreman has ended")
		}
		return len(ready.FindAllString(p.Output(), -1)) == 4
	}, "api and three workers are ready")
	children := childrenOf(t, p.Pid())
	if len(children) != 4 {
		t.Errorf("foreman has %d children, want 4", len(children))
	}
	if err := stop(p, patience); err != nil {
		t.Errorf("foreman after SIGTERM: %v", err)
	}
	for _, child := range children {
		testkit.Eventually(t, patience, func() bool {
			_, err := os.Stat(fmt.Sprintf("/proc/%s", child))
			return err != nil
		}, "process %s has ended", child)
	}
	if well := strings.Count(p.Output(), "exited with code 0"); well != 4 {
		t.Errorf("%d of 4 processes ended well", well)
	}
}

// childrenOf lists the processes that the process has started.
func childrenOf(t *testing.T, pid int) []string {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(lists) == 0 {
		t.Skip("this system does not list the children of a process")
	}
	var children []string
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		children = append(children, strings.Fields(string(text))...)
	}
	return children
}
