// Command sandbox plays Aliyun SMS, Ronglian SMS, Tencent SMS and a mail server, and shows what was sent in an inbox. It needs no other part
// of Usher; docs/sandbox.md shows clients in Python and Node.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"usher/sandbox"
)

// errUsage marks mistakes on the command line, which the flag package has printed already.
var errUsage = errors.New("usage")

const usage = `Usage: sandbox [options]

Plays Aliyun SMS, Ronglian SMS, Tencent SMS, GeeTest's captcha and a mail server, so that clients in any language can be tested without sending a message.
It checks signatures and limits as the vendors do, keeps messages in memory and shows them in an inbox.

At the start it prints its addresses. The keys that it accepts are at /api/credentials, the certificate to trust for mails
at /api/smtp-ca.pem, messages as JSON at /api/messages, faults to inject at /api/faults (GET, PUT).

Options:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	httpAddr := flags.String("http", "127.0.0.1:8083", "`address` (host:port) of the vendors' interfaces and of the inbox; port 0: any free one")
	smtpAddr := flags.String("smtp", "127.0.0.1:1025", "`address` (host:port) of the mail server; port 0: any free one")
	limited := flags.Bool("limits", true, "refuse as the vendors do when one number gets too many messages: 1 a minute; -limits=false for none")
	aliyunReport := flags.String("aliyun-report", "", "`URL` to push Aliyun's delivery reports to")
	verifyReport := flags.String("aliyun-verify-report", "", "`URL` to push the delivery reports of Aliyun's SMS authentication to")
	tencentReport := flags.String("tencent-report", "", "`URL` to push Tencent's delivery reports to")
	httpReport := flags.String("http-report", "", "`URL` to push the signed delivery reports of the HTTP sender's receiver to")
	ronglianReport := flags.String("ronglian-report", "", "`URL` to push Ronglian's delivery reports to")
	capacity := flags.Int("keep", 10_000, "`number` of newest messages to keep; 0: only count them, for measurements")
	journalFile := flags.String("journal", "", "`file` to append every accepted message to, as one line of JSON")
	certificate := flags.String("smtp-cert", "", "PEM `file` with the mail server's certificate and key, created when it is missing")
	var level slog.Level
	flags.TextVar(&level, "log-level", slog.LevelInfo, "`level` of the log: debug, info, warn or error")
	healthy := flags.Bool("health", false, "only check whether the sandbox that runs with the same -http answers: exit code 0 or 1")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return errUsage
	}
	if flags.NArg() > 0 {
		fmt.Fprintln(stderr, "sandbox: unexpected argument: use options only, see -h")
		return errUsage
	}
	if *healthy {
		return health(ctx, *httpAddr)
	}
	var limits sandbox.Limits // the vendors' own
	if !*limited {
		limits = sandbox.Limits{Minute: -1, Hour: -1, Day: -1}
	}
	config := sandbox.Config{
		HTTPAddr:       *httpAddr,
		SMTPAddr:       *smtpAddr,
		AliyunLimits:   limits,
		RonglianLimits: limits,
		TencentLimits:  limits,

		AliyunVerifyLimits: limits,

		Reports: sandbox.ReportURLs{Aliyun: *aliyunReport, AliyunVerify: *verifyReport, Ronglian: *ronglianReport, Tencent: *tencentReport, HTTP: *httpReport},

		Capacity:        *capacity,
		Tally:           *capacity == 0,
		CertificateFile: *certificate,
		Logger:          slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})),
	}
	if *journalFile != "" {
		journal, err := sandbox.OpenJournal(*journalFile)
		if err != nil {
			return err
		}
		defer func() { _ = journal.Close() }() // every line is written at once, so nothing is buffered
		config.Journal = journal
	}
	return serve(ctx, config, stdout, stderr)
}

// serve prints the addresses and serves until ctx ends.
func serve(ctx context.Context, config sandbox.Config, stdout, stderr io.Writer) error {
	server, err := sandbox.Open(ctx, config)
	if err != nil {
		return err
	}
	for _, addr := range []string{server.HTTPAddr(), server.SMTPAddr()} {
		if bound, err := netip.ParseAddrPort(addr); err == nil && !bound.Addr().Unmap().IsLoopback() {
			fmt.Fprintf(stderr, "WARNING: %s can be reached from other machines: "+
				"every client that reaches it can read all codes and links. Listen on 127.0.0.1 instead.\n", addr)
		}
	}
	announce(stdout, server)
	return server.Run(ctx)
}

func announce(stdout io.Writer, server *sandbox.Server) {
	base := "http://" + server.HTTPAddr()
	fmt.Fprintf(stdout, `Inbox     %[1]s/inbox
Aliyun    %[1]s/aliyun/
Ronglian  %[1]s/ronglian
Tencent   %[1]s/tencent/
GeeTest   %[1]s/geetest
HTTP      %[1]s/http/
SMTP      %[2]s (STARTTLS, AUTH)
Keys      %[1]s/api/credentials
Mail CA   %[1]s/api/smtp-ca.pem
`, base, server.SMTPAddr())
}

// health makes a small request to the sandbox that listens on addr, as container health checks do.
func health(ctx context.Context, addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return errors.New("-http: want host:port")
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	address := "http://" + net.JoinHostPort("127.0.0.1", port) + "/api/faults"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", address, response.Status)
	}
	return nil
}
