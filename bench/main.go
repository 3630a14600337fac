// Command bench measures the built programs from outside, each beside the floor that it stands on: the least
// code that does the same work with the same libraries on the same stores. It starts its own Redis,
// PostgreSQL and sandbox, runs cmd/api and cmd/worker as an operator would, and takes turns between ours and
// the floor, so that a busy or slow machine does the same to both. See docs/performance.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run runs the chosen measures, prints their progress to out and writes the report.
func run(ctx context.Context, args []string, out io.Writer) error {
	// A floor is a process of its own: this program again, told what to be by its first argument.
	if len(args) == 2 && args[0] == floorFlag {
		return runFloor(ctx, args[1], out)
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	s, err := openTestbed(ctx, o)
	if err != nil {
		return err
	}
	defer s.close()
	b := &bench{options: o, testbed: s, out: out, report: &report{file: "README.md", quick: o.quick}}
	b.report.about = s.about(ctx)
	if err := b.openPeers(ctx); err != nil {
		return err
	}
	var failed error // a measure that fails does not lose the others
	for _, m := range b.chosen() {
		b.sayf("%s: %s", m.name, m.about)
		// The next measure's vendor answers at once again.
		if err := errors.Join(m.run(b, ctx), s.vendor.delay(ctx, 0)); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", m.name, err))
		}
		if ctx.Err() != nil {
			return failed
		}
	}
	_, load := machine()
	b.report.about = append(b.report.about, "and when it ended: "+load)
	return errors.Join(failed, b.report.write(o.out))
}

// bench is one run of the program.
type bench struct {
	options
	testbed *testbed
	out     io.Writer
	report  *report
	numbers numbers
	django  *djangoPeer // nil without -peer django
}

// measure is one question that is put to the programs.
type measure struct {
	name, about string
	run         func(*bench, context.Context) error
}

// measures are in the order in which they run: what leaves much behind comes last.
func measures() []measure {
	return []measure{
		{"startup", "time from the start of a process until it is ready", (*bench).startUp},
		{"send", "POST /v1/sms-codes without limits", (*bench).send},
		{"send-limits", "POST /v1/sms-codes with all limits counted", (*bench).sendLimited},
		{"check", "POST /v1/sms-codes/check", (*bench).check},
		{"lookup", "GET /v1/usernames/{username} and /v1/mobiles/{mobile}", (*bench).lookUp},
		{"forward-auth", "GET /v1/auth of people who are signed in", (*bench).forwardAuth},
		{"token", "POST /v1/sessions/current/token", (*bench).token},
		{"register", "POST /v1/registrations", (*bench).register},
		{"signin", "POST /v1/sessions with a password", (*bench).signIn},
		{"drain", "queue of codes to a vendor that answers at once", (*bench).drainFast},
		{"drain-50ms", "queue of codes to a vendor that takes 50 ms", (*bench).drainSlow},
		{"drain-vendors", "the same through Tencent and through the signed HTTP sender, against Aliyun", (*bench).drainVendors},
		{"reports", "POST /v1/reports/{provider}/{secret}", (*bench).reports},
		{"mail", "queue of mails through STARTTLS", (*bench).mail},
		{"endtoend", "from the first request until the vendor has all codes", (*bench).endToEnd},
		{"latency", "from a request's start to the vendor", (*bench).latency},
		{"openloop", "latency over load, up to 1.5 times what a closed loop reaches", (*bench).openLoop},
		{"overload", "more requests and connections than can be served", (*bench).overload},
		{"memory", "resident memory, idle and under load", (*bench).memory},
		{"growth", "what is kept of each code, session, account and message, and whether much of it makes anything slower", (*bench).growth},
		{"profile", "where the time goes", (*bench).profiles},
	}
}

// chosen returns the measures of -only, or all; profiles are taken when there is somewhere to put them.
func (b *bench) chosen() []measure {
	return slices.DeleteFunc(b.measures(), func(m measure) bool {
		if m.name == "profile" && b.profile == "" {
			return true
		}
		return len(b.only) > 0 && !slices.Contains(b.only, m.name)
	})
}

// sayf prints the progress of the run.
func (b *bench) sayf(format string, args ...any) { fmt.Fprintf(b.out, format+"\n", args...) }
