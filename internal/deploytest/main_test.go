package deploytest_test

import (
	"context"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"

	"usher/config"
	"usher/internal/testkit"
	"usher/providers/catalog"
)

// root is the repository's.
const root = "../.."

// patience is how long something may take that takes a second; the machine may be busy.
const patience = time.Minute

// stop tells a program to end and returns the error of its end; when it takes too long it is killed.
func stop(p *testkit.Program, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	p.Signal(syscall.SIGTERM)
	return p.Wait(ctx)
}

func TestMain(m *testing.M) { testkit.Main(m) }

// settings are all that the programs read, by name.
func settings() map[string]config.Variable {
	byName := map[string]config.Variable{}
	for _, v := range config.Table(append(catalog.Configs(), config.API{}, config.Worker{})...) {
		byName[v.Name] = v
	}
	return byName
}

// grace is how long a process may take to end, by default.
func grace(t testing.TB) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(settings()["USHER_SHUTDOWN_GRACE"].Default)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// closing is what a supervisor has to grant on top of the grace, for connections to be closed.
const closing = 5 * time.Second

func TestFiles_name_settings_that_exist(t *testing.T) {
	t.Parallel()
	known := settings()
	files, err := filepath.Glob(filepath.Join(root, "ops/systemd/*"))
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range files {
		if files[i], err = filepath.Rel(root, file); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range append(files, "Dockerfile", "docker-compose.yml", "Procfile", "docs/deployment.md") {
		names := regexp.MustCompile(`\bUSHER_[A-Z0-9_]*[A-Z0-9]\b`).FindAllString(testkit.RepositoryFile(t, file), -1)
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			own := []string{"USHER_OPS_ADDR_EMAIL", "USHER_OPS_ADDR_EVENTS"} // the Procfile's
			if _, found := known[name]; !found && !slices.Contains(own, name) {
				t.Errorf("%s: there is no setting %s", file, name)
			}
		}
	}
}
