package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"usher/app"
	"usher/config"
	"usher/events"
	"usher/events/outbound"
	"usher/secrets"
	"usher/store/sqlstore"
	"usher/webhooks"
)

const endpointsUsage = `usage: admin endpoints COMMAND

  add -url URL [-events A,B]   add an address that gets events, from now on; its secret is shown once
  list                         show all endpoints
  disable ID                   send nothing more to an endpoint; what waits for it is kept for five days
  enable ID                    send to it again
  test ID                      send one signed event of the type endpoint.test from here, and print the answer's status
  remove -yes ID               delete an endpoint with its secret, and what waits for it
  rotate ID                    make a new secret, which is shown once; the former one signs too for another 24 hours

Without -events an endpoint gets every event. With -ed25519 its secret is a key pair, and the public half is shown. -json prints JSON. docs/events.md tells what an endpoint must do.
`

func endpointsCommand(ctx context.Context, p app.Process) error {
	return dispatch(ctx, p, endpointsUsage, commands{
		"add": addEndpoint, "list": listEndpoints, "rotate": rotateEndpoint, "test": testEndpoint, "remove": removeEndpoint,
		"disable": func(ctx context.Context, p app.Process) error {
			return changeEndpoint(ctx, p, "disable", (*sqlstore.Events).DisableEndpoint, "Endpoint %s is disabled. What it has not got is kept for five days.\n")
		},
		"enable": func(ctx context.Context, p app.Process) error {
			return changeEndpoint(ctx, p, "enable", (*sqlstore.Events).EnableEndpoint,
				"Endpoint %s is enabled. Events since it was disabled were not written for it: admin events replay sends those of other endpoints.\n")
		},
	})
}

// openEvents opens the events of the database in the settings. The caller must call done.
func openEvents(ctx context.Context, p app.Process) (stored *sqlstore.Events, done func(), err error) {
	var stores config.Stores
	var settings struct {
		Keys config.Secret `env:"SECRET_KEYS,required"`
	}
	if err := config.Load(p.Environ, &stores, &settings); err != nil {
		return nil, nil, err
	}
	keys, err := secrets.ParseKeys(settings.Keys.Reveal())
	if err != nil {
		return nil, nil, config.Wrong("SECRET_KEYS", err)
	}
	db, err := openDatabase(ctx, stores)
	if err != nil {
		return nil, nil, err
	}
	return sqlstore.NewEvents(db, keys, time.Now), func() { _ = db.Close() }, nil
}

// newSecret is what a program reads after a secret was made. It has a secret that Usher and the endpoint share, or the public half of
// a key whose private half stays here.
type newSecret struct {
	ID        string `json:"id"` // of the endpoint
	Secret    string `json:"secret,omitempty"`
	PublicKey string `json:"public_key,omitempty"`
}

// showSecret prints a secret for the only time.
func showSecret(p app.Process, id, secret string, asJSON bool) error {
	public, private := webhooks.PublicKey(secret)
	if private {
		secret = ""
	}
	if asJSON {
		return printJSON(p.Stdout, "", newSecret{id, secret, public})
	}
	if private {
		_, err := fmt.Fprintf(p.Stdout, "Endpoint %s verifies with this public key:\n\n  %s\n", id, public)
		return err
	}
	_, err := fmt.Fprintf(p.Stdout, "Endpoint %s has this secret. It is shown this once; keep it like a password:\n\n  %s\n", id, secret)
	return err
}

func addEndpoint(ctx context.Context, p app.Process) error {
	flags := newFlags("endpoints add", endpointsUsage)
	url := flags.String("url", "", "`address` that gets the events: https, or http in a network of USHER_EVENTS_ALLOW_PRIVATE")
	list := flags.String("events", "", "`types` of events with commas between them; empty: every type, also those of later versions")
	ed25519 := flags.Bool("ed25519", false, "sign with a key whose private half the endpoint does not have")
	asJSON := flags.Bool("json", false, "print a JSON object")
	if err := parseFlagsOnly(flags, p); err != nil {
		return err
	}
	var settings config.Events
	if err := config.Load(p.Environ, &settings); err != nil {
		return err
	}
	guard, err := outbound.ParseGuard(settings.EventsAllowPrivate)
	if err != nil {
		return config.Wrong("EVENTS_ALLOW_PRIVATE", err)
	}
	if err := events.CheckURL(*url, guard.AllowsPrivate()); err != nil {
		return &app.UsageError{Text: "endpoints add: -url: " + err.Error()}
	}
	types, err := events.ParseTypes(*list)
	if err != nil {
		return &app.UsageError{Text: "endpoints add: -events: " + err.Error()}
	}
	stored, done, err := openEvents(ctx, p)
	if err != nil {
		return err
	}
	defer done()
	secret := events.NewSecret()
	if *ed25519 {
		secret = webhooks.NewPrivateKey()
	}
	id, err := stored.AddEndpoint(ctx, *url, types, secret)
	if err != nil {
		return err
	}
	return showSecret(p, id, secret, *asJSON)
}

func rotateEndpoint(ctx context.Context, p app.Process) error {
	flags := newFlags("endpoints rotate", endpointsUsage)
	asJSON := flags.Bool("json", false, "print a JSON object")
	id, err := parseID(flags, p)
	if err != nil {
		return err
	}
	stored, done, err := openEvents(ctx, p)
	if err != nil {
		return err
	}
	defer done()
	secret, err := stored.RotateEndpoint(ctx, id)
	if err != nil {
		return noEndpoint(err)
	}
	return showSecret(p, id, secret, *asJSON)
}

