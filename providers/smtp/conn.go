package smtp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/textproto"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"usher/reasons"
)

// dialTimeout bounds connecting, TLS and login together. The caller's context bounds them as well.
const dialTimeout = 15 * time.Second

var (
	errNoStartTLS = reasons.New(reasons.NoStartTLS, "server offers no STARTTLS")
	errNoLogin    = reasons.New(reasons.NoLoginOffered, "server offers neither PLAIN nor LOGIN")
	errInClear    = reasons.New(reasons.NoTLS,
		"server answers without TLS where TLS from the first byte was expected: try USHER_SMTP_TLS=starttls")
	errSilent = reasons.New(reasons.NoGreeting,
		"server accepts the connection and sends no greeting: if its port expects TLS from the first byte, set USHER_SMTP_TLS=implicit")
)

// dialer opens connections that are ready for a mail.
type dialer struct {
	config Config
	tls    *tls.Config
}

func newDialer(cfg Config) (*dialer, error) {
	roots, err := cfg.roots()
	if err != nil {
		return nil, err
	}
	return &dialer{
		config: cfg,
		tls:    &tls.Config{ServerName: cfg.host(), RootCAs: roots, MinVersion: tls.VersionTLS12},
	}, nil
}

// dial connects and logs in. When it fails nothing was sent.
func (d *dialer) dial(ctx context.Context) (*conn, *failure) {
	var raw net.Conn
	var watched *watchedConn
	stop := func() bool { return true }
	auth := &login{username: d.config.Username, password: d.config.Password.Reveal(), host: d.config.host()}
	options := []mail.Option{
		mail.WithPort(d.config.port()),
		mail.WithHELO(d.config.helo(os.Hostname)),
		mail.WithTimeout(dialTimeout),
		mail.WithTLSConfig(d.tls),
		mail.WithoutSMTPUTF8(), // all addresses are ASCII
		mail.WithDialContextFunc(func(dialing context.Context, network, _ string) (net.Conn, error) {
			opened, err := d.connect(dialing, network)
			if err != nil {
				return nil, err
			}
			raw, watched = opened, &watchedConn{Conn: opened}
			// The library's context ends with the dial. TLS and login must end with the caller's.
			stop = context.AfterFunc(ctx, func() { _ = opened.Close() })
			if d.config.TLS == implicit {
				return opened, nil // the library must see that this is TLS
			}
			return watched, nil
		}),
	}
	switch d.config.TLS {
	case implicit:
		options = append(options, mail.WithSSL())
	case noTLS:
		auth.allowClear = true
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if d.config.Username != "" {
		options = append(options, mail.WithSMTPAuthCustom(auth))
	}
	// One client for each connection: it is cheap, and parts of it keep state during the login.
	client, err := mail.NewClient(d.config.host(), options...)
	if err != nil {
		return nil, &failure{at: atConnect, err: err}
	}
	dialogue, err := client.DialToSMTPClientWithContext(ctx)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		if raw != nil {
			_ = raw.Close() // the library does not close it
		}
		return nil, dialFailure(ctx, watched, auth, err)
	}
	return newConn(raw, dialogue), nil
}

// connect dials the address itself, because the library writes an IPv6 address without brackets.
func (d *dialer) connect(ctx context.Context, network string) (net.Conn, error) {
	address := net.JoinHostPort(d.config.host(), strconv.Itoa(d.config.port()))
	plain := &net.Dialer{KeepAlive: 15 * time.Second}
	if d.config.TLS == implicit {
		return (&tls.Dialer{NetDialer: plain, Config: d.tls}).DialContext(ctx, network, address)
	}
	return plain.DialContext(ctx, network, address)
}

// dialFailure returns where a dial failed. conn is nil when there was no connection.
func dialFailure(ctx context.Context, conn *watchedConn, auth *login, err error) *failure {
	record, isRecord := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case strings.Contains(err.Error(), "does not support STARTTLS"): // the library has no sentinel for it
		return &failure{at: atTLS, err: errNoStartTLS}
	case conn == nil && isRecord && record.Conn != nil: // Conn is set when the first bytes were not TLS
		return &failure{at: atConnect, err: errInClear}
	case conn == nil:
		return &failure{at: atConnect, err: err}
	case conn.watches() && !conn.heard.Load() && !errors.Is(ctx.Err(), context.Canceled) && isTimeout(ctx, err):
		return &failure{at: atConnect, err: errSilent}
	case auth.begun:
		return &failure{at: atLogin, err: err}
	default:
		return &failure{at: stage(conn.at.Load()), err: err}
	}
}

// isTimeout reports whether a dial ended by a timeout.
func isTimeout(ctx context.Context, err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ctx.Err() != nil || ok && timeout.Timeout()
}

// watchedConn records how far the dialogue has come while the library leads it.
type watchedConn struct {
	net.Conn

	heard atomic.Bool  // the server has sent something
	at    atomic.Int32 // stage of the last command
}

// watches reports whether the dialogue can be seen: TLS hides it.
func (c *watchedConn) watches() bool { _, hidden := c.Conn.(*tls.Conn); return !hidden }

// Read records that the server has sent something.
func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard.Store(true)
	}
	return n, err
}

// Write records the command. What is written after STARTTLS counts as part of it, because TLS hides the rest.
func (c *watchedConn) Write(p []byte) (int, error) {
	if verb := bytes.ToUpper(p[:min(len(p), len("STARTTLS"))]); bytes.HasPrefix(verb, []byte("EHLO")) || bytes.HasPrefix(verb, []byte("HELO")) {
		c.at.Store(int32(atHello))
	} else if bytes.HasPrefix(verb, []byte("STARTTLS")) {
		c.at.Store(int32(atTLS))
	}
	return c.Conn.Write(p)
}

