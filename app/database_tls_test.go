package app_test

import (
	"bytes"
	"maps"
	"net"
	"net/url"
	"strings"
	"testing"

	"usher/app"
	"usher/app/front"
	"usher/config"
	"usher/internal/testkit"
	"usher/store/sqlstore"
)

// databasePassword turns up in errors in a form of its own if at all.
const databasePassword = "p/w?SECRET"

// openPostgresTLS returns the port of a server called localhost, with the database usher of the user usher.
func openPostgresTLS(t *testing.T, authority *testkit.Authority) string {
	t.Helper()
	server := testkit.PostgresTLS(t, authority, "localhost")
	db, err := sqlstore.Open(t.Context(), server.URL(), sqlstore.Settings{Timeout: testkit.DatabasePatience})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, statement := range []string{
		"create role usher login password '" + databasePassword + "'", "create database usher owner usher",
	} {
		if _, err := db.Unwrap().ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	_, port, err := net.SplitHostPort(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestPostgresTLS(t *testing.T) {
	t.Parallel()
	authority, other := testkit.NewAuthority(t), testkit.NewAuthority(t)
	port := openPostgresTLS(t, authority)
	address := func(user, host, options string) string {
		return "postgres://" + user + "@" + host + ":" + port + "/usher?" + options
	}
	user := "usher:" + url.QueryEscape(databasePassword)
	verified := "sslmode=verify-full&sslrootcert=" + url.QueryEscape(authority.File)

	d := deploy(t, testkit.Miniredis(t), address(user, "localhost", verified), nil)
	d.person(t).Walk(lilei())

	for name, wrong := range map[string]struct{ url, want string }{
		"host name":    {address(user, "127.0.0.1", verified), "certificate"},
		"authority":    {address(user, "localhost", "sslmode=verify-full&sslrootcert="+other.File), "certificate signed by unknown authority"},
		"no authority": {address(user, "localhost", "sslmode=verify-full"), "certificate signed by unknown authority"},
		"missing file": {address(user, "localhost", "sslmode=verify-full&sslrootcert=/no/ca.pem"), "/no/ca.pem: no such file"},
		"without TLS":  {address(user, "localhost", "sslmode=disable"), "no encryption"},
		"password":     {address("usher:SECRET", "localhost", verified), "password authentication failed"},
		"port":         {"postgres://" + user + "@127.0.0.1:1/usher?" + verified, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environ := maps.Clone(d.environ)
			environ["USHER_DATABASE_URL"] = wrong.url
			code, said := start(t, environ)
			if code != 1 || !strings.Contains(said, wrong.want) || strings.Count(said, "\n") != 1 || strings.Contains(said, "SECRET") {
				t.Errorf("exit code %d and %q, want 1 and one line with %q", code, said, wrong.want)
			}
		})
	}
}

func TestDatabaseURL_is_refused_with_the_other_settings(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"postgres://usher:SECRET@db.example.com/usher?sslmode=full": "supported values are disable",
		"postgres://usher:SECRET@db.example.com/usher":              "sslmode=verify-full",
		"postgres://usher:SECRET@localhost,db.example.com/usher":    "sslmode=verify-full",
		"mysql://usher:SECRET@db.example.com/usher":                 "want postgres://",
	} {
		_, err := app.CheckCommon(config.Common{Stores: config.Stores{RedisURL: "redis://127.0.0.1", DatabaseURL: config.Secret(url)}})
		if err == nil || !strings.Contains(err.Error(), "USHER_DATABASE_URL: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

// start starts the API, which must fail, and returns the exit code and what a person is told.
func start(t *testing.T, environ map[string]string) (int, string) {
	t.Helper()
	settings, err := front.Load(environ)
	if err != nil {
		t.Fatal(err)
	}
	logger, _ := testkit.Logger(t)
	api, err := front.Open(t.Context(), settings, logger)
	if err == nil {
		background(t, api.Run)
		t.Fatal("it started")
	}
	var said bytes.Buffer
	code := app.Report(&said, err)
	return code, said.String()
}
