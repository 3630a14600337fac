package smtp_test

import (
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/providers"
	"usher/providers/providertest"
	"usher/providers/smtp"
)

const (
	username = "mailbox-login@example.com"
	password = "abcdefghijklmnop"
)

func settings(t testing.TB, addr string) smtp.Config {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return smtp.Config{
		Host: host, Port: number, Username: username, Password: password, TLS: "starttls",
		From: "海马 <" + username + ">",
	}
}

func open(t testing.TB, server *providertest.MailServer, change func(*smtp.Config)) *smtp.Client {
	t.Helper()
	cfg := settings(t, server.Addr)
	cfg.CAFile = server.CAFile
	if change != nil {
		change(&cfg)
	}
	client, err := smtp.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestClient(t *testing.T) {
	t.Parallel()
	for name, offer := range map[string]string{"command by command": "SIZE", "pipelining": "PIPELINING"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.RunEmail(t, providertest.EmailCase{
				Provider: "smtp",
				New: func(t testing.TB, server *providertest.MailServer) providers.EmailSender {
					server.Offer(offer)
					return open(t, server, nil)
				},
				Secrets: []string{username, password, base64.StdEncoding.EncodeToString([]byte("\x00" + username + "\x00" + password))},
			})
		})
	}
}

func TestClient_implicitTLS(t *testing.T) {
	t.Parallel()
	server := providertest.NewMailServer(t, true)
	client := open(t, server, func(c *smtp.Config) { c.TLS = "implicit" })
	if _, err := client.SendEmail(t.Context(), providertest.Email(t)); err != nil {
		t.Fatal(err)
	}
	if server.Saw("AUTH") != 1 || server.Saw("STARTTLS") != 0 || len(server.Mails()) != 1 {
		t.Errorf("got %d logins, %d STARTTLS, %d mails; want 1, 0, 1",
			server.Saw("AUTH"), server.Saw("STARTTLS"), len(server.Mails()))
	}
}

func TestClient_strangersCertificate(t *testing.T) {
	t.Parallel()
	for _, implicit := range []bool{false, true} {
		server := providertest.NewMailServer(t, implicit)
		client := open(t, server, func(c *smtp.Config) {
			c.CAFile = ""
			if implicit {
				c.TLS = "implicit"
			}
		})
		_, err := client.SendEmail(t.Context(), providertest.Email(t))
		if want := "smtp: misconfigured: certificate not trusted"; err == nil || err.Error() != want {
			t.Errorf("implicit %v: got %v, want %s", implicit, err, want)
		}
		if server.Saw("AUTH") != 0 {
			t.Error("the password went to a stranger")
		}
	}
}

func TestClient_clearOnLoopback(t *testing.T) {
	t.Parallel()
	server := providertest.NewMailServer(t, false)
	server.SetReply(func(_ int, verb string) string {
		if verb == "EHLO" {
			return "250-mail.example.com\r\n250 AUTH PLAIN"
		}
		return providertest.Default
	})
	client := open(t, server, func(c *smtp.Config) { c.TLS = "none" })
	if _, err := client.SendEmail(t.Context(), providertest.Email(t)); err != nil {
		t.Fatal(err)
	}
	if server.Saw("AUTH") != 1 || server.Saw("STARTTLS") != 0 {
		t.Errorf("got %d logins, %d STARTTLS; want 1, 0", server.Saw("AUTH"), server.Saw("STARTTLS"))
	}
}

func TestClient_login(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		mechanisms string
		change     func(*smtp.Config)
		kind       providers.Kind
		logins     int
	}{
		"LOGIN where PLAIN is missing": {mechanisms: "LOGIN", kind: providers.Temporary, logins: 1}, // the server closes the connection during it
		"no mechanism in common":       {mechanisms: "XOAUTH2 CRAM-MD5", kind: providers.Misconfigured},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := providertest.NewMailServer(t, true)
			server.SetReply(func(_ int, verb string) string {
				switch verb {
				case "EHLO":
					return "250-mail.example.com\r\n250 AUTH " + row.mechanisms
				case "AUTH":
					return providertest.HangUp
				default:
					return providertest.Default
				}
			})
			client := open(t, server, func(c *smtp.Config) { c.TLS = "implicit" })
			_, err := client.SendEmail(t.Context(), providertest.Email(t))
			if got := providers.KindOf(err); got != row.kind {
				t.Errorf("got kind %v (%v), want %v", got, err, row.kind)
			}
			if server.Saw("AUTH") != row.logins {
				t.Errorf("got %d logins, want %d", server.Saw("AUTH"), row.logins)
			}
		})
	}
}

