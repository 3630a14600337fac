package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/google/go-cmp/cmp"

	"usher/app"
	"usher/internal/testkit"
	"usher/sandbox"
	"usher/store/sqlstore"
)

// healthy starts a sandbox and returns settings that leave nothing to complain about, and the sandbox.
func healthy(t *testing.T, redisURL, databaseURL string) (map[string]string, *sandbox.Server) {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), databaseURL, sqlstore.Settings{Timeout: testkit.DatabasePatience})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := sqlstore.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	fakes, err := sandbox.Open(t.Context(), sandbox.Config{HTTPAddr: "127.0.0.1:0", SMTPAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- fakes.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := errors.Join(fakes.Close(), <-done); err != nil {
			t.Error(err)
		}
	})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, fakes.SMTPCA(), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := fakes.Settings(ca)
	maps.Copy(environ, map[string]string{
		"USHER_REDIS_URL": redisURL, "USHER_DATABASE_URL": databaseURL, "USHER_SECRET_KEYS": keySpec("k1"),
		"USHER_REPORT_SECRET": "0123456789abcdef", "USHER_SMS_PROVIDERS": "aliyun,ronglian,tencent",
	})
	maps.Copy(environ, testkit.PatientTimes())
	return environ, fakes
}

// keySpec returns a key of an id like no other's, as the settings have it.
func keySpec(id string) string {
	return id + ":" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte(id[len(id)-1:]), 32))
}

// command runs the program and returns what it printed.
func command(t *testing.T, environ map[string]string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), app.Process{Args: args, Environ: environ, Stdout: &out, Stderr: io.Discard})
	return out.String(), err
}

// examined runs doctor and returns the findings that are not ok, each as "status name".
func examined(t *testing.T, environ map[string]string, args ...string) (bad []string, text string) {
	t.Helper()
	text, err := command(t, environ, append([]string{"doctor", "-json"}, args...)...)
	var answer struct{ Findings []finding }
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	failed := false
	for _, f := range answer.Findings {
		failed = failed || f.Status == isFail
		if f.Status != isOK {
			bad = append(bad, f.Status+" "+f.Name)
		}
		if f.Detail == "" && f.Status != isOK || (f.Help == "") != (f.Status == isOK) {
			t.Errorf("finding without reason or help: %+v", f)
		}
	}
	if failed != (err != nil) {
		t.Errorf("failed %v, but the command ended with %v", failed, err)
	}
	return bad, text
}

func TestDoctor_finds_nothing_where_all_is_well(t *testing.T) {
	t.Parallel()
	testkit.EachDatabase(t, func(t *testing.T, database string) {
		redis := testkit.RedisServer(t, "--appendonly", "yes")
		environ, fakes := healthy(t, redis.URL(), database)
		if bad, text := examined(t, environ); len(bad) > 0 && !cmp.Equal(bad, []string{"warn Redis memory"}) { // the machine's own
			t.Errorf("found %v:\n%s", bad, text)
		}
		if n := len(fakes.Messages("")); n != 0 {
			t.Errorf("doctor sent %d messages", n)
		}
		text, err := command(t, environ, "doctor")
		if err != nil || !strings.Contains(text, "ok    credentials of aliyun\n") || !strings.Contains(text, "ok    login at the mail server\n") ||
			!strings.Contains(text, "ok    filing of sign name Usher of aliyun with China Unicom (中国联通)\n      is filed, and messages arrive\n") {
			t.Errorf("%v:\n%s", err, text)
		}
	})
}

