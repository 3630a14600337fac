package main

import (
	"context"
	"errors"
	"flag"
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

// importBatch is how many lines share a transaction: one round trip for all, and no lock held for long.
const importBatch = 500

// importUsers reads people of a Django service from a file; docs/from-django.md says how to make it.
func importUsers(ctx context.Context, p app.Process) error {
	flags := flag.NewFlagSet("import-users", flag.ContinueOnError)
	dryRun := flags.Bool("dry-run", false, "say what would become of each line, and import nobody")
	fromLine := flags.Int("from-line", 2, "first `line` to import, for going on where a run has stopped")
	rejects := flags.String("rejects", "", "`file` to which rejected lines are reported too; appended to")
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
	store, closeStore, err := openAccounts(ctx, p)
	if err != nil {
		return err
	}
	defer closeStore()
	run := &importRun{
		reader:   reader,
		importer: &accounts.Importer{Store: store, Now: time.Now, DryRun: *dryRun},
		rejects:  io.MultiWriter(report...),
		progress: newProgress(p.Stderr, size, reader.line),
	}
	err = run.all(ctx)
	run.progress.clear()
	if _, printErr := fmt.Fprintln(p.Stdout, run.summary()); err == nil {
		err = printErr
	}
	return err
}

// openExport opens a file that has an end.
func openExport(path string) (*os.File, int64, error) {
	info, err := os.Stat(path) // before opening, which waits at a pipe
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, &app.UsageError{Text: path + " is not a regular file"}
	}
	file, err := os.Open(path)
	return file, info.Size(), err
}

// openAccounts opens the database that the settings name, whose schema must be as new as this program.
func openAccounts(ctx context.Context, p app.Process) (*sqlstore.Accounts, func(), error) {
	settings, err := front.Load(p.Environ)
	if err != nil {
		return nil, nil, err
	}
	db, err := app.OpenSQL(ctx, settings.Config.Stores, nil)
	if err != nil {
		return nil, nil, err
	}
	if err := sqlstore.CheckSchema(ctx, db); err != nil && !errors.Is(err, sqlstore.ErrSchemaNew) {
		return nil, nil, errors.Join(err, db.Close())
	}
	return sqlstore.NewAccounts(db, settings.Keys), func() { _ = db.Close() }, nil
}

// importRun is one pass over a file.
type importRun struct {
	reader   *userReader
	importer *accounts.Importer
	rejects  io.Writer
	progress *progress

	imported, there, rejected int
}

// importLine is a line on its way.
type importLine struct {
	number  int
	user    accounts.ImportUser
	outcome error
}

// all imports to the end of the file. The error says how to go on after anything but the end.
func (r *importRun) all(ctx context.Context) error {
	for {
		done := r.reader.line
		lines, readErr := r.read()
		err := r.file(ctx, lines)
		if err == nil && readErr != nil && !errors.Is(readErr, io.EOF) {
			done, err = r.reader.line, readErr
		}
		if err != nil {
			return fmt.Errorf("stopped behind line %d; go on with -from-line %d: %w", done, done+1, err)
		}
		r.progress.at(r.reader.line, r.reader.offset)
		if readErr == nil {
			continue
		}
		if r.rejected > 0 {
			return fmt.Errorf("lines rejected: %d", r.rejected)
		}
		return nil
	}
}

// read returns the next lines, fewer with the error that ended them.
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

// file imports lines and counts and reports what became of them.
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
			r.progress.clear()
			if _, err := fmt.Fprintf(r.rejects, "line %d: %s\n", line.number, reason(line.outcome)); err != nil {
				return fmt.Errorf("report a rejected line: %w", err)
			}
		}
	}
	return nil
}

// reason is a text without anything of the line in it.
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
		case field == accounts.FieldMobile && problem == accounts.Missing:
			text = "missing, and without a usable password nothing else lets the person in"
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
	return fmt.Sprintf("%d %s, %d there already, %d rejected, in %s", r.imported, verb, r.there, r.rejected,
		time.Since(r.progress.started).Round(100*time.Millisecond))
}
