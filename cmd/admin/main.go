// Command admin migrates the database, makes a superuser, imports users, looks after messages and keys, and checks
// settings.
package main

import (
	"context"
	"fmt"
	"os"

	"usher/app"
)

const usage = `usage: admin COMMAND

  migrate up                        bring the database schema up to date
  migrate status                    list the migrations and when they were applied
  createsuperuser -username NAME    make an account with all rights; asks for the password
  import-users [FLAGS] FILE.csv     bring the users of a Django service along (docs/from-django.md);
                                    -dry-run, -from-line N, -rejects FILE
  mails preview DIR                 write every mail with sample data to files in DIR
  messages list|show|retry          look at SMS and mails, and put back what did not go out
  trace ID                          tell the story of one sign-up, by the id of a request, message or account
  canary -provider NAME -to NUMBER  send one real SMS and wait for its delivery report; -wait 2m
  keys list|rotate-check|reseal|reindex
                                    what each secret key is needed for, and how to replace it (docs/keys.md)
  doctor [-json] [-offline]         check settings, Redis, database, keys and credentials
  health -url URL                   exit 0 when a process answers 200 there, for container health checks

Settings come from the environment (docs/configuration.md).
`

func main() {
	os.Exit(app.Start(run))
}

func run(ctx context.Context, p app.Process) error {
	if len(p.Args) == 0 {
		return &app.UsageError{Text: "which command?\n" + usage}
	}
	name := p.Args[0]
	p.Args = p.Args[1:]
	switch name {
	case "migrate":
		return migrate(ctx, p)
	case "createsuperuser":
		return createSuperuser(ctx, p)
	case "import-users":
		return importUsers(ctx, p)
	case "mails":
		return mails(p)
	case "messages":
		return messagesCommand(ctx, p)
	case "trace":
		return trace(ctx, p)
	case "canary":
		return canary(ctx, p)
	case "keys":
		return keysCommand(ctx, p)
	case "doctor":
		return doctor(ctx, p)
	case "health":
		return health(ctx, p)
	case "help", "-h", "-help", "--help":
		_, err := fmt.Fprint(p.Stdout, usage)
		return err
	default:
		return &app.UsageError{Text: fmt.Sprintf("unknown command %q\n%s", name, usage)}
	}
}
