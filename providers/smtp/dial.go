package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// dialTimeout bounds connecting, TLS and login together. The caller's context bounds them too.
const dialTimeout = 15 * time.Second

var (
	errNoTLS   = errors.New("server offers no STARTTLS")
	errNoLogin = errors.New("server offers neither PLAIN nor LOGIN")
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
		tls:    &tls.Config{ServerName: cfg.Host, RootCAs: roots, MinVersion: tls.VersionTLS12},
	}, nil
}

// dial connects and logs in. Whatever fails here, nothing was sent.
func (d *dialer) dial(ctx context.Context) (*conn, *failure) {
	var raw net.Conn
	stop := func() bool { return true }
	auth := &login{username: d.config.Username, password: d.config.Password.Reveal(), host: d.config.Host}
	options := []mail.Option{
		mail.WithPort(d.config.port()),
		mail.WithTimeout(dialTimeout),
		mail.WithTLSConfig(d.tls),
		mail.WithoutSMTPUTF8(), // all addresses are ASCII
		mail.WithDialContextFunc(func(dialing context.Context, network, address string) (net.Conn, error) {
			var err error
			if raw, err = d.connect(dialing, network, address); err == nil {
				// The library's context ends with the dial; TLS and login have to obey the caller's.
				stop = context.AfterFunc(ctx, func() { _ = raw.Close() })
			}
			return raw, err
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
	client, err := mail.NewClient(d.config.Host, options...)
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
		return nil, dialFailure(auth, err)
	}
	return newConn(raw, dialogue), nil
}

func (d *dialer) connect(ctx context.Context, network, address string) (net.Conn, error) {
	plain := &net.Dialer{KeepAlive: 15 * time.Second}
	if d.config.TLS == implicit {
		return (&tls.Dialer{NetDialer: plain, Config: d.tls}).DialContext(ctx, network, address)
	}
	return plain.DialContext(ctx, network, address)
}

func dialFailure(auth *login, err error) *failure {
	switch {
	case strings.Contains(err.Error(), "does not support STARTTLS"): // the library has no sentinel for it
		return &failure{at: atConnect, err: errNoTLS}
	case auth.begun:
		return &failure{at: atLogin, err: err}
	default:
		return &failure{at: atConnect, err: err}
	}
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
