package prove_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// The parts of a deployment that there is one of. The others are numbered: api1, sms1, email1, events1 and so on.
const (
	partRedis    = "redis"
	partPostgres = "postgres"
	partVendors  = "vendors"  // the sandbox that plays Aliyun and Ronglian
	partMail     = "mail"     // the sandbox that plays the mail server
	partReceiver = "receiver" // a team's service that gets events
)

// noLimits switches off every limit that a crowd at one address would reach.
const noLimits = "sms_ip_hour=off,sms_ip_day=off,sms_net_hour=off,sms_prefix=off,sms_total=off,sms_conversion=off," +
	"sms_mobile_hour=off,sms_mobile_day=off,check_ip=off,email_code_ip=off,email_code_all=off," +
	"register_ip=off,login_ip=off,activate_ip=off,lookup_ip=off,status_ip=off,captcha_ip=off," +
	"resend_email=off,mail_domain_hour=off,mail_total_hour=off"

// plan says how many processes a deployment has, and which of its settings differ.
type plan struct {
	apis, sms, email, events int
	environ                  map[string]string
}

// addresses are where the programs find what they use, each as host:port. A row may put a proxy's in before it
// starts the programs.
type addresses struct{ Redis, Postgres, Aliyun, Ronglian, SMTP string }

// deployment is the built programs on private stores, with a sandbox for SMS and another for mails, each of
// which can be killed alone. What was acknowledged survives the death of any part: Redis syncs every write.
// Its methods are for the test's goroutine, except where they say otherwise.
type deployment struct {
	t       testing.TB
	at      addresses
	journal *journal
	environ map[string]string
	names   []string // of the parts, in the order in which they can be started
	parts   map[string]*part
	release string // folder of another release's programs, which are started from now on; empty: those of this tree
}

// part is one process of a deployment. It keeps its address.
type part struct {
	server  *testkit.Server                              // of a store
	outside *receiver                                    // of events
	launch  func(addr string) (*testkit.Program, string) // of a program: starts it, and returns its address
	program *testkit.Program
	addr    string
}

// newDeployment starts the stores and the sandboxes. The programs wait for [deployment.up].
func newDeployment(t testing.TB, p plan) *deployment {
	t.Helper()
	d := &deployment{t: t, parts: map[string]*part{}}
	redis := testkit.RedisServer(t, "--appendonly", "yes", "--appendfsync", "always")
	postgres := testkit.PostgresServer(t)
	d.add(partRedis, &part{server: redis})
	d.add(partPostgres, &part{server: postgres})
	dir := t.TempDir()
	d.journal = newJournal(t, filepath.Join(dir, "vendors"), filepath.Join(dir, "mail"))
	vendors := d.addSandbox(partVendors, filepath.Join(dir, "vendors"), filepath.Join(dir, "vendors.pem"))
	mail := d.addSandbox(partMail, filepath.Join(dir, "mail"), filepath.Join(dir, "mail.pem"))
	d.at = addresses{redis.Addr(), postgres.Addr(), vendors.HTTPAddr, vendors.HTTPAddr, mail.SMTPAddr}

	d.environ = testkit.BasicSettings("", "")
	maps.Copy(d.environ, mail.Settings(t)) // all sandboxes take the same keys
	d.environ["USHER_LOG_LEVEL"] = "info"
	d.environ["USHER_LIMITS"] = noLimits
	maps.Copy(d.environ, p.environ)
	for i := range p.apis {
		d.addProgram(fmt.Sprint("api", i+1), "api")
	}
	for i := range p.sms {
		d.addProgram(fmt.Sprint("sms", i+1), "worker", "-channels", "sms")
	}
	for i := range p.email {
		d.addProgram(fmt.Sprint("email", i+1), "worker", "-channels", "email")
	}
	for i := range p.events {
		d.addProgram(fmt.Sprint("events", i+1), "worker", "-channels", "events")
	}
	return d
}

func (d *deployment) add(name string, p *part) {
	d.names = append(d.names, name)
	d.parts[name] = p
}

func (d *deployment) addSandbox(name, journal, certificate string) *testkit.Sandbox {
	d.t.Helper()
	var first *testkit.Sandbox
	p := &part{}
	p.launch = func(addr string) (*testkit.Program, string) {
		args := []string{"-journal", journal, "-smtp-cert", certificate, "-log-level", "warn", "-keep", "200000"}
		if first != nil {
			args = append(args, "-http", first.HTTPAddr, "-smtp", first.SMTPAddr)
		}
		s := testkit.StartSandbox(d.t, args...)
		if first == nil {
			first = s
		}
		return s.Program, s.HTTPAddr
	}
	d.add(name, p)
	d.start(name)
	return first
}

