package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"usher/app"
	"usher/apps"
	"usher/config"
	"usher/store/sqlstore"
)

const appsUsage = `usage: admin apps COMMAND

  create -name NAME -scopes A,B   make an app and its first key, which is shown once
  list                            show all apps with their keys
  rotate APP                      make a second key for an app, which is shown once; revoke the old one when no process uses it
  revoke ID                       revoke a key, or all keys of an app; API processes refuse it within 3 seconds

An app is a service with users of its own, see docs/verification.md. -json prints JSON. USHER_DATABASE_URL is enough; no
command shows a key that exists.
`

func appsCommand(ctx context.Context, p app.Process) error {
	return dispatch(ctx, p, appsUsage, commands{"create": createApp, "list": listApps, "rotate": rotateApp, "revoke": revokeApp})
}

// openApps opens the apps of the database in the settings. The caller must call done.
func openApps(ctx context.Context, p app.Process) (stored *sqlstore.Apps, done func(), err error) {
	var settings config.Stores
	if err := config.Load(p.Environ, &settings); err != nil {
		return nil, nil, err
	}
	db, err := openDatabase(ctx, settings)
	if err != nil {
		return nil, nil, err
	}
	return sqlstore.NewApps(db), func() { _ = db.Close() }, nil
}

// newKey is what a program reads after a key was made.
type newKey struct {
	ID  string `json:"id"` // of the app
	Key string `json:"key"`
}

// showKey prints a key for the only time.
func showKey(p app.Process, appID, text string, asJSON bool) error {
	if asJSON {
		return printJSON(p.Stdout, "", newKey{appID, text})
	}
	_, err := fmt.Fprintf(p.Stdout, "App %s has a new key. It is shown this once; keep it like a password:\n\n  %s\n", appID, text)
	return err
}

func createApp(ctx context.Context, p app.Process) error {
	flags := newFlags("apps create", appsUsage)
	name := flags.String("name", "", "`name` of the service; people read it in mails with codes")
	scopes := flags.String("scopes", "", "what the key allows, with commas between: verify:start, verify:check, accounts:read, accounts:write")
	served := flags.String("regions", "", "ISO `codes` of the regions that it may send to, such as CN,HK; empty: all of USHER_SMS_REGIONS")
	budget := flags.Float64("budget-yuan", 0, "`money` that its codes may cost in any 24 hours; 0: no budget of its own")
	rate := flags.Int("rate", 0, "`requests` a minute; 0: the count of the limit app_rate")
	asJSON := flags.Bool("json", false, "print a JSON object")
	if err := parseFlagsOnly(flags, p); err != nil {
		return err
	}
	own := apps.Limits{Rate: *rate, BudgetYuan: *budget}
	for code := range strings.SplitSeq(*served, ",") {
		if code = strings.ToUpper(strings.TrimSpace(code)); code != "" {
			own.Regions = append(own.Regions, code)
		}
	}
	allowed, scopesErr := apps.ParseScopes(*scopes)
	made, err := apps.New(*name, allowed, own, time.Now())
	if scopesErr != nil {
		err = scopesErr
	}
	if err == nil {
		err = checkRegions(p, own.Regions)
	}
	if err != nil {
		return &app.UsageError{Text: "apps create: " + err.Error()}
	}
	stored, done, err := openApps(ctx, p)
	if err != nil {
		return err
	}
	defer done()
	key, text := apps.NewKey(made.ID, made.CreatedAt)
	if err := stored.Create(ctx, made, key); err != nil {
		return err
	}
	return showKey(p, made.ID, text, *asJSON)
}

// checkRegions refuses regions that Usher does not serve: codes to them would be refused without a hint at the app.
func checkRegions(p app.Process, codes []string) error {
	if len(codes) == 0 {
		return nil
	}
	served, err := regions(p)
	if err != nil {
		return err
	}
	for _, code := range codes {
		if !slices.Contains(served.Codes(), code) {
			return fmt.Errorf("region %s is not in %sSMS_REGIONS", code, config.Prefix)
		}
	}
	return nil
}

// appView is an app in JSON.
type appView struct {
	ID         string       `json:"id"`
	Name       string       `json:"name"`
	Scopes     []apps.Scope `json:"scopes"`
	Rate       int          `json:"rate_per_minute"`
	BudgetYuan float64      `json:"budget_yuan"`
	Regions    []string     `json:"regions"`
	CreatedAt  time.Time    `json:"created_at"`
	Keys       []appKeyView `json:"keys"`
}

// appKeyView is a key in JSON, without its hash.
type appKeyView struct {
	ID           string     `json:"id"`
	CreatedAt    time.Time  `json:"created_at"`
	RevokedAt    *time.Time `json:"revoked_at,omitempty"`
	LastUsedHour *time.Time `json:"last_used_hour,omitempty"`
}

