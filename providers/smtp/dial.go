package smtp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
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

// dialTimeout bounds connecting, TLS and login together. The caller's context bounds them too.
const dialTimeout = 15 * time.Second

var (
	errNoStartTLS = reasons.New(reasons.NoStartTLS, "server offers no STARTTLS")
	errNoLogin    = reasons.New(reasons.NoLoginOffered, "server offers neither PLAIN nor LOGIN")
	errInClear    = reasons.New(reasons.NoTLS,
		"server speaks in clear where TLS from the first byte was expected: USHER_SMTP_TLS=starttls may be right")
	errSilent = reasons.New(reasons.NoGreeting,
		"server accepts the connection and says nothing: if its port wants TLS from the first byte, USHER_SMTP_TLS=implicit is right")
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

// dial connects and logs in. Whatever fails here, nothing was sent.
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
			// The library's context ends with the dial; TLS and login have to obey the caller's.
			stop = context.AfterFunc(ctx, func() { _ = opened.Close() })
			if d.config.TLS == implicit {
				return opened, nil // the library must see that it is TLS
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
	// One for each connection: the library's client is cheap, and its parts keep state while logging in.
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
			_ = raw.Close() // the library leaves it open
		}
		return nil, dialFailure(ctx, watched, auth, err)
	}
	return newConn(raw, dialogue), nil
}

// connect dials the address itself: the library's own has no brackets around an IPv6 address.
func (d *dialer) connect(ctx context.Context, network string) (net.Conn, error) {
	address := net.JoinHostPort(d.config.host(), strconv.Itoa(d.config.port()))
	plain := &net.Dialer{KeepAlive: 15 * time.Second}
	if d.config.TLS == implicit {
		return (&tls.Dialer{NetDialer: plain, Config: d.tls}).DialContext(ctx, network, address)
	}
	return plain.DialContext(ctx, network, address)
}

// dialFailure says where a dial failed: conn is nil when there was no connection.
func dialFailure(ctx context.Context, conn *watchedConn, auth *login, err error) *failure {
	record, isRecord := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case strings.Contains(err.Error(), "does not support STARTTLS"): // the library has no sentinel for it
		return &failure{at: atTLS, err: errNoStartTLS}
	case conn == nil && isRecord && record.Conn != nil: // Conn is set when what came first is no TLS
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

// isTimeout reports whether a dial ended because its time was over.
func isTimeout(ctx context.Context, err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ctx.Err() != nil || ok && timeout.Timeout()
}

// watchedConn notes how far the dialogue on it has come while the library leads it.
type watchedConn struct {
	net.Conn

	heard atomic.Bool  // the server has said something
	at    atomic.Int32 // stage of the last command
}

// watches reports whether the library uses the connection through this one: TLS hides the dialogue.
func (c *watchedConn) watches() bool { _, hidden := c.Conn.(*tls.Conn); return !hidden }

// Read notes that the server speaks.
func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard.Store(true)
	}
	return n, err
}

// Write notes the command. What goes out after STARTTLS belongs to it, as far as can be seen from here.
func (c *watchedConn) Write(p []byte) (int, error) {
	if verb := bytes.ToUpper(p[:min(len(p), len("STARTTLS"))]); bytes.HasPrefix(verb, []byte("EHLO")) || bytes.HasPrefix(verb, []byte("HELO")) {
		c.at.Store(int32(atHello))
	} else if bytes.HasPrefix(verb, []byte("STARTTLS")) {
		c.at.Store(int32(atTLS))
	}
	return c.Conn.Write(p)
}

// login is PLAIN where the server offers it, as QQ and 163 do, else LOGIN. It serves one connection.
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
