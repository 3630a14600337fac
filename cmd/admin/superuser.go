package main

import (
	"bufio"
	"context"
	"errors"
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

// maxPassword is the maximum length of a password in bytes: 128 code points of four bytes.
const maxPassword = 4 * 128

const superuserHelp = `usage: admin createsuperuser -username NAME

Creates an account with all rights. It asks for the password twice, or reads it from a pipe.
`

// createSuperuser creates an account that is active at once, without a number or an address.
func createSuperuser(ctx context.Context, p app.Process) error {
	flags := newFlags("createsuperuser", superuserHelp)
	username := flags.String("username", "", "`name` of the account")
	if err := app.ParseFlags(flags, p); err != nil {
		return err
	}
	if *username == "" {
		return &app.UsageError{Text: "createsuperuser: want -username NAME"}
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
	_, err = fmt.Fprintf(p.Stdout, "Created the superuser %s.\n", account.Username)
	return err
}

// superuserMistakes names the fields that were refused, and the rules.
func superuserMistakes(fields accounts.FieldErrors) error {
	var lines []string
	for field, problem := range fields {
		lines = append(lines, fmt.Sprintf("%s is %s", field, strings.ReplaceAll(string(problem), "_", " ")))
	}
	return &app.UsageError{Text: strings.Join(lines, "; ") +
		". A user name has 5 to 20 letters, digits or underscores; a password has 8 to 128 characters"}
}

// readPassword asks twice at a terminal, without echo, and reads one line from a pipe.
func readPassword(out io.Writer) (string, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		line, err := bufio.NewReader(io.LimitReader(os.Stdin, maxPassword)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Repeat the password: "} {
		_, _ = fmt.Fprint(out, prompt)
		password, err := term.ReadPassword(fd)
		_, _ = fmt.Fprintln(out)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		typed[i] = string(password)
	}
	if typed[0] != typed[1] {
		return "", &app.UsageError{Text: "the two passwords differ"}
	}
	return typed[0], nil
}
