package main

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"usher/internal/testkit"
)

// openTestDjango skips the test with the reason where a program is missing, unless USHER_TEST_REAL makes that a failure.
func openTestDjango(t *testing.T) *djangoPeer {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and starts programs")
	}
	s, err := openTestbed(t.Context(), options{quick: true, logLevel: "info"})
	if err == nil {
		t.Cleanup(s.close)
		var d *djangoPeer
		if d, err = openDjango(t.Context(), s, true); err == nil {
			return d
		}
	}
	if (errors.Is(err, testkit.ErrMissing) || errors.Is(err, errNoPackages)) && os.Getenv("USHER_TEST_REAL") != "1" {
		t.Skip(err)
	}
	t.Fatal(err)
	return nil
}

// The project has one good answer of each kind, refuses what it should with the status 200, and its worker delivers.
func TestDjango_answers_and_delivers(t *testing.T) {
	t.Parallel()
	d := openTestDjango(t)
	ctx, vendor := t.Context(), d.testbed.vendor
	web, err := d.serving("PBKDF2")(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(web.stop)
	for _, count := range []error{d.fileCaptchas(ctx, 1, 2), d.fileUsers(ctx, 7, 1), d.queueMails(ctx, 1)} {
		if count != nil {
			t.Fatal(count)
		}
	}
	right, wrong := d.codes(web.addr, captchaText), d.codes(web.addr, "97531")
	const drawn = "00000000-0000-0000-0000-00000000000a"
	look := func(path, good string) caller {
		return caller{addr: web.addr, make: func(int) request { return get(path) }, want: http.StatusOK, good: good}
	}
	for _, test := range []struct {
		what    string
		caller  caller
		n       int
		refused string
	}{
		{"a code with the captcha", right, 1, ""},
		{"a code within the pause", right, 1, "4301"},
		{"a code with a wrong captcha", wrong, 2, "4202"},
		{"a code with a captcha that is spent", right, 2, "4201"},
		{"a captcha", look("/image_codes/"+drawn+"/", "PNG"), 0, ""},
		{"a user name that is taken", look("/usernames/"+usernameOf(7)+"/count/", `"count": 1`), 0, ""},
		{"a user name that is free", look("/usernames/"+usernameOf(8)+"/count/", `"count": 0`), 0, ""},
		{"a mobile number that is taken", look("/mobiles/"+mobileOf(7)+"/count/", `"count": 1`), 0, ""},
		{"a registration", d.at(web.addr, djangoRegistration), 9, ""},
		{"a user name that is taken by now", d.at(web.addr, djangoRegistration), 9, "4003"},
	} {
		_, err := test.caller.ask(test.n)
		var refused refusal
		switch {
		case test.refused == "" && err != nil:
			t.Errorf("%s: %v", test.what, err)
		case test.refused != "" && (!errors.As(err, &refused) || !strings.Contains(err.Error(), test.refused)):
			t.Errorf("%s: got %v, want a refusal %s", test.what, err, test.refused)
		}
	}
	if text, err := d.redis.Get(ctx, "img_"+drawn).Result(); err != nil || len(text) != 4 {
		t.Errorf("the text of the captcha that was drawn is %q, %v", text, err)
	}
	worker, err := d.working(manyProcesses)(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(worker.stop)
	for name, count := range map[string]int{"aliyun": 1, "smtp": 2} {
		if tally, err := vendor.await(ctx, name, count); err != nil || tally.Count != count {
			t.Errorf("%s has %d messages, %v; want %d\n%s", name, tally.Count, err, count, worker.LastOutput())
		}
	}
}
