package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"usher/accounts"
	"usher/app"
	"usher/app/front"
	"usher/store/sqlstore"
)

// importBatch is how many lines share a transaction: enough to save round trips, and few enough for short locks.
const importBatch = 500

const importHelp = `usage: admin import-users [FLAGS] FILE.csv

Imports the users of a Django service; docs/from-django.md tells how to make the file. A line that was imported before
changes nothing, so the command can be repeated.
`

// importUsers imports the users of a Django service from a file; docs/from-django.md tells how to make it.
func importUsers(ctx context.Context, p app.Process) error {
	flags := newFlags("import-users", importHelp)
	dryRun := flags.Bool("dry-run", false, "show what would be done with each line, and import no user")
	fromLine := flags.Int("from-line", 2, "first `line` to import, to continue after a run that stopped")
	rejects := flags.String("rejects", "", "`file` to append the reports of rejected lines to")
	if err := app.ParseFlags(flags, p); err != nil {
		return err
	}
	if flags.NArg() != 1 || *fromLine < 2 {
		return &app.UsageError{Text: "want: admin import-users [-dry-run] [-from-line N] [-rejects FILE] FILE.csv"}
	}
	file, size, err := openExport(flags.Arg(0))
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	reader, err := newUserReader(file)
	if errors.Is(err, errHeader) {
		return &app.UsageError{Text: flags.Arg(0) + ": " + err.Error()}
	}
	if err == nil {
		err = reader.skip(*fromLine)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	report := []io.Writer{p.Stdout}
	if *rejects != "" {
		out, err := os.OpenFile(*rejects, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer func() { _ = out.Close() }()
		report = append(report, out)
	}
	settings, err := front.Load(p.Environ)
	if err != nil {
		return err
	}
	db, err := openDatabase(ctx, settings.Config.Stores)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	run := &importRun{
		reader:   reader,
		importer: &accounts.Importer{Store: sqlstore.NewAccounts(db, settings.Keys), Now: time.Now, Regions: settings.Regions, DryRun: *dryRun},
		rejects:  io.MultiWriter(report...),
		progress: progress(p.Stderr),
		size:     size,
		started:  time.Now(),
	}
	err = run.all(ctx)
	if _, printErr := fmt.Fprintln(p.Stdout, run.summary()); err == nil {
		err = printErr
	}
	return err
}

// openExport opens a regular file and returns its size.
func openExport(path string) (*os.File, int64, error) {
	info, err := os.Stat(path) // before opening, which would block at a pipe
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, &app.UsageError{Text: path + " is not a regular file"}
	}
	file, err := os.Open(path)
	return file, info.Size(), err
}

// importRun is one pass over a file.
type importRun struct {
	reader   *userReader
	importer *accounts.Importer
	rejects  io.Writer
	progress func(format string, args ...any)
	size     int64 // of the file, in bytes
	started  time.Time

	imported, there, rejected int
}

// importLine is a line and its outcome; an error that is set before the import rejects it.
type importLine struct {
	number  int
	user    accounts.ImportUser
	outcome error
}

// all imports to the end of the file. Where it stops before, the error tells how to continue.
func (r *importRun) all(ctx context.Context) error {
	for {
		done := r.reader.line
		lines, readErr := r.read()
		err := r.file(ctx, lines)
		if err == nil && readErr != nil && !errors.Is(readErr, io.EOF) {
			done, err = r.reader.line, readErr
		}
		if err != nil {
			return fmt.Errorf("stopped after line %d; continue with -from-line %d: %w", done, done+1, err)
		}
		r.progress("line %d, %.0f%%", r.reader.line, 100*float64(r.reader.offset)/float64(max(r.size, 1)))
		if readErr == nil {
			continue
		}
		if r.rejected > 0 {
			return fmt.Errorf("lines rejected: %d", r.rejected)
		}
		return nil
	}
}

// read returns the next lines: fewer than a batch only with an error.
func (r *importRun) read() ([]importLine, error) {
	lines := make([]importLine, 0, importBatch)
	for len(lines) < importBatch {
		user, err := r.reader.next()
		if bad := badLine(""); err != nil && !errors.As(err, &bad) {
			return lines, err
		}
		lines = append(lines, importLine{r.reader.line, user, err})
	}
	return lines, nil
}

// file imports lines, counts their outcomes and reports rejected ones.
func (r *importRun) file(ctx context.Context, lines []importLine) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	users := make([]accounts.ImportUser, 0, len(lines))
	for _, line := range lines {
		if line.outcome == nil {
			users = append(users, line.user)
		}
	}
	outcomes, err := r.importer.Import(ctx, users)
	if err != nil {
		return err
	}
	for _, line := range lines {
		if line.outcome == nil {
			line.outcome, outcomes = outcomes[0], outcomes[1:]
		}
		switch {
		case line.outcome == nil:
			r.imported++
		case errors.Is(line.outcome, accounts.ErrImported):
			r.there++
		default:
			r.rejected++
			if _, err := fmt.Fprintf(r.rejects, "line %d: %s\n", line.number, reason(line.outcome)); err != nil {
				return fmt.Errorf("report a rejected line: %w", err)
			}
		}
	}
	return nil
}

// reason tells why a line was rejected and quotes nothing of the line.
func reason(outcome error) string {
	if taken, ok := errors.AsType[*accounts.ExistsError](outcome); ok {
		return string(taken.Field) + ": another account has it"
	}
	fields, ok := errors.AsType[accounts.FieldErrors](outcome)
	if !ok {
		return outcome.Error()
	}
	var texts []string
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		problem := fields[field]
		text := strings.ReplaceAll(string(problem), "_", " ")
		switch {
		case field == accounts.FieldPassword:
			text = "not a hash that can be verified"
		case problem == accounts.NotServed:
			text = "a number of a region that USHER_SMS_REGIONS does not name"
		case problem == accounts.NoMobile:
			text = "not a mobile number"
		case field == accounts.FieldMobile && problem == accounts.Missing:
			text = "missing, and without a usable password the user has no other way to sign in"
		}
		texts = append(texts, string(field)+": "+text)
	}
	return strings.Join(texts, "; ")
}

func (r *importRun) summary() string {
	verb := "imported"
	if r.importer.DryRun {
		verb = "would be imported"
	}
	return fmt.Sprintf("%d %s, %d already there, %d rejected, in %s", r.imported, verb, r.there, r.rejected,
		time.Since(r.started).Round(100*time.Millisecond))
}
