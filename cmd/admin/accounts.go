package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"usher/accounts"
	"usher/api"
	"usher/app"
	"usher/app/front"
	"usher/audit"
	"usher/contact"
	"usher/queue"
	"usher/store/redisstore"
	"usher/store/sqlstore"
	"usher/web"
)

const accountsUsage = `usage: admin accounts COMMAND (-id ID | -login LOGIN) [FLAGS]

  find -login LOGIN    find the accounts with this user name, number, address or id, proved or not
  list                 list the newest accounts
  show                 show an account; numbers and addresses are masked
  sessions             list the sessions of an account
  messages             list the SMS and mails to an account
  block                end all sessions of an account; no password, code or link opens it any more.
                       Its name, number and address stay taken
  unblock              let the account sign in again
  end-sessions         end all sessions of an account
  resend               send the mail with the activation link again
  erase                delete an account and all that is known of its person, for ever; asks first, unless -yes is given

LOGIN is a user name, a number or an address. The last five record -reason in the audit, which every command is recorded in
(docs/audit.md). -json prints JSON.
`

func accountsCommand(ctx context.Context, p app.Process) error {
	return dispatch(ctx, p, accountsUsage, commands{
		"find": findAccounts, "list": listAccounts,
		"show": func(ctx context.Context, p app.Process) error {
			return onAccount(ctx, p, "show", (*office).show)
		},
		"sessions": func(ctx context.Context, p app.Process) error {
			return onAccount(ctx, p, "sessions", (*office).sessions)
		},
		"messages": func(ctx context.Context, p app.Process) error {
			return onAccount(ctx, p, "messages", (*office).messages)
		},
		"block":        change("block", (*accounts.Administration).Block, "Blocked the account %s. All of its sessions have ended.\n"),
		"unblock":      change("unblock", (*accounts.Administration).Unblock, "Unblocked the account %s.\n"),
		"end-sessions": change("end-sessions", (*accounts.Administration).EndSessions, "Ended all sessions of the account %s.\n"),
		"resend": change("resend", func(a *accounts.Administration, ctx context.Context, id string) (accounts.Account, error) {
			return a.Resend(ctx, id, accounts.Origin{}, func(contact.Email) error { return nil }) // operators may
		}, "The activation mail of the account %s will be sent again within a minute.\n"),
		"erase": func(ctx context.Context, p app.Process) error { return onAccount(ctx, p, "erase", (*office).erase) },
	})
}

// office is what the commands about accounts work with.
type office struct {
	p       app.Process
	asJSON  bool
	yes     bool
	regions contact.Regions
	admin   *accounts.Administration
	stored  *redisstore.Store
}

// officeFlags are those of all commands about accounts.
type officeFlags struct {
	*flag.FlagSet

	asJSON, yes       *bool
	id, login, reason *string
}

func newOfficeFlags(name string) officeFlags {
	flags := newFlags("accounts "+name, accountsUsage)
	return officeFlags{
		FlagSet: flags,
		asJSON:  flags.Bool("json", false, "print JSON"),
		yes:     flags.Bool("yes", false, "erase without asking first"),
		id:      flags.String("id", "", "`id` of the account"),
		login:   flags.String("login", "", "user `name`, number or address of the account"),
		reason:  flags.String("reason", "", "`why`, for the audit: a ticket's number, for example; without a number or address of a person"),
	}
}

// open opens the stores.
func (f officeFlags) open(ctx context.Context, p app.Process) (*office, func(), error) {
	settings, err := front.Load(p.Environ)
	if err != nil {
		return nil, nil, err
	}
	of, err := regions(p)
	if err != nil {
		return nil, nil, err
	}
	client, db, err := openStores(ctx, settings.Config.Stores)
	if err != nil {
		return nil, nil, err
	}
	service := &accounts.Service{
		Store: sqlstore.NewAccounts(db, settings.Keys), Mailer: laterMailer{}, Keys: settings.Keys,
		Policy: accounts.Policy{Regions: of, ActivationTTL: settings.Config.ActivationTTL},
		Now:    time.Now, Logger: app.NewLogger(p.Stderr, settings.Config.Common),
	}
	namespace := settings.Config.Namespace
	stored := redisstore.New(client, settings.Keys, time.Now).In(string(namespace))
	service.Remains = (&app.Stores{Client: client, Redis: stored, Namespace: queue.Namespace(namespace)}).Remains(settings.Keys)
	o := &office{
		p: p, asJSON: *f.asJSON, yes: *f.yes, regions: of, stored: stored,
		admin: &accounts.Administration{Service: service, Directory: sqlstore.NewDirectory(db, settings.Keys)},
	}
	return o, func() { _ = errors.Join(client.Close(), db.Close()) }, nil
}

