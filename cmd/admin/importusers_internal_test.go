package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usher/accounts"
	"usher/app"
	"usher/contact"
	"usher/internal/testkit"
	"usher/passwords"
	"usher/secrets"
	"usher/store/sqlstore"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	header = "username,password,mobile,email,is_active,is_superuser,email_active,date_joined\n"
	// The hash of 123456, a password that is shorter than a new one may be.
	someHash = "pbkdf2_sha256$1000$seasalt2$q2+3S7Q3humM60Meh1DTyhZwMQNpdFAy5wt1U6QJPEY="
)

// importBench is a database to import to.
type importBench struct {
	environ map[string]string
	store   *sqlstore.Accounts
}

func eachDatabase(t *testing.T, test func(t *testing.T, b importBench)) {
	t.Helper()
	testkit.EachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		spec := "t1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
		keys, err := secrets.ParseKeys(spec)
		if err != nil {
			t.Fatal(err)
		}
		db, err := sqlstore.Open(t.Context(), url, sqlstore.Settings{Timeout: testkit.DatabasePatience})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		if err := sqlstore.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		environ := testkit.PatientTimes()
		environ["USHER_DATABASE_URL"], environ["USHER_SECRET_KEYS"] = url, spec
		test(t, importBench{environ: environ, store: sqlstore.NewAccounts(db, keys)})
	})
}

// run imports a file and returns what was said.
func (b importBench) run(t *testing.T, content string, flags ...string) (stdout string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(t.Context(), app.Process{
		Args:    append(append([]string{"import-users"}, flags...), export(t, content)),
		Environ: b.environ, Stdout: &out, Stderr: &errs,
	})
	all := out.String() + errs.String()
	if err != nil {
		all += err.Error()
	}
	if found := testkit.FindSecrets([]byte(all), "13800138001", "lilei@example.com", someHash); found != nil {
		t.Errorf("shows %v:\n%s", found, all)
	}
	return out.String(), err
}

func export(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.csv")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (b importBench) find(t *testing.T, username string) (accounts.Account, bool) {
	t.Helper()
	_, canonical, _ := accounts.CanonicalUsername(username)
	account, err := b.store.Find(t.Context(), accounts.Key{By: accounts.ByUsername, Value: canonical})
	if err != nil && !errors.Is(err, accounts.ErrNotFound) {
		t.Fatal(err)
	}
	return account, err == nil
}

// people returns the lines of so many ordinary people, from the number on.
func people(from, count int) string {
	var lines strings.Builder
	for n := from; n < from+count; n++ {
		fmt.Fprintf(&lines, "person_%d,%s,%d,p%d@example.com,t,f,t,2024-05-06 07:08:09.123456+08\n", n, someHash, 13900000000+n, n)
	}
	return lines.String()
}

func want(t *testing.T, got string, err error, parts ...string) {
	t.Helper()
	if err != nil {
		got += err.Error()
	}
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("%q is missing in:\n%s", part, got)
		}
	}
}

func TestImportUsers_keeps_what_Django_knew(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b importBench) {
		t.Helper()
		out, err := b.run(t, header+
			"LiLei_1,"+someHash+",+86 138 0013 8001,LiLei@Example.com,t,f,t,2024-05-06 07:08:09.123456+08\n"+
			"admin_1,"+someHash+",,,True,True,False,2024-05-06T07:08:09.123456+00:00\r\n"+
			"\n"+
			`"mei_mei",!unusable,13800138002,,1,0,1,`+"\n"+
			"waiting,"+someHash+",,w@example.com,false,false,false,2024-05-06 07:08:09.123456")
		want(t, out, err, "4 imported, 0 already there, 0 rejected")
		if err != nil {
			t.Fatal(err)
		}
		lilei, _ := b.find(t, "lilei_1")
		joined := time.Date(2024, 5, 5, 23, 8, 9, 123456000, time.UTC)
		if lilei.Username != "LiLei_1" || lilei.Mobile.Reveal() != "13800138001" || lilei.Email.Reveal() != "lilei@example.com" ||
			lilei.PasswordHash != someHash || !lilei.Active || !lilei.PendingEmail.IsZero() || lilei.Superuser || !lilei.CreatedAt.Equal(joined) {
			t.Errorf("LiLei_1 = %+v", lilei)
		}
		admin, _ := b.find(t, "admin_1")
		if !admin.Superuser || !admin.CreatedAt.Equal(joined.Add(8*time.Hour)) {
			t.Errorf("admin_1 = %+v", admin)
		}
		if mei, _ := b.find(t, "mei_mei"); mei.PasswordHash != "" || !mei.Email.IsZero() || mei.CreatedAt.Year() < 2026 {
			t.Errorf("mei_mei = %+v", mei)
		}
		if waiting, _ := b.find(t, "waiting"); waiting.Active || !waiting.Email.IsZero() || waiting.PendingEmail.IsZero() {
			t.Errorf("waiting = %+v", waiting)
		}
	})
}

