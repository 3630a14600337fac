// Command sandbox plays Aliyun SMS, Ronglian SMS and a mail server, and shows what was sent in an inbox.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	"usher/sandbox"
)

// errUsage marks mistakes on the command line; the flag package has explained them already.
var errUsage = errors.New("usage")

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
	httpAddr := flags.String("http", "127.0.0.1:8083", "`address` of the vendors' interfaces and of the inbox")
	smtpAddr := flags.String("smtp", "127.0.0.1:1025", "`address` of the mail server")
	limited := flags.Bool("limits", true, "refuse like the vendors when one number gets too many messages")
	aliyunReport := flags.String("aliyun-report", "", "`address` to push Aliyun's delivery reports to")
	ronglianReport := flags.String("ronglian-report", "", "`address` to push Ronglian's delivery reports to")
	capacity := flags.Int("keep", 10_000, "`number` of messages that are kept, the newest; 0 only counts them, for measuring")
	journalFile := flags.String("journal", "", "`file` to add every accepted message to, as one line of JSON")
	certificate := flags.String("smtp-cert", "", "PEM `file` with the mail server's certificate and key, made when missing")
	var level slog.Level
	flags.TextVar(&level, "log-level", slog.LevelInfo, "`level` of the log: debug, info, warn or error")
	healthy := flags.Bool("health", false, "only ask the sandbox that runs with the same -http whether it answers: exit 0 or 1")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return errUsage
	}
	if flags.NArg() > 0 {
		fmt.Fprintln(stderr, "sandbox: takes no arguments besides its flags")
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

		AliyunReportURL:   *aliyunReport,
		RonglianReportURL: *ronglianReport,

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
		defer func() { _ = journal.Close() }() // every line was written by itself already
		config.Journal = journal
	}
	return serve(ctx, config, stdout, stderr)
}

// serve announces the addresses and answers until ctx ends.
func serve(ctx context.Context, config sandbox.Config, stdout, stderr io.Writer) error {
	server, err := sandbox.Open(ctx, config)
	if err != nil {
		return err
	}
	for _, addr := range []string{server.HTTPAddr(), server.SMTPAddr()} {
		if bound, err := netip.ParseAddrPort(addr); err == nil && !bound.Addr().Unmap().IsLoopback() {
			fmt.Fprintf(stderr, "WARNING: %s can be reached from other machines: "+
				"whoever reaches it reads every code and link.\n", addr)
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
SMTP      %[2]s (STARTTLS, AUTH)
Keys      %[1]s/api/credentials
Mail CA   %[1]s/api/smtp-ca.pem
`, base, server.SMTPAddr())
}
