package sandbox_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"usher/sandbox"
)

const activationMail = "From: =?utf-8?b?5rW36amsIDzlrqLmnI0+?= <sandbox@example.com>\r\n" +
	"To: a@example.org\r\n" +
	"Date: Fri, 02 Jan 2026 03:04:05 +0000\r\n" +
	"Subject: =?UTF-8?b?6K+35r+A5rS75oKo55qE6LSm5oi3?=\r\n" +
	"MIME-Version: 1.0\r\n" +
	"Content-Type: multipart/alternative; boundary=b1\r\n\r\n" +
	"--b1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
	"5r+A5rS777yaaHR0cDovL2xvY2FsaG9zdDo4MDgwL2FjdGl2YXRlP3Rva2VuPWFiYy4xMjM0NTbvvIzmnInmlYg=\r\n" +
	"--b1\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
	"<p>=E6=BF=80=E6=B4=BB <a href=3D\"http://localhost:8080/activate?token=3Dabc.123456\">=E9=93=BE=E6=8E=A5</a>\r\n" +
	"<a href=3D\"https://example.org/help\">?</a></p>\r\n--b1--\r\n"

// dial connects, and upgrades to TLS with the sandbox's certificate as the only trusted one.
func (b *bundle) dial(t *testing.T) *smtp.Client {
	t.Helper()
	c := b.dialClear(t)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b.SMTPCA()) {
		t.Fatal("the certificate is not PEM")
	}
	if err := c.StartTLS(&tls.Config{ServerName: "127.0.0.1", RootCAs: pool}); err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *bundle) dialClear(t *testing.T) *smtp.Client {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", b.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	c, err := smtp.NewClient(conn, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (b *bundle) login(t *testing.T) *smtp.Client {
	t.Helper()
	c := b.dial(t)
	account := b.Credentials().SMTP
	if err := c.Auth(smtp.PlainAuth("", account.Username, account.Password, "127.0.0.1")); err != nil {
		t.Fatal(err)
	}
	return c
}

// send runs one mail transaction and returns the first error.
func send(c *smtp.Client, to, message string) error {
	if err := c.Mail("sandbox@example.com"); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, message); err != nil {
		return err
	}
	return w.Close()
}

func wantReply(t *testing.T, what string, err error, code int) {
	t.Helper()
	var got *textproto.Error
	if !errors.As(err, &got) || got.Code != code {
		t.Errorf("%s: got %v, want reply %d", what, err, code)
	}
}

func TestSMTP_keeps_a_mail_with_both_parts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.login(t)
	if err := send(c, "a@example.org", activationMail); err != nil {
		t.Fatal(err)
	}
	if err := c.Quit(); err != nil {
		t.Errorf("quit: %v", err)
	}
	m := b.only(t)
	link := "http://localhost:8080/activate?token=abc.123456"
	for name, c := range map[string][2]string{
		"channel": {m.Channel, "email"}, "provider": {m.Provider, "smtp"}, "to": {m.To, "a@example.org"},
		"from": {m.From, "海马 <客服> <sandbox@example.com>"}, "subject": {m.Subject, "请激活您的账户"},
		"text": {m.Text, "激活：" + link + "，有效"}, "code": {m.Code, ""},
		"links": {strings.Join(m.Links, " "), link + " https://example.org/help"},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: got %q, want %q", name, c[0], c[1])
		}
	}
	if !strings.Contains(m.HTML, `激活 <a href="`+link) {
		t.Errorf("html: got %q", m.HTML)
	}
}