func viewOfApp(stored sqlstore.AppKeys) appView {
	a := stored.App
	view := appView{
		ID: a.ID, Name: a.Name, Scopes: a.Scopes, Rate: a.Limits.Rate, BudgetYuan: a.Limits.BudgetYuan, CreatedAt: a.CreatedAt,
		Regions: append([]string{}, a.Limits.Regions...), Keys: make([]appKeyView, len(stored.Keys)),
	}
	for i, key := range stored.Keys {
		view.Keys[i] = appKeyView{key.ID, key.CreatedAt, unlessZero(key.RevokedAt), unlessZero(key.LastUsedAt)}
	}
	return view
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func listApps(ctx context.Context, p app.Process) error {
	flags := newFlags("apps list", appsUsage)
	asJSON := flags.Bool("json", false, "print a JSON object for each app")
	if err := parseFlagsOnly(flags, p); err != nil {
		return err
	}
	stored, done, err := openApps(ctx, p)
	if err != nil {
		return err
	}
	defer done()
	list, err := stored.List(ctx)
	if err != nil {
		return err
	}
	if *asJSON {
		views := make([]appView, len(list))
		for i, one := range list {
			views[i] = viewOfApp(one)
		}
		return printJSON(p.Stdout, "", views...)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(p.Stdout, "There are no apps. admin apps create makes one.")
		return err
	}
	table := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "APP\tNAME\tSCOPES\tLIMITS\tKEY\tCREATED\tLAST USED\tSTATE")
	for _, one := range list {
		for _, key := range one.Keys {
			state, used := "valid", "never"
			if !key.Valid() {
				state = "revoked " + key.RevokedAt.Format(time.DateOnly)
			}
			if !key.LastUsedAt.IsZero() {
				used = key.LastUsedAt.UTC().Format("2006-01-02 15h UTC")
			}
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", one.App.ID, cell(one.App.Name), scopeText(one.App.Scopes),
				limitText(one.App.Limits), key.ID, key.CreatedAt.Format(time.DateOnly), used, state)
		}
	}
	return table.Flush()
}

func scopeText(scopes []apps.Scope) string {
	names := make([]string, len(scopes))
	for i, scope := range scopes {
		names[i] = string(scope)
	}
	return strings.Join(names, ",")
}

// limitText says which limits an app has of its own, or "-".
func limitText(l apps.Limits) string {
	var parts []string
	if l.Rate > 0 {
		parts = append(parts, strconv.Itoa(l.Rate)+"/min")
	}
	if l.BudgetYuan > 0 {
		parts = append(parts, strconv.FormatFloat(l.BudgetYuan, 'f', -1, 64)+" yuan/day")
	}
	if len(l.Regions) > 0 {
		parts = append(parts, strings.Join(l.Regions, ","))
	}
	return cell(strings.Join(parts, " "))
}

func rotateApp(ctx context.Context, p app.Process) error {
	flags := newFlags("apps rotate", appsUsage)
	asJSON := flags.Bool("json", false, "print a JSON object")
	id, err := parseID(flags, p)
	if err != nil {
		return err
	}
	stored, done, err := openApps(ctx, p)
	if err != nil {
		return err
	}
	defer done()
	key, text := apps.NewKey(id, time.Now())
	switch err := stored.AddKey(ctx, key); {
	case errors.Is(err, apps.ErrNotFound):
		return errors.New("no app has this id; admin apps list shows them")
	case errors.Is(err, apps.ErrTwoKeys):
		return errors.New("the app has two valid keys; revoke the one that is not used any more first: admin apps revoke KEY")
	case err != nil:
		return err
	}
	return showKey(p, id, text, *asJSON)
}

func revokeApp(ctx context.Context, p app.Process) error {
	flags := newFlags("apps revoke", appsUsage)
	asJSON := flags.Bool("json", false, "print a JSON object")
	id, err := parseID(flags, p)
	if err != nil {
		return err
	}
	stored, done, err := openApps(ctx, p)
	if err != nil {
		return err
	}
	defer done()
	revoked, err := stored.Revoke(ctx, id, time.Now())
	switch {
	case errors.Is(err, apps.ErrNotFound):
		return errors.New("no app and no key has this id; admin apps list shows them")
	case err != nil:
		return err
	case *asJSON:
		return printJSON(p.Stdout, "", struct {
			Revoked int `json:"revoked"`
		}{revoked})
	case revoked == 0:
		_, err = fmt.Fprintf(p.Stdout, "No key of %s is valid any more: there was nothing to revoke.\n", app.Printable(id))
	case apps.IsAppID(id):
		_, err = fmt.Fprintf(p.Stdout, "Revoked %d keys of %s. API processes refuse them within %v.\n", revoked, id, apps.Fresh)
	default:
		_, err = fmt.Fprintf(p.Stdout, "Revoked the key %s. API processes refuse it within %v.\n", id, apps.Fresh)
	}
	return err
}
