package providertest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/contact"
	"usher/providers"
)

// EmailCase describes a sender of mails over SMTP to the suite.
type EmailCase struct {
	Provider string // name that receipts and errors carry

	// New returns a sender that logs in at the server and trusts its certificate. It is called for each subtest, and the suite
	// closes the sender.
	New func(t testing.TB, server *MailServer) providers.EmailSender

	Secrets []string // login and password that New uses
}

// Email returns the mail that the suite sends.
func Email(t testing.TB) providers.Email {
	t.Helper()
	to, err := contact.ParseEmail("hai.ma@example.com")
	if err != nil {
		t.Fatal(err)
	}
	return providers.Email{
		MessageID: "01JD5V6Z8Q.1@usher.example.com",
		To:        to,
		Subject:   "请激活您的账号 – activate your account",
		Text:      "请打开 https://usher.example.com/activate?token=s3cr3t-token\n.\n..dots\n",
		HTML:      `<p>请<a href="https://usher.example.com/activate?token=s3cr3t-token">激活</a></p>`,
	}
}

// RunEmail checks every promise of [providers.EmailSender].
func RunEmail(t *testing.T, c EmailCase) {
	t.Helper()
	t.Run("an accepted mail gives a receipt", c.accepted)
	t.Run("a refusal has its kind and code", c.refusals)
	t.Run("a lost connection is unknown only after the final dot", c.lost)
	t.Run("a server that does not reply is left when the context ends", c.silent)
	t.Run("invalid replies after an accepted mail are no failure", c.rubbish)
	t.Run("a connection that died while idle is replaced", c.died)
	t.Run("a password never travels in clear", c.clear)
	t.Run("a server that cannot be reached is temporary", c.unreachable)
	t.Run("an ended context sends nothing", c.ended)
	t.Run("a line break in a header is refused", c.injection)
	t.Run("a sender is safe for concurrent use", c.concurrent)
	t.Run("close ends the idle connections", c.closed)
}

// exchange is the send of the suite's mail.
func (c EmailCase) exchange(t testing.TB) exchange {
	return exchange{provider: c.Provider, private: c.private(t)}
}

func (c EmailCase) private(t testing.TB) []string {
	return append([]string{Email(t).To.Reveal(), "hai.ma", "s3cr3t-token"}, c.Secrets...)
}

