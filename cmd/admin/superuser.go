package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"usher/accounts"
	"usher/app"
	"usher/app/front"
	"usher/passwords"
	"usher/store/sqlstore"
)

// maxPassword bounds what is read as a password: its 128 code points, four bytes each.
const maxPassword = 4 * 128

func createSuperuser(ctx context.Context, p app.Process) error {
	flags := flag.NewFlagSet("createsuperuser", flag.ContinueOnError)
	username := flags.String("username", "", "`name` of the account")
	if err := app.ParseFlags(flags, p); err != nil {
		return err
	}
	if *username == "" {
		return &app.UsageError{Text: "createsuperuser: -username is missing"}
	}
	settings, err := front.Load(p.Environ)
	if err != nil {
		return err
	}
	db, err := app.OpenSQL(ctx, settings.Config.Stores, nil)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := sqlstore.CheckSchema(ctx, db); err != nil && !errors.Is(err, sqlstore.ErrSchemaNew) {
		return err
	}
	password, err := readPassword(p.Stdout)
	if err != nil {
		return err
	}
	service := &accounts.Service{
		Store: sqlstore.NewAccounts(db, settings.Keys), Passwords: passwords.NewHasher(1),
		Keys: settings.Keys, Now: time.Now, Logger: app.NewLogger(p.Stderr, settings.Config.Common),
	}
	account, err := service.CreateSuperuser(ctx, *username, password)
	if fields, ok := errors.AsType[accounts.FieldErrors](err); ok {
		return superuserMistakes(fields)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Stdout, "Superuser %s is ready.\n", account.Username)
	return err
}

func superuserMistakes(fields accounts.FieldErrors) error {
	var lines []string
	for field, problem := range fields {
		lines = append(lines, fmt.Sprintf("%s is %s", field, strings.ReplaceAll(string(problem), "_", " ")))
	}
	return &app.UsageError{Text: strings.Join(lines, "; ") +
		". A user name has 5 to 20 letters, digits or underscores, a password 8 to 128 characters"}
}

// readPassword asks at a terminal without showing what is typed, and takes one line from a pipe.
func readPassword(out io.Writer) (string, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		line, err := bufio.NewReader(io.LimitReader(os.Stdin, maxPassword)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	_, _ = fmt.Fprint(out, "Password: ")
	first, err := term.ReadPassword(fd)
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	_, _ = fmt.Fprint(out, "\nAgain: ")
	second, err := term.ReadPassword(fd)
	_, _ = fmt.Fprintln(out)
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	if string(first) != string(second) {
		return "", &app.UsageError{Text: "the passwords differ"}
	}
	return string(first), nil
}
