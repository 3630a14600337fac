package smtp_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/providers"
	"usher/providers/providertest"
	"usher/providers/smtp"
	"usher/reasons"
)

// A crowd of mails meets a wrong password once: a mailbox is locked after a few.
func TestClient_logsInOnceForACrowd(t *testing.T) {
	t.Parallel()
	server := providertest.NewMailServer(t, false)
	server.SetReply(func(_ int, verb string) string {
		if verb == "AUTH" {
			return "535 5.7.8 Error: authentication failed"
		}
		return providertest.Default
	})
	client := open(t, server, nil)
	var crowd sync.WaitGroup
	start := make(chan struct{})
	for range 24 {
		crowd.Go(func() {
			email := providertest.Email(t)
			<-start
			_, err := client.SendEmail(t.Context(), email)
			if providers.KindOf(err) != providers.Misconfigured || providers.ReasonOf(err) != reasons.LoginRefused {
				t.Errorf("got %v, want a refused login", err)
			}
		})
	}
	close(start)
	crowd.Wait()
	if got := server.Saw("AUTH"); got > 3 { // a goroutine that starts after the refusal makes its own
		t.Errorf("%d logins, want one, or hardly more", got)
	}
}

// dumb accepts connections and says nothing, or one line.
func dumb(t *testing.T, network, address, line string) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), network, address)
	if err != nil {
		t.Skipf("no %s on loopback: %v", network, err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(line))
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
	return listener.Addr().String()
}

func TestClient_namesTheWrongModeOfTLS(t *testing.T) {
	t.Parallel()
	implicit := providertest.NewMailServer(t, true)
	for name, row := range map[string]struct {
		addr, mode, setting string
		kind                providers.Kind
		why                 reasons.Word
	}{
		"STARTTLS asked of a port with TLS":     {implicit.Addr, "starttls", "USHER_SMTP_TLS=implicit", providers.Temporary, reasons.NoGreeting},
		"STARTTLS asked of silence":             {dumb(t, "tcp", "127.0.0.1:0", ""), "starttls", "USHER_SMTP_TLS=implicit", providers.Temporary, reasons.NoGreeting},
		"TLS asked of a port that speaks clear": {dumb(t, "tcp", "127.0.0.1:0", "220 mail.example.com ESMTP\r\n"), "implicit", "USHER_SMTP_TLS=starttls", providers.Misconfigured, reasons.NoTLS},
		"another service":                       {dumb(t, "tcp", "127.0.0.1:0", "* OK IMAP4rev1 ready\r\n"), "starttls", "USHER_SMTP_PORT", providers.Temporary, reasons.NoSMTP},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := settings(t, row.addr)
			cfg.TLS, cfg.CAFile = row.mode, implicit.CAFile
			client, err := smtp.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = client.Close() }()
			for what, try := range map[string]func(context.Context) error{
				"send":  func(ctx context.Context) error { _, err := client.SendEmail(ctx, providertest.Email(t)); return err },
				"prove": client.CheckCredentials,
			} {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				err := try(ctx)
				cancel()
				if providers.KindOf(err) != row.kind || providers.ReasonOf(err) != row.why {
					t.Errorf("%s: got %v (%s), want %v, %s", what, err, providers.ReasonOf(err), row.kind, row.why)
				}
				reason, known := reasons.Of(string(providers.ReasonOf(err)))
				if !known || !strings.Contains(reason.Do, row.setting) {
					t.Errorf("%s: what to do is %q, want it to name %s", what, reason.Do, row.setting)
				}
			}
		})
	}
}

func TestClient_reachesAnIPv6Address(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"::1", "[::1]"} {
		for _, mode := range []string{"none", "implicit"} {
			addr := dumb(t, "tcp", "[::1]:0", "554 5.7.1 no\r\n")
			cfg := settings(t, addr)
			cfg.Host, cfg.TLS = host, mode
			client, err := smtp.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			err = client.CheckCredentials(t.Context())
			want := reasons.ClientRefused
			if mode == "implicit" {
				want = reasons.NoTLS
			}
			if providers.ReasonOf(err) != want {
				t.Errorf("%s, %s: got %v (%s), want it connected: %s", host, mode, err, providers.ReasonOf(err), want)
			}
			_ = client.Close()
		}
	}
}

func TestClient_CheckCredentials(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		verb, reply string
		why         reasons.Word // empty: proved
	}{
		"all is well":            {},
		"wrong password":         {"AUTH", "535 5.7.8 no", reasons.LoginRefused},
		"sender not ours":        {"RCPT", "553 5.7.1 <a@b>: Sender address rejected: not owned by user login", reasons.SenderRefused},
		"client is not welcome":  {"RCPT", "554 5.7.1 <unknown[127.0.0.1]>: Client host rejected: Access denied", reasons.ClientRefused},
		"name of the greeting":   {"RCPT", "504 5.5.2 <vm>: Helo command rejected: need fully-qualified hostname", reasons.HELORefused},
		"sender has no mailbox":  {"RCPT", "550 5.1.1 <a@b>: Recipient address rejected: User unknown in relay recipient table", ""},
		"greylisted":             {"RCPT", "450 4.2.0 <a@b>: Recipient address rejected: Greylisted", ""},
		"sender refused at once": {"MAIL", "501 5.1.7 bad sender", reasons.SenderRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := providertest.NewMailServer(t, false)
			server.SetReply(func(_ int, verb string) string {
				if verb == row.verb {
					return row.reply
				}
				return providertest.Default
			})
			err := open(t, server, nil).CheckCredentials(t.Context())
			if row.why == "" && err != nil || row.why != "" && providers.ReasonOf(err) != row.why {
				t.Errorf("got %v (%s), want %q", err, providers.ReasonOf(err), row.why)
			}
			if server.Saw("DATA") != 0 || len(server.Mails()) != 0 {
				t.Error("a mail was sent")
			}
		})
	}
}
