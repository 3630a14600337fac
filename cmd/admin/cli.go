package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/app"
	"usher/config"
	"usher/contact"
	"usher/store/sqlstore"
)

// lookTimeout bounds each request to a store.
const lookTimeout = 15 * time.Second

// commands are functions by the name of their command.
type commands map[string]func(context.Context, app.Process) error

// dispatch runs the command that the first argument names, with the arguments behind it.
func dispatch(ctx context.Context, p app.Process, usage string, known commands) error {
	if len(p.Args) == 0 {
		return &app.UsageError{Text: "name a command\n" + usage}
	}
	name := p.Args[0]
	p.Args = p.Args[1:]
	if slices.Contains([]string{"help", "-h", "-help", "--help"}, name) {
		_, err := fmt.Fprint(p.Stdout, usage)
		return err
	}
	do, ok := known[name]
	if !ok {
		return &app.UsageError{Text: fmt.Sprintf("unknown command %q\n%s", name, usage)}
	}
	return do(ctx, p)
}

// newFlags returns flags whose help begins with a text.
func newFlags(name, help string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.Usage = func() {
		_, _ = fmt.Fprint(flags.Output(), help+"\nFlags:\n")
		flags.PrintDefaults()
	}
	return flags
}

// parseIDs parses flags that may stand before and behind ids, and returns the ids. One id in 64 begins with a hyphen: its
// length distinguishes it from a flag.
func parseIDs(flags *flag.FlagSet, p app.Process) ([]string, error) {
	const shortestID = 22
	var ids, rest []string
	for _, arg := range p.Args {
		if len(arg) >= shortestID && arg[0] == '-' && !strings.Contains(arg, "=") {
			ids = append(ids, arg)
		} else {
			rest = append(rest, arg)
		}
	}
	for p.Args = rest; ; p.Args = p.Args[1:] {
		if err := app.ParseFlags(flags, p); err != nil {
			return nil, err
		}
		if p.Args = flags.Args(); len(p.Args) == 0 {
			return ids, nil
		}
		ids = append(ids, p.Args[0])
	}
}

// parseID is parseIDs for a command that wants one id.
func parseID(flags *flag.FlagSet, p app.Process) (string, error) {
	ids, err := parseIDs(flags, p)
	if err == nil && len(ids) != 1 {
		err = &app.UsageError{Text: "want: admin " + flags.Name() + " ID"}
	}
	return strings.Join(ids, ""), err
}

// parseFlagsOnly parses the flags of a command without further arguments.
func parseFlagsOnly(flags *flag.FlagSet, p app.Process) error {
	if err := app.ParseFlags(flags, p); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return &app.UsageError{Text: fmt.Sprintf("%s: unexpected argument %q", flags.Name(), flags.Arg(0))}
	}
	return nil
}

// confirmed asks for a yes and returns false for any other answer.
func confirmed(in io.Reader, out io.Writer) bool {
	_, _ = fmt.Fprint(out, "Continue? [y/N] ")
	line, _ := bufio.NewReader(io.LimitReader(in, 100)).ReadString('\n')
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes"
}

// notConfirmed tells that the answer was no.
func notConfirmed(p app.Process) error {
	_, err := fmt.Fprintln(p.Stdout, "Nothing was changed.")
	return err
}

// printJSON writes each value as a JSON object, without an indent on one line.
func printJSON[T any](w io.Writer, indent string, list ...T) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", indent)
	encoder.SetEscapeHTML(false)
	for _, one := range list {
		if err := encoder.Encode(one); err != nil {
			return err
		}
	}
	return nil
}

// cell replaces control characters in a text from outside, which could change a terminal, and an empty text by "-".
func cell(text string) string {
	if text == "" {
		return "-"
	}
	return app.Printable(text)
}

// progress returns a function that prints a line of progress, at most one in five seconds.
func progress(w io.Writer) func(format string, args ...any) {
	last := time.Now()
	return func(format string, args ...any) {
		if time.Since(last) >= 5*time.Second {
			last = time.Now()
			_, _ = fmt.Fprintf(w, format+"\n", args...)
		}
	}
}

// regions returns the regions of the settings, for numbers on the command line.
func regions(p app.Process) (contact.Regions, error) {
	var settings config.Numbers
	if err := config.Load(p.Environ, &settings); err != nil {
		return contact.Regions{}, err
	}
	return app.Regions(settings)
}

// openDatabase opens the database of the settings. Its schema may be newer than this program's, but not older.
func openDatabase(ctx context.Context, settings config.Stores) (*sqlstore.DB, error) {
	db, err := app.OpenSQL(ctx, settings, nil)
	if err != nil {
		return nil, err
	}
	if err := sqlstore.CheckSchema(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// openStores opens both stores of the settings. A Redis that does not answer is no error here.
func openStores(ctx context.Context, settings config.Stores) (redis.UniversalClient, *sqlstore.DB, error) {
	client, err := app.OpenRedis(settings, nil)
	if err != nil {
		return nil, nil, config.Wrong("REDIS_URL", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	db, err := openDatabase(ctx, settings)
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	return client, db, nil
}