// open starts a server with the given replies and returns it with a sender.
func (c EmailCase) open(t *testing.T, reply func(session int, verb string) string) (*MailServer, providers.EmailSender) {
	t.Helper()
	server := NewMailServer(t, false)
	if reply != nil {
		server.SetReply(reply)
	}
	sender := c.New(t, server)
	t.Cleanup(func() {
		if err := sender.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return server, sender
}

// on gives one reply to one verb, and the default reply to all others.
func on(verb, reply string) func(int, string) string {
	return func(_ int, v string) string {
		if v == verb {
			return reply
		}
		return Default
	}
}

func (c EmailCase) mustSend(t *testing.T, sender providers.EmailSender) providers.Receipt {
	t.Helper()
	receipt, err := sender.SendEmail(t.Context(), Email(t))
	if err != nil {
		t.Fatalf("send: %v", err)
	}
	return receipt
}

func wantMails(t *testing.T, server *MailServer, want int) {
	t.Helper()
	if got := len(server.Mails()); got != want {
		t.Errorf("got %d mails, want %d", got, want)
	}
}

func (c EmailCase) accepted(t *testing.T) {
	t.Parallel()
	server, sender := c.open(t, nil)
	if sender.Name() != c.Provider {
		t.Errorf("got name %q, want %q", sender.Name(), c.Provider)
	}
	for range 3 {
		receipt := c.mustSend(t, sender)
		if want := (providers.Receipt{Provider: c.Provider, ID: "4ABC-9"}); receipt != want {
			t.Errorf("got %+v, want %+v", receipt, want)
		}
	}
	wantMails(t, server, 3)
	if server.Sessions() != 1 || server.Saw("AUTH") != 1 {
		t.Errorf("got %d connections and %d logins, want one", server.Sessions(), server.Saw("AUTH"))
	}
	if got, want := server.Mails()[0].To, Email(t).To.Reveal(); got != want {
		t.Errorf("got recipient %q, want %q", got, want)
	}
}

func (c EmailCase) refusals(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		verb, reply string
		kind        providers.Kind
		code        string
	}{
		{"GREETING", "421 4.3.2 hai.ma@example.com later", providers.Temporary, "421-4.3.2"},
		{"GREETING", "554 no service", providers.Misconfigured, "554"},
		{"STARTTLS", "454 4.7.0 TLS not available", providers.Temporary, "454-4.7.0"},
		{"AUTH", "535 5.7.8 wrong password", providers.Misconfigured, "535-5.7.8"},
		{"AUTH", "454 4.7.0 temporary failure", providers.Temporary, "454-4.7.0"},
		{"AUTH", "421 too many connections", providers.Temporary, "421"},
		{"MAIL", "501 mail from address must be same as authorization user", providers.Misconfigured, "501"},
		{"MAIL", "553 sender not allowed", providers.Misconfigured, "553"},
		{"MAIL", "451 local error", providers.Temporary, "451"},
		{"RCPT", "550 5.1.1 hai.ma@example.com: no such mailbox", providers.Rejected, "550-5.1.1"},
		{"RCPT", "501 5.1.3 bad address syntax", providers.Rejected, "501-5.1.3"},
		{"RCPT", "450 mailbox busy", providers.Temporary, "450"},
		{"DATA", "554 5.7.1 s3cr3t-token refused", providers.Rejected, "554-5.7.1"},
		{"DATA", "451 later", providers.Temporary, "451"},
		{"DOT", "554 taken for spam", providers.Rejected, "554"},
		{"DOT", "452 out of storage", providers.Temporary, "452"},
		{"DOT", "999 what", providers.Unknown, "999"},
		{"RCPT", "999 what", providers.Temporary, "999"},
	} {
		t.Run(row.verb+" "+row.reply[:3], func(t *testing.T) {
			t.Parallel()
			server, sender := c.open(t, on(row.verb, row.reply))
			_, err := sender.SendEmail(t.Context(), Email(t))
			check(t, err, c.Provider, want{row.kind, row.code}, c.private(t))
			if row.verb != "DOT" {
				wantMails(t, server, 0)
			}
			if err := sender.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			eventually(t, func() bool { return server.Open() == 0 }, "the connection to be closed")
		})
	}
}

// eventually waits until the condition holds.
func eventually(t *testing.T, condition func() bool, what string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

func (c EmailCase) lost(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"GREETING", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "DOT"} {
		for name, reply := range map[string]string{"closed": HangUp, "garbage": "\x00\x00\x00\x00"} {
			t.Run(name+" at "+verb, func(t *testing.T) {
				t.Parallel()
				server, sender := c.open(t, on(verb, reply))
				_, err := sender.SendEmail(t.Context(), Email(t))
				w := want{kind: providers.Temporary}
				if verb == "DOT" {
					w.kind = providers.Unknown
				}
				check(t, err, c.Provider, w, c.private(t))
				if got, most := server.Sessions(), 1; got != most {
					t.Errorf("got %d connections, want %d", got, most)
				}
			})
		}
	}
}

func (c EmailCase) silent(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"GREETING", "AUTH", "MAIL", "DATA", "DOT"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			reached := make(chan struct{})
			var once sync.Once
			_, sender := c.open(t, func(_ int, v string) string {
				if v != verb {
					return Default
				}
				once.Do(func() { close(reached) })
				return Silent
			})
			w := want{kind: providers.Temporary}
			if verb == "DOT" {
				w.kind = providers.Unknown
			}
			c.exchange(t).cancelled(t, reached, w, func(ctx context.Context) error {
				_, err := sender.SendEmail(ctx, Email(t))
				return err
			})
		})
	}
}

// rubbish plays QQ, which answers commands after an accepted mail with binary zeros.
func (c EmailCase) rubbish(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]string{"zeros": "\x00\x00\x00", "closed": HangUp, "refusal": "550 no"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, sender := c.open(t, func(_ int, verb string) string {
				if verb == "RSET" || verb == "QUIT" || verb == "NOOP" {
					return reply
				}
				return Default
			})
			_ = c.mustSend(t, sender)
			_ = c.mustSend(t, sender)
			if err := sender.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			wantMails(t, server, 2)
		})
	}
}