func TestImportUsers_lets_people_sign_in_as_before(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b importBench) {
		t.Helper()
		if _, err := b.run(t, header+people(1, 1)); err != nil {
			t.Fatal(err)
		}
		logger, _ := testkit.Logger(t)
		service := &accounts.Service{
			Store: b.store, Passwords: passwords.NewHasher(2), Now: time.Now, Logger: logger,
		}
		before, _ := b.find(t, "person_1")
		for range 2 {
			if _, err := service.SignIn(t.Context(), "13900000001", "123456", passwords.Later); err != nil {
				t.Fatal(err)
			}
		}
		after, _ := b.find(t, "person_1")
		if !strings.HasPrefix(after.PasswordHash, "$argon2id$") || after.SessionGeneration != before.SessionGeneration {
			t.Errorf("after sign-in: hash %.20q, generation %d", after.PasswordHash, after.SessionGeneration)
		}
		out, err := b.run(t, header+people(1, 1))
		want(t, out, err, "0 imported, 1 already there, 0 rejected")
	})
}

func TestImportUsers_rejects_line_by_line(t *testing.T) {
	t.Parallel()
	rest := ",t,f,f,\n"
	lines := []struct{ line, reason string }{ // from line 2 on
		{people(1, 1), ""},
		{"PERSON_1," + someHash + ",13800138001," + rest, "username: another account has it"},
		{"ｐｅｒｓｏｎ_1," + someHash + ",13800138001," + rest, "username: another account has it"},
		{"other_1," + someHash + ",+86 139 0000 0001," + rest, "mobile: another account has it"},
		{"other_2," + someHash + ",,P1@EXAMPLE.COM,t,f,t,\n", "email: another account has it"},
		{"lilei@example.com," + someHash + ",," + rest, "username: malformed"},
		{"13800138001," + someHash + ",," + rest, "username: not allowed"},
		{"abc," + someHash + ",," + rest, "username: too short"},
		{"other_3,md5$salt$3f86d0d3d465b7b458c231bf3555c0e3,," + rest, "password: not a hash that can be verified"},
		{"other_4,bcrypt$$2b$31$abcdefghijklmnopqrstuu2c1e4vZoCxDVRU9N6VCSSmNg4cQa1Ve,," + rest, "password: not a hash"},
		{"other_5,!,,lilei@example.com" + rest, "mobile: missing"},
		{"," + someHash + ",,lilei@example.com" + rest, "username: missing"},
		{"," + someHash + ",13900000001," + rest, "mobile: another account has it"},
		{"other_6," + someHash + ",13800138001x,lilei@example.com\x00" + rest, "email: malformed; mobile: malformed"},
		{"oth\x00er_7," + someHash + ",," + rest, "username: malformed"},
		{"other_8\xff," + someHash + ",," + rest, "not in UTF-8"},
		{`"other_9,` + someHash + ",," + rest, "quotes that do not match"},
		{`other"_10,` + someHash + ",," + rest, "quotes that do not match"},
		{"other_11," + someHash + ",,,t\n", "another number of columns"},
		{"other_12," + someHash + ",,,t,f,f,,,\n", "another number of columns"},
		{"other_13," + someHash + ",,,yes,f,f,\n", "is_active: neither true nor false"},
		{"other_14," + someHash + ",,,t,f,f,yesterday\n", "date_joined"},
		{"other_15," + someHash + ",,,t,f,f,0000-01-01 00:00:00\n", "date_joined"},
		{strings.Repeat("x", 3*maxLine) + rest, "longer than 16384 bytes"},
		{people(2, 1), ""},
	}
	content := "\ufeff" + header
	for _, l := range lines {
		content += l.line
	}
	eachDatabase(t, func(t *testing.T, b importBench) {
		t.Helper()
		for _, flags := range [][]string{{"-dry-run"}, nil} {
			rejects := filepath.Join(t.TempDir(), "rejects.txt")
			out, err := b.run(t, content, append(flags, "-rejects", rejects)...)
			for n, l := range lines {
				if mark := fmt.Sprintf("line %d: ", n+2); l.reason != "" {
					want(t, out, nil, mark+l.reason)
				} else if strings.Contains(out, mark) {
					t.Errorf("line %d was rejected:\n%s", n+2, out)
				}
			}
			want(t, out, err, "2 ", ", 0 already there, 23 rejected", "lines rejected: 23")
			if flags != nil {
				if _, found := b.find(t, "person_1"); found {
					t.Error("the dry run imported a user")
				}
			}
			report, err := os.ReadFile(rejects)
			if listed := strings.Join(strings.SplitAfter(out, "\n")[:23], ""); err != nil || string(report) != listed {
				t.Errorf("the file of rejects has %q, %v, want %q", report, err, listed)
			}
		}
		for _, name := range []string{"person_1", "person_2"} {
			if _, found := b.find(t, name); !found {
				t.Errorf("%s is missing", name)
			}
		}
	})
}

