// Command dev runs everything in one process with nothing installed: an in-memory Redis, SQLite, the
// API and the pages, the worker, and the sandbox that stands in for the vendors and shows each message in an
// inbox. The code paths are those of production: the real vendor clients talk to the sandbox over HTTP
// and SMTP. With USHER_REDIS_URL or USHER_DATABASE_URL set it uses those stores instead.
//
// Its first build takes minutes, so what it imports is kept small: see docs/decisions/0030-first-build.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

	"usher/app"
	"usher/app/front"
	"usher/sandbox"
)

func main() {
	os.Exit(app.Start(start))
}

// options are the flags.
type options struct {
	http, ops, sandbox, smtp, captchaAnswer string
	brand, preview                          string
	limited                                 bool
}

func parse(ctx context.Context, p app.Process) (options, error) {
	var o options
	flags := flag.NewFlagSet("dev", flag.ContinueOnError)
	flags.StringVar(&o.http, "http", ":8080", "`address` of the API and the pages")
	flags.StringVar(&o.ops, "ops", "127.0.0.1:8081", "`address` of the operations port")
	flags.StringVar(&o.sandbox, "sandbox", "127.0.0.1:8083", "`address` of the sandbox and its inbox")
	flags.StringVar(&o.smtp, "smtp", "127.0.0.1:1025", "`address` of the sandbox's mail server")
	flags.StringVar(&o.captchaAnswer, "captcha-answer", "", "`text` that answers every captcha, for scripts")
	flags.StringVar(&o.brand, "brand", p.Environ["USHER_BRAND"], "`folder` with a team's own face, see docs/branding.md; a preview of all pages and mails follows it")
	flags.StringVar(&o.preview, "preview", "127.0.0.1:8084", "`address` of the preview")
	flags.BoolVar(&o.limited, "limits", true, "refuse like the vendors when one number gets too many messages")
	if err := app.ParseFlags(flags, p); err != nil {
		return o, err
	}
	var err error
	o.http, err = fixedPort(ctx, o.http)
	return o, err
}

// fixedPort replaces port 0 by a free one: links in mails must name the port before the API is bound.
func fixedPort(ctx context.Context, addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", &app.UsageError{Text: "-http: want host:port or :port"}
	}
	if port != "0" {
		return addr, nil
	}
	// The system gives programs that ask for any port one from 32768 on: it may give one of these away before the API is bound.
	const first, last, tries = 10_000, 32_767, 50
	var lc net.ListenConfig
	for range tries {
		addr = net.JoinHostPort(host, strconv.Itoa(first+rand.IntN(last-first+1))) //nolint:gosec // it guards nothing
		var listener net.Listener
		if listener, err = lc.Listen(ctx, "tcp", addr); err == nil {
			return addr, listener.Close()
		}
	}
	return "", fmt.Errorf("find a free port: %w", err)
}

func start(ctx context.Context, p app.Process) error {
	o, err := parse(ctx, p)
	if err != nil {
		return err
	}
	return o.nameBusyPort(run(ctx, p, o))
}

// nameBusyPort adds to the error of a port that another program has the flag that chooses another one.
func (o options) nameBusyPort(err error) error {
	busy, ok := errors.AsType[*net.OpError](err)
	if !ok || busy.Addr == nil || !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	_, port, _ := net.SplitHostPort(busy.Addr.String())
	for name, addr := range map[string]string{"http": o.http, "ops": o.ops, "sandbox": o.sandbox, "smtp": o.smtp, "preview": o.preview} {
		if host, p, _ := net.SplitHostPort(addr); p == port {
			return fmt.Errorf("another program uses port %s: end it, or choose a free port with -%s %s:0 (%w)", port, name, host, err)
		}
	}
	return err
}