func (d *deployment) addProgram(name, command string, args ...string) {
	d.add(name, &part{launch: func(addr string) (*testkit.Program, string) {
		environ := d.settings()
		if addr != "" {
			environ["USHER_HTTP_ADDR"] = addr
		}
		program := testkit.StartProgram(d.t, environ, d.path(command), args...)
		if command != "api" {
			return program, program.Await(d.t, `"worker ready".*"ops_addr":"([^"]+)"`)
		}
		return program, program.Await(d.t, `"http_addr":"([^"]+)"`)
	}})
}

// path is where a program of the release that is started now is.
func (d *deployment) path(command string) string {
	if d.release != "" {
		return filepath.Join(d.release, command)
	}
	return testkit.BuildCommand(d.t, command)
}

// settings are what the programs are started with now.
func (d *deployment) settings() map[string]string {
	environ := maps.Clone(d.environ)
	host, port, _ := net.SplitHostPort(d.at.SMTP) // a kernel's choice, which is well-formed
	maps.Copy(environ, map[string]string{
		"USHER_REDIS_URL":         "redis://" + d.at.Redis,
		"USHER_DATABASE_URL":      "postgres://postgres@" + d.at.Postgres + "/postgres?sslmode=disable",
		"USHER_ALIYUN_ENDPOINT":   "http://" + d.at.Aliyun + "/aliyun/",
		"USHER_RONGLIAN_ENDPOINT": "http://" + d.at.Ronglian + "/ronglian",
		"USHER_SMTP_HOST":         host, "USHER_SMTP_PORT": port,
	})
	return environ
}

// up migrates the database and starts the named programs, or all of them.
func (d *deployment) up(names ...string) {
	d.t.Helper()
	d.migrate()
	if len(names) == 0 {
		names = d.names
	}
	d.start(names...)
}

// migrate brings the database to the schema of the release that is started now.
func (d *deployment) migrate() {
	d.t.Helper()
	admin := testkit.StartProgram(d.t, d.settings(), d.path("admin"), "migrate", "up")
	if code, said := admin.AwaitEnd(d.t); code != 0 {
		d.t.Fatalf("admin migrate up: exit %d, %s", code, said)
	}
}

// start starts parts, or restarts them, the stores first, as a supervisor does. It skips parts that are running, and
// returns when all of them answer.
func (d *deployment) start(names ...string) {
	d.t.Helper()
	for _, name := range d.names {
		p := d.parts[name]
		switch {
		case !slices.Contains(names, name):
		case p.server != nil:
			p.server.Start(d.t)
		case p.outside != nil:
			p.outside.start()
		case p.program == nil || p.program.Ended():
			p.program, p.addr = p.launch(p.addr)
		}
	}
}

// kill ends parts as a crash would.
func (d *deployment) kill(names ...string) {
	for _, name := range names {
		switch p := d.parts[name]; {
		case p.server != nil:
			p.server.Kill()
		case p.outside != nil:
			p.outside.kill()
		default:
			_ = p.program.Stop(syscall.SIGKILL) // its error says that it was killed
		}
	}
}

// stop ends a program with SIGTERM and returns the error of its end, nil for exit code 0.
func (d *deployment) stop(name string) error { return d.parts[name].program.Stop(syscall.SIGTERM) }

// freeze stops a part with SIGSTOP; thaw continues it.
func (d *deployment) freeze(name string) { d.signal(name, syscall.SIGSTOP) }

func (d *deployment) thaw(name string) { d.signal(name, syscall.SIGCONT) }

func (d *deployment) signal(name string, signal syscall.Signal) {
	d.t.Helper()
	p := d.parts[name]
	if p.server == nil {
		p.program.Signal(signal)
		return
	}
	if err := syscall.Kill(p.server.Pid(), signal); err != nil {
		d.t.Fatalf("signal %s: %v", name, err)
	}
}

// kin returns the names of the parts of a kind: of api, sms, email, events or one there is only one of.
func (d *deployment) kin(kind string) []string {
	var list []string
	for _, name := range d.names {
		if strings.TrimRight(name, "0123456789") == kind {
			list = append(list, name)
		}
	}
	return list
}

// people returns one person in front of each API. Only Try may be used by several goroutines.
func (d *deployment) people() []*testclient.Client {
	var list []*testclient.Client
	for _, name := range d.kin("api") {
		list = append(list, testclient.New(d.t, d.parts[name].addr, d.parts[partVendors].addr))
	}
	return list
}

// faults sets the faults of a sandbox, each vendor's as PUT /api/faults takes them.
func (d *deployment) faults(name string, faults map[string]any) {
	d.t.Helper()
	body, err := json.Marshal(faults)
	if err != nil {
		d.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodPut,
		"http://"+d.parts[name].addr+"/api/faults", bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		d.t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode >= 300 {
		d.t.Fatalf("PUT /api/faults = %s", response.Status)
	}
}
