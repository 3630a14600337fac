package smtp

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"usher/contact"
	"usher/internal/testkit"
	"usher/providers"
	"usher/providers/providertest"
	"usher/reasons"
)

// postfixPort is one port of the private Postfix, with rules of its own.
type postfixPort struct {
	rules []string // -o options of its smtpd
	cfg   Config   // of the client; host, port, TLS and sender are filled in
	to    string   // empty: someone whom the server knows
	kind  providers.Kind
	why   reasons.Word // empty: accepted
	code  string
	proof reasons.Word // of CheckCredentials
}

const (
	postfixLogin = "login@corp.example"
	postfixKnown = "known@relayed.example"
)

var postfixPorts = map[string]postfixPort{
	"accepted": {},
	"accepted after a login": {
		rules: []string{"smtpd_sasl_auth_enable=yes", "smtpd_sender_restrictions=reject_sender_login_mismatch"},
		cfg:   Config{Username: postfixLogin, Password: "right", From: postfixLogin},
	},
	"wrong password": {
		rules: []string{"smtpd_sasl_auth_enable=yes"},
		cfg:   Config{Username: postfixLogin, Password: "wrong"},
		kind:  providers.Misconfigured, why: reasons.LoginRefused, code: "535-5.7.8", proof: reasons.LoginRefused,
	},
	"sender not owned": {
		rules: []string{"smtpd_sasl_auth_enable=yes", "smtpd_sender_restrictions=reject_sender_login_mismatch"},
		cfg:   Config{Username: "other@corp.example", Password: "right", From: postfixLogin},
		kind:  providers.Misconfigured, why: reasons.SenderRefused, code: "553-5.7.1", proof: reasons.SenderRefused,
	},
	"sender without a login": {
		rules: []string{"smtpd_sender_restrictions=reject_unauthenticated_sender_login_mismatch", "smtpd_sasl_auth_enable=yes"},
		cfg:   Config{From: postfixLogin},
		kind:  providers.Misconfigured, why: reasons.LoginRequired, code: "553-5.7.1", proof: reasons.LoginRequired,
	},
	"client denied": {
		rules: []string{"smtpd_client_restrictions=reject"},
		kind:  providers.Misconfigured, why: reasons.ClientRefused, code: "554-5.7.1", proof: reasons.ClientRefused,
	},
	"greeting without a dot": {
		rules: []string{"smtpd_helo_required=yes", "smtpd_helo_restrictions=reject_non_fqdn_helo_hostname"},
		cfg:   Config{HELO: "vm"},
		kind:  providers.Misconfigured, why: reasons.HELORefused, code: "504-5.5.2", proof: reasons.HELORefused,
	},
	"greeting without a dot, refused at once": {
		rules: []string{"smtpd_helo_required=yes", "smtpd_helo_restrictions=reject_non_fqdn_helo_hostname", "smtpd_delay_reject=no"},
		cfg:   Config{HELO: "vm"},
		kind:  providers.Misconfigured, why: reasons.HELORefused, code: "504-5.5.2", proof: reasons.HELORefused,
	},
	"greeting of our own choice": {
		rules: []string{"smtpd_helo_required=yes", "smtpd_helo_restrictions=reject_non_fqdn_helo_hostname"},
	},
	"unknown in the relay recipient table": {
		to:   "unknown@relayed.example",
		kind: providers.Rejected, why: reasons.RecipientUnknown, code: "550-5.1.1",
	},
	"relaying denied": {
		rules: []string{"mynetworks=192.0.2.0/24", "smtpd_relay_restrictions=reject_unauth_destination"},
		to:    "a@elsewhere.example",
		kind:  providers.Misconfigured, why: reasons.RelayDenied, code: "554-5.7.1",
	},
	"greylisted": {
		rules: []string{"smtpd_recipient_restrictions=defer"},
		kind:  providers.Temporary, why: reasons.NotNow, code: "450-4.3.2",
	},
	"too big": {
		rules: []string{"message_size_limit=100"},
		kind:  providers.Rejected, why: reasons.TooBig, code: "552-5.3.4",
	},
}

// TestPostfix holds what a real Postfix says against what we make of it. Postfix refuses nearly everything at RCPT.
func TestPostfix(t *testing.T) {
	t.Parallel()
	addrs := startPostfix(t)
	for name, port := range postfixPorts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := clientOf(t, addrs[name], port.cfg)
			email := providertest.Email(t)
			address := port.to
			if address == "" {
				address = postfixKnown
			}
			var err error
			if email.To, err = contact.ParseEmail(address); err != nil {
				t.Fatal(err)
			}
			_, err = client.SendEmail(t.Context(), email)
			refused, _ := errors.AsType[*providers.Error](err)
			switch {
			case port.why == "" && err != nil:
				t.Errorf("got %v, want it accepted", err)
			case port.why != "" && (refused == nil || refused.Kind != port.kind || refused.Reason() != port.why || refused.Code != port.code):
				t.Errorf("got %v (%s), want %v, %s, %s", err, providers.ReasonOf(err), port.kind, port.why, port.code)
			}
			// doctor says the same of us, without a mail.
			err = client.CheckCredentials(t.Context())
			if port.proof == "" && err != nil || port.proof != "" && providers.ReasonOf(err) != port.proof {
				t.Errorf("CheckCredentials: %v (%s), want %q", err, providers.ReasonOf(err), port.proof)
			}
		})
	}
}