// changeEndpoint changes the endpoint that the argument names, and prints the line with its id.
func changeEndpoint(
	ctx context.Context, p app.Process, name string, change func(*sqlstore.Events, context.Context, string) error, line string,
) error {
	id, err := parseID(newFlags("endpoints "+name, endpointsUsage), p)
	if err != nil {
		return err
	}
	stored, done, err := openEvents(ctx, p)
	if err != nil {
		return err
	}
	defer done()
	if err := change(stored, ctx, id); err != nil {
		return noEndpoint(err)
	}
	_, err = fmt.Fprintf(p.Stdout, line, id)
	return err
}

// removeEndpoint deletes an endpoint. Its secret cannot be brought back, so that it asks for -yes.
func removeEndpoint(ctx context.Context, p app.Process) error {
	flags := newFlags("endpoints remove", endpointsUsage)
	yes := flags.Bool("yes", false, "delete it")
	id, err := parseID(flags, p)
	if err != nil {
		return err
	}
	if !*yes {
		return &app.UsageError{Text: "endpoints remove: this deletes the secret of " + id + " and what waits for it; add -yes, or use admin endpoints disable"}
	}
	stored, done, err := openEvents(ctx, p)
	if err != nil {
		return err
	}
	defer done()
	if err := stored.RemoveEndpoint(ctx, id); err != nil {
		return noEndpoint(err)
	}
	_, err = fmt.Fprintf(p.Stdout, "Endpoint %s is removed.\n", id)
	return err
}

// testTimeout bounds the attempt of a test.
const testTimeout = 15 * time.Second

// testEndpoint sends one signed event, which is stored nowhere. A disabled endpoint can be tested too.
func testEndpoint(ctx context.Context, p app.Process) error {
	id, err := parseID(newFlags("endpoints test", endpointsUsage), p)
	if err != nil {
		return err
	}
	var settings config.Events
	if err := config.Load(p.Environ, &settings); err != nil {
		return err
	}
	sender, err := app.NewEventSender(settings)
	if err != nil {
		return err
	}
	stored, done, err := openEvents(ctx, p)
	if err != nil {
		return err
	}
	defer done()
	url, keys, err := stored.EndpointSigners(ctx, id)
	if err != nil {
		return noEndpoint(err)
	}
	body, err := events.Body(events.Test, time.Now(), map[string]string{"endpoint_id": id})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	event, began := events.NewID(), time.Now()
	answer := sender.Send(ctx, url, keys, event, body)
	if answer.Result != events.Delivered {
		return fmt.Errorf("%s did not accept the event %s: %s, status %d; docs/events.md explains the results", url, event, answer.Result, answer.Status)
	}
	_, err = fmt.Fprintf(p.Stdout, "%s has accepted the event %s: status %d after %s.\n", url, event, answer.Status, time.Since(began).Round(time.Millisecond))
	return err
}

// noEndpoint says what to do about events.ErrNotFound.
func noEndpoint(err error) error {
	if errors.Is(err, events.ErrNotFound) {
		return fmt.Errorf("%w: admin endpoints list shows the ids", err)
	}
	return err
}

// endpointReport is an endpoint as -json prints it.
type endpointReport struct {
	ID           string     `json:"id"`
	URL          string     `json:"url"`
	Events       []string   `json:"events"` // empty: every type
	State        string     `json:"state"`  // working, failing, disabled
	Reason       string     `json:"reason,omitempty"`
	Failures     int        `json:"failures,omitempty"` // in a row
	FailingSince *time.Time `json:"failing_since,omitempty"`
	DisabledAt   *time.Time `json:"disabled_at,omitempty"`
	CreatedAt    time.Time  `json:"created_at"`
}

func reportEndpoint(e events.Endpoint) endpointReport {
	report := endpointReport{
		ID: e.ID, URL: e.URL, Events: []string{}, State: "working", Reason: e.Reason, Failures: e.Failures,
		FailingSince: timeOrNil(e.FailingSince), DisabledAt: timeOrNil(e.DisabledAt), CreatedAt: e.CreatedAt,
	}
	for _, typ := range e.Types {
		report.Events = append(report.Events, string(typ))
	}
	switch {
	case report.DisabledAt != nil:
		report.State = "disabled"
	case report.FailingSince != nil:
		report.State = "failing"
	}
	return report
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func listEndpoints(ctx context.Context, p app.Process) error {
	flags := newFlags("endpoints list", endpointsUsage)
	asJSON := flags.Bool("json", false, "print a JSON object a line")
	if err := parseFlagsOnly(flags, p); err != nil {
		return err
	}
	stored, done, err := openEvents(ctx, p)
	if err != nil {
		return err
	}
	defer done()
	list, err := stored.Endpoints(ctx)
	if err != nil {
		return err
	}
	reports := make([]endpointReport, 0, len(list))
	for _, e := range list {
		reports = append(reports, reportEndpoint(e))
	}
	if *asJSON {
		return printJSON(p.Stdout, "", reports...)
	}
	return printEndpoints(p.Stdout, list, reports)
}

func printEndpoints(out io.Writer, list []events.Endpoint, reports []endpointReport) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "There are no endpoints; admin endpoints add makes one.")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ENDPOINT\tSTATE\tSINCE\tEVENTS\tURL\t")
	for i, e := range list {
		state, since := reports[i].State, e.CreatedAt
		switch state {
		case "disabled":
			state, since = "disabled ("+e.Reason+")", e.DisabledAt
		case "failing":
			state, since = fmt.Sprintf("failing (%d in a row)", e.Failures), e.FailingSince
		}
		types := events.JoinTypes(e.Types)
		if types == "" {
			types = "all"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t\n", e.ID, state, since.Local().Format(time.DateTime), types, cell(e.URL))
	}
	return table.Flush()
}
