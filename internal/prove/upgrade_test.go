package prove_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// previousRelease is the commit that row 33 upgrades from.
const previousRelease = "63227ba"

// Row 33: while people sign up and in, a deployment of the previous release becomes one of this tree, the workers first;
// goes back in the opposite order; and becomes one of this tree again, the API first. All of it is on the new schema.
func TestRow33_an_upgrade_under_traffic_loses_nothing_and_signs_out_no_person(t *testing.T) {
	t.Parallel()
	r := newRow(t, 33, "upgrade from the previous release and back under traffic, workers first and API first")
	previous, each := buildPrevious(t), size(1, 2)
	d := newDeployment(t, plan{apis: 2, sms: each, email: each, events: each, environ: map[string]string{
		"USHER_SHUTDOWN_GRACE": stopGrace.String(), "USHER_WORKER_CONCURRENCY_SMS": "8",
	}})
	d.release = previous
	d.up()
	u := &upgrade{load: newLoad(d, 4), d: d}
	u.then = u.signIn
	for i := range size(3, 10) {
		u.settle(i)
	}

	workers := slices.Concat(d.kin("sms"), d.kin("email"), d.kin("events"))
	quiet := u.arrivals(100 * time.Millisecond)
	u.goOn()
	before := d.schema()
	d.release = ""
	d.migrate()
	if after := d.schema(); after <= before {
		t.Errorf("schema %d of the previous release became %d", before, after)
	}
	u.inspect()
	u.replace(workers...)
	u.replace(d.kin("api")...)
	d.release = previous
	u.replace(d.kin("api")...)
	u.replace(workers...)
	d.release = ""
	u.replace(d.kin("api")...)
	u.replace(workers...)
	u.goOn()
	quiet()
	u.finish()
	d.drain()

	r.tried("%d registrations and sign-ins, %d programs replaced, %d sessions kept open", u.done.Load(), u.replaced, u.sessions())
	r.exactly("accounts lost", len(u.missing(d.usernames())), 0)
	r.exactly("people signed out", u.signedOut, 0)
	r.exactly("exit codes other than 0", u.failedStops, 0)
	r.exactly("answers of 503 but for overload", int(u.broken.Load()), 0)
	r.judge(u.ledger.judge(u.strangers(), time.Now()), map[string]int{sms: 0, email: 0})
	for _, s := range u.settled {
		r.exactly("codes to "+s.name, len(d.journal.to(s.mobile)), s.codes)
	}
	r.note("%d requests met an API that was being replaced", u.failed.Load())
}

// upgrade is a deployment whose programs are replaced while people sign up.
type upgrade struct {
	*load

	d       *deployment
	settled []*settler

	replaced, failedStops, signedOut int
}

// settler is a person with an account, and the browsers that are signed in to it.
type settler struct {
	name, mobile string
	codes        int // that were asked for
	browsers     []*testclient.Client
}

// signIn signs in with the password of an account that was just registered by number; one by address alone waits for its link.
func (u *upgrade) signIn(ctx context.Context, p *testclient.Client, form map[string]any) {
	if form["mobile"] == nil {
		return
	}
	credentials := map[string]any{"login": form["username"], "password": form["password"]}
	again(ctx, func() bool { return u.send(ctx, p, "/v1/sessions", credentials, http.StatusCreated) })
}

// settle registers a person that stays signed in.
func (u *upgrade) settle(i int) {
	u.t.Helper()
	s := &settler{name: fmt.Sprintf("settler_%02d", i), mobile: fmt.Sprintf("139%08d", i)}
	browser := u.browser()
	browser.AskCode(s.mobile, "register")
	s.codes++
	browser.Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
		"username": s.name, "password": longPassword, "password_repeat": longPassword, "agree": true,
		"mobile": s.mobile, "sms_code": u.codeOf(s),
	})
	s.browsers = append(s.browsers, browser)
	u.settled = append(u.settled, s)
}

// browser is a new one in front of the first API.
func (u *upgrade) browser() *testclient.Client {
	return testclient.New(u.t, u.d.parts["api1"].addr, u.d.parts[partVendors].addr)
}

// codeOf waits for the newest code that a settler has asked for.
func (u *upgrade) codeOf(s *settler) string {
	u.t.Helper()
	testkit.Eventually(u.t, patience, func() bool { return len(u.journal.to(s.mobile)) >= s.codes }, "the code of %s arrives", s.name)
	return u.journal.to(s.mobile)[s.codes-1].Code
}

