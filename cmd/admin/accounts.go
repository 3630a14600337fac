package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/accounts"
	"usher/app"
	"usher/app/front"
	"usher/store/sqlstore"
)

const accountsUsage = `usage: admin accounts COMMAND

  block -id ID | -login LOGIN     end all sessions of an account; no password, code or link opens it any more.
                                  Its name, number and address stay taken
  unblock -id ID | -login LOGIN   let the account sign in again

LOGIN is a user name, a number or an address.
`

func accountsCommand(ctx context.Context, p app.Process) error {
	return dispatch(ctx, p, accountsUsage, commands{
		"block": func(ctx context.Context, p app.Process) error {
			return changeAccount(ctx, p, "block", (*accounts.Service).Block, "Blocked the account %s. All of its sessions have ended.\n")
		},
		"unblock": func(ctx context.Context, p app.Process) error {
			return changeAccount(ctx, p, "unblock", (*accounts.Service).Unblock, "Unblocked the account %s.\n")
		},
	})
}

// changeAccount changes the account that the flags name and prints the line with its id.
func changeAccount(
	ctx context.Context, p app.Process, name string,
	change func(*accounts.Service, context.Context, string) (accounts.Account, error), line string,
) error {
	flags := newFlags("accounts "+name, accountsUsage)
	id := flags.String("id", "", "`id` of the account")
	login := flags.String("login", "", "user name, number or address of the account")
	if err := app.ParseFlags(flags, p); err != nil {
		return err
	}
	if (*id == "") == (*login == "") {
		return &app.UsageError{Text: "accounts " + name + ": want either -id ID or -login LOGIN"}
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
	of, err := regions(p)
	if err != nil {
		return err
	}
	service := &accounts.Service{
		Store: sqlstore.NewAccounts(db, settings.Keys), Keys: settings.Keys, Policy: accounts.Policy{Regions: of},
		Now: time.Now, Logger: app.NewLogger(p.Stderr, settings.Config.Common),
	}
	if *login != "" {
		found, err := service.FindByLogin(ctx, *login)
		if err != nil {
			return noAccount(err)
		}
		*id = found.ID
	}
	account, err := change(service, ctx, *id)
	if err != nil {
		return noAccount(err)
	}
	_, err = fmt.Fprintf(p.Stdout, line, account.ID)
	return err
}

// noAccount says what to do about accounts.ErrNotFound.
func noAccount(err error) error {
	if errors.Is(err, accounts.ErrNotFound) {
		return fmt.Errorf("%w: check the id, or the login as the person types it", err)
	}
	return err
}