// clientOf skips the check of the settings: one test greets by a name that it refuses.
func clientOf(t *testing.T, addr string, cfg Config) *Client {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	helo := cfg.HELO
	cfg.Host, cfg.TLS, cfg.HELO = host, noTLS, ""
	cfg.Port, _ = strconv.Atoi(port)
	if cfg.From == "" {
		cfg.From = "noreply@corp.example"
	}
	client, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.HELO = helo
	dialer, err := newDialer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	client.pool = newPool(dialer.dial)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// postfixMaster is where Debian has the program that runs the others.
const postfixMaster = "/usr/lib/postfix/sbin/master"

// startPostfix runs a Postfix of its own, with a folder for its settings and its queue, and returns the addresses of
// its ports by their names.
func startPostfix(t *testing.T) map[string]string {
	t.Helper()
	postfix := testkit.NeedProgram(t, "postfix")
	if os.Getuid() != 0 {
		t.Skip("Postfix starts as root only")
	}
	dir, err := os.MkdirTemp("", "usher-postfix-") //nolint:usetesting // its users must reach it, which they do not in a test's folder
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	run := func(program string, args ...string) {
		if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", program, args, err, out)
		}
	}
	for _, name := range []string{"conf", "spool", "data"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run("chmod", "755", dir)
	run("chown", "postfix", filepath.Join(dir, "data"))
	conf := filepath.Join(dir, "conf")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(conf, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	addrs, services := map[string]string{}, ""
	for name, port := range postfixPorts {
		addr := freeAddr(t)
		addrs[name] = addr
		services += addr + " inet n - n - - smtpd\n"
		for _, rule := range port.rules {
			services += "  -o " + rule + "\n"
		}
	}
	write("main.cf", fmt.Sprintf(`compatibility_level = 3.6
queue_directory = %[1]s/spool
data_directory = %[1]s/data
maillog_file = %[1]s/data/log
maillog_file_prefixes = %[1]s
myhostname = mail.corp.example
mydestination =
inet_interfaces = 127.0.0.1
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
relay_domains = relayed.example, corp.example
relay_recipient_maps = inline:{ %[2]s=OK, %[3]s=OK, noreply@corp.example=OK }
smtpd_sender_login_maps = inline:{ %[3]s=%[3]s }
relay_transport = discard:
default_transport = discard:
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:%[4]s
smtpd_sasl_security_options = noanonymous
smtpd_peername_lookup = no
`, dir, postfixKnown, postfixLogin, dovecotAuth(t)))
	write("master.cf", services+`cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
discard unix - - n - - discard
postlog unix-dgram n - n - 1 postlogd
`)
	run(postfix, "-c", conf, "check")
	cmd := exec.CommandContext(t.Context(), postfixMaster, "-c", conf, "-d")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // when it ends it ends its group
	master, err := testkit.LaunchProgram(cmd, syscall.SIGTERM)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = master.Stop(syscall.SIGTERM)
		if log, err := os.ReadFile(filepath.Join(dir, "data", "log")); err == nil && t.Failed() {
			t.Logf("Postfix:\n%s", log)
		}
	})
	for name, addr := range addrs {
		testkit.Eventually(t, testkit.Patience, func() bool {
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
			if err == nil {
				_ = conn.Close()
			}
			return err == nil
		}, "Postfix listens on the port "+name)
	}
	return addrs
}

func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// dovecotAuth speaks as much of Dovecot's protocol of authentication as Postfix needs: "right" is every password.
func dovecotAuth(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(t.Context(), func() { _ = conn.Close() })
			go func() {
				_, _ = conn.Write([]byte("VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t0123456789abcdef0123456789abcdef\nDONE\n"))
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					fields := strings.Split(lines.Text(), "\t")
					if fields[0] != "AUTH" {
						continue
					}
					user, right := "", false
					for _, field := range fields {
						if response, ok := strings.CutPrefix(field, "resp="); ok {
							plain, _ := base64.StdEncoding.DecodeString(response)
							parts := strings.Split(string(plain), "\x00")
							user, right = parts[len(parts)-2], parts[len(parts)-1] == "right"
						}
					}
					if right {
						_, _ = fmt.Fprintf(conn, "OK\t%s\tuser=%s\n", fields[1], user)
					} else {
						_, _ = fmt.Fprintf(conn, "FAIL\t%s\tuser=%s\n", fields[1], user)
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}
