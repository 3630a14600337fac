package deploytest_test

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"usher/internal/testkit"
)

// What an image may weigh: 40 MiB in all, of which the base image takes almost 2.
const mostMiB = 38

// images is where the programs of the images are built, once for all tests.
var images struct {
	once sync.Once
	out  string // stands for /out
	err  error
}

// program returns the path of a program as it is in an image: built by the Dockerfile's commands from what docker
// would send. It takes minutes the first time.
func program(t testing.TB, path string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("building as for images takes a while")
	}
	images.once.Do(func() { images.out, images.err = buildImages(t) })
	if images.err != nil {
		t.Fatal(images.err)
	}
	return filepath.Join(images.out, path)
}

func buildImages(t testing.TB) (out string, err error) {
	t.Helper()
	//nolint:usetesting // the programs outlive the test that builds them
	dir, err := os.MkdirTemp("", "usher-images-")
	if err != nil {
		return "", err
	}
	testkit.AtEnd(func() { _ = os.RemoveAll(dir) })
	src, out := filepath.Join(dir, "src"), filepath.Join(dir, "out")
	sendContext(t, src)
	for _, run := range stages(t)["build"].runs {
		cmd := exec.CommandContext(context.Background(), "sh", "-c", strings.ReplaceAll(run, " /out/", " "+out+"/"))
		cmd.Dir = src
		if said, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("RUN %s: %w\n%s", run, err, said)
		}
	}
	return out, os.RemoveAll(src)
}

func TestImages_are_small(t *testing.T) {
	t.Parallel()
	for _, name := range targets {
		info, err := os.Stat(program(t, name))
		if err != nil {
			t.Fatal(err)
		}
		mib := float64(info.Size()) / (1 << 20)
		t.Logf("%-8s %5.1f MiB", name, mib)
		if mib > mostMiB {
			t.Errorf("%s is %.1f MiB, want %d at most", name, mib, mostMiB)
		}
	}
}

func TestImages_lack_what_they_must_not_have(t *testing.T) {
	t.Parallel()
	vendors := []string{"github.com/aliyun/alibaba-cloud-sdk-go", "github.com/wneessen/go-mail"}
	sandbox := []string{"github.com/emersion/go-smtp", "github.com/alicebob/miniredis/v2"}
	front := []string{"github.com/labstack/echo/v4", "github.com/hibiken/asynqmon", "golang.org/x/image"}
	for name, modules := range map[string][]string{
		"api": append(vendors, sandbox...), "worker": append(front, sandbox...), "admin": sandbox,
	} {
		info, err := buildinfo.ReadFile(program(t, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, module := range append(modules, "github.com/ncruces/go-sqlite3") {
			for _, found := range info.Deps {
				if found.Path == module {
					t.Errorf("%s holds %s", name, module)
				}
			}
		}
	}
}

func TestImages_say_that_they_lack_SQLite(t *testing.T) {
	t.Parallel()
	environ := testkit.BasicSettings("redis://127.0.0.1:1/0", "sqlite:usher.db")
	for _, name := range []string{"api", "admin"} {
		args := map[string][]string{"admin": {"migrate", "up"}}[name]
		code, said := testkit.StartProgram(t, environ, program(t, name), args...).AwaitEnd(t)
		if code == 0 || !strings.Contains(said, "built without SQLite") {
			t.Errorf("%s: exit %d, %s", name, code, said)
		}
		if name == "api" && code != 2 {
			t.Errorf("api: exit %d, want 2: starting again is of no use", code)
		}
	}
}