func TestImportUsers_leaves_those_alone_who_are_there(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b importBench) {
		t.Helper()
		content := header + people(1, 3) + "admin_1," + someHash + ",,,t,t,f,2024-05-06 07:08:09.1234567+08\n"
		for _, count := range []string{"4 imported, 0 already there", "0 imported, 4 already there"} {
			out, err := b.run(t, content)
			want(t, out, err, count+", 0 rejected")
		}
		out, err := b.run(t, content, "-dry-run")
		want(t, out, err, "0 would be imported, 4 already there, 0 rejected")
		before, _ := b.find(t, "person_1")
		out, err = b.run(t, header+strings.ReplaceAll(people(1, 1), "p1@", "p9@"))
		want(t, out, err, "line 2: username: another account has it")
		if after, _ := b.find(t, "person_1"); after.Email != before.Email {
			t.Error("the address of an account has changed")
		}
		out, err = b.run(t, header+people(7, 1)+people(7, 1), "-dry-run")
		want(t, out, err, "1 would be imported, 1 already there, 0 rejected")
	})
}

// cutter is a terminal that sends an interrupt when a text appears.
type cutter struct {
	bytes.Buffer
	at     string
	cancel func()
}

func (c *cutter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), c.at) {
		c.cancel()
	}
	return c.Buffer.Write(p)
}

func TestImportUsers_goes_on_after_an_interruption(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b importBench) {
		t.Helper()
		const all = 3*importBatch + 17
		content := header + people(1, importBatch+5) + "bad line\n" + people(importBatch+6, all-importBatch-5)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		out := &cutter{at: fmt.Sprintf("line %d: ", importBatch+7), cancel: cancel}
		err := run(ctx, app.Process{
			Args: []string{"import-users", export(t, content)}, Environ: b.environ, Stdout: out, Stderr: &out.Buffer,
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted run = %v", err)
		}
		next := 2*importBatch + 2 // two batches behind the first line
		want(t, out.String(), err, fmt.Sprintf("continue with -from-line %d:", next), fmt.Sprintf("%d imported", 2*importBatch-1))
		if _, found := b.find(t, fmt.Sprintf("person_%d", 2*importBatch)); found {
			t.Error("it went on after the interruption")
		}
		again, err := b.run(t, content, "-dry-run") // without the hint
		want(t, again, err, fmt.Sprintf("%d would be imported, %d already there, 1 rejected", all-2*importBatch+1, 2*importBatch-1))
		rest, err := b.run(t, content, "-from-line", fmt.Sprint(next))
		want(t, rest, err, fmt.Sprintf("%d imported, 0 already there, 0 rejected", all-2*importBatch+1))
		for _, n := range []int{1, 2*importBatch - 1, 2 * importBatch, all} {
			if _, found := b.find(t, fmt.Sprintf("person_%d", n)); !found {
				t.Errorf("person_%d is missing", n)
			}
		}
	})
}

