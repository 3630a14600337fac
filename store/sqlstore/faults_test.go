package sqlstore_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/accounts"
	"usher/internal/testkit"
	"usher/store"
	"usher/store/sqlstore"
)

// statementTime is what USHER_DATABASE_TIMEOUT is by default.
const statementTime = 1200 * time.Millisecond

// promised bounds an answer while the database hangs.
const promised = 1500 * time.Millisecond

// end uses a database as the service does, with a statement that writes.
func end(t *testing.T, db *sqlstore.DB) error {
	t.Helper()
	_, err := sqlstore.NewSpent(db, time.Now).Use(t.Context(), "code", time.Now().Add(time.Hour))
	return err
}

// wantOutage checks that an error is one of the database, with its reason.
func wantOutage(t *testing.T, err error, reason string) {
	t.Helper()
	o := store.AsOutage(err)
	if o == nil || o.Of != store.Database || !strings.Contains(o.Reason, reason) || o.Cure == "" {
		t.Errorf("the error is %v, want an outage with a cure because %s", err, reason)
	}
}

// hostsOf makes one URL of several servers.
func hostsOf(servers ...*testkit.Server) string {
	var hosts []string
	for _, server := range servers {
		hosts = append(hosts, server.Addr())
	}
	return "postgres://postgres@" + strings.Join(hosts, ",") + "/postgres?sslmode=disable"
}

func TestSwitchOver_is_followed(t *testing.T) {
	t.Parallel()
	one := testkit.PostgresServer(t)
	db := migrated(t, one.URL())
	_ = db.Close()
	two := testkit.PostgresStandby(t, one)

	alone := openAt(t, one.URL())
	both := openAt(t, hostsOf(two, one)) // the standby first
	for _, db := range []*sqlstore.DB{alone, both} {
		if err := end(t, db); err != nil {
			t.Fatal(err)
		}
	}
	_, err := sqlstore.Open(t.Context(), two.URL(), sqlstore.Settings{})
	wantOutage(t, err, "is a standby")

	testkit.Demote(t, one)
	wantOutage(t, end(t, alone), "is a standby")
	wantOutage(t, alone.Writable(t.Context()), "is a standby")
	wantOutage(t, end(t, both), "is a standby")
	testkit.Promote(t, two)
	testkit.Eventually(t, testkit.Patience, func() bool { return end(t, both) == nil }, "the new primary is found")
	for range 50 { // no connection leads anywhere else
		if err := end(t, both); err != nil {
			t.Error(err)
		}
	}
	if err := both.Writable(t.Context()); err != nil {
		t.Error(err)
	}
}

// A server may begin to refuse writes on connections that it keeps, as a hosted one does whose disk is full.
func TestReadOnly_connections_are_dropped(t *testing.T) {
	t.Parallel()
	server := testkit.PostgresServer(t)
	db := migrated(t, server.URL())
	if err := end(t, db); err != nil {
		t.Fatal(err)
	}
	readOnly := func(value string) {
		admin := openAt(t, server.URL()+"&target_session_attrs=any")
		exec(t, admin, "alter system set default_transaction_read_only = "+value)
		exec(t, admin, "select pg_reload_conf()")
		testkit.Eventually(t, testkit.Patience, func() bool {
			var now string
			err := openAt(t, server.URL()+"&target_session_attrs=any").Unwrap().GetContext(t.Context(), &now, "show default_transaction_read_only")
			return err == nil && now == value
		}, "the setting is read")
	}
	readOnly("on")
	testkit.Eventually(t, testkit.Patience, func() bool { return end(t, db) != nil }, "writes are refused")
	wantOutage(t, end(t, db), "is a standby")
	wantOutage(t, db.Writable(t.Context()), "is a standby")
	err := sqlstore.NewAccounts(db, keys(t)).Create(t.Context(), person(t), nil)
	wantOutage(t, err, "is a standby")
	readOnly("off")
	testkit.Eventually(t, testkit.Patience, func() bool { return end(t, db) == nil }, "writes are taken")
}

func TestFrozen_database_is_given_up_in_time(t *testing.T) {
	t.Parallel()
	server := testkit.PostgresServer(t)
	migrated(t, server.URL())
	db := openWith(t, server.URL(), sqlstore.Settings{})
	people := sqlstore.NewAccounts(db, keys(t))
	if err := end(t, db); err != nil {
		t.Fatal(err)
	}
	thaw := server.Freeze(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second) // as a request's
	defer cancel()
	var mu sync.Mutex
	var took []time.Duration
	var group sync.WaitGroup
	for i := range 64 { // four times as many as connections
		group.Go(func() {
			for range 2 {
				began := time.Now()
				var err error
				if i%2 == 0 {
					err = end(t, db)
				} else {
					err = people.Create(ctx, person(t), nil)
				}
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
				wantOutage(t, err, "does not answer in time")
			}
		})
	}
	group.Wait()
	longest := slices.Max(took)
	t.Logf("%d calls, the longest took %v", len(took), longest)
	if longest > promised+loadAllowance {
		t.Errorf("a call took %v, want at most %v", longest, promised)
	}
	thaw()
	testkit.Eventually(t, testkit.Patience, func() bool { return end(t, db) == nil }, "it goes on")
}

// loadAllowance is what a machine may take longer that is busy with other packages' tests.
const loadAllowance = 4 * time.Second

