package main

import (
	"context"
	"fmt"
	"time"

	"usher/app"
	"usher/config"
	"usher/providers/catalog"
	"usher/store/redisstore"
)

const canaryHelp = `usage: admin canary -provider NAME -to NUMBER [FLAGS]

Sends one real SMS through one provider and waits for its delivery report. No code can be entered for it.
`

// canary sends one real message through one provider and waits for its report, in the same way as codes and reports of
// users: this tests credentials, template, route and reports.
func canary(ctx context.Context, p app.Process) error {
	flags := newFlags("canary", canaryHelp)
	provider := flags.String("provider", "", "`name` of the provider: "+catalog.Known())
	number := flags.String("to", "", "`number` to send the message to")
	wait := flags.Duration("wait", 2*time.Minute, "how long to wait for the report, at most 5m")
	if err := app.ParseFlags(flags, p); err != nil {
		return err
	}
	served, regionsErr := regions(p)
	to, err := served.Parse(*number)
	switch {
	case *provider == "" || *number == "" || flags.NArg() > 0:
		return &app.UsageError{Text: "want: admin canary -provider NAME -to NUMBER"}
	case regionsErr != nil:
		return regionsErr
	case err != nil:
		return &app.UsageError{Text: "-to: want a mobile number of a region in USHER_SMS_REGIONS"}
	case *wait < 0 || *wait > app.CanaryLife:
		return &app.UsageError{Text: "-wait: want at most 5m"}
	}
	settings, err := app.LoadWorker(p.Environ)
	senders, smsErr := catalog.SMS([]string{*provider}, p.Environ)
	if err := config.Join(err, smsErr); err != nil {
		return err
	}
	client, err := app.OpenRedis(settings.Config.Stores, nil)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	store := redisstore.New(client, settings.Keys, time.Now).In(string(settings.Config.Namespace))
	tell := func(format string, args ...any) {
		_, _ = fmt.Fprintf(p.Stdout, "%s to %s: %s\n", *provider, to, fmt.Sprintf(format, args...)) // the number is masked
	}
	app.FileReferences(senders[0], store, nil, app.NewLogger(p.Stderr, settings.Config.Common))
	canary := app.Canary{
		Sender: senders[0], To: to, Store: store, Keys: settings.Keys, Tell: tell, Now: time.Now, Product: settings.Brand.OwnName("zh"),
	}
	_, err = canary.Send(ctx, settings.Config.SendTimeout, *wait)
	return err
}