// TestClient_keepsConnection checks that a refusal of one mail does not cost a login for the next.
func TestClient_keepsConnection(t *testing.T) {
	t.Parallel()
	for verb, reply := range map[string]string{"RCPT": "550 5.1.1 no", "DATA": "554 no", "DOT": "554 5.7.1 no"} {
		for _, offer := range []string{"SIZE", "PIPELINING"} {
			t.Run(verb+" "+offer, func(t *testing.T) {
				t.Parallel()
				server := providertest.NewMailServer(t, false)
				server.Offer(offer)
				count := 0
				server.SetReply(func(_ int, v string) string {
					if v == verb {
						if count++; count == 1 {
							return reply
						}
					}
					return providertest.Default
				})
				client := open(t, server, nil)
				if _, err := client.SendEmail(t.Context(), providertest.Email(t)); providers.KindOf(err) != providers.Rejected {
					t.Fatalf("got %v, want a rejection", err)
				}
				if _, err := client.SendEmail(t.Context(), providertest.Email(t)); err != nil {
					t.Fatal(err)
				}
				if server.Sessions() != 1 {
					t.Errorf("got %d connections, want 1", server.Sessions())
				}
			})
		}
	}
}

func TestClient_fewConnections(t *testing.T) {
	t.Parallel()
	server := providertest.NewMailServer(t, false)
	client := open(t, server, nil)
	done := make(chan error)
	for range 40 {
		go func() {
			_, err := client.SendEmail(t.Context(), providertest.Email(t))
			done <- err
		}()
	}
	for range 40 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got := server.Sessions(); got < 1 || got > 4 {
		t.Errorf("got %d connections, want 1 to 4", got)
	}
}

func TestClient_mail(t *testing.T) {
	t.Parallel()
	server := providertest.NewMailServer(t, false)
	client := open(t, server, nil)
	client.Now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	email := providertest.Email(t)
	if _, err := client.SendEmail(t.Context(), email); err != nil {
		t.Fatal(err)
	}
	got := server.Mails()[0]
	if got.From != username || got.To != email.To.Reveal() {
		t.Errorf("got envelope %s to %s", got.From, got.To)
	}
	checkLines(t, got.Data)
	m, err := mail.ReadMessage(strings.NewReader(got.Data))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != email.Subject {
		t.Errorf("got subject %q, %v", subject, err)
	}
	from, err := mail.ParseAddress(m.Header.Get("From"))
	if err != nil || from.Name != "海马" || from.Address != username {
		t.Errorf("got from %v, %v", from, err)
	}
	header := map[string]string{}
	for _, name := range []string{"Message-Id", "Date", "To", "Mime-Version", "X-Mailer", "User-Agent"} {
		header[name] = m.Header.Get(name)
	}
	want := map[string]string{
		"Message-Id": "<" + email.MessageID + ">", "Date": "Fri, 02 Jan 2026 03:04:05 +0000",
		"To": "<hai.ma@example.com>", "Mime-Version": "1.0", "X-Mailer": "", "User-Agent": "",
	}
	if diff := cmp.Diff(want, header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	parts := [][2]string{
		{"text/plain; charset=UTF-8", email.Text},
		{"text/html; charset=UTF-8", email.HTML},
	}
	if diff := cmp.Diff(parts, readParts(t, m)); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
}

// checkLines wants lines as RFC 5322 advises them.
func checkLines(t *testing.T, data string) {
	t.Helper()
	for _, line := range strings.SplitAfter(data, "\n") {
		if line != "" && (!strings.HasSuffix(line, "\r\n") || len(line) > 80) {
			t.Errorf("line %q is too long or has no CRLF", line)
		}
	}
}

// readParts returns type and text of each part of a multipart/alternative mail.
func readParts(t *testing.T, m *mail.Message) [][2]string {
	t.Helper()
	media, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || media != "multipart/alternative" {
		t.Fatalf("got type %q, %v", media, err)
	}
	var parts [][2]string
	for reader := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := reader.NextPart()
		if err == io.EOF { //nolint:errorlint // NextPart returns it bare
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		if encoding := part.Header.Get("Content-Transfer-Encoding"); encoding != "base64" {
			t.Errorf("got encoding %q", encoding)
		}
		text, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, part))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, [2]string{part.Header.Get("Content-Type"), string(text)})
	}
}