func TestDoctor_finds_wrong_credentials_and_shows_none(t *testing.T) {
	t.Parallel()
	environ, fakes := healthy(t, testkit.Redis(t), testkit.SQLite(t))
	for name, row := range map[string]struct {
		set  map[string]string
		want []string
	}{
		"aliyun id":       {map[string]string{"ALIYUN_ACCESS_KEY_ID": "a-wrong-secret"}, []string{"fail credentials of aliyun"}},
		"aliyun secret":   {map[string]string{"ALIYUN_ACCESS_KEY_SECRET": "a-wrong-secret"}, []string{"fail credentials of aliyun"}},
		"ronglian sid":    {map[string]string{"RONGLIAN_ACCOUNT_SID": "awrongsecret"}, []string{"fail credentials of ronglian"}},
		"ronglian token":  {map[string]string{"RONGLIAN_AUTH_TOKEN": "awrongsecret"}, []string{"fail credentials of ronglian"}},
		"ronglian app":    {map[string]string{"RONGLIAN_APP_ID": "awrongsecret"}, []string{"fail credentials of ronglian"}},
		"tencent id":      {map[string]string{"TENCENT_SECRET_ID": "a-wrong-secret"}, []string{"fail credentials of tencent"}},
		"tencent key":     {map[string]string{"TENCENT_SECRET_KEY": "a-wrong-secret"}, []string{"fail credentials of tencent"}},
		"tencent app":     {map[string]string{"TENCENT_SDK_APP_ID": "1400000002"}, []string{"fail credentials of tencent"}},
		"tencent refused": {map[string]string{"TENCENT_TEMPLATE_ID_LOGIN": "990002"}, []string{"fail approval of templates of tencent"}},
		"tencent region":  {map[string]string{"TENCENT_REGION": "Guangzhou"}, []string{"fail settings of aliyun, ronglian, tencent"}},
		"http":            {map[string]string{"SMS_PROVIDERS": "http", "REPORT_SECRET": ""}, nil},
		"http secret":     {map[string]string{"SMS_PROVIDERS": "http", "HTTP_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, []string{"fail credentials of http"}},
		"http path":       {map[string]string{"SMS_PROVIDERS": "http", "HTTP_URL": "http://" + fakes.HTTPAddr() + "/nothing"}, []string{"fail credentials of http"}},
		"mailbox":         {map[string]string{"SMTP_PASSWORD": "a-wrong-secret"}, []string{"fail login at the mail server"}},
		"no server":       {map[string]string{"SMTP_HOST": "127.0.0.1", "SMTP_PORT": "1"}, []string{"fail login at the mail server"}},
		"another machine": {map[string]string{"RONGLIAN_ENDPOINT": "http://127.0.0.1:1"}, []string{"fail credentials of ronglian"}},
		"no settings":     {map[string]string{"ALIYUN_SIGN_NAME": ""}, []string{"fail settings of aliyun, ronglian, tencent"}},
		"one template":    {map[string]string{"ALIYUN_TEMPLATE_CODE_LOGIN": ""}, []string{"warn templates of aliyun"}},
		"in audit":        {map[string]string{"ALIYUN_TEMPLATE_CODE_LOGIN": "SMS_990001"}, []string{"fail approval of templates of aliyun"}},
		"refused":         {map[string]string{"ALIYUN_TEMPLATE_CODE": "SMS_990002"}, []string{"fail approval of templates of aliyun"}},
		"sign in audit":   {map[string]string{"ALIYUN_SIGN_NAME": "海马审核中"}, signFindings("海马审核中", isFail, isFail, isFail, isFail)},
		"sign refused":    {map[string]string{"ALIYUN_SIGN_NAME": "海马审核失败"}, signFindings("海马审核失败", isFail, isFail, isFail, isFail)},
		"sign not filed":  {map[string]string{"ALIYUN_SIGN_NAME": "海马未报备"}, signFindings("海马未报备", isOK, isFail, isFail, isFail)},
		"sign in filing":  {map[string]string{"ALIYUN_SIGN_NAME": "海马部分报备"}, signFindings("海马部分报备", isOK, isOK, isWarn, isFail)},
		"sign not tried":  {map[string]string{"ALIYUN_SIGN_NAME": "海马待验证"}, signFindings("海马待验证", isOK, isWarn, isWarn, isWarn)},
		"sign lapsed":     {map[string]string{"ALIYUN_SIGN_NAME": "海马报备失效"}, signFindings("海马报备失效", isOK, isOK, isFail, isOK)},
		"verify key":      {map[string]string{"SMS_PROVIDERS": "aliyun_verify", "ALIYUN_ACCESS_KEY_SECRET": "a-wrong-secret"}, []string{"warn templates of aliyun_verify", "fail credentials of aliyun_verify"}},
		"verify settings": {map[string]string{"SMS_PROVIDERS": "aliyun_verify", "ALIYUN_VERIFY_TEMPLATE_CODE": "SMS_1"}, []string{"fail settings of aliyun_verify"}},
		"geetest":         {map[string]string{"CAPTCHA_HOSTED": "geetest"}, nil},
		"geetest id":      {map[string]string{"CAPTCHA_HOSTED": "geetest", "GEETEST_CAPTCHA_ID": strings.Repeat("0", 32)}, []string{"fail captcha of geetest"}},
		"geetest mute":    {map[string]string{"CAPTCHA_HOSTED": "geetest", "GEETEST_ENDPOINT": "http://127.0.0.1:1"}, []string{"fail captcha of geetest"}},
		"verify pause":    {map[string]string{"SMS_PROVIDERS": "aliyun_verify", "SMS_RESEND_INTERVAL": "59s"}, []string{"warn pause between codes", "warn templates of aliyun_verify"}},
		"short pause":     {map[string]string{"SMS_RESEND_INTERVAL": "59s"}, nil},
		"no way abroad":   {map[string]string{"SMS_REGIONS": "CN,HK"}, []string{"warn providers by region"}},
		"way abroad":      {map[string]string{"SMS_REGIONS": "CN,HK", "TENCENT_TEMPLATE_ID_ABROAD": "852"}, nil},
		"route abroad":    {map[string]string{"SMS_REGIONS": "CN,HK", "TENCENT_TEMPLATE_ID_ABROAD": "852", "SMS_ROUTES": "HK=aliyun"}, []string{"warn providers by region"}},
		"other routes":    {map[string]string{"SMS_REGIONS": "HK,CN", "TENCENT_TEMPLATE_ID_ABROAD": "852", "SMS_ROUTES": "*=ronglian;CN=aliyun"}, []string{"warn providers by region"}},
		"no reports":      {map[string]string{"REPORT_SECRET": ""}, []string{"warn reports"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environ := maps.Clone(environ)
			for variable, value := range row.set {
				environ["USHER_"+variable] = value
			}
			bad, text := examined(t, environ)
			var got []string
			for _, line := range bad {
				if !strings.HasPrefix(line, "warn Redis") { // as the server of the tests is
					got = append(got, line)
				}
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s%s", diff, text)
			}
			if strings.Contains(text, "a-wrong-secret") || strings.Contains(text, "awrongsecret") {
				t.Errorf("a secret shows:\n%s", text)
			}
			if bad, text := examined(t, environ, "-offline"); strings.Contains(fmt.Sprint(bad), "credentials") || strings.Contains(fmt.Sprint(bad), "captcha") {
				t.Errorf("offline: %v\n%s", bad, text)
			}
		})
	}
	if n := len(fakes.Messages("")); n != 0 {
		t.Errorf("doctor sent %d messages", n)
	}
}

// signFindings are those that are not ok among a sign name's audit and its filings with the three carriers.
func signFindings(sign, audit, mobile, unicom, telecom string) (bad []string) {
	filing := "filing of sign name " + sign + " of aliyun with "
	for i, name := range []string{
		"sign name " + sign + " of aliyun", filing + "China Mobile (中国移动)", filing + "China Unicom (中国联通)", filing + "China Telecom (中国电信)",
	} {
		if status := []string{audit, mobile, unicom, telecom}[i]; status != isOK {
			bad = append(bad, status+" "+name)
		}
	}
	return bad
}

func TestDoctor_tells_what_is_wrong_with_a_Redis(t *testing.T) {
	t.Parallel()
	const well = "redis_version:7.2.4\r\nmaxmemory_policy:noeviction\r\nused_memory:1000\r\nmaxmemory:0\r\n" +
		"total_system_memory:8589934592\r\naof_enabled:1\r\naof_last_write_status:ok\r\nrdb_last_bgsave_status:ok\r\n"
	for name, row := range map[string]struct {
		change []string // old and new
		clock  time.Duration
		want   []string
	}{
		"nothing":         {nil, 0, nil},
		"old":             {[]string{"7.2.4", "6.0.16"}, 0, []string{"fail Redis version 6.0.16"}},
		"evicting":        {[]string{"noeviction", "allkeys-lru"}, 0, []string{"fail Redis memory policy"}},
		"in memory":       {[]string{"aof_enabled:1", "aof_enabled:0"}, 0, []string{"warn Redis append-only file"}},
		"full disk":       {[]string{"write_status:ok", "write_status:err"}, 0, []string{"fail Redis disk"}},
		"nearly full":     {[]string{"used_memory:1000", "used_memory:900000000", "maxmemory:0", "maxmemory:1000000000"}, 0, []string{"warn Redis memory"}},
		"clock ahead":     {nil, time.Minute, []string{"warn Redis clock"}},
		"clock behind":    {nil, -time.Minute, []string{"warn Redis clock"}},
		"hosted, is mute": {[]string{well, "redis_version:7.2.4\r\n"}, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := testkit.NewMiniredis(t)
			redis.Server().SetPreHook(func(peer *server.Peer, cmd string, _ ...string) bool {
				if cmd == "INFO" {
					peer.WriteBulk(strings.NewReplacer(row.change...).Replace(well))
				}
				return cmd == "INFO"
			})
			if row.clock != 0 { // a clock that is set stands still, which a slow machine would take for a wrong one
				redis.SetTime(time.Now().Add(row.clock))
			}
			environ, _ := healthy(t, "redis://"+redis.Addr(), testkit.SQLite(t))
			bad, text := examined(t, environ, "-offline")
			if diff := cmp.Diff(row.want, bad); diff != "" {
				t.Errorf("findings (-want +got):\n%s%s", diff, text)
			}
		})
	}
}

func TestDoctor_finds_keys_that_do_not_fit_the_accounts(t *testing.T) {
	t.Parallel()
	environ, _ := healthy(t, testkit.Miniredis(t), testkit.SQLite(t))
	registered(t, environ, "p1", "13800138000")
	environ["USHER_SECRET_KEYS"] = keySpec("k2")
	if bad, text := examined(t, environ, "-offline"); !strings.Contains(fmt.Sprint(bad), "fail keys of the accounts") {
		t.Errorf("found %v:\n%s", bad, text)
	}
}
