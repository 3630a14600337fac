package app_test

import (
	"context"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/app"
	"usher/app/front"
	"usher/config"
	"usher/internal/testkit"
	"usher/providers/catalog"
	"usher/sandbox"
	"usher/store/redisconn"
	"usher/store/sqlstore"
)

// inIPv6 is every setting that has an address, with one of IPv6.
var inIPv6 = map[string][]string{
	"USHER_REDIS_URL":              {"redis://[::1]:6379/0", "rediss://[2001:db8::1]:6379/0"},
	"USHER_DATABASE_URL":           {"postgres://usher@[::1]:5432/usher?sslmode=disable", "postgres://usher@[2001:db8::1]:5432/usher?sslmode=verify-full"},
	"USHER_PUBLIC_URL":             {"http://[::1]:8080", "https://[2001:db8::1]"},
	"USHER_TERMS_URL":              {"https://[2001:db8::1]/terms"},
	"USHER_PRIVACY_URL":            {"https://[2001:db8::1]/privacy"},
	"USHER_HTTP_ADDR":              {"[::1]:8080", "[::]:8080"},
	"USHER_OPS_ADDR":               {"[::1]:8081"},
	"USHER_OPS_HOSTS":              nil, // names only: any literal address is answered
	"USHER_ALLOWED_ORIGINS":        {"https://[2001:db8::1]", "http://[::1]:3000"},
	"USHER_RETURN_TO":              {"https://[2001:db8::1]/shop", "http://[::1]:3000"},
	"USHER_TRUSTED_PROXIES":        {"::1", "fd00::/8"},
	"USHER_ALIYUN_ENDPOINT":        {"http://[::1]:8083/aliyun/", "https://[2001:db8::1]"},
	"USHER_RONGLIAN_ENDPOINT":      {"http://[::1]:8083/ronglian", "https://[2001:db8::1]:8883"},
	"USHER_TENCENT_ENDPOINT":       {"http://[::1]:8083/tencent", "https://[2001:db8::1]"},
	"USHER_ALIYUN_VERIFY_ENDPOINT": {"http://[::1]:8083/aliyun/", "https://[2001:db8::1]"},
	"USHER_GEETEST_ENDPOINT":       {"http://[::1]:8083/geetest", "https://[2001:db8::1]"},
	"USHER_GEETEST_SCRIPT":         {"http://[::1]:8083/geetest/v4/gt4.js", "https://[2001:db8::1]/v4/gt4.js"},
	"USHER_HTTP_URL":               {"http://[::1]:8083/http/", "https://[2400:3200::1]/send"},
	"USHER_HTTP_QUERY_URL":         {"http://[::1]:8083/http/query", "https://[2400:3200::1]/query"},
	"USHER_HTTP_ALLOWED_HOSTS":     {"::1", "fd00::5"},
	"USHER_SMTP_HOST":              {"::1", "[::1]", "2001:db8::25"},
	"USHER_SMTP_HELO":              {"[IPv6:2001:db8::1]"},
}

func TestSettings_take_IPv6_addresses(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile(`_(ADDR|URL|ENDPOINT|HOST|HOSTS|HELO|PROXIES|ORIGINS)$`)
	tables := slices.Concat(config.Table(config.API{}), config.Table(config.Worker{}), config.Table(catalog.Configs()...))
	for _, v := range tables {
		if _, walked := inIPv6[v.Name]; named.MatchString(v.Name) && !walked {
			t.Errorf("%s has an address and is not tried", v.Name)
		}
	}
	fakes := startSandbox(t)
	base := environment(t, fakes, testkit.Miniredis(t), testkit.SQLite(t))
	for variable, values := range inIPv6 {
		for _, value := range values {
			environ := maps.Clone(base)
			environ[variable], environ["USHER_CAPTCHA_HOSTED"] = value, "geetest"
			_, apiErr := front.Load(environ)
			_, workerErr := app.LoadWorker(environ)
			_, smsErr := catalog.SMS([]string{"aliyun", "aliyun_verify", "http", "ronglian", "tencent"}, environ)
			mailer, mailErr := catalog.Email(environ)
			if err := config.Join(apiErr, workerErr, smsErr, mailErr); err != nil {
				t.Errorf("%s=%s: %v", variable, value, err)
			}
			if mailer != nil {
				_ = mailer.Close()
			}
		}
	}
}

// Everything that listens and everything that is dialled, on ::1.
func TestJourney_on_IPv6(t *testing.T) {
	t.Parallel()
	probe, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 on this machine")
	}
	_ = probe.Close()
	free := sandbox.Limits{Minute: -1, Hour: -1, Day: -1}
	fakes, err := sandbox.Open(t.Context(), sandbox.Config{
		HTTPAddr: "[::1]:0", SMTPAddr: "[::1]:0", AliyunLimits: free, RonglianLimits: free, TencentLimits: free,
	})
	if err != nil {
		t.Fatal(err)
	}
	background(t, fakes.Run)
	environ := environment(t, fakes, testkit.Miniredis(t), testkit.SQLite(t))
	if environ["USHER_SMTP_HOST"] != "::1" {
		t.Fatalf("the mail server is at %s", environ["USHER_SMTP_HOST"])
	}
	environ["USHER_HTTP_ADDR"], environ["USHER_OPS_ADDR"] = "[::1]:0", "[::1]:0"
	logger, log := testkit.Logger(t)
	d := &deployment{sandbox: fakes, log: log, environ: environ}
	d.migrate(t)
	d.startAPI(t, logger)
	d.startWorker(t, logger)
	d.person(t).Walk(lilei())
	for _, addr := range []string{d.api.OpsAddr(), d.worker.OpsAddr()} {
		if err := app.Health(t.Context(), addr, ""); err != nil {
			t.Errorf("health at %s: %v", addr, err)
		}
		if got := opsStatus(t, http.MethodGet, "http://"+addr+"/metrics", addr, nil); got != http.StatusOK {
			t.Errorf("metrics of Host %s = %d", addr, got)
		}
	}
}

// The stores' clients dial the address that their URL has.
func TestStores_are_dialled_on_IPv6(t *testing.T) {
	t.Parallel()
	for name, dial := range map[string]func(ctx context.Context, addr string){
		"redis": func(ctx context.Context, addr string) {
			client, err := redisconn.Open("redis://"+addr+"/0", redisconn.Settings{Timeout: testkit.RedisPatience})
			if err != nil {
				t.Error(err)
				return
			}
			_ = client.Ping(ctx)
			_ = client.Close()
		},
		"postgres": func(ctx context.Context, addr string) {
			db, err := sqlstore.Open(ctx, "postgres://usher@"+addr+"/usher?sslmode=disable", sqlstore.Settings{Timeout: testkit.DatabasePatience})
			if err == nil {
				_ = db.Close()
			}
		},
	} {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "[::1]:0")
		if err != nil {
			t.Skip("no IPv6 on this machine")
		}
		dialled := make(chan struct{}, 100)
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				dialled <- struct{}{}
				_ = conn.Close()
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		dial(ctx, listener.Addr().String())
		cancel()
		_ = listener.Close()
		if len(dialled) == 0 {
			t.Errorf("%s: nothing was dialled at %s", name, strings.TrimSpace(listener.Addr().String()))
		}
	}
}