func TestImportUsers_refuses_files_that_are_none(t *testing.T) {
	t.Parallel()
	b := importBench{environ: map[string]string{}}
	for name, content := range map[string]string{
		"nothing":         "",
		"no header":       people(1, 2),
		"one column less": strings.Replace(header, "mobile,", "", 1),
		"twice the same":  strings.Replace(header, "mobile", "email", 1),
		"UTF-16":          "\xff\xfeu\x00s\x00e\x00r\x00",
		"endless":         strings.Repeat("x", 5*maxLine),
		"semicolons":      strings.ReplaceAll(header, ",", ";"),
	} {
		_, err := b.run(t, content)
		if usage, ok := errors.AsType[*app.UsageError](err); !ok || !strings.Contains(usage.Text, "columns username,") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, args := range [][]string{
		{}, {"a", "b"}, {"-from-line", "1", "a"}, {"-from-line", "x", "a"}, {"-unknown", "a"}, {t.TempDir()}, {os.DevNull},
	} {
		err := run(t.Context(), app.Process{Args: append([]string{"import-users"}, args...), Stdout: os.Stderr, Stderr: os.Stderr})
		if _, ok := errors.AsType[*app.UsageError](err); !ok {
			t.Errorf("%q: %v, want a UsageError", args, err)
		}
	}
	if _, err := b.run(t, header); err == nil {
		t.Error("imported without settings")
	}
}

func TestUserReader_takes_the_columns_in_any_order(t *testing.T) {
	t.Parallel()
	names := slices.Clone(userColumns)
	slices.Reverse(names)
	r, err := newUserReader(strings.NewReader(strings.Join(names, ",") + "\n" + `2024-05-06 07:08:09,t,f,t,"a@b.cn",13800138001,!,"the,name"`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.next()
	if err != nil || got.Username != "the,name" || got.Email != "a@b.cn" || !got.Active || got.Superuser || !got.EmailActive {
		t.Errorf("next = %+v, %v", got, err)
	}
}

func TestProgress_prints_a_line_in_five_seconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		show := progress(&out)
		for line := range 12 {
			show("line %d, %.0f%%", line, 50.0)
			<-time.After(time.Second) // of the bubble's clock
		}
		if got, want := out.String(), "line 5, 50%\nline 10, 50%\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func FuzzUserReader(f *testing.F) {
	f.Add([]byte(header + people(1, 2)))
	f.Add([]byte(header + "a,\"b\nc\",d\x00,,,,,\n\n\xff"))
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := newUserReader(bytes.NewReader(content))
		if err != nil {
			return
		}
		importer := &accounts.Importer{Store: forgetful{}, Now: time.Now}
		lines := bytes.Count(content, []byte("\n")) + 1
		for {
			user, err := r.next()
			if bad := badLine(""); err != nil && !errors.As(err, &bad) {
				break
			}
			if r.line > lines {
				t.Fatalf("line %d of %d", r.line, lines)
			}
			if _, err := importer.Import(t.Context(), []accounts.ImportUser{user}); err != nil {
				t.Fatal(err)
			}
		}
		if r.offset != int64(len(content)) {
			t.Errorf("read %d of %d bytes", r.offset, len(content))
		}
	})
}

// forgetful is a store that accepts all users and keeps none.
type forgetful struct{ accounts.ImportStore }

func (forgetful) CreateAll(_ context.Context, list []accounts.Account, _ bool) (map[string]bool, error) {
	created := map[string]bool{}
	for _, account := range list {
		if account.Mobile != (contact.Mobile{}) && len(account.Mobile.Reveal()) != 11 {
			return nil, errors.New("not a number")
		}
		created[account.ID] = true
	}
	return created, nil
}