func (c EmailCase) died(t *testing.T) {
	t.Parallel()
	t.Run("closed", func(t *testing.T) {
		t.Parallel()
		server, sender := c.open(t, nil)
		_ = c.mustSend(t, sender)
		server.HangUpAll()
		_ = c.mustSend(t, sender)
		wantMails(t, server, 2)
	})
	t.Run("421 to the next mail", func(t *testing.T) {
		t.Parallel()
		var mails int
		server, sender := c.open(t, func(session int, verb string) string {
			if session == 1 && verb == "MAIL" {
				if mails++; mails == 2 {
					return "421 4.4.2 timeout"
				}
			}
			return Default
		})
		_ = c.mustSend(t, sender)
		_ = c.mustSend(t, sender)
		wantMails(t, server, 2)
		if server.Sessions() != 2 {
			t.Errorf("got %d connections, want 2", server.Sessions())
		}
	})
	t.Run("lost after the dot is not repeated", func(t *testing.T) {
		t.Parallel()
		var dots int
		server, sender := c.open(t, func(_ int, verb string) string {
			if verb == "DOT" {
				if dots++; dots == 2 {
					return HangUp
				}
			}
			return Default
		})
		_ = c.mustSend(t, sender)
		_, err := sender.SendEmail(t.Context(), Email(t))
		check(t, err, c.Provider, want{kind: providers.Unknown}, c.private(t))
		wantMails(t, server, 2)
		_ = c.mustSend(t, sender)
	})
}

func (c EmailCase) clear(t *testing.T) {
	t.Parallel()
	server, sender := c.open(t, on("EHLO", "250-mail.example.com\r\n250 AUTH PLAIN LOGIN"))
	_, err := sender.SendEmail(t.Context(), Email(t))
	check(t, err, c.Provider, want{kind: providers.Misconfigured}, c.private(t))
	if server.Saw("AUTH") != 0 {
		t.Error("the password travelled in clear")
	}
}

func (c EmailCase) unreachable(t *testing.T) {
	t.Parallel()
	server, sender := c.open(t, nil)
	server.Stop()
	_, err := sender.SendEmail(t.Context(), Email(t))
	check(t, err, c.Provider, want{kind: providers.Temporary}, c.private(t))
}

func (c EmailCase) ended(t *testing.T) {
	t.Parallel()
	server, sender := c.open(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := sender.SendEmail(ctx, Email(t))
	c.exchange(t).wantCancelled(t, err, want{kind: providers.Temporary})
	wantMails(t, server, 0)
}

func (c EmailCase) injection(t *testing.T) {
	t.Parallel()
	server, sender := c.open(t, nil)
	for name, change := range map[string]func(*providers.Email){
		"subject":              func(e *providers.Email) { e.Subject = "hello\r\nBcc: eve@example.com" },
		"subject with a NUL":   func(e *providers.Email) { e.Subject = "hello\x00" },
		"message id":           func(e *providers.Email) { e.MessageID = "a@b\r\nBcc: eve@example.com" },
		"message id, brackets": func(e *providers.Email) { e.MessageID = "a@b> <c@d" },
		"no message id":        func(e *providers.Email) { e.MessageID = "" },
		"no text":              func(e *providers.Email) { e.Text = "\n" },
		"no recipient":         func(e *providers.Email) { e.To = contact.Email{} },
	} {
		email := Email(t)
		change(&email)
		_, err := sender.SendEmail(t.Context(), email)
		if providers.KindOf(err) != providers.Rejected {
			t.Errorf("%s: got %v, want it rejected", name, err)
		}
	}
	if server.Sessions() != 0 {
		t.Errorf("got %d connections, want none", server.Sessions())
	}
}

func (c EmailCase) concurrent(t *testing.T) {
	t.Parallel()
	const goroutines, each = 20, 3
	server, sender := c.open(t, nil)
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() {
			for i := range each {
				email := Email(t)
				email.MessageID = fmt.Sprintf("%d.%d@example.com", g, i)
				if _, err := sender.SendEmail(t.Context(), email); err != nil {
					t.Errorf("send: %v", err)
				}
			}
		})
	}
	group.Wait()
	ids := make(map[string]bool)
	for _, mail := range server.Mails() {
		_, after, _ := strings.Cut(mail.Data, "Message-ID: <")
		id, _, _ := strings.Cut(after, ">")
		ids[id] = true
	}
	wantMails(t, server, goroutines*each)
	if len(ids) != goroutines*each {
		t.Errorf("got %d different mails, want %d", len(ids), goroutines*each)
	}
}

func (c EmailCase) closed(t *testing.T) {
	t.Parallel()
	server, sender := c.open(t, nil)
	_ = c.mustSend(t, sender)
	if err := sender.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if server.Saw("QUIT") != 1 {
		t.Errorf("got %d times QUIT, want 1", server.Saw("QUIT"))
	}
}