// arrivals lets people come at a steady rate until the function that it returns is called.
func (u *upgrade) arrivals(every time.Duration) (quiet func()) {
	ctx, cancel := context.WithCancel(u.t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				u.places <- struct{}{}
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// goOn returns when some more people have signed up, in the long form many.
func (u *upgrade) goOn() {
	u.t.Helper()
	want := u.done.Load() + size[int64](2, 50)
	testkit.Eventually(u.t, patience, func() bool { return u.done.Load() >= want }, "people sign up")
}

// replace stops programs and starts those of the release of now in their places, one after another.
func (u *upgrade) replace(names ...string) {
	u.t.Helper()
	for _, name := range names {
		u.goOn()
		if err := u.d.stop(name); err != nil {
			u.t.Errorf("%s after SIGTERM: %v", name, err)
			u.failedStops++
		}
		u.d.start(name)
		u.replaced++
		u.inspect()
	}
}

// inspect checks that every session is open at every API, and signs one more browser in by code.
func (u *upgrade) inspect() {
	u.t.Helper()
	for _, s := range u.settled {
		for _, browser := range s.browsers {
			for _, api := range u.d.kin("api") {
				answer := browser.At(u.d.parts[api].addr).Do(http.MethodGet, "/v1/sessions/current", nil)
				if answer.Status != http.StatusOK || answer.Text("username") != s.name {
					u.t.Errorf("%s of release %q: session of %s = %d %s", api, u.d.release, s.name, answer.Status, answer.Body)
					u.signedOut++
				}
			}
		}
	}
	s := u.settled[u.replaced%len(u.settled)]
	apis := u.d.kin("api")
	browser := u.browser().At(u.d.parts[apis[u.replaced%len(apis)]].addr)
	testkit.Eventually(u.t, patience, func() bool {
		answer := browser.Do(http.MethodPost, "/v1/sms-codes", map[string]any{"mobile": s.mobile, "purpose": "login"})
		return answer.Status == http.StatusAccepted // a pause between two codes may not be over
	}, "%s may ask for a code", s.name)
	s.codes++
	browser.Must(http.StatusCreated, http.MethodPost, "/v1/sessions", map[string]any{"mobile": s.mobile, "sms_code": u.codeOf(s)})
	s.browsers = append(s.browsers, browser)
}

func (u *upgrade) sessions() (n int) {
	for _, s := range u.settled {
		n += len(s.browsers)
	}
	return n
}

// schema is the version of the database.
func (d *deployment) schema() (version int) {
	d.t.Helper()
	db := d.sql()
	defer func() { _ = db.Close() }()
	if err := db.QueryRowContext(d.t.Context(), "select max(version_id) from goose_db_version").Scan(&version); err != nil {
		d.t.Fatal(err)
	}
	return version
}

// strangers are the messages to all but the settlers, who get several.
func (u *upgrade) strangers() []arrival {
	return slices.DeleteFunc(slices.Clone(u.journal.since(0)), func(a arrival) bool {
		return slices.ContainsFunc(u.settled, func(s *settler) bool { return s.mobile == a.To })
	})
}

// buildPrevious returns a folder with the programs of the previous release. They are built once on a machine: it takes
// a core a minute.
func buildPrevious(t *testing.T) string {
	t.Helper()
	caches, err := os.UserCacheDir()
	if err != nil {
		caches = t.TempDir()
	}
	caches = filepath.Join(caches, "usher-prove")
	built := filepath.Join(caches, previousRelease+"-"+runtime.Version())
	if _, err := os.Stat(built); err == nil {
		return built
	}
	run := func(dir, name string, args ...string) error {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		if said, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s %v: %w\n%s", name, args, err, said)
		}
		return nil
	}
	source, archive := t.TempDir(), filepath.Join(t.TempDir(), "source.tar")
	if err := run("../..", "git", "archive", "-o", archive, previousRelease+":"); err != nil {
		if os.Getenv("USHER_TEST_REAL") != "1" {
			t.Skipf("this is no clone with the history: %v", err)
		}
		t.Fatal(err)
	}
	if err := os.MkdirAll(caches, 0o700); err != nil {
		t.Fatal(err)
	}
	making, err := os.MkdirTemp(caches, "making-") //nolint:usetesting // a rename needs the same file system
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(making) })
	for _, err := range []error{
		run(source, "tar", "-xf", archive),
		run(source, "go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", making+"/", "./cmd/api", "./cmd/worker", "./cmd/admin"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	// Another test may have been faster.
	if err := os.Rename(making, built); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	return built
}