// laterMailer leaves mails to the relay, which finds them in the outbox.
type laterMailer struct{}

// EnqueueMail implements [accounts.Mailer].
func (laterMailer) EnqueueMail(context.Context, accounts.Mail) error { return nil }

// onAccount does what a command wants with the account that the flags name.
func onAccount(ctx context.Context, p app.Process, name string, do func(*office, context.Context, string) error) error {
	flags := newOfficeFlags(name)
	if err := parseFlagsOnly(flags.FlagSet, p); err != nil {
		return err
	}
	if (*flags.id == "") == (*flags.login == "") {
		return &app.UsageError{Text: "accounts " + name + ": want either -id ID or -login LOGIN"}
	}
	o, done, err := flags.open(ctx, p)
	if err != nil {
		return err
	}
	defer done()
	cause := audit.CauseOf(ctx)
	cause.Reason = *flags.reason
	ctx = audit.With(ctx, cause)
	if *flags.login != "" {
		found, err := o.admin.LookUp(ctx, *flags.login)
		switch {
		case err != nil:
			return err
		case len(found) == 0:
			return noAccount(accounts.ErrNotFound)
		case len(found) > 1:
			return fmt.Errorf("%d accounts match: choose one with admin accounts find, and name it by -id", len(found))
		}
		*flags.id = found[0].ID
	}
	return noAccount(do(o, ctx, *flags.id))
}

// change is a command that changes an account and prints the line with its id.
func change(
	name string, do func(*accounts.Administration, context.Context, string) (accounts.Account, error), line string,
) func(context.Context, app.Process) error {
	return func(ctx context.Context, p app.Process) error {
		return onAccount(ctx, p, name, func(o *office, ctx context.Context, id string) error {
			account, err := do(o.admin, ctx, id)
			if err != nil {
				return noReason(name, err)
			}
			if o.asJSON {
				return printJSON(o.p.Stdout, "", api.NewAdminAccount(o.regions, account))
			}
			_, err = fmt.Fprintf(o.p.Stdout, line, account.ID)
			return err
		})
	}
}

// noReason says what to do about a missing reason.
func noReason(name string, err error) error {
	if fields, ok := errors.AsType[accounts.FieldErrors](err); ok && fields[accounts.FieldReason] != "" {
		return &app.UsageError{Text: "accounts " + name + ": want -reason TEXT of up to 200 characters, without a number or an address"}
	}
	return err
}

// erase shows the account and asks first.
func (o *office) erase(ctx context.Context, id string) error {
	if !o.yes {
		if err := o.show(ctx, id); err != nil {
			return err
		}
		_, _ = fmt.Fprintln(o.p.Stdout, "The account and all that is known of its person will be deleted for ever.")
		if !confirmed(os.Stdin, o.p.Stdout) {
			return notConfirmed(o.p)
		}
	}
	if err := o.admin.Erase(ctx, id); err != nil {
		return noReason("erase", err)
	}
	if o.asJSON {
		return printJSON(o.p.Stdout, "", struct {
			ID     string `json:"id"`
			Erased bool   `json:"erased"`
		}{id, true})
	}
	_, err := fmt.Fprintf(o.p.Stdout, "Erased the account %s.\n", id)
	return err
}

func findAccounts(ctx context.Context, p app.Process) error {
	flags := newOfficeFlags("find")
	if err := parseFlagsOnly(flags.FlagSet, p); err != nil {
		return err
	}
	if *flags.login == "" {
		return &app.UsageError{Text: "accounts find: want -login LOGIN"}
	}
	o, done, err := flags.open(ctx, p)
	if err != nil {
		return err
	}
	defer done()
	found, err := o.admin.LookUp(ctx, *flags.login)
	if err != nil {
		return err
	}
	return o.print(found)
}