// login uses PLAIN where the server offers it, as QQ and 163 do, else LOGIN. It serves one connection.
type login struct {
	username, password, host string
	allowClear               bool
	begun                    bool
	smtp.Auth
}

// Start chooses the mechanism. Both refuse to send a password in clear unless allowClear is set.
func (l *login) Start(server *smtp.ServerInfo) (string, []byte, error) {
	l.begun = true
	switch {
	case slices.Contains(server.Auth, "PLAIN"):
		l.Auth = smtp.PlainAuth("", l.username, l.password, l.host, l.allowClear)
	case slices.Contains(server.Auth, "LOGIN"):
		l.Auth = smtp.LoginAuth(l.username, l.password, l.host, l.allowClear)
	default:
		return "", nil, errNoLogin
	}
	return l.Auth.Start(server)
}

const (
	mailTimeout = 30 * time.Second // one mail, for a caller without a deadline
	byeTimeout  = time.Second      // QUIT and RSET, whose replies decide nothing
)

// conn is a connection that is logged in. One goroutine at a time uses it.
type conn struct {
	net    net.Conn
	client *smtp.Client
	group  int         // commands that go out before their replies are read: all three, or one
	broken bool        // must not carry another mail
	expiry *time.Timer // while idle
}

func newConn(raw net.Conn, client *smtp.Client) *conn {
	c := &conn{net: raw, client: client, group: 1}
	if ok, _ := client.Extension("PIPELINING"); ok {
		c.group = len(envelope{}.commands)
	}
	return c
}

// send sends one mail and returns the server's last reply. When ctx ends it closes the connection, which is the only way to end
// a dialogue early.
func (c *conn) send(ctx context.Context, e envelope) (string, *failure) {
	if err := c.net.SetDeadline(time.Now().Add(mailTimeout)); err != nil {
		c.broken = true
		return "", &failure{at: atMail, err: err}
	}
	stop := context.AfterFunc(ctx, func() { _ = c.net.Close() })
	reply, failed := c.dialogue(e)
	if failed != nil {
		c.reset(failed)
	}
	if !stop() {
		c.broken = true
	}
	return reply, failed
}

// dialogue does not use the library's commands, which wait for each reply before the next command.
func (c *conn) dialogue(e envelope) (string, *failure) {
	text := c.client.Text
	for group := range slices.Chunk(e.commands[:], c.group) {
		if failed := c.exchange(group); failed != nil {
			return "", failed
		}
	}
	n, err := text.W.Write(e.body)
	if err == nil {
		err = text.W.Flush()
	}
	switch {
	case err != nil && (n < len(e.body) || text.W.Buffered() > 0): // the final dot, which comes last, was not written
		return "", &failure{at: atData, err: err}
	case err != nil:
		return "", &failure{at: atDot, err: err}
	}
	_, reply, err := text.ReadResponse(250)
	if err != nil {
		return "", &failure{at: atDot, err: err}
	}
	return reply, nil
}

// exchange sends commands together and then reads their replies.
func (c *conn) exchange(group []command) *failure {
	text := c.client.Text
	for _, command := range group {
		_, _ = text.W.WriteString(command.line) // an error comes with Flush
	}
	if err := text.W.Flush(); err != nil {
		return &failure{at: group[0].at, err: err}
	}
	for _, command := range group {
		if _, _, err := text.ReadResponse(command.reply); err != nil {
			return &failure{at: command.at, err: err}
		}
	}
	return nil
}

// rehearse names sender and recipient and resets the dialogue.
func (c *conn) rehearse(ctx context.Context, e envelope) *failure {
	defer context.AfterFunc(ctx, func() { _ = c.net.Close() })()
	if err := c.net.SetDeadline(time.Now().Add(mailTimeout)); err != nil {
		return &failure{at: atMail, err: err}
	}
	for i := range 2 {
		if failed := c.exchange(e.commands[i : i+1]); failed != nil {
			return failed
		}
	}
	c.broken = c.client.Reset() != nil
	return nil
}

// reset makes the connection ready for the next mail after this one was refused, because servers limit the number of logins.
// Only a permanent refusal keeps the connection: a temporary one may be about the connection itself, such as the number of
// mails on it.
func (c *conn) reset(failed *failure) {
	c.broken = true
	if failed.at == atMail || !refused(failed.err, 5) {
		return
	}
	_ = c.net.SetDeadline(time.Now().Add(byeTimeout))
	if failed.at == atRcpt && c.group > 1 {
		// DATA was sent too. A server that asks for the mail in spite of its refusal must not get a final dot.
		if _, _, err := c.client.Text.ReadResponse(354); !refused(err, 5) {
			return
		}
	}
	c.broken = c.client.Reset() != nil
}

// refused reports whether an error is a refusal of a class: 4 is temporary, 5 permanent.
func refused(err error, class int) bool {
	reply, ok := errors.AsType[*textproto.Error](err)
	return ok && reply.Code/100 == class
}

// quit ends the dialogue and closes. QQ answers QUIT with an invalid reply, so the reply is ignored.
func (c *conn) quit() {
	if !c.broken {
		_ = c.net.SetDeadline(time.Now().Add(byeTimeout))
		_ = c.client.Quit()
	}
	_ = c.net.Close()
}
