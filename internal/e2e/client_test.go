package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

const clientFolder = "../../clients/typescript"

// resendInterval is the pause between two codes to a number in the tests of frontends.
const resendInterval = time.Second

// openClient copies the client to a folder where it may be built, with the files of the repository that its scripts name, and installs its tools.
func openClient(t *testing.T) (dir string) {
	t.Helper()
	npm, root := testkit.NeedProgram(t, "npm"), t.TempDir()
	dir = filepath.Join(root, "clients", "typescript")
	for _, name := range []string{"src", "test", "examples"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(clientFolder, name))); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{
		"../../api/openapi.yaml": "api/openapi.yaml", clientFolder + "/README.md": "clients/typescript/README.md",
		clientFolder + "/package.json": "clients/typescript/package.json", clientFolder + "/package-lock.json": "clients/typescript/package-lock.json",
		clientFolder + "/tsconfig.json": "clients/typescript/tsconfig.json", clientFolder + "/README.zh-CN.md": "clients/typescript/README.zh-CN.md",
	} {
		to = filepath.Join(root, to)
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o700)
		}
		if err == nil {
			err = os.WriteFile(to, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	install := exec.CommandContext(t.Context(), npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("npm cannot install the tools of the client: %v: %s", err, out)
	}
	// Tests and examples import the package by its name, through its exports, as its users do.
	if err := os.Symlink("..", filepath.Join(dir, "node_modules", "usher-client")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run runs a program in the folder, which must succeed.
func run(t *testing.T, dir string, environ []string, command ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*testkit.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environ...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
}

// wantSame compares a file that was made from the sources with the one in the repository.
func wantSame(t *testing.T, made, committed string) {
	t.Helper()
	got, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s is not what its sources make: run make client", committed)
	}
}

// The client is built, checked and tried on the running program: in Node, and in the examples, whose pages have another origin.
func TestClient(t *testing.T) {
	t.Parallel()
	dir := openClient(t)
	frontend, origin := openFrontend(t)
	dev := launchDev(t, map[string]string{
		"USHER_ALLOWED_ORIGINS": origin,
		"USHER_LIMITS":          crowded, "USHER_SMS_RESEND_INTERVAL": resendInterval.String(), "USHER_EMAIL_CODE_RESEND_INTERVAL": resendInterval.String(),
	}, "-limits=false")
	if run(t, dir, nil, "npm", "run", "build"); t.Failed() {
		return
	}
	port, inbox := dev.Await(t, `Sign up +http://localhost(:\d+)/register`), dev.Await(t, `Inbox +http://(\S+)/inbox`)
	frontend.dir, frontend.api = filepath.Join(dir, "examples"), "http://localhost"+port
	t.Run("made files are those of the repository", func(t *testing.T) {
		t.Parallel()
		run(t, dir, nil, "npm", "run", "types")
		run(t, dir, nil, "npm", "run", "pages")
		wantSame(t, filepath.Join(dir, "src", "types.ts"), clientFolder+"/src/types.ts")
		wantSame(t, filepath.Join(dir, "../../web/static/usher.js"), "../../web/static/usher.js")
	})
	t.Run("publint, are the types wrong", func(t *testing.T) {
		t.Parallel()
		run(t, dir, nil, "npm", "run", "check")
	})
	t.Run("in Node", func(t *testing.T) {
		t.Parallel()
		environ := []string{"USHER_URL=http://localhost" + port, "SANDBOX_URL=http://" + inbox, "CAPTCHA=" + captchaAnswer}
		run(t, dir, environ, "npm", "test")
	})
	t.Run("in frontends", func(t *testing.T) {
		t.Parallel()
		b := openBrowser(t)
		if run(t, dir, nil, "npm", "run", "examples"); t.Failed() {
			return
		}
		for name, walk := range map[string]func(*testing.T, *browser, string, *testclient.Client){
			"plain": walksPlain, "Vue": walksVue, "React": walksReact,
		} {
			t.Run(name, func(t *testing.T) {
				p := testclient.New(t, "127.0.0.1"+port, inbox)
				p.CaptchaAnswer = captchaAnswer
				tab := b.fresh(t)
				defer func() {
					if t.Failed() {
						t.Log(evaluate[string](t, tab, "document.body.innerText"))
					}
				}()
				walk(t, tab, origin, p)
				if name == "plain" {
					tab.strangerIsRefused(t, frontend)
				}
			})
		}
	})
}