func listAccounts(ctx context.Context, p app.Process) error {
	flags := newOfficeFlags("list")
	after := flags.String("after", "", "only accounts older than that with this `id`, for the next page")
	limit := flags.Int("limit", listed, "at most so `many`, up to 1000")
	if err := parseFlagsOnly(flags.FlagSet, p); err != nil {
		return err
	}
	if *limit < 1 || *limit > 1000 {
		return &app.UsageError{Text: "accounts list: -limit: want 1 to 1000"}
	}
	o, done, err := flags.open(ctx, p)
	if err != nil {
		return err
	}
	defer done()
	list, err := o.admin.List(ctx, *after, *limit)
	if err != nil {
		return err
	}
	return o.print(list)
}

// print prints an account a line.
func (o *office) print(list []accounts.Account) error {
	views := make([]api.AdminAccount, len(list))
	for i, account := range list {
		views[i] = api.NewAdminAccount(o.regions, account)
	}
	if o.asJSON {
		return printJSON(o.p.Stdout, "", views...)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(o.p.Stdout, "No accounts match.")
		return err
	}
	return table(o.p.Stdout, "ID\tUSERNAME\tMOBILE\tEMAIL\tPENDING\tSTATE\tCREATED", views, func(v api.AdminAccount) []string {
		return []string{v.ID, v.Username, v.Mobile, v.Email, strings.TrimSpace(v.PendingMobile + " " + v.PendingEmail), stateOf(v), v.CreatedAt}
	})
}

// stateOf is a word about an account.
func stateOf(v api.AdminAccount) string {
	switch {
	case v.BlockedAt != "":
		return "blocked"
	case !v.Active:
		return "not active"
	case v.Superuser:
		return "superuser"
	}
	return "active"
}

// table prints a row for each value.
func table[T any](w io.Writer, head string, list []T, row func(T) []string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, head)
	for _, one := range list {
		cells := row(one)
		for i := range cells {
			cells[i] = cell(cells[i])
		}
		_, _ = fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

func (o *office) show(ctx context.Context, id string) error {
	account, err := o.admin.Show(ctx, id)
	if err != nil {
		return err
	}
	return o.print([]accounts.Account{account})
}

func (o *office) sessions(ctx context.Context, id string) error {
	account, err := o.admin.Show(ctx, id)
	if err != nil {
		return err
	}
	list, err := api.ListSessions(ctx, o.stored.Sessions(), account)
	if err != nil {
		return err
	}
	if o.asJSON {
		return printJSON(o.p.Stdout, "", list...)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(o.p.Stdout, "The account has no sessions.")
		return err
	}
	return table(o.p.Stdout, "SIGNED IN\tSEEN\tREMEMBERED\tCLIENT\tNETWORK", list, func(s web.Session) []string {
		return []string{s.CreatedAt.Format(time.RFC3339), s.SeenAt.Format(time.RFC3339), strconv.FormatBool(s.Remembered), s.Client, s.Network}
	})
}

func (o *office) messages(ctx context.Context, id string) error {
	list, err := o.admin.Messages(ctx, id, "", listed)
	if err != nil {
		return err
	}
	views := make([]api.AdminMessage, len(list))
	for i, m := range list {
		views[i] = api.NewAdminMessage(m)
	}
	switch {
	case o.asJSON:
		return printJSON(o.p.Stdout, "", views...)
	case len(views) == 0:
		_, err := fmt.Fprintln(o.p.Stdout, "The account has no messages.")
		return err
	}
	return table(o.p.Stdout, "TIME\tID\tCHANNEL\tPURPOSE\tTO\tSTATE\tREASON\tPROVIDER", views, func(v api.AdminMessage) []string {
		return []string{v.CreatedAt, v.ID, string(v.Channel), v.Purpose, v.To, string(v.State), v.Reason, v.Provider}
	})
}

// noAccount says what to do about accounts.ErrNotFound.
func noAccount(err error) error {
	if errors.Is(err, accounts.ErrNotFound) {
		return fmt.Errorf("%w: check the id, or the login as the person types it", err)
	}
	return err
}
