package deploytest_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/internal/testkit"
)

// units are the files of systemd with what they set, by section and key: all values of a key that is repeated.
var units = []string{"usher-api.service", "usher-worker@.service", "usher-migrate.service"}

func readUnit(t testing.TB, name string) map[string][]string {
	t.Helper()
	values := map[string][]string{}
	section := ""
	for line := range strings.Lines(testkit.RepositoryFile(t, "ops/systemd/"+name)) {
		line = strings.TrimSpace(line)
		key, value, found := strings.Cut(line, "=")
		switch {
		case line == "", strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
		case found:
			values[section+"."+key] = append(values[section+"."+key], value)
		default:
			t.Errorf("%s: what is %q?", name, line)
		}
	}
	return values
}

// installed is where docs/deployment.md puts the programs.
const installed = "/opt/usher/bin/"

func TestUnits_please_systemd(t *testing.T) {
	t.Parallel()
	testkit.NeedProgram(t, "systemd-analyze")
	// It wants programs to be where units say, so both are put into a folder of this test.
	dir := t.TempDir()
	bin := filepath.Dir(testkit.BuildCommand(t, "api")) + "/"
	paths := make([]string, len(units))
	for i, name := range units {
		paths[i] = filepath.Join(dir, name)
		text := strings.ReplaceAll(testkit.RepositoryFile(t, "ops/systemd/"+name), installed, bin)
		if err := os.WriteFile(paths[i], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verify := exec.Command("systemd-analyze", append([]string{"verify", "--man=no"}, paths...)...)
	if said, err := verify.CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, said)
	}
	for _, path := range paths {
		// Of 100 points of exposure; what needs a network cannot get below a dozen.
		cmd := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=15", path)
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", filepath.Base(path), err, said)
		}
	}
}

func TestUnits_restart_and_stop_as_the_programs_expect(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"usher-api.service", "usher-worker@.service"} {
		unit := readUnit(t, name)
		for key, want := range map[string]string{
			"Service.Restart":                  "on-failure",
			"Service.RestartPreventExitStatus": "2", // wrong settings, see package app
			"Unit.StartLimitIntervalSec":       "0",
		} {
			if got := unit[key]; !slices.Equal(got, []string{want}) {
				t.Errorf("%s: %s is %v, want %s", name, key, got, want)
			}
		}
		stop, err := time.ParseDuration(strings.Join(unit["Service.TimeoutStopSec"], "") + "s")
		if err != nil || stop < grace(t)+closing {
			t.Errorf("%s: killed after %v, %v; want %v at least", name, stop, err, grace(t)+closing)
		}
	}
}

// stepBack is the system call by which processes that hash passwords let requests go first.
const stepBack = "setpriority"

func TestUnits_let_hashes_of_passwords_step_back(t *testing.T) {
	t.Parallel()
	filters := readUnit(t, "usher-api.service")["Service.SystemCallFilter"]
	if len(filters) == 0 || filters[len(filters)-1] != stepBack {
		t.Errorf("system calls %q, want %s allowed in the end", filters, stepBack)
	}
}

func TestUnits_start_programs_with_flags_that_exist(t *testing.T) {
	t.Parallel()
	for _, name := range units {
		argv := strings.Fields(strings.ReplaceAll(strings.Join(readUnit(t, name)["Service.ExecStart"], " "), "%i", "email"))
		if !strings.HasPrefix(argv[0], installed) {
			t.Errorf("%s starts %s", name, argv[0])
			continue
		}
		// Nothing is set, so what understands its arguments asks for the settings, or does without.
		code, said := testkit.RunCommand(t, map[string]string{"USHER_DATABASE_URL": "postgres://127.0.0.1:1/usher"},
			strings.TrimPrefix(argv[0], installed), argv[1:]...)
		settingsAsked := code == 2 && strings.Contains(said, "USHER_SECRET_KEYS: must be set")
		databaseAsked := code == 1 && strings.Contains(said, "open postgres")
		if !settingsAsked && !databaseAsked {
			t.Errorf("%s: %v exits with %d: %s", name, argv, code, said)
		}
	}
}

// What hardens one unit hardens all: they differ in what they start.
func TestUnits_are_hardened_alike(t *testing.T) {
	t.Parallel()
	hardens := regexp.MustCompile(
		`^Service\.(DynamicUser|UMask|Protect|Private|Restrict|System|Capability|NoNew|Lock|Memory|RemoveIPC)`)
	hardening := func(name string) map[string][]string {
		unit := readUnit(t, name)
		maps.DeleteFunc(unit, func(key string, _ []string) bool { return !hardens.MatchString(key) })
		const calls = "Service.SystemCallFilter" // the API alone has processes that step back
		unit[calls] = slices.DeleteFunc(unit[calls], func(call string) bool { return call == stepBack })
		return unit
	}
	want := hardening(units[0])
	if len(want) < 20 {
		t.Errorf("only %d settings harden %s", len(want), units[0])
	}
	for _, name := range units[1:] {
		if got := hardening(name); !maps.EqualFunc(got, want, slices.Equal[[]string]) {
			t.Errorf("%s is hardened by\n%v\n, %s by\n%v", name, got, units[0], want)
		}
	}
}