// A host that hangs does not keep connections from the next one.
func TestHanging_host_is_passed_over(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never says a word
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	server := testkit.PostgresServer(t)
	url := "postgres://postgres@" + silent.Addr().String() + "," + server.Addr() + "/postgres?sslmode=disable"
	db := openWith(t, url, sqlstore.Settings{})
	began := time.Now()
	if err := db.Ping(t.Context()); err != nil || time.Since(began) > promised+loadAllowance {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

// A statement that waits for a lock is ended on the server too.
func TestSlow_statement_is_ended_on_the_server(t *testing.T) {
	t.Parallel()
	server := testkit.PostgresServer(t)
	other := migrated(t, server.URL())
	db := openWith(t, server.URL(), sqlstore.Settings{})
	tx, err := other.Unwrap().BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(t.Context(), "lock table spent in access exclusive mode"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	err = end(t, db)
	if took := time.Since(began); took < statementTime-200*time.Millisecond || took > promised+loadAllowance {
		t.Errorf("the statement was given up after %v", took)
	}
	wantOutage(t, err, "does not answer in time")
	testkit.Eventually(t, testkit.Patience, func() bool {
		var waiting int
		err := other.Unwrap().GetContext(t.Context(), &waiting, "select count(*) from pg_locks where not granted")
		return err == nil && waiting == 0
	}, "nothing waits on the server")
	left, leave := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, leave)
	_, err = sqlstore.NewSpent(db, time.Now).Use(left, "code", time.Now().Add(time.Hour))
	if err == nil || store.AsOutage(err) != nil {
		t.Errorf("a caller that leaves is told %v: it is no outage", err)
	}
}

func TestChanged_table_is_no_error(t *testing.T) {
	t.Parallel()
	db := migrated(t, testkit.PostgresServer(t).URL())
	account := person(t)
	people := sqlstore.NewAccounts(db, keys(t))
	if err := people.Create(t.Context(), account, nil); err != nil {
		t.Fatal(err)
	}
	find := func() {
		var group sync.WaitGroup
		for range 16 { // on several connections
			group.Go(func() {
				if _, err := people.Find(t.Context(), accounts.Key{By: accounts.ByID, Value: account.ID}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	find()
	exec(t, db, "alter table accounts alter column username type varchar(300)")
	find()
}

func TestRestarted_database_costs_no_error(t *testing.T) {
	t.Parallel()
	server := testkit.PostgresServer(t)
	db := migrated(t, server.URL())
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() { _ = end(t, db) })
	}
	group.Wait()
	for _, stop := range []func(){server.Stop, server.Kill} {
		stop()
		server.Start(t)
		for range 32 {
			if err := end(t, db); err != nil {
				t.Errorf("a connection of the server before is used: %v", err)
			}
		}
	}
}

// A connection that breaks under a statement leaves its outcome unknown: the statement is not made once more.
func TestBroken_connection_repeats_nothing(t *testing.T) {
	t.Parallel()
	db := migrated(t, testkit.PostgresServer(t).URL())
	exec(t, db, "create sequence tried")
	// The second statement to come here would get through.
	exec(t, db, `create function once() returns trigger language plpgsql as $$ begin
		if nextval('tried') = 1 then perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(1); end if;
		return new; end $$`)
	exec(t, db, "create trigger once before insert on spent for each row execute function once()")
	wantOutage(t, end(t, db), "broke")
	if err := end(t, db); err != nil {
		t.Error(err)
	}
	var tried int
	if err := db.Unwrap().GetContext(t.Context(), &tried, "select last_value from tried"); err != nil || tried != 2 {
		t.Errorf("two calls came to the database %d times, %v", tried, err)
	}
}

func TestDeadlock_is_tried_once_more(t *testing.T) {
	t.Parallel()
	db := migrated(t, testkit.PostgresServer(t).URL())
	exec(t, db, "create sequence tried")
	exec(t, db, `create function conflict() returns trigger language plpgsql as $$ begin
		if nextval('tried') % 2 = 1 then raise exception 'conflict' using errcode = '40001'; end if;
		return new; end $$`)
	exec(t, db, "create trigger conflict before insert on spent for each row execute function conflict()")
	exec(t, db, "create trigger conflict before insert on accounts for each row execute function conflict()")
	if err := end(t, db); err != nil {
		t.Error(err)
	}
	if err := sqlstore.NewAccounts(db, keys(t)).Create(t.Context(), person(t), nil); err != nil {
		t.Error(err)
	}
}

func TestRefused_user_is_an_outage(t *testing.T) {
	t.Parallel()
	server := testkit.PostgresServer(t)
	db := migrated(t, server.URL())
	exec(t, db, "create role shut nologin")
	exec(t, db, "create role narrow login connection limit 0")
	for user, reason := range map[string]string{"shut": "refuses the user", "narrow": "too many connections"} {
		_, err := sqlstore.Open(t.Context(), "postgres://"+user+"@"+server.Addr()+"/postgres?sslmode=disable", sqlstore.Settings{})
		wantOutage(t, err, reason)
	}
	_, err := sqlstore.Open(t.Context(), "postgres://postgres@"+server.Addr()+"/nowhere?sslmode=disable", sqlstore.Settings{})
	wantOutage(t, err, "no such database")
}