func TestSMTP_reads_other_shapes_of_mail(t *testing.T) {
	t.Parallel()
	const head = "From: sandbox@example.com\r\n"
	for name, c := range map[string]struct{ mail, text, code, subject string }{
		"plain":           {head + "Subject: hi\r\n\r\nYour code is 483920.\r\n", "Your code is 483920.\n", "483920", "hi"},
		"gbk":             {head + "Content-Type: text/plain; charset=gb18030\r\n\r\n\xc4\xe3\xba\xc3\r\n", "你好\n", "", ""},
		"no code":         {head + "\r\nOn 2026-11-30 138****8000 signed in at localhost:8080 and 10.0.0.1:8081. Not you? Ask for a code.\r\n", "On 2026-11-30 138****8000 signed in at localhost:8080 and 10.0.0.1:8081. Not you? Ask for a code.\n", "", ""},
		"order number":    {head + "\r\nOrder 483920 has left.\r\n", "Order 483920 has left.\n", "", ""},
		"unknown charset": {head + "Content-Type: text/plain; charset=nonsense\r\n\r\nx\r\n", "(unreadable)", "", ""},
		"html only":       {head + "Content-Type: text/html\r\n\r\n<style>a{top:9999px}</style><b>483920</b>\r\n", "", "483920", ""},
		"nested with attachment": {
			head + "Content-Type: multipart/mixed; boundary=o\r\n\r\n" +
				"--o\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\ninner\r\n--i--\r\n" +
				"--o\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nno\r\n--o--\r\n",
			"inner", "", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			if err := send(b.login(t), "a@example.org", c.mail); err != nil {
				t.Fatal(err)
			}
			if m := b.only(t); m.Text != c.text || m.Code != c.code || m.Subject != c.subject {
				t.Errorf("got text %q, code %q, subject %q", m.Text, m.Code, m.Subject)
			}
		})
	}
}

// loginAuth is the client side of AUTH LOGIN, which the standard library leaves out.
type loginAuth struct{ username, password string }

func (a loginAuth) Start(*smtp.ServerInfo) (string, []byte, error) { return "LOGIN", nil, nil }

func (a loginAuth) Next(challenge []byte, more bool) ([]byte, error) {
	switch {
	case !more:
		return nil, nil
	case string(challenge) == "Username:":
		return []byte(a.username), nil
	default:
		return []byte(a.password), nil
	}
}

func TestSMTP_login(t *testing.T) {
	t.Parallel()
	b := setup(t)
	account := b.Credentials().SMTP
	if err := b.dial(t).Auth(loginAuth{account.Username, account.Password}); err != nil {
		t.Errorf("AUTH LOGIN: %v", err)
	}
	c := b.dial(t)
	name := base64.StdEncoding.EncodeToString([]byte(account.Username))
	if _, err := c.Text.Cmd("AUTH LOGIN %s", name); err != nil {
		t.Fatal(err)
	}
	if _, line, err := c.Text.ReadResponse(334); err != nil || line != "UGFzc3dvcmQ6" {
		t.Errorf("AUTH LOGIN with the name at once: got %q, %v", line, err)
	}
	for mechanism, auth := range map[string]smtp.Auth{
		"PLAIN": smtp.PlainAuth("", account.Username, "wrong", "127.0.0.1"),
		"LOGIN": loginAuth{account.Username, "wrong"},
	} {
		wantReply(t, mechanism+" with a wrong password", b.dial(t).Auth(auth), 535)
	}
}

func TestSMTP_refuses_what_is_not_secured(t *testing.T) {
	t.Parallel()
	b := setup(t)
	open := b.dialClear(t)
	if offered, _ := open.Extension("AUTH"); offered {
		t.Errorf("AUTH is offered without TLS")
	}
	wantReply(t, "AUTH in clear", open.Auth(loginAuth{"a", "b"}), 523)
	wantReply(t, "MAIL in clear", b.dialClear(t).Mail("sandbox@example.com"), 530)
	wantReply(t, "MAIL without login", b.dial(t).Mail("sandbox@example.com"), 530)
}