func run(ctx context.Context, p app.Process, o options) error {
	dir, err := os.MkdirTemp("", "usher-dev-")
	if err != nil {
		return fmt.Errorf("make a directory for the run: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var limits sandbox.Limits // the vendors' own
	if !o.limited {
		limits = sandbox.Limits{Minute: -1, Hour: -1, Day: -1}
	}
	fakes, err := sandbox.Open(ctx, sandbox.Config{
		HTTPAddr: o.sandbox, SMTPAddr: o.smtp, AliyunLimits: limits, AliyunVerifyLimits: limits, RonglianLimits: limits, TencentLimits: limits,
	})
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	environ, closeStores, err := environment(p.Environ, o, dir, fakes)
	if err != nil {
		return errors.Join(err, fakes.Close())
	}
	defer closeStores()

	// The sandbox ends last: a worker that is stopping still finishes what it was sending.
	last, stopLast := context.WithCancel(context.WithoutCancel(ctx))
	var group errgroup.Group
	group.Go(func() error { return fakes.Run(last) })
	group.Go(func() error {
		defer stopLast()
		return runProcesses(ctx, environ, o, p.Stdout, p.Stderr, fakes)
	})
	return group.Wait()
}

// runProcesses runs what cmd/api and cmd/worker run, until one of them fails or ctx ends.
func runProcesses(
	ctx context.Context, environ map[string]string, o options, stdout, stderr io.Writer, fakes *sandbox.Server,
) error {
	api, worker, err := open(ctx, environ, o, stderr)
	if err != nil {
		return err
	}
	if err := pushReports(fakes, api, environ["USHER_REPORT_SECRET"]); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	previewed, err := startPreview(ctx, group, o, environ)
	if err != nil {
		return err
	}
	greet(stdout, api, fakes, previewed, environ)
	group.Go(func() error { return api.Run(ctx) })
	group.Go(func() error { return worker.Run(ctx) })
	return group.Wait()
}

// pushReports makes the sandbox push delivery reports to the API, as a setting in the vendors' consoles does.
func pushReports(fakes *sandbox.Server, api *front.API, secret string) error {
	_, port, err := net.SplitHostPort(api.HTTPAddr())
	if err != nil {
		return fmt.Errorf("api: %w", err)
	}
	base := "http://127.0.0.1:" + port + "/v1/reports/"
	return fakes.PushReports(sandbox.ReportURLs{
		Aliyun: base + "aliyun/" + secret, AliyunVerify: base + "aliyun_verify/" + secret, Ronglian: base + "ronglian/" + secret,
		Tencent: base + "tencent/" + secret,
		HTTP:    base + "http",
	})
}

// startPreview serves the preview of a folder, where one is set, and returns its line of the greeting.
func startPreview(ctx context.Context, group *errgroup.Group, o options, environ map[string]string) (string, error) {
	if o.brand == "" {
		return "", nil
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", o.preview)
	if err != nil {
		return "", fmt.Errorf("preview: %w", err)
	}
	p := &preview{dir: o.brand, publicURL: environ["USHER_PUBLIC_URL"], templates: environ["USHER_MAIL_TEMPLATES"]}
	group.Go(func() error { return p.serve(ctx, listener) })
	return fmt.Sprintf("  Preview      http://%s/    all pages and mails with the face in %s, as it changes\n", listener.Addr(), app.Printable(o.brand)), nil
}

func greet(w io.Writer, api *front.API, fakes *sandbox.Server, previewed string, environ map[string]string) {
	_, port, _ := net.SplitHostPort(api.HTTPAddr())
	_, _ = fmt.Fprintf(w, `Usher is ready. Nothing leaves this machine.

  Sign up      http://localhost:%[1]s/register
  Inbox        http://%[2]s/inbox    each SMS and mail, as its receiver sees it
  API          http://localhost:%[1]s/docs
  Operations   http://%[3]s/ops    whether codes arrive, and why not
  Queues       http://%[3]s/queues
  Follow       %[5]sgo run ./cmd/admin tail    each message that finishes; -h shows more
%[4]s
Ctrl-C ends it.
`, port, fakes.HTTPAddr(), api.OpsAddr(), previewed, storesOf(environ))
}

// storesOf are the variables by which cmd/admin finds the stores of this run: those that this program has chosen. An operator's
// own stay where they are, since they may have a password.
func storesOf(environ map[string]string) string {
	var text strings.Builder
	for _, name := range []string{"USHER_DATABASE_URL", "USHER_REDIS_URL"} {
		value := environ[name]
		if strings.HasPrefix(value, "sqlite:") || strings.HasPrefix(value, "redis://127.0.0.1:") {
			text.WriteString(name + "=" + value + " ")
		}
	}
	return text.String()
}