func TestSMTP_refuses_bad_mail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	deep := ""
	for level := range 10 {
		deep += fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%[1]dx\r\n\r\n--b%[1]dx\r\n", level)
	}
	for name, c := range map[string]struct {
		mail string
		code int
	}{
		"no From":  {"Subject: x\r\n\r\nx\r\n", 550},
		"no head":  {"\x00\x01 nonsense\r\n\r\n", 554},
		"too big":  {"From: a@example.com\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 16_000), 552},
		"too deep": {"From: a@example.com\r\n" + deep, 554},
	} {
		wantReply(t, name, send(b.login(t), "a@example.org", c.mail), c.code)
	}
	if n := len(b.Messages("")); n != 0 {
		t.Errorf("messages: got %d, want 0", n)
	}
}

func TestSMTP_magic_mailboxes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for ending, code := range map[string]int{"+450": 450, "+550": 550, "+451": 451, "+554": 554} {
		wantReply(t, ending, send(b.login(t), "a"+ending+"@example.org", activationMail), code)
	}
	if n := len(b.Messages("")); n != 0 {
		t.Errorf("messages: got %d, want 0", n)
	}
	if err := send(b.login(t), "a+reset@example.org", activationMail); err == nil {
		t.Errorf("+reset: got a reply, want a lost connection")
	}
	if m := b.only(t); m.To != "a+reset@example.org" {
		t.Errorf("+reset: kept %q", m.To)
	}
}

func TestSMTP_idle_clients_do_not_hold_up_the_end(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.login(t)
	start := time.Now()
	if err := b.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := c.Noop(); err == nil {
		t.Errorf("the connection outlived the server")
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("close took %v", took)
	}
}

func TestSMTP_faults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault sandbox.Fault
		code  int // 0: no readable reply
		kept  int
	}{
		"temporary":   {sandbox.Fault{Code: "451"}, 451, 0},
		"spam":        {sandbox.Fault{Code: "554", DelayMS: 1}, 554, 0},
		"mailbox":     {sandbox.Fault{Code: "550"}, 550, 0},
		"sender":      {sandbox.Fault{Code: "553"}, 553, 0},
		"lost answer": {sandbox.Fault{Reset: true}, 0, 1},
		"garbage":     {sandbox.Fault{Garbage: true}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.fault(t, sandbox.Faults{SMTP: &c.fault})
			err := send(b.login(t), "a@example.org", activationMail)
			if c.code != 0 {
				wantReply(t, "send", err, c.code)
			} else if reply := (*textproto.Error)(nil); err == nil || errors.As(err, &reply) {
				t.Errorf("got %v, want an unknown outcome", err)
			}
			if n := len(b.Messages("")); n != c.kept {
				t.Errorf("messages: got %d, want %d", n, c.kept)
			}
		})
	}
}

func TestSMTP_fault_at_login(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fault(t, sandbox.Faults{SMTP: &sandbox.Fault{Code: "535", Count: 1}})
	account := b.Credentials().SMTP
	auth := smtp.PlainAuth("", account.Username, account.Password, "127.0.0.1")
	wantReply(t, "first login", b.dial(t).Auth(auth), 535)
	if err := b.dial(t).Auth(auth); err != nil {
		t.Errorf("second login: %v", err)
	}
}

func TestSMTP_shows_a_mail_byte_for_byte(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dotted := activationMail + ".a line that begins with a dot\r\n"
	if err := send(b.login(t), "a@example.org", dotted); err != nil {
		t.Fatal(err)
	}
	status, header, body := b.do(t, b.request(t, "GET", "/api/messages/"+b.only(t).ID+"/raw", ""))
	if status != 200 || body != dotted || header.Get("Content-Type") != "message/rfc822" {
		t.Errorf("got %d, %s:\n%q, want\n%q", status, header.Get("Content-Type"), body, dotted)
	}
	for _, id := range []string{"2", "0", "x", "-1"} {
		if status, _, _ := b.do(t, b.request(t, "GET", "/api/messages/"+id+"/raw", "")); status != 404 {
			t.Errorf("id %s: got %d, want 404", id, status)
		}
	}
}
